//! Mailboxes: their names, their present generation, and how they stand.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};
use vigie_common::document::MailboxSource;

use super::coverage::{Generation, Kind, ranges};
use super::quarantine::quarantined_of;
use super::value::{maybe_time, micros, time, word};
use crate::mailbox::{
    Difference, MailboxId, MailboxState, MailboxStatus, MailboxView, OpenUid, Selected, Standing,
};

/// Columns of a mailbox with its state, in the order that the readers below count on.
const COLUMNS: &str = "m.id, m.account, m.raw_name, m.name, m.delimiter, m.special_use, m.uidvalidity, m.generation,
    m.present, m.uidnext, m.selected_at, m.difference_exists, m.difference_counted, s.state, s.since, s.reason,
    s.next_step, s.proof_of_life, m.modseq, m.keywords_at
    FROM mailbox m LEFT JOIN mailbox_state s ON s.mailbox = m.id";

/// The mailbox of this name, if it is registered, and what else it is called.
pub(crate) fn find(
    db: &Connection,
    account: &str,
    raw_name: &str,
) -> rusqlite::Result<Option<(MailboxId, MailboxSource)>> {
    db.prepare_cached(
        "SELECT id, account, raw_name, name, delimiter, special_use FROM mailbox WHERE account = ?1 AND raw_name = ?2",
    )?
    .query_row((account, raw_name), |row| Ok((MailboxId(row.get(0)?), source(row)?)))
    .optional()
}

/// Registers a mailbox, or what is new of its names.
pub(crate) fn register(
    db: &Connection,
    account: &str,
    mailbox: &MailboxSource,
) -> rusqlite::Result<MailboxId> {
    db.prepare_cached(
        "INSERT INTO mailbox (account, raw_name, name, delimiter, special_use) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (account, raw_name) DO UPDATE SET
           name = excluded.name, delimiter = excluded.delimiter, special_use = excluded.special_use
         RETURNING id",
    )?
    .query_row((account, &mailbox.raw_name, &mailbox.name, &mailbox.delimiter, &mailbox.special_use), |row| {
        row.get(0).map(MailboxId)
    })
}

/// All mailboxes of an account.
pub(crate) fn mailboxes(db: &Connection, account: &str) -> rusqlite::Result<Vec<MailboxId>> {
    db.prepare_cached("SELECT id FROM mailbox WHERE account = ?1")?
        .query_map([account], |row| row.get(0).map(MailboxId))?
        .collect()
}

/// Octets that the servers of an account sent, by hour.
pub(crate) fn received(db: &Connection, account: &str) -> rusqlite::Result<Vec<(i64, u64)>> {
    db.prepare_cached("SELECT hour, bytes FROM received WHERE account = ?1")?
        .query_map([account], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?
        .collect()
}

/// All mailboxes: number, account, names.
pub(crate) fn all_mailboxes(db: &Connection) -> rusqlite::Result<Vec<super::Named>> {
    db.prepare_cached("SELECT id, account, raw_name, name, delimiter, special_use FROM mailbox")?
        .query_map([], |row| Ok((MailboxId(row.get(0)?), row.get(1)?, source(row)?)))?
        .collect()
}

/// Registers a mailbox under a number that it had before.
pub(crate) fn register_as(
    db: &Connection,
    id: MailboxId,
    account: &str,
    names: &MailboxSource,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO mailbox (id, account, raw_name, name, delimiter, special_use) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((id.0, account, &names.raw_name, &names.name, &names.delimiter, &names.special_use))
    .map(drop)
}

/// Says which generation is the present one, as far as we know; nothing is known of the server.
pub(crate) fn set_present(
    db: &Connection,
    mailbox: MailboxId,
    of: Generation,
    at: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE mailbox SET uidvalidity = ?2, generation = ?3, selected_at = ?4 WHERE id = ?1")?
        .execute((mailbox.0, of.0, of.1, micros(at)))
        .map(drop)
}

/// Counts messages stored in a generation, which begins with them if need be.
pub(crate) fn count(
    db: &Connection,
    mailbox: MailboxId,
    (validity, generation): Generation,
    (messages, bytes): (u64, u64),
    now: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO generation VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET stored = stored + excluded.stored, bytes = bytes + excluded.bytes,
           last_stored = iif(excluded.stored > 0, excluded.last_stored, last_stored)",
    )?
    .execute((
        mailbox.0,
        validity,
        generation,
        messages.cast_signed(),
        bytes.cast_signed(),
        (messages > 0).then(|| micros(now)),
    ))
    .map(drop)
}

pub(crate) fn view(db: &Connection, mailbox: MailboxId) -> rusqlite::Result<MailboxView> {
    let sql = format!("SELECT {COLUMNS} WHERE m.id = ?1");
    let mut view = db.prepare_cached(&sql)?.query_row([mailbox.0], |row| {
        Ok(MailboxView {
            account: row.get(1)?,
            mailbox: source(row)?,
            selected: selected(row)?,
            covered: Default::default(),
            skipped: Default::default(),
            open: Vec::new(),
            stored: Default::default(),
            quarantined: Vec::new(),
            difference: difference(row)?,
            proof_of_life: maybe_time(row, 17)?,
            modseq: row.get(18)?,
            keywords_at: maybe_time(row, 19)?,
            standing: standing(row)?,
        })
    })?;
    if let Some(now) = &view.selected {
        let present = (now.uidvalidity, now.generation);
        view.covered = ranges(db, mailbox, present, Kind::Covered)?;
        view.skipped = ranges(db, mailbox, present, Kind::Skipped)?;
        view.open = open(db, mailbox, present)?;
        view.stored = ranges(db, mailbox, present, Kind::Stored)?;
        view.quarantined = quarantined_of(db, mailbox, present)?;
    }
    Ok(view)
}

fn open(db: &Connection, mailbox: MailboxId, present: Generation) -> rusqlite::Result<Vec<OpenUid>> {
    db.prepare_cached(
        "SELECT uid, attempts, error, next_try FROM open_uid
         WHERE mailbox = ?1 AND uidvalidity = ?2 AND generation = ?3 ORDER BY uid",
    )?
    .query_map((mailbox.0, present.0, present.1), |row| {
        Ok(OpenUid { uid: row.get(0)?, attempts: row.get(1)?, error: row.get(2)?, next_try: time(row, 3)? })
    })?
    .collect()
}

/// All mailboxes, by account and name.
pub(crate) fn statuses(db: &Connection) -> rusqlite::Result<Vec<MailboxStatus>> {
    let sum = |kind: Kind| {
        let kind = kind.as_str();
        format!(
            "(SELECT coalesce(sum(c.last - c.first + 1), 0) FROM coverage c WHERE c.mailbox = t.id
              AND c.uidvalidity = t.uidvalidity AND c.generation = t.generation AND c.kind = '{kind}')"
        )
    };
    let of_all = |what: &str| format!("(SELECT {what} FROM generation g WHERE g.mailbox = t.id)");
    let sql = format!(
        "SELECT t.*, {}, {}, {}, {}, {}, {},
           (SELECT count(*) FROM open_uid o WHERE o.mailbox = t.id AND o.uidvalidity = t.uidvalidity
             AND o.generation = t.generation),
           (SELECT count(*) FROM quarantine q WHERE q.mailbox = t.id AND q.uidvalidity = t.uidvalidity
             AND q.generation = t.generation) AS quarantined
         FROM (SELECT {COLUMNS}) t ORDER BY t.account, t.name",
        of_all("coalesce(sum(g.stored), 0)"),
        of_all("coalesce(sum(g.bytes), 0)"),
        of_all("max(g.last_stored)"),
        sum(Kind::Covered),
        sum(Kind::Skipped),
        sum(Kind::Stored),
    );
    db.prepare_cached(&sql)?
        .query_map([], |row| {
            Ok(MailboxStatus {
                account: row.get(1)?,
                mailbox: source(row)?,
                selected: selected(row)?,
                difference: difference(row)?,
                standing: standing(row)?,
                proof_of_life: maybe_time(row, 17)?,
                keywords_at: maybe_time(row, 19)?,
                stored: row.get(20)?,
                bytes: row.get(21)?,
                last_stored: maybe_time(row, 22)?,
                covered: row.get(23)?,
                skipped: row.get(24)?,
                present: row.get(25)?,
                open: row.get(26)?,
                quarantined: row.get("quarantined")?,
            })
        })?
        .collect()
}

fn source(row: &Row<'_>) -> rusqlite::Result<MailboxSource> {
    Ok(MailboxSource {
        raw_name: row.get(2)?,
        name: row.get(3)?,
        delimiter: row.get(4)?,
        special_use: row.get(5)?,
    })
}

fn selected(row: &Row<'_>) -> rusqlite::Result<Option<Selected>> {
    let Some(uidvalidity) = row.get(6)? else { return Ok(None) };
    let (generation, exists, uidnext) = (row.get(7)?, row.get(8)?, row.get(9)?);
    Ok(Some(Selected { uidvalidity, generation, exists, uidnext, at: time(row, 10)? }))
}

fn difference(row: &Row<'_>) -> rusqlite::Result<Option<Difference>> {
    let Some(exists) = row.get(11)? else { return Ok(None) };
    Ok(Some(Difference { exists, counted: row.get(12)? }))
}

fn standing(row: &Row<'_>) -> rusqlite::Result<Option<Standing>> {
    if row.get_ref(13)?.as_str_or_null()?.is_none() {
        return Ok(None);
    }
    Ok(Some(Standing {
        state: word(row, 13, &MailboxState::ALL, MailboxState::as_str)?,
        since: time(row, 14)?,
        reason: row.get(15)?,
        next_step: row.get(16)?,
    }))
}
