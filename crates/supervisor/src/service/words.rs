//! The words of supervision, as page, API and command line use them.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What is wanted of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// It is to run.
    Up,
    /// It is not to run.
    Down,
}

/// What is seen of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No process, and none wanted.
    Stopped,
    /// To be started when what it needs is ready.
    Waiting,
    /// Started, not ready yet.
    Starting,
    /// Ready.
    Running,
    /// Told to end; the process is still there.
    Stopping,
    /// Failed; to be started again after a while.
    Backoff,
    /// Ended by itself, as it may.
    Exited,
    /// Failed, and waits for a person.
    Fatal,
}

impl State {
    /// Whether nothing moves in it by itself, but for the passing of time.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Running | Self::Stopped | Self::Exited | Self::Fatal | Self::Backoff)
    }

    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Exited => "exited",
            Self::Fatal => "fatal",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a running service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Its last probe or ping was good.
    Healthy,
    /// Probes in a row failed.
    Unhealthy,
    /// Nothing told yet.
    Unknown,
}

/// What a person may ask of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Run it.
    Start,
    /// Do not run it.
    Stop,
    /// End it and run it again.
    Restart,
    /// Forget past failures; try at once what waits because of them.
    Reset,
}

impl Verb {
    /// The word of API and command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reset => "reset",
        }
    }
}

/// How a process ended: a code or a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Exit code.
    pub code: Option<i32>,
    /// Number of the signal that ended it.
    pub signal: Option<i32>,
}

impl Ended {
    /// Another try would end in the same way: wrong arguments, or bad configuration.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self.code, Some(64 | 78))
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(64), _) => f.write_str("exit 64: wrong arguments"),
            (Some(69), _) => f.write_str("exit 69: a needed service or port is not there"),
            (Some(70), _) => f.write_str("exit 70: internal fault"),
            (Some(73), _) => f.write_str("exit 73: cannot write"),
            (Some(75), _) => f.write_str("exit 75: another instance holds its place (another writer)"),
            (Some(78), _) => f.write_str("exit 78: bad configuration"),
            (Some(code), _) => write!(f, "exit {code}"),
            (None, Some(signal)) => match name(signal) {
                Some(name) => write!(f, "signal {signal} ({name})"),
                None => write!(f, "signal {signal}"),
            },
            (None, None) => f.write_str("ended"),
        }
    }
}

/// The signals that people meet.
const fn name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        6 => "ABRT",
        7 => "BUS",
        8 => "FPE",
        9 => "KILL",
        11 => "SEGV",
        13 => "PIPE",
        15 => "TERM",
        _ => return None,
    })
}

/// Why a service went from one state to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A person, or the supervisor's own start, wanted it.
    Command(Verb),
    /// What it needs is not ready.
    Needs,
    /// It is wanted, and all that it needs is ready.
    Started,
    /// It said that it is ready, or does not say so and has been started.
    Ready,
    /// The process ended.
    Ended(Ended),
    /// The program could not be executed.
    NotExecuted(String),
    /// No READY=1 in time.
    NotReady(Duration),
    /// No ping in time.
    Silent(Duration),
    /// It asked to be restarted.
    Trigger,
    /// So many probes in a row failed.
    Probes(u32),
    /// So many failures in a short time.
    GaveUp(Box<Reason>),
    /// The wait after a failure is over.
    Again,
    /// The supervisor ends.
    Ending,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(verb) => f.write_str(verb.as_str()),
            Self::Needs => f.write_str("what it needs is not ready"),
            Self::Started => f.write_str("nothing to wait for"),
            Self::Ready => f.write_str("ready"),
            Self::Ended(ended) => ended.fmt(f),
            Self::NotExecuted(why) => write!(f, "cannot be executed: {why}"),
            Self::NotReady(within) => write!(f, "not ready within {}", Seconds(*within)),
            Self::Silent(within) => write!(f, "watchdog: no ping for {}", Seconds(*within)),
            Self::Trigger => f.write_str("watchdog: it asked to be restarted"),
            Self::Probes(count) => write!(f, "{count} probes in a row failed"),
            Self::GaveUp(last) => write!(f, "failed too often, last: {last}"),
            Self::Again => f.write_str("trying again"),
            Self::Ending => f.write_str("the supervisor stops"),
        }
    }
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(f, "{} s", self.0.as_secs())
        } else {
            write!(f, "{:.2} s", self.0.as_secs_f64())
        }
    }
}
