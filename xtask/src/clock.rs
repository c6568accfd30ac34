//! The time, for measuring and waiting: the one place of this crate that asks for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic time.
#[expect(clippy::disallowed_methods, reason = "real processes are timed here: no other clock can be theirs")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "real processes are watched here: nothing tells when they change"
)]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the edge: names a run")]
pub(crate) fn epoch_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// A duration for a person: `4.2 s`, `3 min 05 s`.
pub(crate) fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_to_read() {
        assert_eq!(shown(Duration::from_millis(4_230)), "4.2 s");
        assert_eq!(shown(Duration::from_secs(185)), "3 min 05 s");
    }
}
