//! `from`, `to` and `tz` as people type them. Pure: the present is an argument.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Seconds of the longest range.
const MOST: i64 = 200 * 366 * 86_400;

/// A half-open range of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

impl Range {
    /// From two texts, each a time or relative to now; by default the last 30 days.
    ///
    /// # Errors
    /// The parameter at fault, and what is wrong with it.
    pub fn parse(
        from: Option<&str>,
        to: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, (&'static str, String)> {
        let to = to.map_or(Ok(now), |text| moment(text, now)).map_err(|e| ("to", e))?;
        let from = moment(from.unwrap_or("now-30d"), now).map_err(|e| ("from", e))?;
        if from >= to {
            return Err(("from", "it must be before `to`".into()));
        }
        if to.duration_since(from).as_secs() > MOST {
            return Err(("from", "the range is longer than 200 years".into()));
        }
        Ok(Self { from, to })
    }

    /// Both ends in whole seconds: a message of a whole second is within them just when it is in the range.
    #[must_use]
    pub fn seconds(&self) -> (i64, i64) {
        (ceil(self.from), ceil(self.to))
    }
}

fn ceil(at: Timestamp) -> i64 {
    let second = at.as_second();
    if at.subsec_nanosecond() > 0 { second + 1 } else { second }
}

fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let refused = || {
        format!(
            "`{}` is no time: write one like 2026-01-31T00:00:00Z, now, or now-30d (m, h, d, w, y)",
            vigie_common::text::inert(text, 40)
        )
    };
    let Some(relative) = text.strip_prefix("now") else {
        return text.parse().map_err(|_| refused());
    };
    if relative.is_empty() {
        return Ok(now);
    }
    let (sign, amount) = match relative.strip_prefix('-') {
        Some(amount) => (-1, amount),
        None => (1, relative.strip_prefix('+').or_else(|| relative.strip_prefix(' ')).ok_or_else(refused)?),
    };
    let (number, unit) = amount.split_at_checked(amount.len().saturating_sub(1)).ok_or_else(refused)?;
    let unit: i64 = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        "y" => 365 * 86_400,
        _ => return Err(refused()),
    };
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refused());
    }
    let seconds = number.parse::<i64>().ok().and_then(|n| n.checked_mul(unit)).ok_or_else(refused)?;
    now.checked_add(SignedDuration::from_secs(sign * seconds)).map_err(|_| refused())
}

/// A time zone by its IANA name; UTC by default.
///
/// # Errors
/// There is none of this name.
pub fn zone(name: Option<&str>) -> Result<TimeZone, String> {
    match name {
        None | Some("UTC") => Ok(TimeZone::UTC),
        Some(name) => TimeZone::get(name).map_err(|_| {
            let name = vigie_common::text::inert(name, 40);
            format!("unknown time zone `{name}`: write an IANA name such as Europe/Paris")
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_absolute_or_relative() {
        let now = at("2026-06-01T12:00:00Z");
        let range = |from, to| Range::parse(from, to, now).map(|r| (r.from.to_string(), r.to.to_string()));
        let last = range(None, None).unwrap();
        assert_eq!(last, ("2026-05-02T12:00:00Z".into(), "2026-06-01T12:00:00Z".into()));
        let other = range(Some("2026-01-01T00:00:00+01:00"), Some("now+2h")).unwrap();
        assert_eq!(other, ("2025-12-31T23:00:00Z".into(), "2026-06-01T14:00:00Z".into()));
        assert_eq!(range(Some("now-1y"), None).unwrap().0, "2025-06-01T12:00:00Z");
        assert_eq!(range(Some("now"), None).unwrap_err().0, "from");
        assert_eq!(range(None, Some("yesterday")).unwrap_err().0, "to");
        assert_eq!(range(Some("now-300y"), None).unwrap_err().0, "from");
        for text in
            ["now-", "now-d", "now-1", "now-1x", "now--1d", "now-1.5d", "now-é", "now-99999999999999999d"]
        {
            assert!(range(Some(text), None).is_err(), "{text}");
        }
    }

    #[test]
    fn zones_have_names() {
        assert_eq!(zone(Some("Asia/Kathmandu")).unwrap().iana_name(), Some("Asia/Kathmandu"));
        assert!(zone(Some("Mars/Base")).unwrap_err().contains("Europe/Paris"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(now)?[-+0-9a-zT:Zé ]{0,20}", name in ".{0,20}") {
            let now = at("2026-06-01T12:00:00Z");
            let _ = Range::parse(Some(&text), None, now);
            let _ = zone(Some(&name));
        }

        #[test]
        fn whole_seconds_are_in_the_range_just_when_they_are(from in -9_000_000i64..9_000_000, long in 1i64..5_000_000, at in -1i64..20) {
            let micros = |n| Timestamp::from_microsecond(n).unwrap();
            let range = Range { from: micros(from), to: micros(from + long) };
            let moment = Timestamp::from_second(from.div_euclid(1_000_000) + at).unwrap();
            let (first, end) = range.seconds();
            prop_assert_eq!((first..end).contains(&moment.as_second()), range.from <= moment && moment < range.to);
        }
    }
}
