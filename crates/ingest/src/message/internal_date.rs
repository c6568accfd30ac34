//! INTERNALDATE (RFC 3501 section 9, `date-time`): `" 1-Nov-2026 09:15:30 +0100"`. Pure.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The instant; `None` for what is no date, or not one that mail can have arrived on (before 1970, after 2200).
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    let mut words = text.split_ascii_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let mut date = date.split('-');
    let day = date.next()?.parse().ok()?;
    let name = date.next()?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|m| *m == name)? + 1;
    let year: i16 = date.next()?.parse().ok()?;
    let mut time = time.split(':').map(|n| n.parse::<i8>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    // A leap second has no place in our count of seconds.
    let time = Time::new(hour, minute, second.min(59), 0).ok().filter(|_| (0..=60).contains(&second))?;
    let date = Date::new(year, i8::try_from(month).ok()?, day).ok()?;
    let at = offset(zone)?.to_timestamp(date.to_datetime(time)).ok()?;
    (1970..2200).contains(&year).then_some(at)
}

fn offset(zone: &str) -> Option<Offset> {
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let number: i32 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    let (hours, minutes) = (number / 100, number % 100);
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok().filter(|_| hours <= 14 && minutes < 60)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn dates_as_servers_write_them() {
        for (text, at) in [
            ("01-Nov-2026 09:15:30 +0100", "2026-11-01T08:15:30Z"),
            (" 1-Nov-2026 09:15:30 +0100", "2026-11-01T08:15:30Z"),
            ("31-DEC-2024 23:59:60 +0000", "2024-12-31T23:59:59Z"),
            ("29-Feb-2024 00:00:00 -0930", "2024-02-29T09:30:00Z"),
        ] {
            assert_eq!(parse(text).map(|t| t.to_string()).as_deref(), Some(at), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "garbage",
            "30-Feb-2024 00:00:00 +0000",
            "01-Nov-2026 25:00:00 +0000",
            "01-Nov-0000 00:00:00 +0000",
            "01-Nov-9999 00:00:00 +0000",
            "01-Nov-2026 00:00:00 CEST",
            "01-Nov-2026 00:00:00 +9999",
            "01-Nov-2026 00:00:00",
            "01-Nov-2026 00:00:00 +0000 x",
            "01-é-2026 00:00:00 +0000",
            "01-Nov-2026 00:00:00 é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
