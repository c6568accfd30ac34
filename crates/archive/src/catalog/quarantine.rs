//! Quarantined UIDs.

use rusqlite::{Connection, OptionalExtension};
use vigie_common::id::Id;

use super::coverage::Generation;
use super::value::{micros, text, time};
use crate::mailbox::MailboxId;
use crate::quarantine::{Note, Quarantined, QuarantinedUid};

/// Records that a message could not be taken.
pub(crate) fn insert_quarantined(db: &Connection, mailbox: MailboxId, note: &Note) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO quarantine VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute((
            mailbox.0,
            note.uidvalidity,
            note.generation,
            note.uid,
            note.id.as_str(),
            micros(note.at),
            note.attempts,
            &note.reason,
        ))
        .map(drop)
}

/// A UID is no longer quarantined; its id, if it was.
pub(crate) fn release(
    db: &Connection,
    mailbox: MailboxId,
    of: Generation,
    uid: u32,
) -> rusqlite::Result<Option<Id>> {
    db.prepare_cached(
        "DELETE FROM quarantine WHERE mailbox = ?1 AND uidvalidity = ?2 AND generation = ?3 AND uid = ?4
         RETURNING id",
    )?
    .query_row((mailbox.0, of.0, of.1, uid), |row| text(row, 0))
    .optional()
}

/// Why a UID is quarantined, if it is.
pub(crate) fn reason(
    db: &Connection,
    mailbox: MailboxId,
    of: Generation,
    uid: u32,
) -> rusqlite::Result<Option<String>> {
    db.prepare_cached(
        "SELECT reason FROM quarantine WHERE mailbox = ?1 AND uidvalidity = ?2 AND generation = ?3 AND uid = ?4",
    )?
    .query_row((mailbox.0, of.0, of.1, uid), |row| row.get(0))
    .optional()
}

pub(crate) fn is_quarantined(db: &Connection, id: &Id) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM quarantine WHERE id = ?1")?.exists([id.as_str()])
}

/// Those of a generation, in the order of their UIDs.
pub(crate) fn quarantined_of(
    db: &Connection,
    mailbox: MailboxId,
    of: Generation,
) -> rusqlite::Result<Vec<QuarantinedUid>> {
    db.prepare_cached(
        "SELECT uid, at, reason FROM quarantine
         WHERE mailbox = ?1 AND uidvalidity = ?2 AND generation = ?3 ORDER BY uid",
    )?
    .query_map((mailbox.0, of.0, of.1), |row| {
        Ok(QuarantinedUid { uid: row.get(0)?, at: time(row, 1)?, reason: row.get(2)? })
    })?
    .collect()
}

/// All of them, by account, mailbox and UID.
pub(crate) fn quarantined(db: &Connection) -> rusqlite::Result<Vec<Quarantined>> {
    db.prepare_cached(
        "SELECT q.id, m.account, m.name, q.uidvalidity, q.generation, q.uid, q.at, q.attempts, q.reason,
           o.uid IS NOT NULL, m.uidvalidity = q.uidvalidity AND m.generation = q.generation, q.mailbox
         FROM quarantine q JOIN mailbox m ON m.id = q.mailbox
         LEFT JOIN open_uid o USING (mailbox, uidvalidity, generation, uid)
         ORDER BY m.account, m.name, q.uidvalidity, q.generation, q.uid",
    )?
    .query_map([], |row| {
        Ok(Quarantined {
            id: text(row, 0)?,
            account: row.get(1)?,
            mailbox: row.get(2)?,
            uidvalidity: row.get(3)?,
            generation: row.get(4)?,
            uid: row.get(5)?,
            at: time(row, 6)?,
            attempts: row.get(7)?,
            reason: row.get(8)?,
            retrying: row.get(9)?,
            present: row.get(10)?,
            number: MailboxId(row.get(11)?),
        })
    })?
    .collect()
}
