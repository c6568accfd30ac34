//! Cuts against the clock of the zone itself.

use proptest::prelude::*;

use super::*;

fn range(from: &str, to: &str) -> Range {
    Range { from: from.parse().unwrap(), to: to.parse().unwrap() }
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn shown(cuts: &Cuts) -> Vec<String> {
    cuts.starts.iter().map(|&at| Timestamp::from_second(at).unwrap().to_string()).collect()
}

#[test]
fn days_of_23_and_25_hours() {
    let paris = zone("Europe/Paris");
    let spring = range("2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z");
    let days = Cuts::make(spring, Bucket::Day, &paris);
    assert_eq!(shown(&days), ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"]);
    let autumn = range("2026-10-25T10:00:00Z", "2026-10-26T10:00:00Z");
    let days = Cuts::make(autumn, Bucket::Day, &paris);
    assert_eq!(shown(&days), ["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"]);
    assert_eq!(Cuts::make(autumn, Bucket::Hour, &paris).len(), 24);
}

#[test]
fn hours_of_a_zone_of_five_and_three_quarter_hours() {
    let hours = Cuts::make(
        range("2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z"),
        Bucket::Hour,
        &zone("Asia/Kathmandu"),
    );
    let begin =
        ["2025-12-31T23:15:00Z", "2026-01-01T00:15:00Z", "2026-01-01T01:15:00Z", "2026-01-01T02:15:00Z"];
    assert_eq!(shown(&hours), begin);
}

#[test]
fn weeks_begin_on_monday_and_months_on_their_first() {
    let weeks =
        Cuts::make(range("2026-01-01T00:00:00Z", "2026-01-13T00:00:00Z"), Bucket::Week, &TimeZone::UTC);
    let begin =
        ["2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z"];
    assert_eq!(shown(&weeks), begin);
    let months =
        Cuts::make(range("2026-01-31T00:00:00Z", "2026-03-01T00:00:00Z"), Bucket::Month, &TimeZone::UTC);
    assert_eq!(shown(&months), ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"]);
}

#[test]
fn a_day_that_was_skipped_is_not_cut() {
    // Samoa went to the other side of the date line: there was no 30 December 2011.
    let days =
        Cuts::make(range("2011-12-29T10:00:00Z", "2012-01-01T10:00:00Z"), Bucket::Day, &zone("Pacific/Apia"));
    assert_eq!(
        shown(&days),
        ["2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z", "2012-01-01T10:00:00Z"]
    );
}

#[test]
fn auto_keeps_within_two_hundred_and_a_wish_within_three_thousand() {
    let last = |seconds: i64| Range {
        from: Timestamp::from_second(1_800_000_000 - seconds).unwrap(),
        to: Timestamp::from_second(1_800_000_000).unwrap(),
    };
    let auto = |seconds| Bucket::choose(None, last(seconds)).as_str();
    let day = 86_400;
    assert_eq!(
        [7200, day, 7 * day, 30 * day, 365 * day, 3650 * day].map(auto),
        ["1m", "15m", "1h", "1d", "1w", "1mo"]
    );
    assert_eq!(Bucket::choose(Some(Bucket::Minute), last(2 * day)), Bucket::Minute);
    assert_eq!(Bucket::choose(Some(Bucket::Minute), last(3 * day)), Bucket::Quarter);
    assert_eq!(Bucket::choose(Some(Bucket::Day), last(3 * 365 * day)), Bucket::Day);
    assert_eq!("1d".parse(), Ok(Bucket::Day));
    assert!("2d".parse::<Bucket>().unwrap_err().contains("15m"));
}

fn a_zone() -> impl Strategy<Value = TimeZone> {
    let names =
        ["UTC", "Europe/Paris", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia"];
    prop::sample::select(names.to_vec()).prop_map(zone)
}

/// The civil bucket of a moment, as a text.
fn label(at: i64, bucket: Bucket, zone: &TimeZone) -> String {
    let local = Timestamp::from_second(at).unwrap().to_zoned(zone.clone());
    let monday = i64::from(local.weekday().since(Weekday::Monday)).days();
    match bucket {
        Bucket::Minute => local.strftime("%F %H:%M").to_string(),
        Bucket::Quarter => format!("{} {}", local.strftime("%F %H"), local.minute() / 15),
        Bucket::Hour => local.strftime("%F %H").to_string(),
        Bucket::Day => local.date().to_string(),
        Bucket::Week => (local.date() - monday).to_string(),
        Bucket::Month => local.strftime("%Y-%m").to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_moment_is_in_the_bucket_that_the_calendar_says(
        zone in a_zone(), bucket in prop::sample::select(Bucket::ALL.to_vec()),
        from in 1_000_000_000i64..2_000_000_000, long in 1i64..400, part in 0.0..1.0f64,
    ) {
        let to = from + long * bucket.seconds();
        let second = |at| Timestamp::from_second(at).unwrap();
        let cuts = Cuts::make(Range { from: second(from), to: second(to) }, bucket, &zone);
        prop_assert!(cuts.starts.is_sorted_by(|a, b| a < b));
        prop_assert!(cuts.starts[0] <= from && *cuts.starts.last().unwrap() >= to);
        let at = from + ((to - from - 1) as f64 * part) as i64;
        let index = cuts.narrow(at.div_euclid(86_400) * 86_400, (at.div_euclid(86_400) + 1) * 86_400).index(at);
        prop_assert_eq!(index, cuts.narrow(from, to).index(at));
        prop_assert!(cuts.starts[index] <= at && at < cuts.starts[index + 1]);
        // A bucket by the clock may span an hour that is there twice; all else has one label.
        prop_assert_eq!(label(cuts.starts[index], bucket, &zone), label(at, bucket, &zone));
    }

    #[test]
    fn stretches_tell_the_offset(zone in a_zone(), from in 0i64..2_000_000_000, long in 1i64..100_000_000, part in 0.0..1.0f64) {
        let all = stretches(from, from + long, &zone);
        let at = from + ((long - 1) as f64 * part) as i64;
        let offset = all[all.partition_point(|s| s.from <= at) - 1].offset;
        let expected = zone.to_offset(Timestamp::from_second(at).unwrap()).seconds();
        prop_assert_eq!(offset, i64::from(expected));
    }
}
