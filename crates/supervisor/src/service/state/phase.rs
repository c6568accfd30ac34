//! The states with what each of them has to remember, and what can be asked of the machine.

use std::time::Duration;

use super::{Desired, Health, Machine, Reason, State};

/// An observed state. `until` is its deadline.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    Stopped,
    Waiting,
    Starting {
        /// Known a moment after the start was asked for.
        pid: Option<u32>,
        until: Duration,
    },
    Running {
        pid: u32,
        health: Health,
        /// Probes in a row that failed.
        misses: u32,
        /// Whether a probe was ever answered.
        answered: bool,
        ping_until: Option<Duration>,
        healthy_since: Option<Duration>,
    },
    Stopping {
        pid: Option<u32>,
        /// Set where a failure and not a person ended it.
        failure: Option<Reason>,
        until: Option<Duration>,
        killed: bool,
        unkillable: bool,
    },
    Backoff {
        until: Duration,
    },
    Exited,
    Fatal,
}

impl Phase {
    pub(super) fn running(pid: u32, now: Duration) -> Self {
        Self::Running {
            pid,
            health: Health::Unknown,
            misses: 0,
            answered: false,
            ping_until: None,
            healthy_since: Some(now),
        }
    }

    pub(super) fn state(&self) -> State {
        match self {
            Self::Stopped => State::Stopped,
            Self::Waiting => State::Waiting,
            Self::Starting { .. } => State::Starting,
            Self::Running { .. } => State::Running,
            Self::Stopping { .. } => State::Stopping,
            Self::Backoff { .. } => State::Backoff,
            Self::Exited => State::Exited,
            Self::Fatal => State::Fatal,
        }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Starting { pid, .. } | Self::Stopping { pid, .. } => *pid,
            Self::Running { pid, .. } => Some(*pid),
            Self::Stopped | Self::Waiting | Self::Backoff { .. } | Self::Exited | Self::Fatal => None,
        }
    }
}

impl Machine {
    /// When [`super::Event::Tick`] is due next.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Starting { until, .. } | Phase::Backoff { until } => Some(*until),
            Phase::Running { ping_until, healthy_since, .. } => {
                // Where nothing is to be forgotten, nobody has to wake up for it.
                let forget = healthy_since.filter(|_| self.failures > 0).map(|at| at + self.numbers.healthy);
                ping_until.iter().copied().chain(forget).min()
            }
            Phase::Stopping { until, .. } => *until,
            Phase::Stopped | Phase::Waiting | Phase::Exited | Phase::Fatal => None,
        }
    }

    /// The observed state.
    #[must_use]
    pub fn state(&self) -> State {
        self.phase.state()
    }

    /// How it is; unknown unless it runs.
    #[must_use]
    pub fn health(&self) -> Health {
        match &self.phase {
            Phase::Running { health, .. } => *health,
            _ => Health::Unknown,
        }
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.phase.pid()
    }

    /// What is wanted.
    #[must_use]
    pub fn desired(&self) -> Desired {
        self.desired
    }

    /// How many commands there were.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The number of the last start.
    #[must_use]
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Whether it fails again and again.
    #[must_use]
    pub fn crash_loop(&self) -> bool {
        self.crash_loop
    }

    /// Whether the supervisor ends, and commands are refused.
    #[must_use]
    pub fn ending(&self) -> bool {
        self.ending
    }

    /// Whether KILL did not end the process.
    #[must_use]
    pub fn unkillable(&self) -> bool {
        matches!(self.phase, Phase::Stopping { unkillable: true, .. })
    }

    /// When it is started again after a failure.
    #[must_use]
    pub fn next_start(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Backoff { until } => Some(*until),
            _ => None,
        }
    }
}
