//! What an earlier life of the supervisor left running is ended before anything is started anew: for every child, pid
//! and start time are on disk while it lives.
//!
//! A pid alone names nobody: it may have been given to another program since. Pid and start time, on the same boot of
//! the machine, name one process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::{group, stat};
use crate::file;

const SUFFIX: &str = "process";

/// How often to look whether a process that was told to end is gone. Only at a start after a crash, for seconds at most.
const LOOK: Duration = Duration::from_millis(20);

/// A process, told from all others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    pid: u32,
    started: u64,
    session: u32,
    boot: String,
}

/// The note of one child on disk.
#[derive(Debug)]
pub(crate) struct Note {
    path: PathBuf,
    boot: String,
}

impl Note {
    /// Of the service `id`, in `folder`.
    pub(crate) fn new(folder: &Path, id: &str) -> Self {
        Self { path: folder.join(format!("{id}.{SUFFIX}")), boot: boot() }
    }

    /// The process is there. Not synced: no process outlives the machine. To be called at once: should the
    /// supervisor be killed between the start of the process and the end of this, nobody knows of it any more, and
    /// only a program with a lifeline ends then.
    pub(crate) fn write(&self, pid: u32) {
        let Some(stat) = stat::read(pid) else { return };
        let identity =
            Identity { pid, started: stat.started, session: stat.session, boot: self.boot.clone() };
        let written = serde_json::to_vec(&identity)
            .map_err(io::Error::from)
            .and_then(|text| file::replace(&self.path, &text, file::Durable::No));
        if let Err(error) = written {
            tracing::warn!(file = %self.path.display(), %error, "cannot note the process: should the supervisor be killed, its next life will not end it");
        }
    }

    /// The process is gone.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Ends all that the notes in `folder` name: TERM to their groups, `grace`, KILL. All at the same time.
pub(crate) async fn end_all(folder: &Path, grace: Duration) {
    let notes = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let notes: Vec<PathBuf> =
        notes.filter(|path| path.extension().is_some_and(|suffix| suffix == SUFFIX)).collect();
    let boot = boot();
    let left: Vec<Identity> = notes
        .iter()
        .filter_map(|note| serde_json::from_slice(&fs::read(note).ok()?).ok())
        .filter(|identity: &Identity| identity.boot == boot && alive(identity))
        .collect();
    for identity in &left {
        tracing::warn!(pid = identity.pid, "a previous life of the supervisor left this process: ending it");
        group::signal(identity.pid, Signal::TERM);
    }
    if !gone(&left, grace).await {
        for identity in left.iter().filter(|identity| alive(identity)) {
            group::signal(identity.pid, Signal::KILL);
        }
        if !gone(&left, Duration::from_secs(2)).await {
            tracing::error!("a process that a previous life of the supervisor left cannot be ended");
        }
    }
    for note in notes {
        let _ = fs::remove_file(note);
    }
}

/// Waits until all are gone; tells whether that came true in time.
async fn gone(left: &[Identity], within: Duration) -> bool {
    let until = Instant::now() + within;
    while left.iter().any(alive) {
        if Instant::now() >= until {
            return false;
        }
        // They are nobody's children any more, or another's: there is no end to wait for.
        sleep_until(Instant::now() + LOOK).await;
    }
    true
}

/// Whether the process, or one of the group that it began, is there.
fn alive(identity: &Identity) -> bool {
    match stat::read(identity.pid) {
        Some(stat) if stat.started == identity.started && !stat.zombie => true,
        Some(stat) if stat.started != identity.started => false,
        // The leader is gone. A pid is not given away while its group lasts, and ours began in our session.
        _ => stat::all().any(|(_, stat)| {
            stat.group == identity.pid
                && stat.session == identity.session
                && stat.started >= identity.started
                && !stat.zombie
        }),
    }
}

/// Names this boot of the machine; empty where that cannot be read.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
