//! Stored messages of a mailbox, as far as others are compared with them.

use rusqlite::{Connection, OptionalExtension, Row};
use vigie_common::id::Id;

use super::coverage::Generation;
use super::value::{blob_id, maybe_time, text};
use crate::mailbox::{Earlier, MailboxId};

const COLUMNS: &str = "e.id, e.blob, e.uid, e.received_at, e.size, e.message_id, e.path FROM entry e";

/// Those of all generations but `present`, newest first.
pub(crate) fn earlier(
    db: &Connection,
    mailbox: MailboxId,
    present: Generation,
) -> rusqlite::Result<Vec<Earlier>> {
    let stored: bool = db
        .prepare_cached(
            "SELECT 1 FROM generation
             WHERE mailbox = ?1 AND (uidvalidity, generation) IS NOT (?2, ?3) AND stored > 0",
        )?
        .exists((mailbox.0, present.0, present.1))?;
    // Entries are found by their mailbox one by one: not to be done for nothing.
    if !stored {
        return Ok(Vec::new());
    }
    of_mailbox(db, mailbox, "(e.uidvalidity, e.generation) IS NOT (?2, ?3)", present)
}

/// Those of the generation `present`.
pub(crate) fn stored_in(
    db: &Connection,
    mailbox: MailboxId,
    present: Generation,
) -> rusqlite::Result<Vec<Earlier>> {
    of_mailbox(db, mailbox, "(e.uidvalidity, e.generation) IS (?2, ?3)", present)
}

fn of_mailbox(
    db: &Connection,
    mailbox: MailboxId,
    which: &str,
    of: Generation,
) -> rusqlite::Result<Vec<Earlier>> {
    let sql = format!(
        "SELECT {COLUMNS} JOIN mailbox m ON m.account = e.account AND m.raw_name = e.mailbox
         WHERE m.id = ?1 AND e.uid > 0 AND {which} ORDER BY e.seq DESC"
    );
    db.prepare_cached(&sql)?.query_map((mailbox.0, of.0, of.1), row)?.collect()
}

/// One, by its id.
pub(crate) fn stored_as(db: &Connection, id: &Id) -> rusqlite::Result<Option<Earlier>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} WHERE e.id = ?1"))?.query_row([id.as_str()], row).optional()
}

fn row(row: &Row<'_>) -> rusqlite::Result<Earlier> {
    Ok(Earlier {
        id: text(row, 0)?,
        blob_id: blob_id(row, 1)?,
        uid: row.get(2)?,
        received_at: maybe_time(row, 3)?,
        size: row.get(4)?,
        message_id: row.get(5)?,
        path: row.get(6)?,
    })
}
