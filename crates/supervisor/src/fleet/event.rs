//! What happened: the last transitions of all services, and news of changes for those who follow.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast;
use vigie_common::clock;
use vigie_common::text::inert;

use crate::service::words::State;

/// Transitions kept.
const KEPT: usize = 1000;
/// Changes that a slow reader may be behind.
const FOLLOW: usize = 256;

/// Who wanted something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Actor(#[serde(serialize_with = "as_str")] Arc<str>);

fn as_str<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl Actor {
    /// The supervisor itself.
    #[must_use]
    pub fn supervisor() -> Self {
        Self("supervisor".into())
    }

    /// A person or machine that is logged in as `name`.
    #[must_use]
    pub fn user(name: &str) -> Self {
        Self(inert(name, 64).into())
    }

    /// Whoever came by the Unix socket, as the system's user `uid`.
    #[must_use]
    pub fn local(uid: u32) -> Self {
        Self(format!("uid {uid}").into())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One transition of one service.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Counts from 1 since the supervisor's start.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub service: String,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub reason: String,
    /// Exit code, where the end of a process was the reason.
    pub code: Option<i32>,
    /// Signal, likewise.
    pub signal: Option<i32>,
    /// The process that it is about.
    pub pid: Option<u32>,
    /// How many commands the service has had.
    pub generation: u64,
    /// Who wanted it.
    pub actor: Actor,
}

/// Something changed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The view of this service.
    Service(String),
    /// A transition.
    Event(Event),
    /// Memory and processor figures.
    Sample,
}

/// A transition, as the task of the service tells it.
pub(crate) struct Moved {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) reason: String,
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) pid: Option<u32>,
    pub(crate) generation: u64,
    pub(crate) is_failure: bool,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Events {
    kept: Mutex<(u64, VecDeque<Event>)>,
    changes: broadcast::Sender<Change>,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self { kept: Mutex::default(), changes: broadcast::Sender::new(FOLLOW) }
    }

    /// Keeps and tells a transition.
    pub(crate) fn tell(&self, service: &str, moved: Moved, actor: &Actor, crash_loop: bool) {
        let Moved { from, to, reason, code, signal, pid, generation, is_failure } = moved;
        if is_failure {
            tracing::warn!(service, %from, %to, reason, ?pid, crash_loop, "service failed");
        } else {
            tracing::info!(service, %from, %to, reason, ?pid, "service");
        }
        let (at, service, actor) = (clock::now(), service.to_owned(), actor.clone());
        let event = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.0 += 1;
            let seq = kept.0;
            let event = Event { seq, at, service, from, to, reason, code, signal, pid, generation, actor };
            kept.1.push_back(event.clone());
            if kept.1.len() > KEPT {
                kept.1.pop_front();
            }
            event
        };
        let _ = self.changes.send(Change::Event(event));
    }

    /// The view of a service changed.
    pub(crate) fn changed(&self, service: &str) {
        if self.changes.receiver_count() > 0 {
            let _ = self.changes.send(Change::Service(service.to_owned()));
        }
    }

    /// There are new samples.
    pub(crate) fn sampled(&self) {
        let _ = self.changes.send(Change::Sample);
    }

    /// What happened after `seq`, as far as it is kept; the oldest first.
    pub(crate) fn after(&self, seq: u64) -> Vec<Event> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.1.iter().filter(|event| event.seq > seq).cloned().collect()
    }

    pub(crate) fn follow(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
}
