//! What the catalog knows of a mailbox.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use vigie_common::document::MailboxSource;
use vigie_common::id::{BlobId, Id};

use crate::quarantine::QuarantinedUid;
use crate::uid_set::UidSet;

/// Without a sign of life for so long a watched mailbox is stale.
const STALE: SignedDuration = SignedDuration::from_mins(15);

/// Whether the last sign of life of a watched mailbox is too long ago.
#[must_use]
pub fn is_stale(last: Timestamp, now: Timestamp) -> bool {
    now.duration_since(last) > STALE
}

/// A mailbox's number in the catalog. It does not outlive the catalog: names do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxId(pub(crate) i64);

/// What a watcher needs to know before it asks the server for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxView {
    /// Account id.
    pub account: String,
    /// The mailbox's names.
    pub mailbox: MailboxSource,
    /// The present generation; none before the first [`Change::Select`](crate::Change::Select).
    pub selected: Option<Selected>,
    /// UIDs of the present generation that are dealt with (stored, gone, quarantined or open).
    pub covered: UidSet,
    /// UIDs of the present generation left out because they are older than `since`.
    pub skipped: UidSet,
    /// UIDs that are to be tried again; each of them is covered as well.
    pub open: Vec<OpenUid>,
    /// UIDs of the present generation that could not be taken and were given up; each of them is covered as well.
    pub quarantined: Vec<QuarantinedUid>,
    /// UIDs of the present generation whose messages are stored; each of them is covered as well.
    pub stored: UidSet,
    /// What a complete listing could not explain, the last time that one was made.
    pub difference: Option<Difference>,
    /// The last tagged OK about this mailbox.
    pub proof_of_life: Option<Timestamp>,
    /// HIGHESTMODSEQ (RFC 7162) up to which keywords are known, where the server counts changes.
    pub modseq: Option<u64>,
    /// When keywords were last compared with the server's.
    pub keywords_at: Option<Timestamp>,
    /// How it stands.
    pub standing: Option<Standing>,
}

/// What the server last said of a mailbox, and the generation that we count it as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Selected {
    /// UIDVALIDITY; 0 where the server's is missing or unusable.
    pub uidvalidity: u32,
    /// Counts from 0 within this uidvalidity.
    pub generation: u32,
    /// EXISTS; none when nothing was said since the generation began.
    pub exists: Option<u32>,
    /// UIDNEXT, where the server told it.
    pub uidnext: Option<u32>,
    /// When it said so, or when the generation began.
    pub at: Timestamp,
}

/// A UID that could not be taken yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenUid {
    /// UID.
    pub uid: u32,
    /// How many times it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub error: String,
    /// Not before this.
    pub next_try: Timestamp,
}

/// A stored message, as far as others are compared with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Message instance.
    pub id: Id,
    /// SHA-256 of its bytes.
    pub blob_id: BlobId,
    /// UID.
    pub uid: u32,
    /// INTERNALDATE.
    pub received_at: Option<Timestamp>,
    /// Octets.
    pub size: u64,
    /// First Message-ID.
    pub message_id: Option<String>,
    /// Where its document lies, relative to the archive.
    pub path: String,
}

/// EXISTS against what we counted after a complete listing: nothing to be done about it until one changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// EXISTS.
    pub exists: u32,
    /// Messages that we counted.
    pub counted: u64,
}

/// How a mailbox stands, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// In a word.
    pub state: MailboxState,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// What happens next.
    pub next_step: Option<String>,
}

/// How a mailbox stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailboxState {
    /// A connection is being made.
    Connecting,
    /// The server will tell of new mail (IDLE).
    Idle,
    /// We ask for new mail at intervals.
    Polling,
    /// Messages are being fetched.
    Fetching,
    /// Trouble; the next try is timed.
    BackingOff,
    /// The provider asked for less.
    Throttled,
    /// The credentials were refused.
    Refused,
    /// No proof of life for too long.
    Stale,
    /// Too little room to store anything.
    DiskLow,
    /// Nobody watches it.
    Stopped,
}

impl MailboxState {
    /// All of them, for reading a word back.
    pub const ALL: [Self; 10] = [
        Self::Connecting,
        Self::Idle,
        Self::Polling,
        Self::Fetching,
        Self::BackingOff,
        Self::Throttled,
        Self::Refused,
        Self::Stale,
        Self::DiskLow,
        Self::Stopped,
    ];

    /// The word in the catalog and on pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Idle => "idle",
            Self::Polling => "polling",
            Self::Fetching => "fetching",
            Self::BackingOff => "backing-off",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Stale => "stale",
            Self::DiskLow => "disk-low",
            Self::Stopped => "stopped",
        }
    }
}

/// One line of `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MailboxStatus {
    /// Account id.
    pub account: String,
    /// The mailbox's names.
    pub mailbox: MailboxSource,
    /// The present generation and what the server last said.
    pub selected: Option<Selected>,
    /// Messages stored, in all generations.
    pub stored: u64,
    /// Octets of them.
    pub bytes: u64,
    /// When the last of them was stored.
    pub last_stored: Option<Timestamp>,
    /// UIDs dealt with in the present generation.
    pub covered: u64,
    /// UIDs left out because of `since`, in the present generation.
    pub skipped: u64,
    /// UIDs whose messages are stored, in the present generation.
    pub present: u64,
    /// UIDs to be tried again.
    pub open: u64,
    /// UIDs given up until a person says otherwise, in the present generation.
    pub quarantined: u64,
    /// What a complete listing could not explain.
    pub difference: Option<Difference>,
    /// The last tagged OK about this mailbox.
    pub proof_of_life: Option<Timestamp>,
    /// When keywords were last compared with the server's: all of them where it counts changes, else those of messages
    /// received of late.
    pub keywords_at: Option<Timestamp>,
    /// How it stands.
    pub standing: Option<Standing>,
}

impl MailboxStatus {
    /// Whether it is watched and gives no sign of life. A pass may take long, and proves that all is well at its end
    /// only: what it stores is a sign as well, and so is that it began.
    #[must_use]
    pub fn is_stale(&self, now: Timestamp) -> bool {
        let Some(Standing { state, since, .. }) = &self.standing else { return false };
        let working = matches!(state, MailboxState::Idle | MailboxState::Polling | MailboxState::Fetching);
        let began = (working || self.proof_of_life.is_none()).then_some(*since);
        match state {
            // They say more than that.
            MailboxState::Stopped
            | MailboxState::Refused
            | MailboxState::Throttled
            | MailboxState::DiskLow => false,
            MailboxState::Stale => true,
            _ => {
                let signs = [self.proof_of_life, self.last_stored, began];
                signs.into_iter().flatten().max().is_some_and(|last| is_stale(last, now))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    fn status(state: MailboxState, since: i64, alive: Option<i64>, stored: Option<i64>) -> MailboxStatus {
        let mailbox = MailboxSource {
            name: "INBOX".into(),
            raw_name: "INBOX".into(),
            delimiter: None,
            special_use: None,
        };
        MailboxStatus {
            account: "demo".into(),
            mailbox,
            selected: None,
            stored: 0,
            bytes: 0,
            last_stored: stored.map(at),
            covered: 0,
            skipped: 0,
            present: 0,
            open: 0,
            quarantined: 0,
            difference: None,
            proof_of_life: alive.map(at),
            keywords_at: None,
            standing: Some(Standing { state, since: at(since), reason: None, next_step: None }),
        }
    }

    #[test]
    fn a_long_pass_that_stores_is_not_stale() {
        use MailboxState::{BackingOff, Connecting, Fetching, Idle, Refused, Stale, Stopped, Throttled};
        for (what, status, expected) in [
            ("alive", status(Idle, -90, Some(-14), None), false),
            ("silent", status(Idle, -90, Some(-16), None), true),
            ("fetches its first mail", status(Fetching, -60, None, Some(-1)), false),
            ("fetches, and stores nothing", status(Fetching, -60, None, Some(-16)), true),
            ("began a pass after long trouble", status(Fetching, -5, Some(-90), None), false),
            ("tries again and again", status(Connecting, 0, Some(-90), Some(-90)), true),
            ("waits for a try", status(BackingOff, -1, Some(-90), None), true),
            ("begins", status(Connecting, -1, None, None), false),
            ("says so", status(Stale, 0, Some(0), None), true),
            ("throttled", status(Throttled, -90, Some(-90), None), false),
            ("refused", status(Refused, -90, Some(-90), None), false),
            ("not watched", status(Stopped, -90, Some(-90), None), false),
        ] {
            assert_eq!(status.is_stale(at(0)), expected, "{what}");
        }
    }
}
