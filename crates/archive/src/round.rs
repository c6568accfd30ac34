//! A round: what is written and recorded together, and what became of it.

use std::time::Duration;

use jiff::Timestamp;
use vigie_common::id::{BlobId, Id};
use vigie_common::record::{Entry, Event};

use crate::content::Content;
use crate::mailbox::{Difference, MailboxId, MailboxState};
use crate::quarantine::Note;
use crate::segment::Frame;
use crate::uid_set::UidSet;

/// What one transaction records: messages with their files, changes of mailboxes, events.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// Messages to store.
    pub messages: Vec<Message>,
    /// Changes of mailboxes, applied in their order, after the messages.
    pub changes: Vec<Change>,
    /// Events to record, after the entries and the changes.
    pub events: Vec<Event>,
}

/// A message made ready to be stored: all that is left is disk work.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its entry. `path`, `duplicate_of` and `stored_at` are filled in by the commit; times are kept to
    /// the microsecond.
    pub entry: Entry,
    /// Its document as JSON.
    pub document: Vec<u8>,
    /// Its raw pair.
    pub raw: Frame,
    /// Whether its bytes are to be kept (see [`keeps`]). They are written once for an account.
    pub keep: bool,
    /// Its extracted attachments, decoded.
    pub attachments: Vec<(BlobId, Content)>,
}

/// Whether a policy keeps the bytes of a message: one whose document lost something keeps them always.
#[must_use]
pub const fn keeps(policy: crate::RawPolicy, defects: bool, lost: bool) -> bool {
    match policy {
        crate::RawPolicy::Always => true,
        crate::RawPolicy::OnDefect => defects || lost,
        crate::RawPolicy::Never => lost,
    }
}

/// A change of one mailbox.
///
/// All but `NewGeneration` speak of the generation that is present when the change is applied. The
/// coverage of stored messages needs no change of its own: it goes to the generation of their entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// What the server says now. The first one of a mailbox begins its first generation; later ones
    /// with another generation than the present one are refused ([`Error::Outdated`](crate::Error)).
    Select {
        /// The mailbox.
        mailbox: MailboxId,
        /// UIDVALIDITY; 0 where unusable.
        uidvalidity: u32,
        /// The present generation, from the [view](crate::MailboxView) (0 if there is none yet).
        generation: u32,
        /// EXISTS.
        exists: u32,
        /// UIDNEXT, where told.
        uidnext: Option<u32>,
        /// When it said so.
        at: Timestamp,
    },
    /// These UIDs are dealt with.
    Covered {
        /// The mailbox.
        mailbox: MailboxId,
        /// Stored, gone, quarantined or open.
        uids: UidSet,
    },
    /// These UIDs are left out because they are older than `since`.
    Skipped {
        /// The mailbox.
        mailbox: MailboxId,
        /// Not covered.
        uids: UidSet,
    },
    /// `since` moved back: nothing is skipped any more.
    Unskip {
        /// The mailbox.
        mailbox: MailboxId,
    },
    /// This UID could not be taken and will be tried again. It counts as covered.
    Open {
        /// The mailbox.
        mailbox: MailboxId,
        /// UID.
        uid: u32,
        /// Tries so far.
        attempts: u32,
        /// Why the last one failed.
        error: String,
        /// Not before this.
        next_try: Timestamp,
    },
    /// This UID is gone from the server: no longer open, nor quarantined. (A stored message closes its UID by itself.)
    Closed {
        /// The mailbox.
        mailbox: MailboxId,
        /// UID.
        uid: u32,
    },
    /// This UID could not be taken and is given up until a person says otherwise: it counts as covered, and is not open
    /// any more. Its files are made durable with the round. Records a `quarantined` event.
    Quarantined {
        /// The mailbox.
        mailbox: MailboxId,
        /// What is known of it; of the present generation.
        note: Box<Note>,
        /// What came of its bytes.
        bytes: Vec<u8>,
    },
    /// This quarantined UID is to be tried again, at once. Until it is stored, or gone, it stays quarantined as well.
    Retry {
        /// The mailbox.
        mailbox: MailboxId,
        /// UID; one that is not quarantined is passed over.
        uid: u32,
    },
    /// The keywords of a message on the server. If they differ from those of its entry, these change and a `flags` event
    /// says so; the document stays as it is. A message that is not stored is passed over.
    Keywords {
        /// The mailbox.
        mailbox: MailboxId,
        /// UID.
        uid: u32,
        /// As they are now, in any order.
        keywords: Vec<String>,
    },
    /// These UIDs are gone from the server: they stay covered, and count as stored, skipped or open no more. One `vanished`
    /// event for each message that is stored; entry and document stay.
    Vanished {
        /// The mailbox.
        mailbox: MailboxId,
        /// Any others are passed over.
        uids: UidSet,
    },
    /// Up to which HIGHESTMODSEQ (RFC 7162) the keywords are known; `None` when the server counts no changes here.
    Modseq {
        /// The mailbox.
        mailbox: MailboxId,
        /// At most 63 bits.
        modseq: Option<u64>,
    },
    /// The keywords were compared with the server's: all of them where it counts changes, else those of late.
    KeywordsAt {
        /// The mailbox.
        mailbox: MailboxId,
        /// When.
        at: Timestamp,
    },
    /// The mailbox begins anew: generation 0 if this UIDVALIDITY was never seen here, else the next one.
    /// Records a `reset` event unless it is the mailbox's first. Coverage begins empty.
    NewGeneration {
        /// The mailbox.
        mailbox: MailboxId,
        /// UIDVALIDITY; 0 where unusable.
        uidvalidity: u32,
    },
    /// What a complete listing could not explain; `None` when EXISTS and our count agree.
    Difference {
        /// The mailbox.
        mailbox: MailboxId,
        /// The two numbers.
        listed: Option<Difference>,
    },
    /// How the mailbox stands.
    State {
        /// The mailbox.
        mailbox: MailboxId,
        /// In a word.
        state: MailboxState,
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: Option<String>,
        /// What happens next.
        next_step: Option<String>,
    },
    /// A tagged OK about this mailbox.
    ProofOfLife {
        /// The mailbox.
        mailbox: MailboxId,
        /// When.
        at: Timestamp,
    },
    /// Octets that the servers of an account sent within an hour, so far. What is older than a day is forgotten.
    Received {
        /// Account id.
        account: String,
        /// Hours since 1970.
        hour: i64,
        /// Never less than was recorded.
        bytes: u64,
    },
}

/// What a commit did. All of it is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Messages stored now.
    pub stored: Vec<Id>,
    /// Messages that were stored before, with the same bytes: nothing was written, their UIDs count as covered.
    pub already: Vec<Id>,
    /// Ids that already name other bytes: nothing was written; the mailbox must begin a new generation.
    pub conflicts: Vec<Id>,
    /// Number of the last record in the catalog.
    pub last_seq: u64,
    /// How the files were made durable.
    pub sync: SyncTiming,
}

/// How the files of a round were made durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncTiming {
    /// By which calls.
    pub way: Way,
    /// How many files.
    pub files: usize,
    /// How long the calls took.
    pub took: Duration,
}

/// Which calls make a round durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Way {
    /// There was no file.
    #[default]
    None,
    /// fsync of each file and directory.
    Each,
    /// syncfs of the whole file system.
    Whole,
}
