//! Records: entries and events, under one number.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};
use vigie_common::document::Mode;
use vigie_common::id::{BlobId, Id};
use vigie_common::record::{Cursor, Entry, Event, EventKind, Record};

use super::value::{blob_id, hash, json, maybe_text, maybe_time, micros, text, time, word};

const MODES: [Mode; 3] = [Mode::Live, Mode::Backfill, Mode::Import];

/// Columns of an entry, in the order that [`entry`] reads them.
macro_rules! entry_columns {
    () => {
        "e.id, e.blob, e.duplicate_of, e.account, e.mailbox, e.uidvalidity, e.generation, e.uid, e.received_at,
         e.sent_at, e.stored_at, e.size, e.sender, e.domain, e.recipients, e.subject, e.message_id,
         e.in_reply_to, e.list_id, e.attachments, e.attachment_bytes, e.keywords, e.defects, e.mode, e.path"
    };
}

/// Takes the next number. Its mark tells it from the same number of a catalog restored from a backup.
fn next(db: &Connection) -> rusqlite::Result<i64> {
    let mark = rand::random::<u64>().cast_signed();
    db.prepare_cached("INSERT INTO record (mark) VALUES (?1)")?.insert([mark])
}

/// What the commit knows of an entry and its maker does not.
pub(crate) struct Filled<'a> {
    pub(crate) path: &'a str,
    pub(crate) duplicate_of: Option<&'a Id>,
    pub(crate) stored_at: Timestamp,
}

/// Records that a message is stored.
pub(crate) fn insert_entry(db: &Connection, entry: &Entry, filled: &Filled<'_>) -> rusqlite::Result<()> {
    let seq = next(db)?;
    db.prepare_cached(
        "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
         ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)",
    )?
    .execute(rusqlite::params![
        seq,
        entry.id.as_str(),
        hash(&entry.blob_id),
        filled.duplicate_of.map(Id::as_str),
        entry.account,
        entry.mailbox,
        entry.uidvalidity,
        entry.generation,
        entry.uid,
        entry.received_at.map(micros),
        entry.sent_at.map(micros),
        micros(filled.stored_at),
        entry.size.cast_signed(),
        entry.from,
        entry.domain,
        to_json(&entry.recipients)?,
        entry.subject,
        entry.message_id,
        entry.in_reply_to,
        entry.list_id,
        entry.attachments,
        entry.attachment_bytes.cast_signed(),
        to_json(&entry.keywords)?,
        to_json(&entry.defects)?,
        entry.mode.as_str(),
        filled.path,
    ])
    .map(drop)
}

/// Records an event.
pub(crate) fn insert_event(db: &Connection, event: &Event) -> rusqlite::Result<()> {
    let seq = next(db)?;
    db.prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?
        .execute(rusqlite::params![
            seq,
            event.kind.as_str(),
            micros(event.at),
            event.account,
            event.mailbox,
            event.uidvalidity,
            event.generation,
            event.uid,
            event.id.as_ref().map(Id::as_str),
            event.keywords.as_ref().map(to_json).transpose()?,
            event.detail,
        ])
        .map(drop)
}

fn to_json<T: serde::Serialize>(list: &T) -> rusqlite::Result<String> {
    serde_json::to_string(list).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

/// The blob that is stored under an id.
pub(crate) fn by_id(db: &Connection, id: &Id) -> rusqlite::Result<Option<BlobId>> {
    db.prepare_cached("SELECT blob FROM entry WHERE id = ?1")?
        .query_row([id.as_str()], |row| blob_id(row, 0))
        .optional()
}

/// The keywords of a stored message; none where it is not stored.
pub(crate) fn keywords_of(db: &Connection, id: &Id) -> rusqlite::Result<Option<Vec<String>>> {
    db.prepare_cached("SELECT keywords FROM entry WHERE id = ?1")?
        .query_row([id.as_str()], |row| json(row, 0))
        .optional()
}

/// Changes the present keywords of an entry.
pub(crate) fn set_keywords(db: &Connection, id: &Id, keywords: &[String]) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE entry SET keywords = ?2 WHERE id = ?1")?
        .execute((id.as_str(), to_json(&keywords)?))
        .map(drop)
}

/// Whether a document of this name at this path is recorded.
pub(crate) fn is_at(db: &Connection, id: &str, path: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM entry WHERE id = ?1 AND path = ?2")?.exists((id, path))
}

/// The entry of an id, with its present columns.
pub(crate) fn entry_of(db: &Connection, id: &Id) -> rusqlite::Result<Option<Entry>> {
    let sql = concat!("SELECT ", entry_columns!(), " FROM entry e WHERE e.id = ?1");
    db.prepare_cached(sql)?.query_row([id.as_str()], entry).optional()
}

/// Ids of the messages of an account that have these bytes.
pub(crate) fn with_bytes(db: &Connection, account: &str, blob: &BlobId) -> rusqlite::Result<Vec<Id>> {
    db.prepare_cached("SELECT id FROM entry WHERE account = ?1 AND blob = ?2 ORDER BY seq")?
        .query_map((account, hash(blob)), |row| text(row, 0))?
        .collect()
}

/// Number of the last record; 0 if there is none.
pub(crate) fn last_seq(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT coalesce(max(seq), 0) FROM record")?.query_row([], |row| row.get(0))
}

/// The mark of a record.
pub(crate) fn mark_of(db: &Connection, seq: u64) -> rusqlite::Result<Option<u64>> {
    // A number beyond what SQLite counts is none of ours.
    let Ok(seq) = i64::try_from(seq) else { return Ok(None) };
    db.prepare_cached("SELECT mark FROM record WHERE seq = ?1")?
        .query_row([seq], |row| row.get::<_, i64>(0))
        .optional()
        .map(|mark| mark.map(i64::cast_unsigned))
}

/// The last record before a number, as a cursor.
pub(crate) fn before(db: &Connection, epoch: u64, seq: u64) -> rusqlite::Result<Option<Cursor>> {
    let seq = i64::try_from(seq).unwrap_or(i64::MAX);
    db.prepare_cached("SELECT seq, mark FROM record WHERE seq < ?1 ORDER BY seq DESC LIMIT 1")?
        .query_row([seq], |row| {
            Ok(Cursor { epoch, seq: row.get(0)?, mark: row.get::<_, i64>(1)?.cast_unsigned() })
        })
        .optional()
}

/// Records behind a number.
pub(crate) fn tail(db: &Connection, epoch: u64, after: u64, limit: usize) -> rusqlite::Result<Vec<Record>> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut query = db.prepare_cached(concat!(
        "SELECT ",
        entry_columns!(),
        ", r.seq, r.mark, v.kind, v.at, v.account, v.mailbox, v.uidvalidity, v.generation, v.uid, v.id,
           v.keywords, v.detail
         FROM record r LEFT JOIN entry e USING (seq) LEFT JOIN event v USING (seq)
         WHERE r.seq > ?1 ORDER BY r.seq LIMIT ?2"
    ))?;
    let rows = query.query_map([after, limit], |row| {
        let seq = row.get(25)?;
        let mark = row.get::<_, i64>(26)?.cast_unsigned();
        let stored = row.get_ref(0)?.as_str_or_null()?.is_some();
        let told = row.get_ref(27)?.as_str_or_null()?.is_some();
        Ok(Record {
            cursor: Cursor { epoch, seq, mark },
            seq,
            entry: stored.then(|| entry(row)).transpose()?.map(Box::new),
            event: told.then(|| event(row, 27)).transpose()?.map(Box::new),
        })
    })?;
    rows.collect()
}

/// Entries behind a number, each with its own.
pub(crate) fn entries(db: &Connection, after: i64, limit: u32) -> rusqlite::Result<Vec<(i64, Entry)>> {
    let sql =
        concat!("SELECT ", entry_columns!(), ", e.seq FROM entry e WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2");
    db.prepare_cached(sql)?.query_map((after, limit), |row| Ok((row.get(25)?, entry(row)?)))?.collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: text(row, 0)?,
        blob_id: blob_id(row, 1)?,
        duplicate_of: maybe_text(row, 2)?,
        account: row.get(3)?,
        mailbox: row.get(4)?,
        uidvalidity: row.get(5)?,
        generation: row.get(6)?,
        uid: row.get(7)?,
        received_at: maybe_time(row, 8)?,
        sent_at: maybe_time(row, 9)?,
        stored_at: time(row, 10)?,
        size: row.get(11)?,
        from: row.get(12)?,
        domain: row.get(13)?,
        recipients: json(row, 14)?,
        subject: row.get(15)?,
        message_id: row.get(16)?,
        in_reply_to: row.get(17)?,
        list_id: row.get(18)?,
        attachments: row.get(19)?,
        attachment_bytes: row.get(20)?,
        keywords: json(row, 21)?,
        defects: json(row, 22)?,
        mode: word(row, 23, &MODES, Mode::as_str)?,
        path: row.get(24)?,
    })
}

fn event(row: &Row<'_>, at: usize) -> rusqlite::Result<Event> {
    Ok(Event {
        kind: word(row, at, &EventKind::ALL, EventKind::as_str)?,
        at: time(row, at + 1)?,
        account: row.get(at + 2)?,
        mailbox: row.get(at + 3)?,
        uidvalidity: row.get(at + 4)?,
        generation: row.get(at + 5)?,
        uid: row.get(at + 6)?,
        id: maybe_text(row, at + 7)?,
        keywords: row.get::<_, Option<String>>(at + 8)?.map(|_| json(row, at + 8)).transpose()?,
        detail: row.get(at + 9)?,
    })
}
