//! Series of mail: what came, when, from how many, how large, how long it was on its way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use jiff::tz::TimeZone;
use rusqlite::Connection;

use super::cuts::{Cuts, Stretch, stretches};
use super::scan::{Column, Scan};
use super::series::{Line, Point, Value, label, over_time};
use crate::model::page::Row;

/// By what series are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Account.
    Account,
    /// Account and mailbox.
    Mailbox,
    /// Domain of the sender.
    Domain,
}

impl Group {
    /// The word in questions and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Mailbox => "mailbox",
            Self::Domain => "domain",
        }
    }
}

impl FromStr for Group {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Account, Self::Mailbox, Self::Domain];
        let refused = || "write account, mailbox or domain".to_owned();
        known.into_iter().find(|group| group.as_str() == text).ok_or_else(refused)
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// One a message.
    Messages,
    /// Its octets.
    Bytes,
}

/// A question over time.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Which messages.
    pub scan: Scan<'a>,
    /// The buckets.
    pub cuts: &'a Cuts,
    /// The present second: nothing is known of a bucket that begins later.
    pub now: i64,
}

impl Ask<'_> {
    fn line<T>(&self, values: Vec<T>, value: impl Fn(T) -> Option<Value>) -> Vec<Point> {
        let starts = self.cuts.starts();
        let known =
            starts.iter().zip(values).map(|(&start, one)| if start > self.now { None } else { value(one) });
        over_time(starts, known.collect::<Vec<_>>())
    }
}

/// How much came in each bucket, in one line or in at most `limit` lines and one for the rest.
///
/// # Errors
/// From the database, as with all of these.
pub fn counts(
    db: &Connection,
    ask: &Ask<'_>,
    measure: Measure,
    group: Option<Group>,
    limit: usize,
) -> rusqlite::Result<Vec<Line>> {
    let amount = |row: &Row| if measure == Measure::Bytes { row.size } else { 1 };
    let size = (measure == Measure::Bytes).then_some(Column::Sizes);
    let key = match group {
        Some(Group::Mailbox) => Some(Column::Mailboxes),
        Some(Group::Domain) => Some(Column::Domains),
        Some(Group::Account) | None => None,
    };
    let columns: Vec<Column> = size.into_iter().chain(key).collect();
    let number = |row: &Row| match group {
        None => 0,
        Some(Group::Account) => row.account,
        Some(Group::Mailbox) => row.mailbox,
        Some(Group::Domain) => row.domain,
    };

    // Which groups are the largest is known only after all were seen.
    let mut totals: Vec<u64> = if group.is_some() { Vec::new() } else { vec![1] };
    if group.is_some() {
        ask.scan.days(db, &columns, |_, _, rows| {
            for row in rows {
                let index = index(number(&row));
                if totals.len() <= index {
                    totals.resize(index + 1, 0);
                }
                if let Some(total) = totals.get_mut(index) {
                    *total = total.saturating_add(amount(&row));
                }
            }
        })?;
    }
    let mut largest: Vec<(usize, u64)> =
        totals.iter().copied().enumerate().filter(|(_, total)| *total > 0).collect();
    largest.sort_by_key(|(number, total)| (Reverse(*total), *number));
    let has_rest = largest.len() > limit;
    largest.truncate(limit);

    // Lines by number; those without one of their own go to the last.
    let mut line_of = vec![largest.len(); totals.len()];
    for (line, (number, _)) in largest.iter().enumerate() {
        if let Some(place) = line_of.get_mut(*number) {
            *place = line;
        }
    }
    let mut cells = vec![vec![0u64; ask.cuts.len()]; largest.len() + usize::from(has_rest)];
    ask.scan.days(db, &columns, |first, end, rows| {
        let narrow = ask.cuts.narrow(first, end);
        for row in rows {
            let line = line_of.get(index(number(&row))).copied();
            let cell = line.and_then(|line| cells.get_mut(line)?.get_mut(narrow.index(row.at)));
            if let Some(cell) = cell {
                *cell = cell.saturating_add(amount(&row));
            }
        }
    })?;

    let mut lines = Vec::with_capacity(cells.len());
    for (line, cells) in cells.into_iter().enumerate() {
        let total = cells.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        let points = ask.line(cells, |count| Some(Value::Count(count)));
        let (labels, rest) = match (largest.get(line), group) {
            (_, None) => (BTreeMap::new(), false),
            (Some((number, _)), Some(group)) => (labels(db, group, *number)?, false),
            (None, Some(group)) => (label(group.as_str(), None), true),
        };
        lines.push(Line { labels, rest, points, total: Some(total) });
    }
    Ok(lines)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn labels(
    db: &Connection,
    group: Group,
    number: usize,
) -> rusqlite::Result<BTreeMap<&'static str, Option<String>>> {
    let number = i64::try_from(number).unwrap_or(0);
    match group {
        Group::Account => {
            let name: String = db
                .prepare_cached("SELECT name FROM account WHERE id = ?1")?
                .query_row([number], |row| row.get(0))?;
            Ok(label("account", Some(&name)))
        }
        Group::Mailbox => {
            let query =
                "SELECT a.name, m.name FROM mailbox m JOIN account a ON a.id = m.account WHERE m.id = ?1";
            db.prepare_cached(query)?.query_row([number], |row| {
                Ok(BTreeMap::from([("account", row.get(0)?), ("mailbox", row.get(1)?)]))
            })
        }
        // No sender, or one without a domain.
        Group::Domain if number == 0 => Ok(label("domain", None)),
        Group::Domain => {
            let name: String = db
                .prepare_cached("SELECT name FROM domain WHERE id = ?1")?
                .query_row([number], |row| row.get(0))?;
            Ok(label("domain", Some(&name)))
        }
    }
}

/// How many distinct senders there were in each bucket, and in the whole range.
///
/// # Errors
/// From the database.
pub fn senders(db: &Connection, ask: &Ask<'_>) -> rusqlite::Result<Vec<Line>> {
    let mut counts = vec![0u64; ask.cuts.len()];
    let mut known: Vec<bool> = Vec::new();
    let mut total = 0;
    // Days come in order, and so do buckets: a pair that is not of the last bucket seen is complete.
    let mut pairs: Vec<(usize, u32)> = Vec::new();
    let mut settle = |pairs: &mut Vec<(usize, u32)>, before: usize| {
        if pairs.first().is_none_or(|(bucket, _)| *bucket >= before) {
            return;
        }
        pairs.sort_unstable();
        pairs.dedup();
        let open = pairs.partition_point(|(bucket, _)| *bucket < before);
        for (bucket, _) in pairs.drain(..open) {
            if let Some(count) = counts.get_mut(bucket) {
                *count += 1;
            }
        }
    };
    ask.scan.days(db, &[Column::Senders], |first, end, rows| {
        let narrow = ask.cuts.narrow(first, end);
        settle(&mut pairs, narrow.index(first));
        for row in rows.filter(|row| row.sender != 0) {
            let pair = (narrow.index(row.at), row.sender);
            pairs.push(pair);
            // The first one tells the bucket that is oldest.
            if let [first, .., last] = pairs.as_mut_slice()
                && pair.0 < first.0
            {
                std::mem::swap(first, last);
            }
            let index = index(row.sender);
            if known.len() <= index {
                known.resize(index + 1, false);
            }
            if let Some(known) = known.get_mut(index) {
                total += u64::from(!std::mem::replace(known, true));
            }
        }
    })?;
    settle(&mut pairs, usize::MAX);
    let points = ask.line(counts, |count| Some(Value::Count(count)));
    Ok(vec![Line { points, total: Some(total), ..Line::default() }])
}

/// Quantiles of the time on the way in each bucket. Messages that came before they were sent are left out.
///
/// # Errors
/// From the database.
pub fn delay(db: &Connection, ask: &Ask<'_>) -> rusqlite::Result<Vec<Line>> {
    let mut delays: Vec<(usize, u32)> = Vec::new();
    ask.scan.days(db, &[Column::Delays], |first, end, rows| {
        let narrow = ask.cuts.narrow(first, end);
        for row in rows {
            if let Some(delay) = row.delay.and_then(|delay| u32::try_from(delay).ok()) {
                delays.push((narrow.index(row.at), delay));
            }
        }
    })?;
    delays.sort_unstable();
    let mut found: [Vec<Option<u32>>; 2] = [vec![None; ask.cuts.len()], vec![None; ask.cuts.len()]];
    for bucket in delays.chunk_by(|a, b| a.0 == b.0) {
        let at = bucket.first().map_or(0, |(bucket, _)| *bucket);
        for (line, percent) in found.iter_mut().zip([50, 95]) {
            if let Some(place) = line.get_mut(at) {
                *place = bucket.get(rank(bucket.len(), percent)).map(|(_, delay)| *delay);
            }
        }
    }
    let [half, most] = found;
    let line = |quantile: &str, values| Line {
        labels: label("quantile", Some(quantile)),
        points: ask.line(values, |delay: Option<u32>| delay.map(|delay| Value::Measure(delay.into()))),
        ..Line::default()
    };
    Ok(vec![line("0.5", half), line("0.95", most)])
}

/// Index of the smallest of `count` sorted values that `percent` of them do not exceed.
fn rank(count: usize, percent: usize) -> usize {
    (count * percent).div_ceil(100).saturating_sub(1)
}

/// Messages by size, in classes whose bounds are 0 and the powers of 2 from 1 KiB.
///
/// # Errors
/// From the database.
pub fn sizes(db: &Connection, scan: &Scan<'_>) -> rusqlite::Result<Vec<Line>> {
    let mut counts = [0u64; 64];
    scan.days(db, &[Column::Sizes], |_, _, rows| {
        for row in rows {
            if let Some(count) = counts.get_mut(class(row.size)) {
                *count += 1;
            }
        }
    })?;
    let used = counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    let points =
        counts.iter().take(used).enumerate().map(|(class, count)| Point::Size(lower_bound(class), *count));
    let total = counts.iter().sum();
    Ok(vec![Line { points: points.collect(), total: Some(total), ..Line::default() }])
}

/// 0 below 1 KiB, then 1 more for each power of 2.
fn class(size: u64) -> usize {
    usize::try_from((size >> 9).checked_ilog2().unwrap_or(0)).unwrap_or(0)
}

fn lower_bound(class: usize) -> u64 {
    if class == 0 { 0 } else { 512 << class }
}

/// Messages by weekday and hour of a zone's clock.
///
/// # Errors
/// From the database.
pub fn hours(db: &Connection, scan: &Scan<'_>, zone: &TimeZone) -> rusqlite::Result<Vec<Line>> {
    let stretches = stretches(scan.from, scan.to, zone);
    let mut counts = [0u64; 168];
    scan.days(db, &[], |first, end, rows| {
        let begin = stretches.partition_point(|stretch| stretch.from <= first).saturating_sub(1);
        let last = stretches.partition_point(|stretch| stretch.from < end);
        let here = stretches.get(begin..last).unwrap_or(&[]);
        for row in rows {
            if let Some(count) = counts.get_mut(hour_of_week(row.at + offset(here, row.at))) {
                *count += 1;
            }
        }
    })?;
    let total = counts.iter().sum();
    let points = (1..=7u8)
        .flat_map(|day| (0..24u8).map(move |hour| (day, hour)))
        .zip(counts)
        .map(|((day, hour), count)| Point::Hour(day, hour, count));
    Ok(vec![Line { points: points.collect(), total: Some(total), ..Line::default() }])
}

fn offset(stretches: &[Stretch], at: i64) -> i64 {
    match stretches {
        [one] => one.offset,
        all => {
            let before = all.partition_point(|stretch| stretch.from <= at);
            all.get(before.saturating_sub(1)).map_or(0, |stretch| stretch.offset)
        }
    }
}

/// Hours since Monday 0:00 of a local time in seconds since 1970, which began on a Thursday.
fn hour_of_week(local: i64) -> usize {
    let hour = (local.div_euclid(3600) + 3 * 24).rem_euclid(168);
    usize::try_from(hour).unwrap_or(0)
}

/// Names of mailboxes as people know them, put in place of what the server sends.
pub fn rename(lines: &mut [Line], names: &HashMap<(String, String), String>) {
    for line in lines {
        let account = line.labels.get("account").cloned().flatten();
        let Some(Some(mailbox)) = line.labels.get_mut("mailbox") else { continue };
        let Some(account) = account else { continue };
        if let Some(name) = names.get(&(account, mailbox.clone())) {
            mailbox.clone_from(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_begin_at_their_bounds() {
        for (size, bound) in [
            (0, 0),
            (1023, 0),
            (1024, 1024),
            (2047, 1024),
            (2048, 2048),
            (5 << 20, 4 << 20),
            (u64::MAX, 1 << 63),
        ] {
            assert_eq!(lower_bound(class(size)), bound, "{size}");
        }
    }

    #[test]
    fn quantiles_are_values_that_are_there() {
        assert_eq!([1, 2, 3, 4, 20, 21, 100].map(|n| rank(n, 50)), [0, 0, 1, 1, 9, 10, 49]);
        assert_eq!([1, 2, 19, 20, 21, 100].map(|n| rank(n, 95)), [0, 1, 18, 18, 19, 94]);
    }

    #[test]
    fn weeks_begin_on_monday() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
        assert_eq!(hour_of_week(at("2026-11-23T00:30:00Z")), 0);
        assert_eq!(hour_of_week(at("2026-11-29T23:59:59Z")), 167);
        assert_eq!(hour_of_week(at("1969-12-29T00:00:00Z")), 0);
    }
}
