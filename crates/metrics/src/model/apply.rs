//! Records of the catalog, applied in one transaction together with the cursor.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use vigie_common::document::Mode;
use vigie_common::id::Id;
use vigie_common::record::{Cursor, Entry, Event, EventKind, Record};

use super::names::Names;
use super::page::{Columns, Page, Row, day_of, day_of_page, delay, first_page};
use super::{Model, clear};
use crate::error::Result;

/// What a batch of records did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Messages that were not counted before.
    pub new: u64,
    /// Those of them that came while somebody watched, newest last.
    pub live: Vec<Latest>,
}

/// A message that has just come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// Account id.
    pub account: String,
    /// Mailbox name as the server sent it.
    pub mailbox: String,
    /// INTERNALDATE.
    pub received_at: Option<Timestamp>,
    /// Octets.
    pub size: u64,
    /// First address of From.
    pub from: Option<String>,
    /// Subject.
    pub subject: Option<String>,
}

impl Model {
    /// Applies records and moves the cursor behind the last of them. `afresh`: they are from the start of another
    /// catalog, and what was counted before is forgotten. `present` gives an entry with its present columns.
    ///
    /// # Errors
    /// From the database; nothing is changed then.
    pub fn apply(
        &mut self,
        records: &[Record],
        afresh: bool,
        present: impl Fn(&Id) -> Option<Entry>,
    ) -> Result<Applied> {
        if afresh {
            // Numbers of the names that are cleared.
            self.names = Names::default();
        }
        self.write(|db, names| {
            if afresh {
                clear(db)?;
            }
            let mut batch = Batch { db, names, pages: BTreeMap::new(), sums: BTreeMap::new() };
            let mut applied = Applied::default();
            for record in records {
                if let Some(entry) = &record.entry
                    && batch.add(entry)?
                {
                    applied.new += 1;
                    if entry.mode == Mode::Live {
                        applied.live.push(Latest::of(entry));
                    }
                }
                if let Some(event) = &record.event {
                    batch.tell(event, &present)?;
                }
            }
            batch.finish(records.last().map(|record| &record.cursor))?;
            Ok(applied)
        })
    }
}

impl Latest {
    fn of(entry: &Entry) -> Self {
        Self {
            account: entry.account.clone(),
            mailbox: entry.mailbox.clone(),
            received_at: entry.received_at,
            size: entry.size,
            from: entry.from.clone(),
            subject: entry.subject.clone(),
        }
    }
}

/// Sums of an account, as changed by a batch.
#[derive(Debug, Default)]
struct Sums {
    messages: i64,
    bytes: i64,
    duplicates: i64,
    attachments: i64,
    attachment_bytes: i64,
    undated: i64,
    last_stored: Option<i64>,
}

/// A transaction under way: pages are written once, at its end.
struct Batch<'a> {
    db: &'a Connection,
    names: &'a mut Names,
    pages: BTreeMap<i64, Page>,
    sums: BTreeMap<u32, Sums>,
}

/// A row of `message`.
struct Stored {
    row: Row,
    dated: bool,
    attachments: i64,
    attachment_bytes: i64,
    duplicate: bool,
}

impl Batch<'_> {
    /// Counts a message, unless it is counted already.
    fn add(&mut self, entry: &Entry) -> rusqlite::Result<bool> {
        let db = self.db;
        let account = self.names.account(db, &entry.account)?;
        let mailbox = self.names.mailbox(db, account, &entry.mailbox)?;
        let sender = self.names.sender(db, entry.from.as_deref())?;
        let domain = self.names.domain(db, entry.domain.as_deref())?;
        let added = db
            .prepare_cached(
                "INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(rusqlite::params![
                entry.id.as_str(),
                account,
                mailbox,
                sender,
                domain,
                entry.received_at.map(Timestamp::as_microsecond),
                entry.sent_at.map(Timestamp::as_microsecond),
                entry.size.cast_signed(),
                entry.attachments,
                entry.attachment_bytes.cast_signed(),
                entry.duplicate_of.is_some(),
            ])?;
        if added == 0 {
            return Ok(false);
        }
        let row = Row {
            at: entry.received_at.map_or(0, second),
            account,
            mailbox,
            sender,
            domain,
            size: entry.size,
            delay: entry.sent_at.zip(entry.received_at).map(|(sent, received)| delay(sent, received)),
        };
        let stored = Stored {
            row,
            dated: entry.received_at.is_some(),
            attachments: entry.attachments.into(),
            attachment_bytes: entry.attachment_bytes.cast_signed(),
            duplicate: entry.duplicate_of.is_some(),
        };
        self.sum(&stored, 1);
        let last = &mut self.sums.entry(account).or_default().last_stored;
        *last = (*last).max(Some(entry.stored_at.as_microsecond()));
        if stored.dated {
            self.page_with_room(day_of(row.at))?.push(row);
        }
        Ok(true)
    }

    /// Takes a message out of all that it was counted in.
    fn remove(&mut self, id: &Id) -> rusqlite::Result<()> {
        let found = self
            .db
            .prepare_cached(
                "DELETE FROM message WHERE id = ?1 RETURNING account, mailbox, sender, domain, received_at,
                 sent_at, size, attachments, attachment_bytes, duplicate",
            )?
            .query_row([id.as_str()], |row| {
                let time = |at: Option<i64>| at.and_then(|at| Timestamp::from_microsecond(at).ok());
                let (received, sent) = (time(row.get(4)?), time(row.get(5)?));
                Ok(Stored {
                    row: Row {
                        at: received.map_or(0, second),
                        account: row.get(0)?,
                        mailbox: row.get(1)?,
                        sender: row.get(2)?,
                        domain: row.get(3)?,
                        size: row.get::<_, i64>(6)?.cast_unsigned(),
                        delay: sent.zip(received).map(|(sent, received)| delay(sent, received)),
                    },
                    dated: received.is_some(),
                    attachments: row.get(7)?,
                    attachment_bytes: row.get(8)?,
                    duplicate: row.get(9)?,
                })
            })
            .optional()?;
        let Some(stored) = found else { return Ok(()) };
        self.sum(&stored, -1);
        if stored.dated {
            for id in self.pages_of(day_of(stored.row.at))? {
                if self.page(id)?.remove(&stored.row) {
                    break;
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: &Event, present: impl Fn(&Id) -> Option<Entry>) -> rusqlite::Result<()> {
        let Some(id) = &event.id else { return Ok(()) };
        match event.kind {
            EventKind::Deleted => self.remove(id),
            EventKind::Reparsed => {
                self.remove(id)?;
                present(id).map_or(Ok(()), |entry| self.add(&entry).map(drop))
            }
            // Nothing that is charted depends on these.
            EventKind::Flags
            | EventKind::Vanished
            | EventKind::Reset
            | EventKind::Quarantined
            | EventKind::Moved => Ok(()),
        }
    }

    fn sum(&mut self, stored: &Stored, sign: i64) {
        let sums = self.sums.entry(stored.row.account).or_default();
        sums.messages += sign;
        sums.bytes = sums.bytes.saturating_add(sign.saturating_mul(stored.row.size.cast_signed()));
        sums.duplicates += sign * i64::from(stored.duplicate);
        sums.attachments += sign * stored.attachments;
        let bytes = sign.saturating_mul(stored.attachment_bytes);
        sums.attachment_bytes = sums.attachment_bytes.saturating_add(bytes);
        sums.undated += sign * i64::from(!stored.dated);
    }

    /// Ids of the pages of a day, those of this batch included.
    fn pages_of(&self, day: i64) -> rusqlite::Result<Vec<i64>> {
        let (first, end) = (first_page(day), first_page(day + 1));
        let mut ids: Vec<i64> = self
            .db
            .prepare_cached("SELECT id FROM page WHERE id >= ?1 AND id < ?2")?
            .query_map((first, end), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        ids.extend(self.pages.range(first..end).map(|(id, _)| id));
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn page_with_room(&mut self, day: i64) -> rusqlite::Result<&mut Page> {
        let end = first_page(day + 1);
        let here = self.pages.range(first_page(day)..end).next_back().map(|(id, _)| *id);
        let last = match here {
            Some(id) => Some(id),
            None => self
                .db
                .prepare_cached("SELECT max(id) FROM page WHERE id >= ?1 AND id < ?2")?
                .query_row((first_page(day), end), |row| row.get(0))?,
        };
        let mut id = last.unwrap_or(first_page(day));
        if !self.page(id)?.has_room() {
            id += 1;
        }
        self.page(id)
    }

    fn page(&mut self, id: i64) -> rusqlite::Result<&mut Page> {
        use std::collections::btree_map::Entry;
        match self.pages.entry(id) {
            Entry::Occupied(page) => Ok(page.into_mut()),
            Entry::Vacant(place) => {
                let read = self
                    .db
                    .prepare_cached(
                        "SELECT seconds, accounts, mailboxes, senders, domains, sizes, delays FROM page WHERE id = ?1",
                    )?
                    .query_row([id], |row| {
                        let column = |index| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_blob()?);
                        let columns = Columns {
                            seconds: column(0)?,
                            accounts: column(1)?,
                            mailboxes: column(2)?,
                            senders: column(3)?,
                            domains: column(4)?,
                            sizes: column(5)?,
                            delays: column(6)?,
                        };
                        Ok(Page::read(day_of_page(id), columns))
                    })
                    .optional()?;
                Ok(place.insert(read.unwrap_or_default()))
            }
        }
    }

    /// Writes what was gathered.
    fn finish(self, cursor: Option<&Cursor>) -> rusqlite::Result<()> {
        let db = self.db;
        for (id, page) in self.pages {
            if page.is_empty() {
                db.prepare_cached("DELETE FROM page WHERE id = ?1")?.execute([id])?;
                continue;
            }
            let [seconds, accounts, mailboxes, senders, domains, sizes, delays] = page.columns();
            db.prepare_cached("INSERT OR REPLACE INTO page VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
                .execute((id, seconds, accounts, mailboxes, senders, domains, sizes, delays))?;
        }
        for (account, sums) in self.sums {
            db.prepare_cached(
                "UPDATE account SET messages = messages + ?2, bytes = bytes + ?3, duplicates = duplicates + ?4,
                   attachments = attachments + ?5, attachment_bytes = attachment_bytes + ?6, undated = undated + ?7,
                   last_stored = max(coalesce(last_stored, ?8), coalesce(?8, last_stored)) WHERE id = ?1",
            )?
            .execute((
                account,
                sums.messages,
                sums.bytes,
                sums.duplicates,
                sums.attachments,
                sums.attachment_bytes,
                sums.undated,
                sums.last_stored,
            ))?;
        }
        if let Some(cursor) = cursor {
            db.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('cursor', ?1)")?
                .execute([cursor.to_string()])?;
        }
        Ok(())
    }
}

/// Whole seconds since 1970, the fraction cut off downwards.
fn second(at: Timestamp) -> i64 {
    at.as_microsecond().div_euclid(1_000_000)
}
