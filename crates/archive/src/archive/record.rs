//! The catalog transaction of a round.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rusqlite::Connection;
use vigie_common::document::MailboxSource;
use vigie_common::id::Id;
use vigie_common::record::Entry;

use super::plan::Plan;
use crate::catalog::{self, Catalog, Filled, Kind, Refusal};
use crate::error::Error;
use crate::mailbox::MailboxId;
use crate::round::Round;
use crate::uid_set::UidSet;

/// Numbers of mailboxes that were looked up.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes(HashMap<(String, String), MailboxId>);

impl Mailboxes {
    fn get(&mut self, db: &Connection, account: &str, raw_name: &str) -> rusqlite::Result<MailboxId> {
        let key = (account.to_owned(), raw_name.to_owned());
        if let Some(&id) = self.0.get(&key) {
            return Ok(id);
        }
        let id = match catalog::find(db, account, raw_name)? {
            Some((id, _)) => id,
            // An imported mailbox is nobody's to register.
            None => {
                let names = MailboxSource {
                    name: raw_name.to_owned(),
                    raw_name: raw_name.to_owned(),
                    delimiter: None,
                    special_use: None,
                };
                catalog::register(db, account, &names)?
            }
        };
        self.0.insert(key, id);
        Ok(id)
    }

    /// Some may have been registered in a transaction that was rolled back.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

/// What a round adds to one generation of a mailbox.
#[derive(Default)]
struct Sum {
    uids: Vec<u32>,
    messages: u64,
    bytes: u64,
}

/// Records a round whose files are durable. Gives back which messages of it were quarantined until now.
pub(crate) fn record(
    catalog: &Catalog,
    db: &Connection,
    mailboxes: &mut Mailboxes,
    round: &Round,
    plan: &Plan,
    now: Timestamp,
) -> Result<Vec<(String, Id)>, Error> {
    let mut all = || {
        messages(db, round, plan, now)?;
        let released = generations(db, mailboxes, round, plan, now)?;
        round.changes.iter().try_for_each(|change| catalog::apply(db, change, now))?;
        round.events.iter().try_for_each(|event| catalog::insert_event(db, event))?;
        catalog::heartbeat(db, now)?;
        Ok(released)
    };
    all().map_err(|refusal| match refusal {
        Refusal::Outdated { account, mailbox } => Error::Outdated { account, mailbox },
        Refusal::Sql(error) => catalog.error("write", error),
    })
}

fn messages(db: &Connection, round: &Round, plan: &Plan, now: Timestamp) -> rusqlite::Result<()> {
    let mut numbers = HashMap::new();
    for (name, end) in &plan.ends {
        numbers.insert(name, catalog::set_segment(db, name, *end)?);
    }
    for (new, message) in plan.stored(round) {
        let entry = &message.entry;
        if !new.again {
            let filled = Filled { path: &new.path, duplicate_of: new.duplicate_of.as_ref(), stored_at: now };
            catalog::insert_entry(db, entry, &filled)?;
        }
        if new.blob_changes {
            let place = new
                .place
                .as_ref()
                .and_then(|(name, offset, length)| Some((*numbers.get(name)?, *offset, *length)));
            catalog::insert_blob(db, &entry.account, &entry.blob_id, entry.size, Some(&entry.id), place)?;
        }
    }
    plan.attachments.iter().try_for_each(|(blob, size)| catalog::insert_attachment(db, blob, *size))
}

/// Coverage and counts, once for each generation that the round's messages are of.
fn generations(
    db: &Connection,
    mailboxes: &mut Mailboxes,
    round: &Round,
    plan: &Plan,
    now: Timestamp,
) -> rusqlite::Result<Vec<(String, Id)>> {
    let mut released = Vec::new();
    let mut sums: BTreeMap<(&str, &str, u32, u32), Sum> = BTreeMap::new();
    let key = |entry: &'_ Entry| (entry.uidvalidity, entry.generation);
    let new = plan.stored(round).map(|(new, message)| (message, !new.again));
    for (message, new) in new.chain(plan.already(round).map(|message| (message, false))) {
        let entry = &message.entry;
        let (validity, generation) = key(entry);
        let sum = sums.entry((&entry.account, &entry.mailbox, validity, generation)).or_default();
        sum.uids.extend(Some(entry.uid).filter(|&uid| uid > 0));
        if new {
            sum.messages += 1;
            sum.bytes += entry.size;
        }
    }
    for ((account, mailbox, validity, generation), sum) in sums {
        let id = mailboxes.get(db, account, mailbox)?;
        let of = (validity, generation);
        catalog::count(db, id, of, (sum.messages, sum.bytes), now)?;
        if catalog::has_open(db, id)? {
            for &uid in &sum.uids {
                // One that was quarantined is fetched only while it is open as well.
                if catalog::close(db, id, of, uid)?
                    && let Some(quarantined) = catalog::release(db, id, of, uid)?
                {
                    released.push((account.to_owned(), quarantined));
                }
            }
        }
        let uids: UidSet = sum.uids.into_iter().collect();
        catalog::cover(db, id, of, Kind::Covered, &uids)?;
        catalog::cover(db, id, of, Kind::Stored, &uids)?;
    }
    Ok(released)
}
