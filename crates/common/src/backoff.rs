//! How long to wait before trying again: doubling between two bounds, with jitter.

use std::time::Duration;

/// A policy and its present state. Pure: randomness comes in as an argument.
#[derive(Debug, Clone)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    jitter: f64,
    next: Duration,
}

impl Backoff {
    /// Waits from `least`, doubling up to `most`; each wait is shortened by up to `jitter` (0 to 1) of itself,
    /// so that many clients of one server do not come back at the same instant.
    #[must_use]
    pub fn new(least: Duration, most: Duration, jitter: f64) -> Self {
        let most = most.max(least);
        Self { least, most, jitter: jitter.clamp(0.0, 1.0), next: least }
    }

    /// The next wait; `random` is uniform in 0..1.
    pub fn next(&mut self, random: f64) -> Duration {
        let full = self.next;
        self.next = full.saturating_mul(2).min(self.most);
        full.mul_f64(1.0 - self.jitter * random.clamp(0.0, 1.0))
    }

    /// After a success: begin again from the least.
    pub fn reset(&mut self) {
        self.next = self.least;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_doubles_to_the_most_and_begins_again() {
        let s = Duration::from_secs;
        let mut backoff = Backoff::new(s(2), s(300), 0.5);
        let waits: Vec<u64> = (0..10).map(|_| backoff.next(0.0).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        backoff.reset();
        assert_eq!(backoff.next(1.0), s(1));
    }

    proptest! {
        #[test]
        fn every_wait_is_within_its_bounds(least in 1u64..1000, most in 1u64..100_000, jitter in -1.0..2.0f64, draws in prop::collection::vec(-1.0..2.0f64, 1..40)) {
            let mut backoff = Backoff::new(Duration::from_millis(least), Duration::from_millis(most), jitter);
            for draw in draws {
                let wait = backoff.next(draw);
                prop_assert!(wait <= Duration::from_millis(most.max(least)));
                if jitter <= 0.5 { prop_assert!(wait >= Duration::from_millis(least) / 2); }
            }
        }
    }
}
