//! The processes of one demo, told from all others of the machine by its folder and the port of its mailbox.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;

use super::config::{self, Ports};
use crate::{clock, processes, workspace};

/// The supervisor stops all in 20 s, or says so.
const STOP: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Supervisor,
    Ingest,
    Metrics,
    Mailbox,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Supervisor, Self::Ingest, Self::Metrics, Self::Mailbox];

    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Supervisor => "vigie-supervisor",
            Self::Ingest => "vigie-ingest",
            Self::Metrics => "vigie-metrics",
            Self::Mailbox => "vigie-demo-mailbox",
        }
    }
}

pub(super) struct Stack {
    binaries: PathBuf,
    folder: PathBuf,
    ports: Ports,
    supervisor: Option<Child>,
}

impl Stack {
    pub(super) fn new(binaries: &Path, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let ports = Ports::free()?;
        let demo = fs::read_to_string(workspace::root().join("config/demo.toml"));
        let text = config::of(&demo.context("cannot read the demo's configuration")?, folder, &ports)?;
        let stack =
            Self { binaries: binaries.to_owned(), folder: folder.to_owned(), ports, supervisor: None };
        fs::write(stack.config(), text).context("cannot write the configuration")?;
        Ok(stack)
    }

    fn config(&self) -> PathBuf {
        self.folder.join("vigie.toml")
    }

    /// One of the programs, with this configuration.
    pub(super) fn command(&self, kind: Kind, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binaries.join(kind.program()));
        command.args(arguments).arg("--config").arg(self.config());
        command.env_remove("NOTIFY_SOCKET").env_remove("VIGIE_LIFELINE").stdin(Stdio::null());
        command
    }

    /// Starts the supervisor.
    pub(super) fn start(&mut self) -> Result<()> {
        let file = self.folder.join("supervisor.log");
        let log = OpenOptions::new().create(true).append(true).open(&file);
        let log = log.with_context(|| format!("cannot write {}", file.display()))?;
        let errors = log.try_clone().context("cannot share a file")?;
        let mut command = self.command(Kind::Supervisor, &["run"]);
        self.supervisor =
            Some(command.stdout(log).stderr(errors).spawn().context("cannot start the supervisor")?);
        Ok(())
    }

    /// What runs of it: not what has ended and only was not waited for.
    pub(super) fn processes(&self) -> Vec<(Kind, u32)> {
        let folder = self.folder.display().to_string();
        let address = format!("127.0.0.1:{}", self.ports.mailbox);
        let kind = |words: &[String]| {
            let program = Path::new(words.first()?).file_name()?;
            let kind = Kind::ALL.into_iter().find(|kind| program == kind.program())?;
            let mut rest = words.iter().skip(1);
            let is_ours = match kind {
                Kind::Mailbox => rest.any(|word| *word == address),
                _ => {
                    rest.next().is_some_and(|word| word == "run")
                        && rest.any(|word| word.starts_with(&folder))
                }
            };
            is_ours.then_some(kind)
        };
        processes::all().filter_map(|(pid, words)| Some((kind(&words)?, pid))).collect()
    }

    fn all(&self, kind: Kind) -> Vec<u32> {
        self.processes().into_iter().filter(|(other, _)| *other == kind).map(|(_, pid)| pid).collect()
    }

    /// The one process of its kind.
    pub(super) fn only(&self, kind: Kind) -> Option<u32> {
        if kind == Kind::Supervisor {
            return self.supervisor.as_ref().map(Child::id);
        }
        match *self.all(kind) {
            [pid] => Some(pid),
            _ => None,
        }
    }

    /// All but the supervisor.
    pub(super) fn children(&self) -> Vec<u32> {
        let children = self.processes().into_iter().filter(|(kind, _)| *kind != Kind::Supervisor);
        children.map(|(_, pid)| pid).collect()
    }

    /// Which of these are still there.
    pub(super) fn left(&self, pids: &[u32]) -> Vec<Kind> {
        self.processes().into_iter().filter(|(_, pid)| pids.contains(pid)).map(|(kind, _)| kind).collect()
    }

    /// Sends a signal to one of them, which must be there.
    pub(super) fn signal(&self, pid: u32, signal: Signal) -> Result<()> {
        ensure!(processes::signal(pid, signal), "process {pid} ended by itself");
        Ok(())
    }

    pub(super) fn kill_supervisor(&mut self) -> Result<()> {
        let mut supervisor = self.supervisor.take().context("the supervisor is not there")?;
        if let Some(status) = supervisor.try_wait().context("cannot look at the supervisor")? {
            bail!("the supervisor ended by itself: {status}");
        }
        supervisor.kill().context("cannot kill the supervisor")?;
        supervisor.wait().context("cannot wait for the supervisor")?;
        Ok(())
    }

    /// Never two that write the archive, at no moment: neither two processes nor two holders of its lock.
    pub(super) fn check_writers(&self) -> Result<()> {
        let writers = self.all(Kind::Ingest);
        ensure!(
            writers.len() < 2,
            "{} processes of vigie-ingest at the same time: {writers:?}",
            writers.len()
        );
        let holders = self.lock_holders();
        ensure!(holders.len() < 2, "the archive's lock has several holders: {holders:?}");
        Ok(())
    }

    /// Who holds the lock of the archive, as the kernel sees it.
    fn lock_holders(&self) -> Vec<u32> {
        let Ok(lock) = fs::metadata(self.folder.join("archive/.lock")) else { return Vec::new() };
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        let suffix = format!(":{}", lock.ino());
        let holder = |line: &str| {
            let mut words = line.split_whitespace().skip(1);
            // A waiter's line has an arrow here.
            (words.next()? != "->").then_some(())?;
            let pid = words.nth(2)?.parse().ok()?;
            words.next()?.ends_with(&suffix).then_some(pid)
        };
        // The kernel gives the list piece by piece: an entry that moves between two pieces comes twice.
        let mut holders: Vec<u32> = locks.lines().filter_map(holder).collect();
        holders.sort_unstable();
        holders.dedup();
        holders
    }

    /// One process of each kind, all running and answering.
    pub(super) fn is_whole(&mut self) -> Result<()> {
        let supervisor = self.supervisor.as_mut().context("the supervisor is not there")?;
        if let Some(status) = supervisor.try_wait().context("cannot look at the supervisor")? {
            bail!("the supervisor ended by itself: {status}");
        }
        for kind in Kind::ALL {
            let pids = self.all(kind);
            ensure!(pids.len() == 1, "{} processes of {}", pids.len(), kind.program());
        }
        let holders = self.lock_holders();
        ensure!(holders == self.all(Kind::Ingest), "the archive's lock is held by {holders:?}");
        let services = self.get("/api/v1/services")?;
        for service in services.get("items").and_then(Value::as_array).into_iter().flatten() {
            let of = |name: &str| service.get(name).and_then(Value::as_str).unwrap_or_default();
            ensure!(
                of("state") == "running" && of("health") != "unhealthy",
                "{} is {}",
                of("id"),
                of("state")
            );
        }
        let running = self.get("/api/v1/summary")?.pointer("/ingest/running").and_then(Value::as_bool);
        ensure!(running == Some(true), "metrics does not see ingest running");
        Ok(())
    }

    /// What the door answers.
    pub(super) fn get(&self, path: &str) -> Result<Value> {
        let address = ("127.0.0.1", self.ports.supervisor);
        let mut stream = TcpStream::connect(address).context("cannot connect to the supervisor")?;
        let limit = Some(Duration::from_secs(10));
        stream.set_read_timeout(limit).context("cannot limit the wait for an answer")?;
        // In HTTP/1.0 the answer ends where the connection does.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n\r\n", self.ports.supervisor)
            .context("cannot ask the supervisor")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).with_context(|| format!("cannot read the answer to {path}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer of HTTP")?;
        let status = head.lines().next().unwrap_or_default();
        ensure!(status.contains(" 200 "), "{path}: {status}");
        serde_json::from_str(body).with_context(|| format!("cannot read the answer to {path}"))
    }

    /// The next kill of each service is a first failure again.
    pub(super) fn forget_failures(&self) -> Result<()> {
        self.ask(&["reset", "mailbox", "ingest", "metrics"])
    }

    /// Has the command line of the supervisor do something.
    pub(super) fn ask(&self, arguments: &[&str]) -> Result<()> {
        let output =
            self.command(Kind::Supervisor, arguments).output().context("cannot run vigie-supervisor")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "vigie-supervisor {} failed: {}",
            arguments.join(" "),
            said.trim_end()
        );
        Ok(())
    }

    /// Stops all in good order.
    pub(super) fn stop(mut self) -> Result<()> {
        let mut supervisor = self.supervisor.take().context("the supervisor is not there")?;
        processes::signal(supervisor.id(), Signal::TERM);
        let started = clock::now();
        while started.elapsed() < STOP {
            if let Some(status) = supervisor.try_wait().context("cannot look at the supervisor")? {
                ensure!(status.success(), "the supervisor did not end in good order: {status}");
                let left = self.processes();
                ensure!(left.is_empty(), "the supervisor has ended, and these still run: {left:?}");
                return Ok(());
            }
            clock::pause(super::LOOK);
        }
        self.supervisor = Some(supervisor);
        bail!("the supervisor does not end within {}", clock::shown(STOP));
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Nothing is left when all went well.
        if let Some(mut supervisor) = self.supervisor.take() {
            let _ = supervisor.kill();
            let _ = supervisor.wait();
        }
        for pid in self.children() {
            processes::signal(pid, Signal::KILL);
        }
    }
}
