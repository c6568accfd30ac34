//! How many octets an account's servers sent within the last day, and how many more its `daily_bytes` allows. Pure.
//!
//! Providers count what is fetched from them in a day (Gmail: 2,500 MB) and lock out who goes beyond. The hour that a
//! count belongs to counts for 24 hours after its end, so that no 24 hours ever hold more than the budget.

use std::collections::BTreeMap;

use jiff::Timestamp;
use vigie_archive::Change;

const HOUR: i64 = 3600;
/// Hours after which a count no longer counts.
const DAY: i64 = 25;
/// One part of so many is kept for mail that arrives: what has waited for years can wait for a day.
const RESERVE: u64 = 5;

/// Counts by hour, and the budget.
#[derive(Debug, Default)]
pub struct Budget {
    limit: Option<u64>,
    hours: BTreeMap<i64, u64>,
    total: u64,
    /// What the catalog was told last of the hour that it was told of last.
    told: (i64, u64),
}

/// What something is fetched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It has just arrived: the whole budget.
    Arrival,
    /// It was there before: the budget without its reserve.
    Backfill,
}

impl Budget {
    /// Takes up what the catalog knows of the last day. What was counted since the start of the process stays.
    pub fn recall(&mut self, limit: Option<u64>, hours: impl IntoIterator<Item = (i64, u64)>) {
        self.limit = limit;
        for (hour, bytes) in hours {
            let known = self.hours.entry(hour).or_default();
            *known = bytes.max(*known);
        }
    }

    /// So many octets came.
    pub fn add(&mut self, bytes: u64, now: Timestamp) {
        self.total = self.total.saturating_add(bytes);
        let hour = hour(now);
        self.hours.retain(|&of, _| counts(of, hour));
        let known = self.hours.entry(hour).or_default();
        *known = known.saturating_add(bytes);
    }

    /// Octets since the start of the process.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Octets within the last day.
    #[must_use]
    pub fn spent(&self, now: Timestamp) -> u64 {
        let now = hour(now);
        let counted = self.hours.iter().filter(|&(&of, _)| counts(of, now));
        counted.fold(0, |sum: u64, (_, bytes)| sum.saturating_add(*bytes))
    }

    /// Octets that may be fetched at all, in a day.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Octets of the budget that are left; `None` without a budget.
    #[must_use]
    pub fn remaining(&self, now: Timestamp) -> Option<u64> {
        Some(self.limit?.saturating_sub(self.spent(now)))
    }

    /// When `coming` octets may be fetched for `purpose`, if not now; `asked` for are others. A message that is large in
    /// itself may go beyond: else it would never come.
    #[must_use]
    pub fn wait(&self, purpose: Purpose, asked: u64, coming: u64, now: Timestamp) -> Option<Timestamp> {
        let limit = self.limit?;
        let share = match purpose {
            Purpose::Arrival => limit,
            Purpose::Backfill => limit - limit / RESERVE,
        };
        let coming = coming.clamp(1, (share / 4).max(1));
        let mut spent = self.spent(now).saturating_add(asked);
        let now = hour(now);
        let mut until = None;
        for (&of, bytes) in self.hours.iter().filter(|&(&of, _)| counts(of, now)) {
            if spent.saturating_add(coming) <= share {
                break;
            }
            spent = spent.saturating_sub(*bytes);
            until = Timestamp::from_second((of + DAY) * HOUR).ok();
        }
        until
    }

    /// For the catalog, where the account has a budget: what it was not told yet.
    pub fn unrecorded(&mut self, account: &str) -> Option<Change> {
        self.limit?;
        let (&hour, &bytes) = self.hours.last_key_value()?;
        if self.told == (hour, bytes) {
            return None;
        }
        self.told = (hour, bytes);
        Some(Change::Received { account: account.to_owned(), hour, bytes })
    }
}

fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(HOUR)
}

fn counts(hour: i64, now: i64) -> bool {
    // A clock that was set back does not undo what was spent.
    hour > now - DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 / HOUR * HOUR + hour * HOUR + 60).unwrap()
    }

    fn on_the_hour(hour: i64) -> Option<Timestamp> {
        Timestamp::from_second(at(hour).as_second() - 60).ok()
    }

    #[test]
    fn backfill_leaves_a_reserve_and_goes_on_when_hours_are_over() {
        let mut budget = Budget::default();
        budget.recall(Some(1000), []);
        budget.add(300, at(0));
        budget.add(499, at(1));
        assert_eq!(budget.wait(Purpose::Backfill, 0, 0, at(1)), None);
        assert_eq!(budget.wait(Purpose::Backfill, 0, 2, at(1)), on_the_hour(25));
        budget.add(1, at(1));
        assert_eq!(budget.wait(Purpose::Backfill, 0, 0, at(1)), on_the_hour(25));
        assert_eq!(budget.wait(Purpose::Arrival, 0, 0, at(2)), None);
        assert_eq!(budget.remaining(at(2)), Some(200));
        budget.add(600, at(2));
        assert_eq!(budget.remaining(at(2)), Some(0));
        assert_eq!(budget.wait(Purpose::Arrival, 0, 0, at(2)), on_the_hour(26));
        assert_eq!(budget.wait(Purpose::Backfill, 0, 0, at(2)), on_the_hour(26));
        // A day after the first hour ended it no longer counts, and not a moment earlier.
        assert_eq!(budget.spent(at(24)), 1400);
        assert_eq!(budget.spent(at(25)), 1100);
        assert_eq!((budget.spent(at(27)), budget.total()), (0, 1400));
    }

    #[test]
    fn a_message_larger_than_the_budget_comes_on_a_quiet_day() {
        let mut budget = Budget::default();
        budget.recall(Some(1000), []);
        budget.add(500, at(0));
        assert_eq!(budget.wait(Purpose::Backfill, 0, u64::MAX, at(0)), None);
        budget.add(200, at(0));
        assert_eq!(budget.wait(Purpose::Backfill, 0, u64::MAX, at(0)), on_the_hour(25));
    }

    #[test]
    fn without_a_budget_nothing_waits_and_nothing_is_recorded() {
        let mut budget = Budget::default();
        budget.add(u64::MAX, at(0));
        budget.add(1, at(0));
        assert_eq!(budget.wait(Purpose::Arrival, 0, 0, at(0)), None);
        assert_eq!(budget.remaining(at(0)), None);
        assert!(budget.unrecorded("a").is_none());
    }

    #[test]
    fn a_restart_does_not_reset_it() {
        let mut budget = Budget::default();
        budget.recall(Some(1000), []);
        budget.add(900, at(3));
        let Some(Change::Received { hour, bytes, .. }) = budget.unrecorded("a") else { panic!() };
        assert!(budget.unrecorded("a").is_none());
        let mut next = Budget::default();
        next.add(5, at(3));
        next.recall(Some(1000), [(hour, bytes)]);
        assert_eq!(next.spent(at(3)), 900);
        next.add(100, at(4));
        assert_eq!(next.remaining(at(4)), Some(0));
    }
}
