//! What the writer knows, read back.

use vigie_common::id::Id;

use super::Archive;
use crate::{Earlier, Error, MailboxId, MailboxView, Quarantined, catalog};

impl Archive {
    /// What is known of a mailbox.
    ///
    /// # Errors
    /// From the catalog.
    pub fn view(&self, mailbox: MailboxId) -> Result<MailboxView, Error> {
        self.catalog.get(|db| catalog::view(db, mailbox))
    }

    /// All mailboxes of an account that are registered.
    ///
    /// # Errors
    /// From the catalog.
    pub fn mailboxes(&self, account: &str) -> Result<Vec<MailboxId>, Error> {
        self.catalog.get(|db| catalog::mailboxes(db, account))
    }

    /// Octets that the servers of an account sent within the last day, by hours since 1970.
    ///
    /// # Errors
    /// From the catalog.
    pub fn received(&self, account: &str) -> Result<Vec<(i64, u64)>, Error> {
        self.catalog.get(|db| catalog::received(db, account))
    }

    /// Messages that could not be taken, by account, mailbox and UID.
    ///
    /// # Errors
    /// From the catalog.
    pub fn quarantined(&self) -> Result<Vec<Quarantined>, Error> {
        self.catalog.get(catalog::quarantined)
    }

    /// Messages of a mailbox that are stored in other generations than `present` (uidvalidity and our count), newest
    /// first. Looks at every entry, if there are any.
    ///
    /// # Errors
    /// From the catalog.
    pub fn earlier(&self, mailbox: MailboxId, present: (u32, u32)) -> Result<Vec<Earlier>, Error> {
        self.catalog.get(|db| catalog::earlier(db, mailbox, present))
    }

    /// Messages of a mailbox that are stored in the generation `present`. Looks at every entry.
    ///
    /// # Errors
    /// From the catalog.
    pub fn stored_in(&self, mailbox: MailboxId, present: (u32, u32)) -> Result<Vec<Earlier>, Error> {
        self.catalog.get(|db| catalog::stored_in(db, mailbox, present))
    }

    /// Messages by their ids; none where one is not stored.
    ///
    /// # Errors
    /// From the catalog.
    pub fn stored_as(&self, ids: &[Id]) -> Result<Vec<Option<Earlier>>, Error> {
        self.catalog.get(|db| ids.iter().map(|id| catalog::stored_as(db, id)).collect())
    }

    /// A document as it lies on disk.
    ///
    /// # Errors
    /// From the disk.
    pub fn document(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.root.read(path)
    }
}
