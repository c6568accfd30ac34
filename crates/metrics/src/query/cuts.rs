//! Where a range of time is cut into buckets, by the clock and calendar of a time zone. Pure.

use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::range::Range;

/// `auto` takes the smallest bucket of which there are no more than this.
const USUAL: usize = 200;
/// A bucket of which there were more is widened.
const MOST: usize = 3000;

/// How wide a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// `1m`.
    Minute,
    /// `15m`.
    Quarter,
    /// `1h`.
    Hour,
    /// `1d`, from midnight to midnight.
    Day,
    /// `1w`, from Monday.
    Week,
    /// `1mo`.
    Month,
}

impl Bucket {
    /// All, the narrowest first.
    pub const ALL: [Self; 6] = [Self::Minute, Self::Quarter, Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The word in questions and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::Quarter => "15m",
            Self::Hour => "1h",
            Self::Day => "1d",
            Self::Week => "1w",
            Self::Month => "1mo",
        }
    }

    /// Seconds, of the shortest of its kind.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Quarter => 900,
            Self::Hour => 3600,
            Self::Day => 23 * 3600,
            Self::Week => 7 * 86_400 - 3600,
            Self::Month => 28 * 86_400 - 3600,
        }
    }

    /// The bucket to use for a range: what was asked for, or widened until there are not too many.
    #[must_use]
    pub fn choose(asked: Option<Self>, range: Range) -> Self {
        let seconds = range.to.duration_since(range.from).as_secs();
        let fits = |bucket: &Self, most: usize| {
            usize::try_from(seconds / bucket.seconds()).is_ok_and(|count| count <= most)
        };
        let (least, most) = asked.map_or((Self::Minute, USUAL), |asked| (asked, MOST));
        let mut wide = Self::ALL.into_iter().filter(|bucket| *bucket >= least);
        wide.find(|bucket| fits(bucket, most)).unwrap_or(Self::Month)
    }
}

impl FromStr for Bucket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|bucket| bucket.as_str() == text).ok_or_else(|| {
            let text = vigie_common::text::inert(text, 20);
            format!("`{text}` is no bucket: write auto, 1m, 15m, 1h, 1d, 1w or 1mo")
        })
    }
}

/// The beginnings of the buckets that cover a range, and the end of the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cuts {
    starts: Vec<i64>,
}

impl Cuts {
    /// Cuts a range. The first bucket may begin before it, the last one end behind it.
    #[must_use]
    pub fn make(range: Range, bucket: Bucket, zone: &TimeZone) -> Self {
        let (from, to) = range.seconds();
        let starts = match bucket {
            Bucket::Minute | Bucket::Quarter | Bucket::Hour => by_clock(from, to, bucket.seconds(), zone),
            Bucket::Day | Bucket::Week | Bucket::Month => by_calendar(range.from, to, bucket, zone),
        };
        Self { starts }
    }

    /// Where the buckets begin.
    #[must_use]
    pub fn starts(&self) -> &[i64] {
        self.starts.split_last().map_or(&[], |(_, starts)| starts)
    }

    /// How many buckets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The part that is needed for moments from `first` up to `end`: looking in it is quicker.
    #[must_use]
    pub fn narrow(&self, first: i64, end: i64) -> Narrow<'_> {
        let base = self.starts.partition_point(|&start| start <= first).saturating_sub(1);
        let last = self.starts.partition_point(|&start| start < end);
        Narrow { base, starts: self.starts.get(base..last).unwrap_or(&[]) }
    }
}

/// Some neighbouring buckets.
#[derive(Debug, Clone, Copy)]
pub struct Narrow<'a> {
    base: usize,
    starts: &'a [i64],
}

impl Narrow<'_> {
    /// The bucket of a moment that lies in one of these.
    #[must_use]
    pub fn index(&self, at: i64) -> usize {
        // Mostly there are one or two.
        let before = match self.starts {
            [_] => 1,
            [_, second] => 1 + usize::from(*second <= at),
            starts => starts.partition_point(|&start| start <= at),
        };
        self.base + before.saturating_sub(1)
    }
}

/// A stretch of time with one offset from UTC: its beginning and the offset, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its first moment.
    pub from: i64,
    /// Seconds east of UTC.
    pub offset: i64,
}

/// The offsets of a zone from `from` up to `to`, in the order of time; the first begins at `from`.
#[must_use]
pub fn stretches(from: i64, to: i64, zone: &TimeZone) -> Vec<Stretch> {
    let Ok(start) = Timestamp::from_second(from) else { return Vec::new() };
    let offset = |at: Timestamp| i64::from(zone.to_offset(at).seconds());
    let mut all = vec![Stretch { from, offset: offset(start) }];
    for transition in zone.following(start) {
        let at = transition.timestamp();
        if at.as_second() >= to {
            break;
        }
        all.push(Stretch { from: at.as_second(), offset: i64::from(transition.offset().seconds()) });
    }
    all
}

/// Every moment at which the clock of the zone shows a multiple of `size`.
fn by_clock(from: i64, to: i64, size: i64, zone: &TimeZone) -> Vec<i64> {
    let mut starts: Vec<i64> = Vec::new();
    let stretches = stretches(from, to, zone);
    for (index, stretch) in stretches.iter().enumerate() {
        let end = stretches.get(index + 1).map_or(to, |next| next.from);
        let past = (stretch.from + stretch.offset).rem_euclid(size);
        // The first bucket begins before the range; after a change of the clock, the bucket under way goes on.
        let first = stretch.from - past + if index == 0 || past == 0 { 0 } else { size };
        let mut at = first;
        while at < end {
            if starts.last().is_none_or(|&last| last < at) {
                starts.push(at);
            }
            at += size;
        }
    }
    let offset = stretches.last().map_or(0, |stretch| stretch.offset);
    let past = (to + offset).rem_euclid(size);
    starts.push(if past == 0 { to } else { to - past + size });
    starts
}

/// Midnights.
fn by_calendar(from: Timestamp, to: i64, bucket: Bucket, zone: &TimeZone) -> Vec<i64> {
    let day = from.to_zoned(zone.clone()).date();
    let mut date = match bucket {
        Bucket::Week => day.saturating_sub(i64::from(day.weekday().since(Weekday::Monday)).days()),
        Bucket::Month => day.first_of_month(),
        _ => day,
    };
    let mut starts: Vec<i64> = Vec::new();
    loop {
        let Some(start) = midnight(date, zone) else {
            starts.push(to);
            return starts;
        };
        // A day that a zone skipped has no beginning of its own.
        if starts.last().is_none_or(|&last| last < start) {
            starts.push(start);
        }
        if start >= to {
            return starts;
        }
        let step = match bucket {
            Bucket::Week => 7.days(),
            Bucket::Month => 1.month(),
            _ => 1.day(),
        };
        date = match date.checked_add(step) {
            Ok(next) => next,
            Err(_) => {
                starts.push(to);
                return starts;
            }
        };
    }
}

fn midnight(date: Date, zone: &TimeZone) -> Option<i64> {
    date.to_zoned(zone.clone())
        .and_then(|midnight| midnight.start_of_day())
        .ok()
        .map(|at| at.timestamp().as_second())
}

#[cfg(test)]
mod tests;
