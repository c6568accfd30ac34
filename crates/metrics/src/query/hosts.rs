//! Series of the host, from samples in tiers.

use rusqlite::Connection;

use super::cuts::{Bucket, Cuts};
use super::range::Range;
use super::series::{Line, Metric, Value, label, over_time};
use crate::model::TIERS;

/// The step whose samples answer a question: fine enough for the bucket, and kept for long enough.
#[must_use]
fn step(bucket: Bucket, from: i64, now: i64) -> i64 {
    let fine = match bucket {
        Bucket::Minute => 10,
        Bucket::Quarter => 60,
        Bucket::Hour | Bucket::Day | Bucket::Week | Bucket::Month => 900,
    };
    let reaches = |kept: Option<i64>| kept.is_none_or(|kept| from >= now - kept);
    let mut tiers = TIERS.iter().filter(|(step, _)| *step >= fine);
    // The last tier is kept for ever.
    tiers.find(|(_, kept)| reaches(*kept)).map_or(86_400, |(step, _)| *step)
}

/// Columns of the table and the labels of their lines.
fn columns(metric: Metric) -> &'static [(&'static str, &'static str, &'static str)] {
    match metric {
        Metric::HostCpu => &[("cpu", "", "")],
        Metric::HostLoad => &[("load", "", "")],
        Metric::HostMemory => &[("memory_used", "kind", "used"), ("memory_limit", "kind", "limit")],
        Metric::HostDisk => &[("disk_used", "kind", "used"), ("disk_total", "kind", "total")],
        Metric::HostNetwork => &[("received", "direction", "received"), ("sent", "direction", "sent")],
        _ => &[],
    }
}

/// Means of the samples in each bucket; none where nothing was sampled.
///
/// # Errors
/// From the database.
pub fn means(
    db: &Connection,
    metric: Metric,
    range: Range,
    bucket: Bucket,
    cuts: &Cuts,
    now: i64,
) -> rusqlite::Result<Vec<Line>> {
    let (from, to) = range.seconds();
    let step = step(bucket, from, now);
    let narrow = cuts.narrow(from, to);
    let mut lines = Vec::new();
    for (column, name, value) in columns(metric) {
        let sql =
            format!("SELECT at, samples, {column} FROM host_sample WHERE step = ?1 AND at >= ?2 AND at < ?3");
        let mut sums = vec![(0.0, 0u32); cuts.len()];
        let mut query = db.prepare_cached(&sql)?;
        // The step under way when the range begins is part of it.
        let mut rows = query.query((step, from - step + 1, to))?;
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            if let Some((sum, samples)) = sums.get_mut(narrow.index(at.max(from))) {
                *sum += row.get::<_, f64>(2)?;
                *samples += row.get::<_, u32>(1)?;
            }
        }
        let values = sums
            .into_iter()
            .map(|(sum, samples)| (samples > 0).then(|| Value::Measure(tidy(sum / f64::from(samples)))));
        let labels = if name.is_empty() { Default::default() } else { label(name, Some(value)) };
        lines.push(Line { labels, points: over_time(cuts.starts(), values), ..Line::default() });
    }
    Ok(lines)
}

/// Without digits that nobody measured.
fn tidy(value: f64) -> f64 {
    if value.abs() >= 1000.0 { value.round() } else { (value * 10_000.0).round() / 10_000.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_fine_enough_and_reaches_back() {
        let day = 86_400;
        let now = 1_000_000 * day;
        let pick = |bucket, days: i64| step(bucket, now - days * day, now);
        assert_eq!(pick(Bucket::Minute, 1), 10);
        assert_eq!(pick(Bucket::Minute, 3), 60);
        assert_eq!(pick(Bucket::Quarter, 1), 60);
        assert_eq!(pick(Bucket::Hour, 1), 900);
        assert_eq!(pick(Bucket::Day, 700), 900);
        assert_eq!(pick(Bucket::Month, 3650), day);
    }
}
