//! Readers: records as they were written, and cursors that say when to start again.

use proptest::prelude::*;
use vigie_archive::{Error, Message, Reader, Round};
use vigie_common::document::{Code, Mode};
use vigie_common::id::{BlobId, Id, Instance};
use vigie_common::record::{Cursor, Entry, Event, EventKind};

use crate::fixture::{folder, mail, now, open};

#[test]
fn where_nothing_is_there_is_no_archive() {
    let folder = folder();
    assert!(matches!(Reader::open(folder.path()), Err(Error::NoArchive { .. })));
    assert!(matches!(Reader::open(&folder.path().join("nowhere")), Err(Error::NoArchive { .. })));
    // Its writer has made the file and is about to make the tables.
    std::fs::write(folder.path().join("catalog.db"), "").unwrap();
    assert!(matches!(Reader::open(folder.path()), Err(Error::NoArchive { .. })));
    std::fs::write(
        folder.path().join("catalog.db"),
        "no database, and longer than one hundred bytes".repeat(9),
    )
    .unwrap();
    let error = Reader::open(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[test]
fn a_newer_catalog_is_refused() {
    let folder = folder();
    drop(open(folder.path()));
    let db = rusqlite::Connection::open(folder.path().join("catalog.db")).unwrap();
    db.execute("UPDATE meta SET value = 3 WHERE key = 'format'", []).unwrap();
    drop(db);
    assert!(matches!(Reader::open(folder.path()), Err(Error::Newer { found: 3, known: 2, .. })));
    let settings = crate::fixture::settings(folder.path());
    assert!(matches!(vigie_archive::Archive::open(&settings, "1"), Err(Error::Newer { .. })));
}

#[test]
fn a_cursor_goes_on_or_starts_again() {
    let folder = folder();
    let mut archive = open(folder.path());
    let reader = Reader::open(folder.path()).unwrap();
    let seqs = |cursor: Option<&Cursor>, limit| {
        let tail = reader.tail(cursor, limit).unwrap();
        (tail.records.iter().map(|record| record.seq).collect::<Vec<_>>(), tail.restarted)
    };
    let start = Cursor { epoch: reader.epoch().unwrap(), seq: 0, mark: 0 };
    assert_eq!(seqs(None, 10), (vec![], false));
    assert_eq!(seqs(Some(&start), 10), (vec![], false));
    let messages = (1..=5).map(|uid| mail(uid).build()).collect();
    archive.commit(&Round { messages, ..Round::default() }, now()).unwrap();
    assert_eq!(seqs(None, 3), (vec![1, 2, 3], false));
    let third = reader.tail(None, 3).unwrap().records[2].cursor.clone();
    assert_eq!(seqs(Some(&third), 10), (vec![4, 5], false));
    assert_eq!(reader.before(4).unwrap(), Some(third.clone()));
    assert_eq!(reader.before(1).unwrap(), None);
    assert_eq!(reader.before(u64::MAX).unwrap().unwrap().seq, 5);
    let all = (vec![1, 2, 3, 4, 5], true);
    assert_eq!(seqs(Some(&Cursor { epoch: third.epoch ^ 1, ..third.clone() }), 10), all, "another epoch");
    assert_eq!(seqs(Some(&Cursor { mark: third.mark ^ 1, ..third.clone() }), 10), all, "another mark");
    assert_eq!(seqs(Some(&Cursor { seq: 6, ..third.clone() }), 10), all, "no such record");
    assert_eq!(seqs(Some(&Cursor { seq: u64::MAX, ..third }), 10), all, "no such number");
    assert_eq!(seqs(Some(&Cursor { mark: 1, ..start.clone() }), 10), all, "0 has no mark");
    assert_eq!(seqs(Some(&start), 10).0.len(), 5);
}

#[test]
fn an_entry_is_found_by_its_id() {
    let folder = folder();
    let mut archive = open(folder.path());
    archive
        .commit(&Round { messages: vec![mail(1).build(), mail(2).build()], ..Round::default() }, now())
        .unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let records = reader.tail(None, 10).unwrap().records;
    let entry = records[1].entry.as_deref().unwrap();
    assert_eq!(reader.entry(&entry.id).unwrap().as_ref(), Some(entry));
    assert_eq!(reader.entry(&Id::of_mailbox("one", "any")).unwrap(), None);
    assert_eq!(reader.last_seq().unwrap(), 2);
}

/// Times to the microsecond: those are kept.
fn time() -> impl Strategy<Value = jiff::Timestamp> {
    (-60_000_000_000_000_000i64..200_000_000_000_000_000)
        .prop_map(|micros| jiff::Timestamp::from_microsecond(micros).unwrap())
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of(".{0,12}")
}

prop_compose! {
    fn an_entry()(
        uid in 1u32..1_000_000, mailbox in ".{1,8}", generation: u32, uidvalidity: u32, size in 0..i64::MAX as u64,
        (received_at, sent_at) in (prop::option::of(time()), prop::option::of(time())),
        (from, domain, subject, message_id) in (text(), text(), text(), text()),
        (in_reply_to, list_id, attachments) in (text(), text(), 0u32..),
        recipients in prop::collection::vec(".{0,6}", 0..3), keywords in prop::collection::vec(".{0,6}", 0..3),
        defects in prop::sample::subsequence(vec![Code::BadDate, Code::NulByte, Code::Raw8bitHeader], 0..=3),
        mode in prop::sample::select(vec![Mode::Live, Mode::Backfill, Mode::Import]),
        attachment_bytes in 0..i64::MAX as u64,
    ) -> Entry {
        let instance = Instance { account: "one".into(), mailbox: mailbox.clone(), uidvalidity, generation, uid };
        Entry {
            id: instance.id(), blob_id: BlobId::of(&uid.to_le_bytes()), duplicate_of: None, account: "one".into(),
            mailbox, uidvalidity, generation, uid, received_at, sent_at, stored_at: now(), size, from, domain,
            recipients, subject, message_id, in_reply_to, list_id, attachments, attachment_bytes, keywords, defects,
            mode, path: String::new(),
        }
    }
}

prop_compose! {
    fn an_event()(
        kind in prop::sample::select(EventKind::ALL.to_vec()), at in time(), (mailbox, detail) in (text(), text()),
        (uidvalidity, generation, uid) in (any::<Option<u32>>(), any::<Option<u32>>(), any::<Option<u32>>()),
        id: bool, keywords in prop::option::of(prop::collection::vec(".{0,6}", 0..3)),
    ) -> Event {
        let id = id.then(|| Id::of_mailbox("one", "any"));
        Event { kind, at, account: "one".into(), mailbox, uidvalidity, generation, uid, id, keywords, detail }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn records_read_back_as_written(
        mut entry in an_entry(), events in prop::collection::vec(an_event(), 0..4),
    ) {
        let folder = folder();
        let mut archive = open(folder.path());
        let message = Message { entry: entry.clone(), ..mail(1).build() };
        // What this round stores is the entry; that its parts belong together is for others to test.
        archive.commit(&Round { messages: vec![message], events: events.clone(), ..Round::default() }, now()).unwrap();
        let records = Reader::open(folder.path()).unwrap().tail(None, 10).unwrap().records;
        entry.path = vigie_archive::layout::document("one", entry.received_at, &entry.id);
        prop_assert_eq!(records[0].entry.as_deref(), Some(&entry));
        let told: Vec<Event> = records.iter().filter_map(|record| record.event.as_deref().cloned()).collect();
        prop_assert_eq!(told, events);
        prop_assert!((1..).zip(&records).all(|(seq, record)| record.seq == seq));
        prop_assert!(records.iter().all(|record| record.cursor.seq == record.seq));
    }
}
