//! One supervisor with its child.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use super::kind::{CHILD, Kind, pidfile};
use crate::{clock, processes};

/// Between two looks: short beside what is measured, long enough not to take the processor away from it.
const LOOK: Duration = Duration::from_micros(50);
/// Longer than the slowest of them takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The processes of a supervisor.
pub(super) struct Family {
    /// Its own.
    pub(super) own: Vec<u32>,
    /// The one that it keeps up.
    child: Option<u32>,
}

pub(super) struct Keeper {
    pub(super) kind: Kind,
    process: Child,
    ours: PathBuf,
    place: PathBuf,
    child: u32,
    since: Instant,
}

impl Keeper {
    /// Starts it, and waits for the child.
    pub(super) fn start(kind: Kind, ours: &Path, place: &Path) -> Result<Self> {
        let mut command = kind.command(ours, place)?;
        let log = File::create(place.join("output")).context("cannot write beside the configuration")?;
        let errors = log.try_clone().context("cannot share a file")?;
        command.stdin(Stdio::null()).stdout(log).stderr(errors).env_remove("NOTIFY_SOCKET");
        let process = command.spawn().with_context(|| format!("cannot start {}", kind.slug()))?;
        let mut keeper = Self {
            kind,
            process,
            ours: ours.to_owned(),
            place: place.to_owned(),
            child: 0,
            since: clock::now(),
        };
        keeper.await_child()?;
        Ok(keeper)
    }

    pub(super) fn family(&self) -> Family {
        let mut family = Family { own: Vec::new(), child: None };
        let mut rest = vec![self.process.id()];
        while let Some(pid) = rest.pop() {
            if processes::words(pid) == CHILD {
                family.child = Some(pid);
            } else {
                family.own.push(pid);
                rest.extend(processes::children(pid));
            }
        }
        if self.kind == Kind::Monit {
            let named = fs::read_to_string(pidfile(&self.place)).ok();
            let named = named.and_then(|text| text.trim().parse().ok());
            family.child = named.filter(|&pid| processes::words(pid) == CHILD);
        }
        family
    }

    /// Waits until the end of the child would be a first failure, and `more`.
    pub(super) fn rest(&self, more: Duration) -> Result<()> {
        let until = self.since + self.kind.rest() + more;
        clock::pause(until.saturating_duration_since(clock::now()));
        if self.kind == Kind::Ours {
            let mut command = Command::new(&self.ours);
            command.args(["reset", "child", "--config"]).arg(self.place.join("vigie.toml"));
            let done = command.output().context("cannot run vigie-supervisor")?;
            ensure!(done.status.success(), "reset failed: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }

    /// Kills the child; how long until the next one executes its program.
    pub(super) fn kill(&mut self) -> Result<Duration> {
        let started = clock::now();
        ensure!(processes::signal(self.child, Signal::KILL), "{}: its child is gone", self.kind.name());
        self.await_child()?;
        Ok(self.since - started)
    }

    /// Waits for a child that is not the one before.
    fn await_child(&mut self) -> Result<()> {
        let started = clock::now();
        while started.elapsed() < PATIENCE {
            if let Some(child) = self.family().child.filter(|&child| child != self.child) {
                (self.child, self.since) = (child, clock::now());
                return Ok(());
            }
            clock::pause(LOOK);
        }
        bail!("{} started no child: see {}", self.kind.name(), self.place.display());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let own = self.family().own;
        processes::signal(self.process.id(), self.kind.end());
        let started = clock::now();
        while matches!(self.process.try_wait(), Ok(None)) && started.elapsed() < PATIENCE {
            clock::pause(Duration::from_millis(10));
        }
        // Monit leaves its child alone, and what did not obey is to go all the same. None of these numbers can have been
        // given away within the moment since.
        let _ = self.process.kill();
        let _ = self.process.wait();
        for pid in own.into_iter().skip(1).chain([self.child]).filter(|&pid| pid != 0) {
            processes::signal(pid, Signal::KILL);
        }
    }
}
