//! Where a message comes from, how it was taken and what became of it: all that JMAP has no name for.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Defect;

/// All that JMAP has no name for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Vigie {
    /// Where the message was found; null for a parsed file.
    pub source: Option<Source>,
    /// How it was taken; null for a parsed file.
    pub ingest: Option<Ingest>,
    /// Whether its bytes are kept.
    pub raw: Raw,
    /// How it was understood.
    pub parse: Parse,
}

/// Where a message was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Account id of the configuration.
    pub account: String,
    /// Host that it was fetched from.
    pub host: String,
    /// The mailbox.
    pub mailbox: MailboxSource,
    /// UIDVALIDITY; 0 where the server's is unusable.
    pub uid_validity: u32,
    /// Our count of the times that this uidvalidity began anew.
    pub generation: u32,
    /// UID.
    pub uid: u32,
    /// MODSEQ, where the server has CONDSTORE.
    pub modseq: Option<u64>,
    /// INTERNALDATE as sent.
    pub internal_date_raw: Option<String>,
    /// RFC822.SIZE as sent; `size` is what came.
    pub rfc822_size: Option<u64>,
    /// FLAGS as sent.
    pub flags_raw: Vec<String>,
    /// Gmail's own names.
    pub gmail: Option<Gmail>,
    /// OBJECTID's names (RFC 8474).
    pub object_id: Option<ObjectId>,
    /// Whether the message was taken for one of an earlier generation instead of being fetched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub matched: bool,
}

/// A mailbox as the server names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailboxSource {
    /// Name in Unicode, with `/` for the server's delimiter.
    pub name: String,
    /// Name as the server sent it.
    pub raw_name: String,
    /// Hierarchy delimiter.
    pub delimiter: Option<String>,
    /// Special use (RFC 6154): `archive`, `drafts`, `junk`, `sent`, `trash`, `all`, `flagged`, `important`.
    pub special_use: Option<String>,
}

/// Gmail's names for a message (X-GM-EXT-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gmail {
    /// X-GM-MSGID, as text: it does not fit a JSON number everywhere.
    pub msg_id: String,
    /// X-GM-THRID.
    pub thr_id: Option<String>,
    /// X-GM-LABELS.
    pub labels: Vec<String>,
}

/// The server's names for a message (RFC 8474).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectId {
    /// EMAILID.
    pub email_id: Option<String>,
    /// THREADID.
    pub thread_id: Option<String>,
}

/// How a message was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ingest {
    /// Version of Vigie.
    pub version: String,
    /// When its last byte arrived.
    pub fetched_at: Timestamp,
    /// From the request to the last byte, in milliseconds; of the batch that it came in.
    pub duration_ms: u64,
    /// On which occasion.
    pub mode: Mode,
    /// How many times it was asked for.
    pub attempts: u32,
}

/// On which occasion a message was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It arrived while we watched.
    Live,
    /// It was there before.
    Backfill,
    /// From a file.
    Import,
}

impl Mode {
    /// The word in documents and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Backfill => "backfill",
            Self::Import => "import",
        }
    }
}

/// Whether the exact bytes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Raw {
    /// They are; where, is the catalog's to say.
    pub kept: bool,
}

/// How a message was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parse {
    /// In short.
    pub status: Status,
    /// Version of the walker: it grows whenever the same bytes would give another document.
    pub walker: u32,
    /// What was not as it should be.
    pub defects: Vec<Defect>,
}

/// In short, how a message was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All of it.
    Ok,
    /// With defects.
    Partial,
    /// Not at all: headers are best effort.
    Failed,
}
