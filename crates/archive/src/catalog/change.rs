//! Changes of a mailbox, applied one by one.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use vigie_common::id::Instance;
use vigie_common::record::{Event, EventKind};

use super::coverage::{Generation, Kind, cover, ranges, uncover};
use super::mailbox::count;
use super::quarantine::{insert_quarantined, reason, release};
use super::record::{insert_event, keywords_of, set_keywords};
use super::value::micros;
use crate::mailbox::MailboxId;
use crate::quarantine::Note;
use crate::round::Change;
use crate::uid_set::UidSet;

/// Why a change was not applied.
pub(crate) enum Refusal {
    /// It speaks of another generation than the present one of this mailbox.
    Outdated {
        account: String,
        mailbox: String,
    },
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// What a change needs to know of its mailbox.
struct Known {
    account: String,
    raw_name: String,
    present: Option<Generation>,
}

impl Known {
    fn of(db: &Connection, mailbox: MailboxId) -> rusqlite::Result<Self> {
        db.prepare_cached("SELECT account, raw_name, uidvalidity, generation FROM mailbox WHERE id = ?1")?
            .query_row([mailbox.0], |row| {
                let present = row.get::<_, Option<u32>>(2)?.zip(row.get(3)?);
                Ok(Self { account: row.get(0)?, raw_name: row.get(1)?, present })
            })
    }

    fn outdated(self) -> Refusal {
        Refusal::Outdated { account: self.account, mailbox: self.raw_name }
    }

    fn present(self) -> Result<Generation, Refusal> {
        self.present.ok_or_else(|| self.outdated())
    }

    /// An event about a message of the present generation.
    fn event(
        &self,
        kind: EventKind,
        (uidvalidity, generation): Generation,
        uid: u32,
        now: Timestamp,
    ) -> Event {
        let (account, mailbox) = (self.account.clone(), self.raw_name.clone());
        let instance =
            Instance { account: account.clone(), mailbox: mailbox.clone(), uidvalidity, generation, uid };
        Event {
            kind,
            at: now,
            account,
            mailbox: Some(mailbox),
            uidvalidity: Some(uidvalidity),
            generation: Some(generation),
            uid: Some(uid),
            id: Some(instance.id()),
            keywords: None,
            detail: None,
        }
    }
}

/// Applies one change.
pub(crate) fn apply(db: &Connection, change: &Change, now: Timestamp) -> Result<(), Refusal> {
    match change {
        Change::Select { mailbox, uidvalidity, generation, exists, uidnext, at } => {
            let known = Known::of(db, *mailbox)?;
            let told = (*uidvalidity, *generation);
            match known.present {
                None => begin(db, *mailbox, told, now)?,
                Some(present) if present != told => return Err(known.outdated()),
                Some(_) => {}
            }
            db.prepare_cached(
                "UPDATE mailbox SET present = ?2, uidnext = ?3, selected_at = ?4 WHERE id = ?1",
            )?
            .execute((mailbox.0, exists, uidnext, micros(*at)))?;
        }
        Change::Covered { mailbox, uids } => {
            cover(db, *mailbox, Known::of(db, *mailbox)?.present()?, Kind::Covered, uids)?;
        }
        Change::Skipped { mailbox, uids } => {
            cover(db, *mailbox, Known::of(db, *mailbox)?.present()?, Kind::Skipped, uids)?;
        }
        Change::Unskip { mailbox } => {
            db.prepare_cached("DELETE FROM coverage WHERE mailbox = ?1 AND kind = 'skipped'")?
                .execute([mailbox.0])?;
        }
        Change::Open { mailbox, uid, attempts, error, next_try } => {
            let present = Known::of(db, *mailbox)?.present()?;
            open(db, *mailbox, present, (*uid, *attempts, error, *next_try))?;
        }
        Change::Closed { mailbox, uid } => {
            let present = Known::of(db, *mailbox)?.present()?;
            close(db, *mailbox, present, *uid)?;
            release(db, *mailbox, present, *uid)?;
        }
        Change::Quarantined { mailbox, note, .. } => quarantine(db, *mailbox, note, now)?,
        Change::Retry { mailbox, uid } => {
            let present = Known::of(db, *mailbox)?.present()?;
            if let Some(reason) = reason(db, *mailbox, present, *uid)? {
                open(db, *mailbox, present, (*uid, 0, &reason, now))?;
            }
        }
        Change::Keywords { mailbox, uid, keywords } => set_flags(db, *mailbox, *uid, keywords, now)?,
        Change::Vanished { mailbox, uids } => vanish(db, *mailbox, uids, now)?,
        Change::Modseq { mailbox, modseq } => {
            let modseq = modseq.and_then(|modseq| i64::try_from(modseq).ok());
            db.prepare_cached("UPDATE mailbox SET modseq = ?2 WHERE id = ?1")?
                .execute((mailbox.0, modseq))?;
        }
        Change::KeywordsAt { mailbox, at } => {
            db.prepare_cached("UPDATE mailbox SET keywords_at = ?2 WHERE id = ?1")?
                .execute((mailbox.0, micros(*at)))?;
        }
        Change::NewGeneration { mailbox, uidvalidity } => new_generation(db, *mailbox, *uidvalidity, now)?,
        Change::Difference { mailbox, listed } => {
            db.prepare_cached(
                "UPDATE mailbox SET difference_exists = ?2, difference_counted = ?3 WHERE id = ?1",
            )?
            .execute((
                mailbox.0,
                listed.map(|d| d.exists),
                listed.map(|d| d.counted.cast_signed()),
            ))?;
        }
        Change::State { mailbox, state, since, reason, next_step } => {
            db.prepare_cached(
                "INSERT INTO mailbox_state (mailbox, state, since, reason, next_step) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (mailbox) DO UPDATE SET state = excluded.state, since = excluded.since,
                   reason = excluded.reason, next_step = excluded.next_step",
            )?
            .execute((mailbox.0, state.as_str(), micros(*since), reason, next_step))?;
        }
        Change::ProofOfLife { mailbox, at } => {
            db.prepare_cached(
                "INSERT INTO mailbox_state (mailbox, proof_of_life) VALUES (?1, ?2)
                 ON CONFLICT (mailbox) DO UPDATE SET proof_of_life = excluded.proof_of_life",
            )?
            .execute((mailbox.0, micros(*at)))?;
        }
        Change::Received { account, hour, bytes } => {
            db.prepare_cached(
                "INSERT INTO received (account, hour, bytes) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET bytes = max(bytes, excluded.bytes)",
            )?
            .execute((account, hour, bytes.cast_signed()))?;
            db.prepare_cached("DELETE FROM received WHERE account = ?1 AND hour < ?2 - 24")?
                .execute((account, hour))?;
        }
    }
    Ok(())
}

/// Whether any UID of a mailbox is open.
pub(crate) fn has_open(db: &Connection, mailbox: MailboxId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM open_uid WHERE mailbox = ?1 LIMIT 1")?.exists([mailbox.0])
}

/// A UID is to be tried again: how many tries it had, why the last one failed, when the next one is due.
fn open(
    db: &Connection,
    mailbox: MailboxId,
    of: Generation,
    (uid, attempts, error, next_try): (u32, u32, &str, Timestamp),
) -> rusqlite::Result<()> {
    cover(db, mailbox, of, Kind::Covered, &UidSet::of(uid..=uid))?;
    db.prepare_cached("INSERT OR REPLACE INTO open_uid VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute((mailbox.0, of.0, of.1, uid, attempts, error, micros(next_try)))
        .map(drop)
}

/// A message is given up until a person says otherwise.
fn quarantine(db: &Connection, mailbox: MailboxId, note: &Note, now: Timestamp) -> Result<(), Refusal> {
    let known = Known::of(db, mailbox)?;
    let of = (note.uidvalidity, note.generation);
    let names = known.account == note.account && known.raw_name == note.mailbox.raw_name;
    if !names || known.present != Some(of) || note.instance().id() != note.id {
        return Err(known.outdated());
    }
    cover(db, mailbox, of, Kind::Covered, &UidSet::of(note.uid..=note.uid))?;
    close(db, mailbox, of, note.uid)?;
    insert_quarantined(db, mailbox, note)?;
    let event = Event {
        kind: EventKind::Quarantined,
        at: now,
        account: known.account,
        mailbox: Some(known.raw_name),
        uidvalidity: Some(of.0),
        generation: Some(of.1),
        uid: Some(note.uid),
        id: Some(note.id.clone()),
        keywords: None,
        detail: Some(note.reason.clone()),
    };
    Ok(insert_event(db, &event)?)
}

fn set_flags(
    db: &Connection,
    mailbox: MailboxId,
    uid: u32,
    keywords: &[String],
    now: Timestamp,
) -> Result<(), Refusal> {
    let known = Known::of(db, mailbox)?;
    let Some(present) = known.present else { return Ok(()) };
    let mut event = known.event(EventKind::Flags, present, uid, now);
    let Some(id) = &event.id else { return Ok(()) };
    let Some(mut before) = keywords_of(db, id)? else { return Ok(()) };
    let mut keywords = keywords.to_vec();
    for list in [&mut before, &mut keywords] {
        list.sort_unstable();
        list.dedup();
    }
    if before != keywords {
        set_keywords(db, id, &keywords)?;
        event.keywords = Some(keywords);
        insert_event(db, &event)?;
    }
    Ok(())
}

fn vanish(db: &Connection, mailbox: MailboxId, uids: &UidSet, now: Timestamp) -> Result<(), Refusal> {
    let known = Known::of(db, mailbox)?;
    let Some(present) = known.present else { return Ok(()) };
    let stored = ranges(db, mailbox, present, Kind::Stored)?.intersection(uids);
    uncover(db, mailbox, present, Kind::Stored, &stored)?;
    for uid in stored.iter().flatten() {
        let event = known.event(EventKind::Vanished, present, uid, now);
        if event.id.as_ref().map(|id| keywords_of(db, id)).transpose()?.flatten().is_some() {
            insert_event(db, &event)?;
        }
    }
    // What is gone will not have to be listed again should `since` move back.
    let skipped = ranges(db, mailbox, present, Kind::Skipped)?.intersection(uids);
    uncover(db, mailbox, present, Kind::Skipped, &skipped)?;
    cover(db, mailbox, present, Kind::Covered, &skipped)?;
    for range in uids.iter() {
        db.prepare_cached(
            "DELETE FROM open_uid WHERE mailbox = ?1 AND uidvalidity = ?2 AND generation = ?3 AND uid BETWEEN ?4 AND ?5",
        )?
        .execute((mailbox.0, present.0, present.1, range.start(), range.end()))?;
    }
    Ok(())
}

/// A UID is no longer open; whether it was.
pub(crate) fn close(db: &Connection, mailbox: MailboxId, of: Generation, uid: u32) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "DELETE FROM open_uid WHERE mailbox = ?1 AND uidvalidity = ?2 AND generation = ?3 AND uid = ?4",
    )?
    .execute((mailbox.0, of.0, of.1, uid))
    .map(|rows| rows > 0)
}

/// Makes a generation the present one.
fn begin(db: &Connection, mailbox: MailboxId, of: Generation, now: Timestamp) -> rusqlite::Result<()> {
    count(db, mailbox, of, (0, 0), now)?;
    db.prepare_cached(
        "UPDATE mailbox SET uidvalidity = ?2, generation = ?3, present = NULL, uidnext = NULL, selected_at = ?4,
           difference_exists = NULL, difference_counted = NULL, modseq = NULL, keywords_at = NULL WHERE id = ?1",
    )?
    .execute((mailbox.0, of.0, of.1, micros(now)))
    .map(drop)
}

fn new_generation(db: &Connection, mailbox: MailboxId, validity: u32, now: Timestamp) -> Result<(), Refusal> {
    let known = Known::of(db, mailbox)?;
    let last: Option<u32> = db
        .prepare_cached("SELECT max(generation) FROM generation WHERE mailbox = ?1 AND uidvalidity = ?2")?
        .query_row((mailbox.0, validity), |row| row.get(0))
        .optional()?
        .flatten();
    let generation = last.map_or(0, |last| last.saturating_add(1));
    begin(db, mailbox, (validity, generation), now)?;
    // They were UIDs of a generation that nobody can ask for any more.
    let lost = db.prepare_cached("DELETE FROM open_uid WHERE mailbox = ?1")?.execute([mailbox.0])?;
    let Some((old, before)) = known.present else { return Ok(()) };
    let open = if lost > 0 { format!("; {lost} UIDs were still open") } else { String::new() };
    let event = Event {
        kind: EventKind::Reset,
        at: now,
        account: known.account,
        mailbox: Some(known.raw_name),
        uidvalidity: Some(validity),
        generation: Some(generation),
        uid: None,
        id: None,
        keywords: None,
        detail: Some(format!("after uidvalidity {old}, generation {before}{open}")),
    };
    Ok(insert_event(db, &event)?)
}
