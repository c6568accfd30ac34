//! Every series against a plain count over the same messages, in zones that are not easy.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use vigie_common::record::{Cursor, Entry, Record};
use vigie_metrics::query::cuts::{Bucket, Cuts};
use vigie_metrics::query::flow::{self, Ask, Group, Measure};
use vigie_metrics::query::range::Range;
use vigie_metrics::query::scan::{Scan, Scope};
use vigie_metrics::query::senders::{By, largest};
use vigie_metrics::query::series::{Line, Point, Value};

use crate::place::{Place, mail};

/// Around the end of summer time in Europe.
const BEGIN: i64 = 1_792_800_000;
const END: i64 = BEGIN + 12 * 86_400;

prop_compose! {
    fn an_entry(uid: u32)(
        at in BEGIN..END, way in prop::option::of(-50i64..500), account in 0u32..3, mailbox in 0u32..3,
        person in prop::option::of(0u32..4), size in prop_oneof![0u64..3000, 0u64..50_000_000],
    ) -> Entry {
        let account = format!("account{account}");
        let mut entry = mail(&account, uid, "");
        entry.mailbox = format!("box{mailbox}");
        entry.received_at = Some(Timestamp::from_second(at).unwrap());
        entry.sent_at = way.map(|way| Timestamp::from_second(at - way).unwrap());
        entry.size = size;
        entry.domain = person.map(|person| format!("domain{}.example", person % 2));
        entry.from = person.map(|person| format!("person{person}@example"));
        entry
    }
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    (0usize..60).prop_flat_map(|count| {
        (0..count).map(|n| an_entry(u32::try_from(n).unwrap() + 1)).collect::<Vec<_>>()
    })
}

fn a_zone() -> impl Strategy<Value = TimeZone> {
    let names = ["UTC", "Europe/Paris", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"];
    prop::sample::select(names.to_vec()).prop_map(|name| TimeZone::get(name).unwrap())
}

/// Beginning of the bucket of a moment, by the calendar alone.
fn bucket_of(at: i64, bucket: Bucket, zone: &TimeZone) -> i64 {
    let local = Timestamp::from_second(at).unwrap().to_zoned(zone.clone());
    let date = match bucket {
        Bucket::Week => local.date() - i64::from(local.weekday().to_monday_zero_offset()).days(),
        Bucket::Month => local.date().first_of_month(),
        _ => local.date(),
    };
    date.to_zoned(zone.clone()).unwrap().timestamp().as_second()
}

fn values(line: &Line) -> BTreeMap<i64, u64> {
    let some = line.points.iter().filter_map(|point| match point {
        Point::Time(at, Some(Value::Count(count))) if *count > 0 => Some((at.as_second(), *count)),
        Point::Time(at, Some(Value::Measure(value))) => Some((at.as_second(), *value as u64)),
        _ => None,
    });
    some.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn all_series_are_what_a_plain_count_says(
        entries in entries(), zone in a_zone(), from in BEGIN - 86_400..END, long in 1i64..9 * 86_400,
        bucket in prop::sample::select(vec![Bucket::Day, Bucket::Week, Bucket::Month]),
        seen in prop::collection::vec(any::<bool>(), 3), batch in 1usize..30,
    ) {
        let place = Place::new();
        let mut model = place.model();
        for (index, chunk) in entries.chunks(batch).enumerate() {
            let records: Vec<Record> = chunk.iter().map(|entry| Record {
                cursor: Cursor { epoch: 1, seq: index as u64 + 1, mark: 1 }, seq: 1,
                entry: Some(Box::new(entry.clone())), event: None,
            }).collect();
            model.apply(&records, false, |_| None).unwrap();
        }
        let db = rusqlite::Connection::open(place.database()).unwrap();
        let sees = |name: &str| name.strip_prefix("account").and_then(|n| n.parse::<usize>().ok()).is_some_and(|n| seen[n]);
        let scope = Scope::of(&db, sees).unwrap();
        let second = |at| Timestamp::from_second(at).unwrap();
        let range = Range { from: second(from), to: second(from + long) };
        let scan = Scan { from, to: from + long, scope: &scope };
        let cuts = Cuts::make(range, bucket, &zone);
        let ask = Ask { scan, cuts: &cuts, now: END + 86_400 };
        let plain: Vec<(i64, &Entry)> = entries.iter()
            .map(|entry| (entry.received_at.unwrap().as_second(), entry))
            .filter(|(at, entry)| (from..from + long).contains(at) && sees(&entry.account)).collect();
        let of = |at: &i64| bucket_of(*at, bucket, &zone);

        let mut messages: BTreeMap<i64, u64> = BTreeMap::new();
        let mut groups: BTreeMap<(String, String), BTreeMap<i64, u64>> = BTreeMap::new();
        let mut people: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
        let mut delays: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (at, entry) in &plain {
            *messages.entry(of(at)).or_default() += 1;
            let group = (entry.account.clone(), entry.mailbox.clone());
            if entry.size > 0 { *groups.entry(group).or_default().entry(of(at)).or_default() += entry.size; }
            if let Some(from) = &entry.from { people.entry(of(at)).or_default().insert(from); }
            let way = entry.sent_at.map(|sent| at - sent.as_second());
            if let Some(way) = way.filter(|way| *way >= 0) { delays.entry(of(at)).or_default().push(way); }
        }
        let lines = flow::counts(&db, &ask, Measure::Messages, None, 10).unwrap();
        prop_assert_eq!(values(&lines[0]), messages);
        prop_assert_eq!(lines[0].total, Some(plain.len() as u64));

        let lines = flow::counts(&db, &ask, Measure::Bytes, Some(Group::Mailbox), 50).unwrap();
        let counted: BTreeMap<_, _> = lines.iter().map(|line| {
            let label = |name| line.labels[name].clone().unwrap();
            ((label("account"), label("mailbox")), values(line))
        }).collect();
        prop_assert_eq!(counted, groups);

        let lines = flow::counts(&db, &ask, Measure::Messages, Some(Group::Domain), 1).unwrap();
        prop_assert!(lines.len() <= 2 && lines.iter().skip(1).all(|line| line.rest));
        prop_assert_eq!(lines.iter().filter_map(|line| line.total).sum::<u64>(), plain.len() as u64);

        let lines = flow::senders(&db, &ask).unwrap();
        let expected: BTreeMap<i64, u64> = people.iter().map(|(at, all)| (*at, all.len() as u64)).collect();
        prop_assert_eq!(values(&lines[0]), expected);
        let all: BTreeSet<&str> = people.values().flatten().copied().collect();
        prop_assert_eq!(lines[0].total, Some(all.len() as u64));

        let lines = flow::delay(&db, &ask).unwrap();
        for (line, share) in lines.iter().zip([0.5, 0.95]) {
            let quantile = |all: &Vec<i64>| {
                let mut all = all.clone();
                all.sort_unstable();
                all[((all.len() as f64 * share).ceil() as usize).max(1) - 1] as u64
            };
            let expected: BTreeMap<i64, u64> = delays.iter().map(|(at, all)| (*at, quantile(all))).collect();
            prop_assert_eq!(values(line), expected);
        }

        let sizes = flow::sizes(&db, &scan).unwrap();
        let mut bounds: Vec<u64> = Vec::new();
        for point in &sizes[0].points {
            let Point::Size(bound, count) = point else { panic!("{point:?}") };
            let next = (bound * 2).max(1024);
            let expected = plain.iter().filter(|(_, entry)| (*bound..next).contains(&entry.size)).count();
            prop_assert_eq!(*count, expected as u64);
            bounds.push(*bound);
        }
        prop_assert_eq!(sizes[0].total, Some(plain.len() as u64));

        let hours = flow::hours(&db, &scan, &zone).unwrap();
        for point in &hours[0].points {
            let Point::Hour(day, hour, count) = point else { panic!("{point:?}") };
            let here = |at: i64| {
                let local = second(at).to_zoned(zone.clone());
                (local.weekday().to_monday_one_offset(), local.hour()) == (*day as i8, *hour as i8)
            };
            prop_assert_eq!(*count, plain.iter().filter(|(at, _)| here(*at)).count() as u64);
        }

        let found = largest(&db, &scan, By::Address, 2).unwrap();
        prop_assert_eq!(found.senders, all.len() as u64);
        for sender in &found.items {
            let theirs: Vec<_> = plain.iter().filter(|(_, e)| e.from.as_deref() == Some(&sender.sender)).collect();
            prop_assert_eq!(sender.messages, theirs.len() as u64);
            prop_assert_eq!(sender.last_at.as_second(), theirs.iter().map(|(at, _)| *at).max().unwrap());
        }
        prop_assert!(found.items.is_sorted_by(|a, b| a.messages >= b.messages));
    }
}
