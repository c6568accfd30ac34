//! Each message counts once, whatever happens in between.

use jiff::tz::TimeZone;
use vigie_archive::{Reader, Round, layout};
use vigie_common::clock;
use vigie_common::document::Mode;
use vigie_common::id::Id;
use vigie_common::record::{Cursor, Event, EventKind, Record};
use vigie_metrics::error::Error;
use vigie_metrics::model::Model;
use vigie_metrics::query::overview::Overview;
use vigie_metrics::readers::Readers;
use vigie_metrics::standing::State;

use crate::place::{Face, Place, at, mail, store};

/// What a place has counted.
async fn overview(place: &Place) -> Overview {
    let now = at("2026-02-01T00:00:00Z");
    let read = move |db: &rusqlite::Connection| Overview::read(db, &TimeZone::UTC, now, |_| true);
    Readers::new(place.database()).ask(read).await.unwrap()
}

fn many(count: u32) -> Vec<vigie_common::record::Entry> {
    let received = |uid: u32| format!("2026-01-{:02}T{:02}:00:00Z", 1 + uid % 31, uid % 24);
    (1..=count).map(|uid| mail("demo", uid, &received(uid))).collect()
}

fn event(kind: EventKind, id: &Id) -> Event {
    Event {
        kind,
        at: clock::now(),
        account: "demo".into(),
        mailbox: None,
        uidvalidity: None,
        generation: None,
        uid: None,
        id: Some(id.clone()),
        keywords: None,
        detail: None,
    }
}

#[tokio::test]
async fn a_life_that_ends_between_any_two_batches_loses_nothing() {
    let place = Place::new();
    let mut archive = place.archive();
    store(&mut archive, many(100));
    let reader = Reader::open(&place.root()).unwrap();
    for _ in 0..20 {
        // A life: two batches, of which the second is applied twice, as after a lost cursor.
        let mut model = place.model();
        for _ in 0..2 {
            let tail = reader.tail(model.cursor().unwrap().as_ref(), 3).unwrap();
            model.apply(&tail.records, tail.restarted, |_| None).unwrap();
            model.apply(&tail.records, false, |_| None).unwrap();
        }
    }
    let counted = overview(&place).await;
    assert_eq!((counted.messages, counted.bytes), (100, 1000 * 5050));
    assert_eq!(counted.accounts[0].amount.messages, 100);
}

#[tokio::test]
async fn it_follows_what_is_stored_and_begins_anew_with_another_catalog() {
    let place = Place::new();
    let face = Face::start(&place, "");
    face.state(State::Waiting).await;
    let mut archive = place.archive();
    store(&mut archive, many(40));
    face.counted(40).await;
    store(&mut archive, vec![mail("demo", 41, "2026-01-05T00:00:00Z")]);
    face.counted(41).await;
    assert_eq!(overview(&place).await.messages, 41);
    drop(archive);

    // Another archive takes the place of this one.
    std::fs::rename(place.root(), place.path().join("old")).unwrap();
    face.state(State::Waiting).await;
    let mut archive = place.archive();
    store(
        &mut archive,
        vec![mail("other", 1, "2026-01-05T00:00:00Z"), mail("other", 2, "2026-01-06T00:00:00Z")],
    );
    face.counted(2).await;
    let counted = overview(&place).await;
    assert_eq!((counted.messages, counted.accounts.len()), (2, 1));
    face.stop();
}

#[tokio::test]
async fn live_mail_is_told() {
    let place = Place::new();
    let mut archive = place.archive();
    store(&mut archive, many(3));
    let face = Face::start(&place, "");
    face.counted(3).await;
    let mut news = face.app.outlets.news.subscribe();
    let mut live = mail("demo", 9, "2026-01-05T00:00:00Z");
    live.mode = Mode::Live;
    store(&mut archive, vec![live]);
    let told = news.recv().await.unwrap();
    assert_eq!((told.len(), told[0].size), (1, 9000));
}

#[tokio::test]
async fn a_read_model_that_cannot_be_used_is_made_anew() {
    let place = Place::new();
    let mut archive = place.archive();
    store(&mut archive, many(10));
    let count = async || {
        let face = Face::start(&place, "");
        face.counted(10).await;
        face.stop();
        assert_eq!(overview(&place).await.messages, 10);
    };
    count().await;
    let file = std::fs::OpenOptions::new().write(true).open(place.database()).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"no database", 0).unwrap();
    drop(file);
    count().await;
    let db = rusqlite::Connection::open(place.database()).unwrap();
    db.execute("UPDATE meta SET value = 99 WHERE key = 'format'", []).unwrap();
    drop(db);
    count().await;
    let db = rusqlite::Connection::open(place.database()).unwrap();
    db.execute_batch("DROP TABLE meta").unwrap();
    drop(db);
    count().await;
}

#[test]
fn a_file_that_is_none_of_ours_is_left_alone() {
    let place = Place::new();
    std::fs::write(place.database(), "what somebody wrote, and longer than a hundred bytes".repeat(9))
        .unwrap();
    assert!(matches!(Model::open(&place.database()), Err(Error::Foreign { .. })));
    assert!(std::fs::read_to_string(place.database()).unwrap().starts_with("what somebody wrote"));

    let other = place.path().join("other.db");
    let db = rusqlite::Connection::open(&other).unwrap();
    db.execute_batch("CREATE TABLE theirs (a); CREATE TABLE meta (key, value)").unwrap();
    let before = std::fs::read(&other).unwrap();
    assert!(matches!(Model::open(&other), Err(Error::Foreign { .. })));
    assert_eq!(std::fs::read(&other).unwrap(), before);

    let empty = place.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    Model::open(&empty).unwrap();
}

#[tokio::test]
async fn damage_is_mended_while_it_runs() {
    let place = Place::new();
    let mut archive = place.archive();
    store(&mut archive, many(10));
    let face = Face::start(&place, "");
    face.counted(10).await;
    let db = rusqlite::Connection::open(place.database()).unwrap();
    db.execute_batch("UPDATE meta SET value = 'x' WHERE key = 'cursor'").unwrap();
    drop(db);
    store(&mut archive, vec![mail("demo", 11, "2026-01-05T00:00:00Z")]);
    face.counted(11).await;
    std::fs::remove_file(place.database()).unwrap();
    store(&mut archive, vec![mail("demo", 12, "2026-01-05T00:00:00Z")]);
    face.counted(12).await;
    assert_eq!(face.json("/api/v1/summary").await["messages"], 12);
    face.stop();
}

#[tokio::test]
async fn while_nothing_can_be_counted_the_archive_is_still_asked_how_it_stands() {
    let place = Place::new();
    let mut archive = place.archive();
    store(&mut archive, many(10));
    let face = Face::start(&place, "");
    face.counted(10).await;
    let db = rusqlite::Connection::open(place.database()).unwrap();
    db.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    )
    .unwrap();
    store(&mut archive, vec![mail("demo", 11, "2026-01-05T00:00:00Z")]);
    face.state(State::Error).await;
    let beat = clock::now();
    archive.heartbeat(beat).unwrap();
    let told = face
        .standing(|standing| {
            let archive = standing.archive.as_ref().unwrap();
            archive.writer.as_ref().unwrap().heartbeat.as_microsecond() == beat.as_microsecond()
        })
        .await;
    assert_eq!((told.state, told.last_seq, told.indexed_seq), (State::Error, 11, 10));
    assert!(told.behind_since.is_some() && told.detail.unwrap().contains("the disk is full"));
    db.execute_batch("DROP TRIGGER full").unwrap();
    face.counted(11).await;
    face.stop();
}

#[tokio::test]
async fn a_message_that_cannot_be_looked_up_stays_counted() {
    let place = Place::new();
    let mut archive = place.archive();
    store(&mut archive, many(2));
    let face = Face::start(&place, "");
    face.counted(2).await;
    let catalog = rusqlite::Connection::open(place.root().join(layout::CATALOG)).unwrap();
    let stored_at = |at: i64| catalog.execute("UPDATE entry SET stored_at = ?1 WHERE uid = 2", [at]).unwrap();
    stored_at(i64::MAX);
    let events = vec![event(EventKind::Reparsed, &mail("demo", 2, "").id)];
    archive.commit(&Round { events, ..Round::default() }, clock::now()).unwrap();
    face.state(State::Error).await;
    assert_eq!(overview(&place).await.messages, 2);
    stored_at(0);
    face.counted(3).await;
    assert_eq!(overview(&place).await.messages, 2);
    face.stop();
}

#[test]
fn a_second_one_is_refused() {
    let place = Place::new();
    let model = place.model();
    assert!(matches!(Model::open(&place.database()), Err(Error::Locked { .. })));
    drop(model);
    place.model();
}

#[tokio::test]
async fn what_is_deleted_counts_no_more() {
    let place = Place::new();
    let mut archive = place.archive();
    let mut entries = many(10);
    entries[4].received_at = None;
    let gone = [entries[3].id.clone(), entries[4].id.clone()];
    store(&mut archive, entries);
    let events = gone.iter().map(|id| event(EventKind::Deleted, id)).collect();
    archive.commit(&Round { events, ..Round::default() }, clock::now()).unwrap();
    let face = Face::start(&place, "");
    face.counted(12).await;
    let counted = overview(&place).await;
    assert_eq!((counted.messages, counted.undated_messages, counted.attachments), (8, 0, 8));
    assert_eq!(counted.bytes, 1000 * (55 - 4 - 5));
    let series = face.json("/api/v1/series/messages?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z").await;
    assert_eq!(series["series"][0]["total"], 8);
}

#[tokio::test]
async fn what_was_parsed_anew_counts_as_it_is_now() {
    let place = Place::new();
    let before = mail("demo", 1, "2026-01-05T00:00:00Z");
    let mut after = before.clone();
    (after.from, after.domain) = (Some("new@example.net".into()), Some("example.net".into()));
    after.attachments = 3;
    let record = |seq| Record { cursor: Cursor { epoch: 1, seq, mark: 1 }, seq, entry: None, event: None };
    let records = [
        Record { entry: Some(Box::new(before.clone())), ..record(1) },
        Record { event: Some(Box::new(event(EventKind::Reparsed, &before.id))), ..record(2) },
    ];
    let mut model = place.model();
    model.apply(&records, false, |id| (*id == after.id).then(|| after.clone())).unwrap();
    let counted = overview(&place).await;
    assert_eq!((counted.messages, counted.attachments), (1, 3));
    model.clear().unwrap();
    assert_eq!(overview(&place).await, Overview::default());
    assert_eq!(model.cursor().unwrap(), None);
}
