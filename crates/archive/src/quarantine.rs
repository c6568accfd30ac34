//! Quarantine: messages that could not be taken, what is known of each, and what came of its bytes.
//!
//! A quarantined UID counts as dealt with and is not asked for again until a person says so. Its row in the
//! catalog and its files (`<id>.json`, and `<id>.eml` where bytes came) go when the message is stored after
//! all. Of one that has gone from the server the files stay: they may be all that is left of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vigie_common::document::MailboxSource;
use vigie_common::id::{Id, Instance};

use crate::catalog::{self, Catalog};
use crate::disk::Root;
use crate::error::Error;
use crate::layout;
use crate::mailbox::MailboxId;

/// Format of [`Note`].
pub const SCHEMA: &str = "vigie.quarantine/1";

/// `<id>.json`: all that is known of a message that could not be taken, without any of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// [`SCHEMA`].
    pub schema: String,
    /// Id of the message instance.
    pub id: Id,
    /// Account id.
    pub account: String,
    /// The mailbox.
    pub mailbox: MailboxSource,
    /// UIDVALIDITY; 0 where unusable.
    pub uidvalidity: u32,
    /// Generation within it.
    pub generation: u32,
    /// UID.
    pub uid: u32,
    /// RFC822.SIZE, where the server listed the message.
    pub size: Option<u64>,
    /// INTERNALDATE as sent.
    pub internal_date: Option<String>,
    /// Why the last try failed.
    pub reason: String,
    /// How many times it was tried.
    pub attempts: u32,
    /// When it was given up.
    pub at: Timestamp,
    /// Octets that came, in `<id>.eml`; 0: there is no such file.
    pub bytes: u64,
    /// The tries of the process that gave it up, in their order.
    pub transcript: Vec<Try>,
}

/// One try to take a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Try {
    /// When it failed.
    pub at: Timestamp,
    /// The command.
    pub asked: String,
    /// What became of it.
    pub answered: String,
}

impl Note {
    /// The instance that it is about.
    #[must_use]
    pub fn instance(&self) -> Instance {
        Instance {
            account: self.account.clone(),
            mailbox: self.mailbox.raw_name.clone(),
            uidvalidity: self.uidvalidity,
            generation: self.generation,
            uid: self.uid,
        }
    }
}

/// A quarantined UID of a mailbox's present generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuarantinedUid {
    /// UID.
    pub uid: u32,
    /// Since when.
    pub at: Timestamp,
    /// Why the last try failed.
    pub reason: String,
}

/// A line of the list of all that is quarantined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Id of the message instance; it names the files.
    pub id: Id,
    /// Account id.
    pub account: String,
    /// Name of the mailbox in Unicode.
    pub mailbox: String,
    /// UIDVALIDITY.
    pub uidvalidity: u32,
    /// Generation within it.
    pub generation: u32,
    /// UID.
    pub uid: u32,
    /// Since when.
    pub at: Timestamp,
    /// How many times it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub reason: String,
    /// Whether it is to be tried again.
    pub retrying: bool,
    /// Whether its generation is the present one of its mailbox: only then can it be asked for.
    pub present: bool,
    /// The mailbox's number.
    #[serde(skip)]
    pub number: MailboxId,
}

/// Removes the files of messages that are stored by now: what a life that died between commit and clean-up left.
pub(crate) fn sweep(root: &Root, catalog: &Catalog) -> Result<(), Error> {
    for account in root.list(layout::QUARANTINE)? {
        for name in root.list(&format!("{}/{account}", layout::QUARANTINE))? {
            let Some(id) = id_of(&name) else { continue };
            let waits = catalog.get(|db| catalog::is_quarantined(db, &id))?;
            if !waits && catalog.get(|db| catalog::by_id(db, &id))?.is_some() {
                root.remove(&format!("{}/{account}/{name}", layout::QUARANTINE))?;
            }
        }
    }
    Ok(())
}

/// The files of messages that were stored after all are of no more use. Should this fail, [`sweep`] does it.
pub(crate) fn remove(root: &Root, stored: &[(String, Id)]) {
    for (account, id) in stored {
        for ending in layout::QUARANTINED {
            if let Err(error) = root.remove(&layout::quarantine(account, id, ending)) {
                tracing::debug!(%error, "a file of the quarantine that is of no more use stays for now");
            }
        }
    }
}

/// The id in the name of a file.
pub(crate) fn id_of(name: &str) -> Option<Id> {
    layout::QUARANTINED
        .into_iter()
        .find_map(|ending| name.strip_suffix(ending)?.strip_suffix('.')?.parse().ok())
}
