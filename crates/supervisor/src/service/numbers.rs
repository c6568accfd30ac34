//! How long, how often, how many: the numbers that supervision runs on.

use std::time::Duration;

/// The numbers of one fleet. [`Numbers::default`] is what Vigie runs with; tests shorten them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Numbers {
    /// A service that notifies must say READY=1 within this.
    pub start: Duration,
    /// From TERM to KILL when a service is stopped.
    pub grace: Duration,
    /// After KILL, until the process counts as unkillable.
    pub kill: Duration,
    /// A service that has pinged once must ping again within this.
    pub watchdog: Duration,
    /// A deadline of start or watchdog that is noticed so much too late says that the supervisor itself stood still,
    /// and with it perhaps the service: it is given once more. Short, as a pause may end right after a deadline, and a
    /// machine that is merely busy loses no more than one period by it.
    pub late: Duration,
    /// From TERM to KILL after a missed ping: what hangs does not end in good order either.
    pub watchdog_grace: Duration,
    /// First and longest wait before a restart; the first failure does not wait at all.
    pub backoff: (Duration, Duration),
    /// Share of a wait that chance may take off.
    pub jitter: f64,
    /// After so long without a failure the next one counts as the first.
    pub healthy: Duration,
    /// So many failures within [`Numbers::crash_loop_within`] are a crash loop.
    pub crash_loop: usize,
    /// See [`Numbers::crash_loop`].
    pub crash_loop_within: Duration,
    /// Between two probes.
    pub probe_every: Duration,
    /// A probe must be answered within this.
    pub probe_answer: Duration,
    /// So many probes in a row that fail make a service unhealthy.
    pub probe_misses: u32,
    /// A service may ask for so much more time at once, at most.
    pub extend: Duration,
}

impl Default for Numbers {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            start: s(30),
            grace: s(10),
            kill: s(2),
            watchdog: s(30),
            late: Duration::from_millis(100),
            watchdog_grace: s(5),
            backoff: (Duration::from_millis(250), s(60)),
            jitter: 0.2,
            healthy: s(60),
            crash_loop: 5,
            crash_loop_within: s(60),
            probe_every: s(10),
            probe_answer: s(1),
            probe_misses: 3,
            extend: s(600),
        }
    }
}
