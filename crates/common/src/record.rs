//! `vigie.record/1`: one change of the archive, as the catalog numbers it, and the cursor of its reader.
//!
//! Records are of two kinds: an [`Entry`] (a message was stored) and an [`Event`] (something about
//! stored messages changed). One `seq` counts both and is never used twice.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{Code, Mode};
use crate::id::{BlobId, Id};

/// One change. Exactly one of `entry` and `event` is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "vigie.record/1")]
pub struct Record {
    /// Where a reader stands once it has dealt with this record.
    pub cursor: Cursor,
    /// Number of the record within its epoch, from 1.
    pub seq: u64,
    /// A message was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Box<Entry>>,
    /// Something about stored messages changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Box<Event>>,
}

/// A stored message: all that a chart needs without opening its document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Name of the message instance and of its document.
    pub id: Id,
    /// SHA-256 of its bytes.
    pub blob_id: BlobId,
    /// The first instance with the same bytes in the same account, if this is not it.
    pub duplicate_of: Option<Id>,
    /// Account id.
    pub account: String,
    /// Mailbox name as the server sent it.
    pub mailbox: String,
    /// UIDVALIDITY; 0 where the server's is unusable.
    pub uidvalidity: u32,
    /// Generation within this uidvalidity.
    pub generation: u32,
    /// UID; 0 for an imported message.
    pub uid: u32,
    /// INTERNALDATE.
    pub received_at: Option<Timestamp>,
    /// Date of the header, in UTC.
    pub sent_at: Option<Timestamp>,
    /// When the round that stored it began its commit.
    pub stored_at: Timestamp,
    /// Octets.
    pub size: u64,
    /// First address of From, lower case.
    pub from: Option<String>,
    /// Its domain.
    pub domain: Option<String>,
    /// Addresses of To and Cc, lower case, at most 100.
    pub recipients: Vec<String>,
    /// Subject, decoded, at most 1,000 characters.
    pub subject: Option<String>,
    /// First Message-ID.
    pub message_id: Option<String>,
    /// First In-Reply-To.
    pub in_reply_to: Option<String>,
    /// List-Id without angle brackets.
    pub list_id: Option<String>,
    /// Number of attachments.
    pub attachments: u32,
    /// Octets of them, decoded.
    pub attachment_bytes: u64,
    /// Keywords when the message was taken.
    pub keywords: Vec<String>,
    /// Codes of its defects, each once.
    pub defects: Vec<Code>,
    /// On which occasion it was taken.
    pub mode: Mode,
    /// Where its document lies, relative to the archive.
    pub path: String,
}

/// Something about stored messages, or a mailbox, changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// When we learnt of it.
    pub at: Timestamp,
    /// Account id.
    pub account: String,
    /// Mailbox name as the server sent it.
    pub mailbox: Option<String>,
    /// UIDVALIDITY.
    pub uidvalidity: Option<u32>,
    /// Generation within this uidvalidity.
    pub generation: Option<u32>,
    /// UID, where the event is about one message.
    pub uid: Option<u32>,
    /// Message instance, where it is about one that is stored.
    pub id: Option<Id>,
    /// Keywords as they are now (`flags`).
    pub keywords: Option<Vec<String>>,
    /// For a person.
    pub detail: Option<String>,
}

/// What an [`Event`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// Keywords changed on the server.
    Flags,
    /// The message is gone from the server.
    Vanished,
    /// The mailbox began a new generation: another UIDVALIDITY, or UIDs that now mean other messages.
    Reset,
    /// The document was made anew from the raw bytes.
    Reparsed,
    /// The message was erased here.
    Deleted,
    /// The message could not be taken; its bytes or the transcript lie in `quarantine`.
    Quarantined,
    /// The message was moved on the server.
    Moved,
}

impl EventKind {
    /// All of them, for reading a word back.
    pub const ALL: [Self; 7] = [
        Self::Flags,
        Self::Vanished,
        Self::Reset,
        Self::Reparsed,
        Self::Deleted,
        Self::Quarantined,
        Self::Moved,
    ];

    /// The word in records and in the catalog.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flags => "flags",
            Self::Vanished => "vanished",
            Self::Reset => "reset",
            Self::Reparsed => "reparsed",
            Self::Deleted => "deleted",
            Self::Quarantined => "quarantined",
            Self::Moved => "moved",
        }
    }
}

/// How far a reader of records has come: `<epoch>:<seq>:<mark>`, the last two of the last record it dealt with.
///
/// Another epoch, or a record that is absent or has another mark, means: from the start (idempotent by id).
/// `seq` 0 with mark 0 stands before the first record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Cursor {
    /// Random name of the catalog's making: 16 hexadecimal digits.
    pub epoch: u64,
    /// Number of the last record dealt with.
    pub seq: u64,
    /// Its random mark.
    pub mark: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}:{}:{:016x}", self.epoch, self.seq, self.mark)
    }
}

/// A text that is not a [`Cursor`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor (expected epoch:seq:mark, as `follow` prints it)")]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let hex = |part: Option<&str>| {
            let part = part.filter(|p| p.len() == 16).ok_or(NotACursor)?;
            u64::from_str_radix(part, 16).map_err(|_| NotACursor)
        };
        let mut parts = text.split(':');
        let epoch = hex(parts.next())?;
        let seq = parts.next().and_then(|s| s.parse().ok()).ok_or(NotACursor)?;
        let mark = hex(parts.next())?;
        if parts.next().is_some() { Err(NotACursor) } else { Ok(Self { epoch, seq, mark }) }
    }
}

impl TryFrom<String> for Cursor {
    type Error = NotACursor;

    fn try_from(text: String) -> Result<Self, NotACursor> {
        text.parse()
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.to_string()
    }
}

/// The JSON Schema of [`Record`].
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Record).to_value()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back(epoch: u64, seq in 0..i64::MAX as u64, mark: u64) {
            let cursor = Cursor { epoch, seq, mark };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-f:]{0,50}") {
            let _ = text.parse::<Cursor>();
        }
    }
}
