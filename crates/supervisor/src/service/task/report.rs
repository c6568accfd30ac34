//! What a task tells about its service: the status that others see, and the events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use vigie_common::clock;
use vigie_web::Alarm;

use super::process::Process;
use super::{Machine, Service, Status};
use crate::fleet::event::Moved;
use crate::fleet::view::LastExit;
use crate::service::words::{Ended, Reason, State};

const HOUR: Duration = Duration::from_hours(1);
/// A service that a person restarts in a loop must not fill the memory.
const RESTARTS: usize = 1000;

/// See the module.
pub(super) struct Report {
    id: String,
    status: watch::Sender<Status>,
    started: Option<(Timestamp, Instant)>,
    ready_at: Option<Timestamp>,
    starts: u64,
    recent: VecDeque<Instant>,
    last_exit: Option<LastExit>,
    reason: Option<String>,
    /// The end that the present event is about.
    ended: Option<(u32, Ended)>,
    /// Why the process is to end.
    why: Option<String>,
    alarms: Arc<[Alarm]>,
    pub(super) text: Option<String>,
    pub(super) heartbeat: Option<Instant>,
}

impl Report {
    pub(super) fn new(machine: &Machine, service: &Service) -> (Self, watch::Receiver<Status>) {
        let (status, receiver) = watch::channel(Status::first(machine));
        let report = Self {
            id: service.id.clone(),
            status,
            started: None,
            ready_at: None,
            starts: 0,
            recent: VecDeque::new(),
            last_exit: None,
            reason: None,
            ended: None,
            why: None,
            alarms: Arc::new([]),
            text: None,
            heartbeat: None,
        };
        (report, receiver)
    }

    pub(super) fn started(&mut self) {
        let now = Instant::now();
        self.started = Some((clock::now(), now));
        self.count_start(now);
    }

    /// A start that came to nothing counts, too.
    pub(super) fn not_started(&mut self, why: &str) {
        self.count_start(Instant::now());
        tracing::error!(service = self.id, why, "cannot be executed");
    }

    fn count_start(&mut self, now: Instant) {
        self.starts += 1;
        if self.starts > 1 {
            self.recent.push_back(now);
            if self.recent.len() > RESTARTS {
                self.recent.pop_front();
            }
        }
    }

    pub(super) fn ended(&mut self, process: &Process, ended: Ended) {
        let reason = match self.why.take() {
            Some(why) => format!("{why}; {ended}"),
            None => ended.to_string(),
        };
        self.last_exit = Some(LastExit {
            at: clock::now(),
            code: ended.code,
            signal: ended.signal,
            reason,
            pid: process.pid,
            ran_seconds: process.since.elapsed().as_secs_f64(),
        });
        self.ended = Some((process.pid, ended));
        (self.started, self.ready_at, self.text, self.heartbeat) = (None, None, None, None);
        self.alarms = Arc::new([]);
    }

    /// What it tells now that a person should look at; true where that is news.
    pub(super) fn alarms(&mut self, alarms: Vec<Alarm>) -> bool {
        let news = *self.alarms != *alarms;
        if news {
            self.alarms = alarms.into();
        }
        news
    }

    /// The event of a transition.
    pub(super) fn moved(&mut self, machine: &Machine, from: State, to: State, reason: &Reason) -> Moved {
        match to {
            State::Running => self.ready_at = Some(clock::now()),
            State::Stopping => self.why = Some(reason.to_string()),
            _ => {}
        }
        self.reason = Some(reason.to_string());
        // Only the first transition after an end is about it.
        let ended = self.ended.take();
        let pid = ended.map(|(pid, _)| pid).or(machine.pid());
        let is_failure = matches!(to, State::Backoff | State::Fatal)
            || matches!(
                reason,
                Reason::NotReady(_) | Reason::Silent(_) | Reason::Trigger | Reason::Probes(_)
            );
        Moved {
            from,
            to,
            reason: reason.to_string(),
            code: ended.and_then(|(_, ended)| ended.code),
            signal: ended.and_then(|(_, ended)| ended.signal),
            pid,
            generation: machine.generation(),
            is_failure,
        }
    }

    pub(super) fn publish(
        &mut self,
        machine: &Machine,
        next_start: Option<Instant>,
        waiting_for: Vec<String>,
        notifications_ignored: u64,
    ) {
        self.ended = None;
        while self.recent.front().is_some_and(|at| at.elapsed() > HOUR) {
            self.recent.pop_front();
        }
        self.status.send_replace(Status {
            desired: machine.desired(),
            state: machine.state(),
            health: machine.health(),
            crash_loop: machine.crash_loop(),
            unkillable: machine.unkillable(),
            generation: machine.generation(),
            pid: machine.pid(),
            started: self.started,
            ready_at: self.ready_at,
            restarts: self.starts.saturating_sub(1),
            recent_restarts: self.recent.iter().copied().collect::<Arc<[Instant]>>(),
            last_exit: self.last_exit.clone(),
            reason: self.reason.clone(),
            next_start,
            text: self.text.clone(),
            heartbeat: self.heartbeat,
            waiting_for,
            notifications_ignored,
            alarms: Arc::clone(&self.alarms),
        });
    }
}
