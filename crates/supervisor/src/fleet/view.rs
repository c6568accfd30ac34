//! What page, API and command line see of a service and of the machine.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::Instant;
use vigie_common::clock;
use vigie_web::Alarm;

use crate::sample::Sample;
use crate::service::handle::{Handle, Status};
use crate::service::words::{Desired, Health, State};
use crate::settings::Kind;

/// A service at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceView {
    /// Names it.
    pub id: String,
    /// Whose it is.
    pub kind: Kind,
    /// What is wanted of it.
    pub desired: Desired,
    /// What is seen of it.
    pub state: State,
    /// How it is.
    pub health: Health,
    /// It fails again and again.
    pub crash_loop: bool,
    /// The process.
    pub pid: Option<u32>,
    /// How many commands it has had.
    pub generation: u64,
    /// When the process was started.
    pub started_at: Option<Timestamp>,
    /// When it became ready.
    pub ready_at: Option<Timestamp>,
    /// How long the process has run.
    pub uptime_seconds: Option<f64>,
    /// Starts but the first, since the supervisor began.
    pub restarts: u64,
    /// Of these, in the last hour.
    pub restarts_last_hour: u64,
    /// Why it is in this state.
    pub reason: Option<String>,
    /// How its last process ended.
    pub last_exit: Option<LastExit>,
    /// When it is tried again.
    pub next_start_at: Option<Timestamp>,
    /// What it says that it does; inert.
    pub status: Option<String>,
    /// Since its last ping.
    pub heartbeat_age_seconds: Option<f64>,
    /// Processor time over time: 1.0 is one core.
    pub cpu: Option<f64>,
    /// Memory.
    pub resident_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open file descriptors.
    pub open_fds: Option<u64>,
    /// Lines of its output that did not reach a file.
    pub log_dropped: u64,
    /// Notifications that were not believed.
    pub notifications_ignored: u64,
    /// What it says that a person should look at; inert. Told by ingest and metrics alone.
    pub alarms: Vec<Alarm>,
    /// What must be ready before it.
    pub needs: Vec<String>,
    /// Of these, what is not.
    pub waiting_for: Vec<String>,
    /// KILL did not end its process.
    pub unkillable: bool,
    /// Program and arguments.
    pub command: Vec<String>,
}

/// How a process ended.
#[derive(Debug, Clone, Serialize)]
pub struct LastExit {
    /// When.
    pub at: Timestamp,
    /// Exit code.
    pub code: Option<i32>,
    /// Signal.
    pub signal: Option<i32>,
    /// Why it ended, and how.
    pub reason: String,
    /// Its number.
    pub pid: u32,
    /// How long it ran.
    pub ran_seconds: f64,
}

/// The machine and the supervisor itself.
#[derive(Debug, Clone, Serialize)]
pub struct HostView {
    /// Name of the machine.
    pub hostname: String,
    /// Load averages of 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Memory of the machine.
    pub memory_bytes: u64,
    /// Of it, what programs could still have.
    pub memory_available_bytes: u64,
    /// Size of the disk that the data folder is on.
    pub data_bytes: u64,
    /// Of it, what is free for us.
    pub data_free_bytes: u64,
    /// Memory of the supervisor.
    pub resident_bytes: u64,
    /// Version of the supervisor.
    pub version: String,
    /// When the supervisor began.
    pub since: Timestamp,
}

impl ServiceView {
    pub(crate) fn of(handle: &Handle, status: Status, sample: Option<&Sample>) -> Self {
        let service = &handle.service;
        let sample = sample.filter(|sample| Some(sample.pid) == status.pid);
        Self {
            id: service.id.clone(),
            kind: service.kind,
            desired: status.desired,
            state: status.state,
            health: status.health,
            crash_loop: status.crash_loop,
            pid: status.pid,
            generation: status.generation,
            started_at: status.started.map(|(at, _)| at),
            ready_at: status.ready_at,
            uptime_seconds: status.started.map(|(_, since)| since.elapsed().as_secs_f64()),
            restarts: status.restarts,
            restarts_last_hour: status
                .recent_restarts
                .iter()
                .filter(|at| at.elapsed().as_secs() < 3600)
                .fold(0, |count, _| count + 1),
            reason: status.reason,
            last_exit: status.last_exit,
            next_start_at: status.next_start.and_then(wall),
            status: status.text,
            heartbeat_age_seconds: status.heartbeat.map(|at| at.elapsed().as_secs_f64()),
            cpu: sample.and_then(|sample| sample.cpu),
            resident_bytes: sample.map(|sample| sample.resident_bytes),
            threads: sample.map(|sample| sample.threads),
            open_fds: sample.and_then(|sample| sample.open_fds),
            log_dropped: handle.log.dropped(),
            notifications_ignored: status.notifications_ignored,
            alarms: status.alarms.to_vec(),
            needs: service.needs.clone(),
            waiting_for: status.waiting_for,
            unkillable: status.unkillable,
            command: service.command.clone(),
        }
    }
}

/// A coming instant by the wall clock.
fn wall(at: Instant) -> Option<Timestamp> {
    let wait = SignedDuration::try_from(at.saturating_duration_since(Instant::now())).ok()?;
    clock::now().checked_add(wait).ok()
}
