//! When mail comes: office hours, the week, a slow growth, and days that are not like the others.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::random::Random;

/// Who sends the mail, and so when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Mostly on weekdays, from eight to six.
    Office,
    /// At any day, with a peak in the evening.
    Shop,
    /// At any hour, now and then many at once.
    Machines,
    /// Once a night.
    Nightly,
}

/// Weights of the hours of a day.
const OFFICE: [u64; 24] =
    [1, 1, 1, 1, 1, 2, 5, 15, 45, 80, 90, 85, 55, 60, 85, 85, 75, 55, 30, 18, 12, 9, 5, 2];
const SHOP: [u64; 24] =
    [8, 4, 2, 1, 1, 2, 5, 12, 20, 28, 32, 35, 45, 38, 32, 32, 35, 42, 52, 65, 75, 70, 48, 22];
const NIGHTLY: [u64; 24] = [0, 5, 30, 60, 30, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// So many moments from `from` to `until`, in order, in whole seconds. They depend on the seed alone.
#[must_use]
pub fn moments(seed: u64, rhythm: Rhythm, count: u64, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let hours = u64::try_from(until.duration_since(from).as_hours()).unwrap_or_default().max(1);
    let weights: Vec<u64> = (0..hours).map(|hour| weight(seed, rhythm, from, hour, hours)).collect();
    let total: u64 = weights.iter().sum();
    let mut random = Random::of(&[seed, 0x7768_656e]);
    // One moment in each of `count` equal shares of the whole weight: as many as asked for, in order.
    let mut moments = Vec::new();
    let (mut hour, mut before) = (0u64, 0u64);
    let mut weight = weights.iter();
    let mut current = weight.next().copied().unwrap_or(1);
    for place in 0..count {
        let share = u128::from(total) * 1024;
        let at = (share * u128::from(place) + u128::from(random.below(1024)) * u128::from(total))
            / u128::from(count);
        let at = u64::try_from(at / 1024).unwrap_or(u64::MAX);
        while before + current <= at {
            let Some(next) = weight.next() else { break };
            before += current;
            hour += 1;
            current = *next;
        }
        let seconds = hour * 3600 + (at.saturating_sub(before) * 3600 + random.below(3600)) / current.max(1);
        let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or_default());
        moments.push(from.saturating_add(seconds).unwrap_or(from).min(until));
    }
    moments.sort_unstable();
    moments
}

fn weight(seed: u64, rhythm: Rhythm, from: Timestamp, hour: u64, hours: u64) -> u64 {
    let moment = from.saturating_add(SignedDuration::from_hours(hour.cast_signed())).unwrap_or(from);
    // The people of this mail live an hour east of Greenwich.
    let local =
        moment.saturating_add(SignedDuration::from_hours(1)).unwrap_or(moment).to_zoned(TimeZone::UTC);
    let of = |table: &[u64; 24]| {
        usize::try_from(local.hour()).ok().and_then(|hour| table.get(hour)).copied().unwrap_or_default()
    };
    let weekend = local.weekday().to_monday_zero_offset() >= 5;
    let base = match rhythm {
        Rhythm::Office if weekend => of(&OFFICE) / 6 + 1,
        Rhythm::Office => of(&OFFICE),
        Rhythm::Shop if weekend => of(&SHOP) * 5 / 4,
        Rhythm::Shop => of(&SHOP),
        Rhythm::Machines => 20,
        Rhythm::Nightly => of(&NIGHTLY),
    };
    let day = hour / 24;
    let mut luck = Random::of(&[seed, day, 0x6461_7973]);
    let mut mood = luck.between(75, 125);
    if rhythm == Rhythm::Machines && Random::of(&[seed, hour, 0x626c_6970]).chance(1) {
        mood *= 25;
    }
    // From 80 % of the mean at the start to 120 % at the end.
    let growth = 80 + 40 * hour / hours;
    base * mood * growth
}

#[cfg(test)]
mod tests {
    use super::{Rhythm, moments};
    use jiff::tz::TimeZone;
    use jiff::{Timestamp, civil::Weekday};

    #[test]
    fn office_mail_keeps_office_hours_and_weeks() {
        let from = Timestamp::from_second(1_700_000_000).unwrap();
        let until = Timestamp::from_second(1_700_000_000 + 540 * 86_400).unwrap();
        let all = moments(1, Rhythm::Office, 2000, from, until);
        assert_eq!(all.len(), 2000);
        assert!(all.is_sorted() && all[0] >= from && all[1999] <= until);
        let zoned: Vec<_> = all.iter().map(|moment| moment.to_zoned(TimeZone::UTC)).collect();
        let day = zoned.iter().filter(|at| (7..18).contains(&at.hour())).count();
        let sunday = zoned.iter().filter(|at| at.weekday() == Weekday::Sunday).count();
        let tuesday = zoned.iter().filter(|at| at.weekday() == Weekday::Tuesday).count();
        assert!(day > 1500, "{day} by day");
        assert!(sunday * 4 < tuesday, "{sunday} on Sundays, {tuesday} on Tuesdays");
        let second_half =
            zoned.iter().filter(|at| at.timestamp().as_second() > 1_700_000_000 + 270 * 86_400).count();
        assert!(second_half > 1030, "{second_half} in the second half");
    }

    #[test]
    fn a_short_time_is_enough() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(moments(1, Rhythm::Nightly, 3, now, now).len(), 3);
    }
}
