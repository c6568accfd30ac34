//! Samples of the host: means of what was sampled, nothing where nothing was.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use vigie_metrics::model::Sample;
use vigie_metrics::query::cuts::{Bucket, Cuts};
use vigie_metrics::query::hosts::means;
use vigie_metrics::query::range::Range;
use vigie_metrics::query::series::{Metric, Point};

use crate::place::Place;

/// Midnight.
const BEGIN: i64 = 1_800_000_000 / 86_400 * 86_400;

fn values(
    place: &Place,
    metric: Metric,
    from: i64,
    to: i64,
    bucket: Bucket,
    now: i64,
) -> Vec<Vec<Option<f64>>> {
    let db = rusqlite::Connection::open(place.database()).unwrap();
    let second = |at| Timestamp::from_second(at).unwrap();
    let range = Range { from: second(from), to: second(to) };
    let cuts = Cuts::make(range, bucket, &TimeZone::UTC);
    let lines = means(&db, metric, range, bucket, &cuts, now).unwrap();
    let value = |point: &Point| match point {
        Point::Time(_, value) => value.map(|value| value.number()),
        _ => panic!("{point:?}"),
    };
    lines.iter().map(|line| line.points.iter().map(value).collect()).collect()
}

#[test]
fn a_bucket_is_the_mean_of_its_samples_and_a_gap_is_nothing() {
    let place = Place::new();
    let mut model = place.model();
    for n in 0..18u32 {
        let at = BEGIN + 60 + i64::from(n) * 10;
        model
            .sample(&Sample {
                at,
                cpu: f64::from(n) / 100.0,
                received: 1000.0,
                sent: 7.0,
                ..Sample::default()
            })
            .unwrap();
    }
    let now = BEGIN + 300;
    let cpu = values(&place, Metric::HostCpu, BEGIN, now, Bucket::Minute, now);
    assert_eq!(cpu, [[None, Some(0.025), Some(0.085), Some(0.145), None]]);
    let hour = values(&place, Metric::HostNetwork, BEGIN - 3600, now, Bucket::Hour, now);
    assert_eq!(hour, [[None, Some(1000.0)], [None, Some(7.0)]]);
    let month = values(&place, Metric::HostCpu, BEGIN, BEGIN + 86_400, Bucket::Day, BEGIN + 2000 * 86_400);
    assert_eq!(month, [[Some(0.085)]], "long ago there are days alone");
}

#[test]
fn fine_steps_are_forgotten_and_days_are_kept() {
    let place = Place::new();
    let mut model = place.model();
    for day in [0, 1, 40, 800] {
        model.sample(&Sample { at: BEGIN + day * 86_400, cpu: 0.5, ..Sample::default() }).unwrap();
    }
    let db = rusqlite::Connection::open(place.database()).unwrap();
    let mut query = db.prepare("SELECT step, count(*) FROM host_sample GROUP BY step ORDER BY step").unwrap();
    let steps: Vec<(i64, i64)> =
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    assert_eq!(steps, [(10, 1), (60, 1), (900, 1), (86_400, 4)]);
}
