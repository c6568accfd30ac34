//! The end of a service that everybody else holds: messages go in, its status comes out.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use vigie_web::Alarm;

use super::words::{Desired, Health, State, Verb};
use crate::fleet::event::Actor;
use crate::fleet::view::LastExit;
use crate::logs::Log;
use crate::settings::Service;

/// What may be said to a service.
#[derive(Debug)]
pub(crate) enum Message {
    /// A person wants something; answered by the generation, or by why it is refused.
    Command(Verb, Actor, oneshot::Sender<Result<u64, (State, &'static str)>>),
    /// A probe of a run was answered, or was not; and its alarms, where it told them.
    Probed(u64, bool, Option<Vec<Alarm>>),
    /// The supervisor ends.
    End(Duration),
    /// Is the task alive? Then the other end is dropped.
    Alive(oneshot::Sender<()>),
}

/// A service, seen from outside.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) service: Arc<Service>,
    pub(crate) messages: mpsc::Sender<Message>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) log: Arc<Log>,
}

/// How a service is, at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) desired: Desired,
    pub(crate) state: State,
    pub(crate) health: Health,
    pub(crate) crash_loop: bool,
    pub(crate) unkillable: bool,
    pub(crate) generation: u64,
    pub(crate) pid: Option<u32>,
    pub(crate) started: Option<(Timestamp, Instant)>,
    pub(crate) ready_at: Option<Timestamp>,
    pub(crate) restarts: u64,
    /// When it was started anew, in the last hour.
    pub(crate) recent_restarts: Arc<[Instant]>,
    pub(crate) last_exit: Option<LastExit>,
    /// Of the last transition.
    pub(crate) reason: Option<String>,
    pub(crate) next_start: Option<Instant>,
    pub(crate) text: Option<String>,
    pub(crate) heartbeat: Option<Instant>,
    pub(crate) waiting_for: Vec<String>,
    pub(crate) notifications_ignored: u64,
    /// What it last told that a person should look at.
    pub(crate) alarms: Arc<[Alarm]>,
}

impl Status {
    pub(crate) fn has_process(&self) -> bool {
        matches!(self.state, State::Starting | State::Running | State::Stopping)
    }
}
