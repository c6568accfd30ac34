//! Whether the work still moves. Whoever does some publishes the instant by which it must have moved next, and the
//! watchdog hears that we live while none of these instants has passed.
//!
//! A slow provider is no hang: each wait for one has its own limit, and ends with an error of its own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Instant, sleep_until};
use vigie_common::{clock, notify};

/// Our own work between two waits for others (parsing, the store, room for more) moves on within this, on the slowest
/// of disks.
const OWN: Duration = Duration::from_mins(20);
/// A busy machine may be late by this.
const MARGIN: Duration = Duration::from_secs(30);

/// By when one piece of work must have moved. Clones are the same one; with the last of them it is forgotten.
#[derive(Debug, Clone, Default)]
pub struct Beat(Arc<Mutex<Option<Instant>>>);

impl Beat {
    /// It moves on within `limit` from now.
    pub fn within(&self, limit: Duration) {
        // Nothing can panic while the lock is held.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now().checked_add(limit);
    }

    /// By when it must have moved, if it ever began.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `work`, which ends by itself within `limit`; what comes after it is our own.
    pub async fn during<T>(&self, limit: Duration, work: impl Future<Output = T>) -> T {
        self.within(limit);
        let done = work.await;
        self.within(OWN);
        done
    }
}

/// All beats of the process.
#[derive(Debug, Clone, Default)]
pub struct Beats(Arc<Mutex<Vec<Named>>>);

#[derive(Debug)]
struct Named {
    who: String,
    beat: Weak<Mutex<Option<Instant>>>,
}

/// Somebody who should have moved by an instant, and did not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Overdue {
    who: String,
    since: Instant,
}

impl Beats {
    /// The beat of a piece of work, which begins now. `who` names it in the log.
    #[must_use]
    pub fn begin(&self, who: impl Into<String>) -> Beat {
        let beat = Beat::default();
        beat.within(OWN);
        let mut all = self.all();
        all.retain(|named| named.beat.strong_count() > 0);
        all.push(Named { who: who.into(), beat: Arc::downgrade(&beat.0) });
        beat
    }

    /// Tells the watchdog, as often as `interval` asks for, that we live: for as long as that is so.
    pub async fn watchdog(self, interval: Duration) {
        let mut pulse = Pulse::new(interval, Instant::now());
        loop {
            sleep_until(pulse.next).await;
            let now = Instant::now();
            if pulse.goes_on(now, &self.overdue(now)) {
                notify::watchdog();
            }
        }
    }

    fn overdue(&self, now: Instant) -> Vec<Overdue> {
        let all = self.all();
        let overdue = all.iter().filter_map(|named| {
            let since = Beat(named.beat.upgrade()?).deadline()?;
            let late = now.saturating_duration_since(since) > MARGIN;
            late.then(|| Overdue { who: named.who.clone(), since })
        });
        overdue.collect()
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Named>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decides at each of its turns whether we live.
#[derive(Debug)]
struct Pulse {
    every: Duration,
    /// The next turn.
    next: Instant,
    /// Until then nobody is judged.
    grace: Instant,
    /// Of whom the log knows.
    told: BTreeSet<String>,
}

impl Pulse {
    /// Turns at half of `interval`.
    fn new(interval: Duration, now: Instant) -> Self {
        let every = (interval / 2).max(Duration::from_millis(10));
        Self { every, next: now, grace: now, told: BTreeSet::new() }
    }

    /// A turn. One that comes late means that all of us stood still (a stopped process, a suspended machine): nobody is
    /// judged for a whole interval then.
    fn goes_on(&mut self, now: Instant, overdue: &[Overdue]) -> bool {
        if now.saturating_duration_since(self.next) > self.every.min(MARGIN) {
            self.grace = now + self.every * 2;
        }
        self.next = now + self.every;
        if now < self.grace {
            return true;
        }
        for Overdue { who, since } in overdue {
            if self.told.insert(who.clone()) {
                let late = now.saturating_duration_since(*since);
                let since = clock::now() - SignedDuration::try_from(late).unwrap_or_default();
                tracing::error!(who, %since, "should have moved on and did not: the watchdog hears nothing of us until it does");
            }
        }
        self.told.retain(|who| overdue.iter().any(|o| o.who == *who));
        overdue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);
    const HALF: Duration = Duration::from_secs(15);

    fn by(beat: &Beat, instant: Instant) {
        *beat.0.lock().unwrap() = Some(instant);
    }

    /// Turns in time up to `until`; whether the last of them found us alive.
    fn turn(pulse: &mut Pulse, beats: &Beats, until: Instant) -> bool {
        let mut alive = true;
        while pulse.next <= until {
            let now = pulse.next;
            alive = pulse.goes_on(now, &beats.overdue(now));
        }
        alive
    }

    #[test]
    fn one_that_hangs_silences_all_until_it_moves() {
        let beats = Beats::default();
        let start = Instant::now();
        let (moves, hangs) = (beats.begin("a/INBOX"), beats.begin("b/INBOX"));
        by(&moves, start + Duration::from_hours(9));
        by(&hangs, start + Duration::from_mins(5));
        let mut pulse = Pulse::new(INTERVAL, start);
        assert!(turn(&mut pulse, &beats, start + Duration::from_mins(5) + MARGIN));
        assert!(!turn(&mut pulse, &beats, start + Duration::from_mins(6)));
        let overdue = beats.overdue(start + Duration::from_mins(6));
        assert_eq!(overdue, [Overdue { who: "b/INBOX".into(), since: start + Duration::from_mins(5) }]);
        assert!(pulse.told.contains("b/INBOX"));
        by(&hangs, start + Duration::from_mins(10));
        assert!(turn(&mut pulse, &beats, start + Duration::from_mins(7)));
        assert!(pulse.told.is_empty());
    }

    #[test]
    fn whoever_is_gone_is_not_waited_for() {
        let beats = Beats::default();
        drop(beats.begin("a"));
        assert!(beats.overdue(Instant::now() + Duration::from_hours(1)).is_empty());
        let _present = beats.begin("b");
        assert_eq!(beats.all().len(), 1);
    }

    #[test]
    fn after_a_stop_nobody_is_judged_for_an_interval() {
        let beats = Beats::default();
        let start = Instant::now();
        let idle = beats.begin("a/INBOX");
        by(&idle, start + Duration::from_mins(5));
        let mut pulse = Pulse::new(INTERVAL, start);
        assert!(turn(&mut pulse, &beats, start));
        let resumed = start + Duration::from_hours(8);
        assert!(pulse.goes_on(resumed, &beats.overdue(resumed)));
        assert!(turn(&mut pulse, &beats, resumed + HALF));
        // Nobody moved since: that is a hang.
        assert!(!turn(&mut pulse, &beats, resumed + INTERVAL));
    }

    #[tokio::test]
    async fn a_wait_has_the_limit_of_what_is_waited_for() {
        let beats = Beats::default();
        let beat = beats.begin("a");
        let before = Instant::now();
        beat.during(Duration::from_hours(4), async {
            assert!(beat.deadline().unwrap() >= before + Duration::from_hours(4));
        })
        .await;
        assert!(
            beat.deadline().unwrap() >= before + OWN
                && beat.deadline().unwrap() < before + Duration::from_hours(4)
        );
    }
}
