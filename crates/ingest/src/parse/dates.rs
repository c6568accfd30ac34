//! Dates as people's programs write them, to RFC 3339 with the sender's offset; nothing is guessed.
//!
//! Read are RFC 5322 with its obsolete forms, asctime, ISO 8601, and what comes close to them. A date
//! that no calendar has, or that lies outside 1900 to 2200, is none.

use std::borrow::Cow;

use jiff::civil::{Date, Time};

use super::limits;

/// Longest text that is looked at.
const LONGEST: usize = 200;
/// Most words of it.
const WORDS: usize = 24;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Offsets in minutes of zones that stand in mail by name. RFC 5322 knows the American ones; of the others
/// only those that mean one thing everywhere.
const ZONES: [(&str, i32); 34] = [
    ("ut", 0),
    ("utc", 0),
    ("gmt", 0),
    ("z", 0),
    ("wet", 0),
    ("est", -300),
    ("edt", -240),
    ("cst", -360),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
    ("akst", -540),
    ("akdt", -480),
    ("hst", -600),
    ("ast", -240),
    ("adt", -180),
    ("nst", -210),
    ("ndt", -150),
    ("west", 60),
    ("bst", 60),
    ("cet", 60),
    ("cest", 120),
    ("met", 60),
    ("mest", 120),
    ("mez", 60),
    ("mesz", 120),
    ("eet", 120),
    ("eest", 180),
    ("msk", 180),
    ("jst", 540),
    ("kst", 540),
    ("nzst", 720),
];

/// What was read so far.
#[derive(Default)]
struct Reading {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    time: Option<Time>,
    afternoon: Option<bool>,
    /// Offset in minutes; of a zone that nobody knows, none.
    zone: Option<Option<i32>>,
}

/// Reads an unfolded date field without its comments; `None` where it is not credible.
pub(crate) fn read(text: &str) -> Option<String> {
    let text = text.trim();
    let mut text = Cow::Borrowed(limits::cut(text, LONGEST));
    if text.contains(" :") || text.contains(": ") {
        text = Cow::Owned(text.split(':').map(str::trim).collect::<Vec<_>>().join(":"));
    }
    let mut reading = Reading::default();
    if !reading.iso(&text) {
        for word in text.split([' ', '\t', ',']).filter(|word| !word.is_empty()).take(WORDS) {
            reading.word(word)?;
        }
    }
    reading.finish()
}

impl Reading {
    fn word(&mut self, word: &str) -> Option<()> {
        if self.time.is_none() && word.starts_with(|c: char| c.is_ascii_digit()) && is_time(word) {
            // `12:00:00+0200`
            let end = word.find(['+', '-']).unwrap_or(word.len());
            let (clock, zone) = word.split_at_checked(end)?;
            let (clock, half) =
                clock.split_at_checked(clock.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len())?;
            self.time = Some(time(clock)?);
            self.half(half);
            return if zone.is_empty() { Some(()) } else { self.offset(zone) };
        }
        if word.starts_with(['+', '-']) && (self.time.is_some() || word.len() == 5) {
            return self.offset(word);
        }
        // `GMT+0200`
        if self.time.is_some()
            && let Some((name, zone)) = word.find(['+', '-']).and_then(|sign| word.split_at_checked(sign))
            && name.bytes().all(|b| b.is_ascii_alphabetic())
        {
            return self.offset(zone);
        }
        for piece in word.split(['-', '/', '.']).filter(|piece| !piece.is_empty()) {
            if piece.starts_with(|c: char| c.is_ascii_digit()) {
                self.number(piece)?;
            } else {
                self.name(piece)?;
            }
        }
        Some(())
    }

    fn number(&mut self, digits: &str) -> Option<()> {
        let plain = digits.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: i16 = plain.parse().ok()?;
        // `029 Apr` is written, too.
        if (plain.len() <= 2 || plain.len() == 3 && plain.starts_with('0')) && self.day.is_none() {
            self.day = Some(i8::try_from(number).ok()?);
        } else if self.year.is_none() {
            self.year = Some(match plain.len() {
                ..=2 if number < 50 => 2000 + number,
                ..=3 => 1900 + number,
                _ => number,
            });
        } else if self.time.is_some() && self.zone.is_none() && plain.len() == 4 {
            // An offset that lost its sign.
            self.zone = Some(None);
        }
        Some(())
    }

    fn name(&mut self, name: &str) -> Option<()> {
        let lower = name.to_ascii_lowercase();
        let begins = |known: &str| lower.get(..3) == Some(known);
        if self.month.is_none()
            && let Some(month) = MONTHS.iter().position(|known| begins(known))
        {
            self.month = i8::try_from(month + 1).ok();
        } else if DAYS.iter().any(|known| begins(known)) && self.time.is_none() {
            // The day of the week says nothing new.
        } else if self.time.is_some() && !self.half(&lower) && self.zone.is_none() {
            self.zone = Some(ZONES.iter().find(|(known, _)| *known == lower).map(|(_, minutes)| *minutes));
        }
        Some(())
    }

    /// `AM` or `PM`.
    fn half(&mut self, text: &str) -> bool {
        let afternoon = text.eq_ignore_ascii_case("pm");
        let known = afternoon || text.eq_ignore_ascii_case("am");
        if known {
            self.afternoon = Some(afternoon);
        }
        known
    }

    /// `+0200`, `-5`, `+02:00`; more than a day is none.
    fn offset(&mut self, text: &str) -> Option<()> {
        let negative = text.starts_with('-');
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let number: i32 = digits.parse().ok()?;
        let minutes = if digits.len() <= 2 { number * 60 } else { number / 100 * 60 + number % 100 };
        let known = digits.len() <= 4 && number % 100 < 60 && minutes < 24 * 60;
        let unknown = negative && number == 0 || !known;
        self.zone = Some((!unknown).then_some(if negative { -minutes } else { minutes }));
        Some(())
    }

    /// `2026-01-31T12:00:00.5+01:00`, with a blank for the `T`, or without seconds.
    fn iso(&mut self, text: &str) -> bool {
        let Some((date, rest)) = text.split_once(['T', 't', ' ']) else { return false };
        let mut fields = date.split(['-', '/']);
        let (Some(year), Some(month), Some(day), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return false;
        };
        let (4, Ok(year), Ok(month), Ok(day)) = (year.len(), year.parse(), month.parse(), day.parse()) else {
            return false;
        };
        let rest = rest.trim();
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(rest.len());
        let Some((clock, zone)) = rest.split_at_checked(end) else { return false };
        let Some(clock) = time(clock) else { return false };
        (self.year, self.month, self.day, self.time) = (Some(year), Some(month), Some(day), Some(clock));
        let zone = zone.trim();
        if zone.starts_with(['+', '-']) {
            self.offset(zone);
        } else if !zone.is_empty() {
            self.name(zone);
        }
        true
    }

    fn finish(self) -> Option<String> {
        let date = Date::new(self.year?, self.month?, self.day?).ok()?;
        let time = self.time?;
        let hour = match self.afternoon {
            Some(true) if time.hour() < 12 => time.hour() + 12,
            Some(false) if time.hour() == 12 => 0,
            _ => time.hour(),
        };
        if !(1900..=2200).contains(&date.year()) {
            return None;
        }
        let zone = match self.zone.flatten() {
            Some(0) => "Z".to_owned(),
            Some(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
            // RFC 3339: the time is UTC, the place is not known.
            None => "-00:00".to_owned(),
        };
        Some(format!("{date}T{hour:02}:{:02}:{:02}{zone}", time.minute(), time.second()))
    }
}

fn is_time(word: &str) -> bool {
    word.contains(':')
        || word.split('.').count() == 3
            && word.len() <= 8
            && !word.contains(|c: char| c.is_ascii_alphabetic())
}

/// `12:00:00`, `12:00`, `12.00.00`; a leap second counts as the one before it.
fn time(clock: &str) -> Option<Time> {
    let mut fields = clock.split(if clock.contains(':') { ':' } else { '.' });
    let mut next = || -> Option<Option<i8>> {
        let Some(field) = fields.next() else { return Some(None) };
        let field = field.split('.').next().unwrap_or_default();
        field.parse().ok().map(Some)
    };
    let (hour, minute, second) = (next()??, next()??, next()?.unwrap_or(0));
    Time::new(hour, minute, second.min(if second == 60 { 59 } else { second }), 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, expected: &str) {
        assert_eq!(read(text).as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn rfc_5322() {
        reads("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00");
        reads("21 Nov 97 09:55 GMT", "1997-11-21T09:55:00Z");
        reads("Tue, 1 Jul 2003 10:52:37 +0200", "2003-07-01T10:52:37+02:00");
        reads("Thu, 13 Feb 1969 23:32:54 -0330", "1969-02-13T23:32:54-03:30");
        reads("1 Jan 03 00:00:00 EST", "2003-01-01T00:00:00-05:00");
        reads("029 Apr 2019 23:34:45 -0800 (PST)", "2019-04-29T23:34:45-08:00");
        reads("21 Nov 1997 09:   55  :  06 -0600", "1997-11-21T09:55:06-06:00");
        reads("1 Jan 103 00:00:00 +0000", "2003-01-01T00:00:00Z");
        reads("Sat, 31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59Z");
        reads("1 Jan 2003 00:00:00 -0000", "2003-01-01T00:00:00-00:00");
        reads("1 Jan 2003 00:00:00", "2003-01-01T00:00:00-00:00");
        reads("1 Jan 2003 00:00:00 XYZ", "2003-01-01T00:00:00-00:00");
    }

    #[test]
    fn other_forms() {
        reads("Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37-00:00");
        reads("Sun Nov  6 08:49:37 CEST 1994", "1994-11-06T08:49:37+02:00");
        reads("2026-01-31T12:00:00+01:00", "2026-01-31T12:00:00+01:00");
        reads("2026-01-31 12:00:00.123 UTC", "2026-01-31T12:00:00Z");
        reads("2026-01-31T12:00Z", "2026-01-31T12:00:00Z");
        reads("Mon, 01-Jan-96 01:02:03 +0100", "1996-01-01T01:02:03+01:00");
        reads("Monday, January 1, 1996 1:02:03 PM +0100", "1996-01-01T13:02:03+01:00");
        reads("1 Jan 1996 01:02:03+0100", "1996-01-01T01:02:03+01:00");
        reads("1 Jan 1996 01:02:03 GMT+0100", "1996-01-01T01:02:03+01:00");
        reads("1 Jan 1996 01.02.03 +0100", "1996-01-01T01:02:03+01:00");
    }

    #[test]
    fn what_is_not_credible_is_none() {
        for text in [
            "",
            "garbage",
            "yesterday at noon",
            "31 Feb 2003 10:00:00 +0000",
            "1 Jan 2003 99:99:99 +0000",
            "1 Jan 2003",
            "1 Jan 3003 00:00:00 +0000",
            "Mon, 99999999999999999999 Jan 2003 00:00:00",
            "10:00",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
