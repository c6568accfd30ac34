//! What goes into the machine and what comes out of it.

use std::time::Duration;

use vigie_common::config::GiveUp;

use super::{Ended, Reason, State, Verb};

/// What differs from service to service.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// It says READY=1.
    pub notify: bool,
    /// Failed probes restart it; else they only show.
    pub probe_restarts: bool,
    /// Whether an end with code 0 is a failure too.
    pub restart: Restart,
    /// What a crash loop leads to.
    pub give_up: GiveUp,
}

/// Which ends of a process are to be followed by another start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// All: the service is to run for ever.
    Always,
    /// All but exit code 0.
    OnFailure,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A person wants something.
    Command(Verb),
    /// Whether all that it needs is ready.
    Needs(bool),
    /// The process of a run is there.
    Spawned(u64, u32),
    /// There is none: why, and whether another try would end in the same way.
    NotSpawned(u64, String, bool),
    /// The process of a run said something.
    Said(u64, Said),
    /// A run's probe was answered, or was not.
    Probed(u64, bool),
    /// The process of a run has ended.
    Ended(u64, Ended),
    /// Time passed.
    Tick,
    /// The supervisor ends: this much time for the process to end in good order.
    End(Duration),
}

/// What a process may say by the sd_notify protocol that changes something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// READY=1.
    Ready,
    /// WATCHDOG=1.
    Ping,
    /// WATCHDOG=trigger.
    Trigger,
    /// EXTEND_TIMEOUT_USEC.
    Extend(Duration),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Start the process of this run.
    Spawn(u64),
    /// TERM to the group of this process.
    Terminate(u32),
    /// KILL to the group of this process.
    Kill(u32),
    /// Tell: a transition.
    Moved(State, State, Reason),
    /// Tell: KILL did not end this process.
    Unkillable(u32),
    /// `give_up = "exit"`: stop everything and end.
    GiveUp,
}
