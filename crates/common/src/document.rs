//! `vigie.message/1`: the JSON document of one message.
//!
//! Names and shapes are those of JMAP's Email object (RFC 8621 section 4) wherever it has one; all
//! else stands under [`vigie`](Document::vigie). Fields are always present, `null` where the message
//! does not say: a reader never needs to tell "absent" from "unknown". Within `/1`, fields may be
//! added; none changes its meaning or goes away.

mod defect;
mod part;
mod source;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::defect::{Code, Defect};
pub use self::part::{BodyValue, Part};
pub use self::source::{Gmail, Ingest, MailboxSource, Mode, ObjectId, Parse, Raw, Source, Status, Vigie};
use crate::id::{BlobId, Id};

/// The version of the document's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Schema {
    /// The one there is.
    #[default]
    #[serde(rename = "vigie.message/1")]
    Message1,
}

/// One message as it was found in one mailbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "vigie.message/1")]
pub struct Document {
    /// Version of this format.
    pub schema: Schema,
    /// Name of this message instance, derived from account, mailbox, uidvalidity, generation and uid.
    pub id: Id,
    /// SHA-256 of the exact bytes of the message.
    pub blob_id: BlobId,
    /// The server's thread id (OBJECTID or Gmail), where it gives one; never guessed.
    pub thread_id: Option<String>,
    /// Stable ids of the mailboxes that hold this instance.
    pub mailbox_ids: BTreeMap<String, bool>,
    /// Keywords when the message was taken: `$seen`, `$flagged`, `$answered`, `$draft`, `$forwarded`, others in lower case.
    pub keywords: BTreeMap<String, bool>,
    /// Octets received (not what the server announced).
    pub size: u64,
    /// INTERNALDATE in UTC; null where absent or invalid, never replaced by another date.
    pub received_at: Option<Timestamp>,
    /// The header fields in their order, duplicates kept.
    pub headers: Vec<Header>,
    /// Message-ID without angle brackets.
    pub message_id: Option<Vec<String>>,
    /// In-Reply-To without angle brackets.
    pub in_reply_to: Option<Vec<String>>,
    /// References without angle brackets.
    pub references: Option<Vec<String>>,
    /// Sender.
    pub sender: Option<Vec<Address>>,
    /// From.
    pub from: Option<Vec<Address>>,
    /// To.
    pub to: Option<Vec<Address>>,
    /// Cc.
    pub cc: Option<Vec<Address>>,
    /// Bcc.
    pub bcc: Option<Vec<Address>>,
    /// Reply-To.
    pub reply_to: Option<Vec<Address>>,
    /// Subject, decoded.
    pub subject: Option<String>,
    /// Date, RFC 3339 with the sender's offset; null where it is not credible.
    pub sent_at: Option<String>,
    /// The tree of parts, at most 50 levels deep.
    pub body_structure: Part,
    /// Decoded text of text parts, by part id.
    pub body_values: BTreeMap<String, BodyValue>,
    /// Parts to show as text (RFC 8621 section 4.1.4).
    pub text_body: Vec<Part>,
    /// Parts to show as HTML (RFC 8621 section 4.1.4).
    pub html_body: Vec<Part>,
    /// All other parts (RFC 8621 section 4.1.4).
    pub attachments: Vec<Part>,
    /// Whether one of `attachments` is more than an inline picture.
    pub has_attachment: bool,
    /// The beginning of the text, at most 256 characters.
    pub preview: String,
    /// What JMAP has no name for.
    pub vigie: Vigie,
}

/// One header field as it stood in the message: unfolded, not decoded.
///
/// Bytes that are not UTF-8 are read as windows-1252 would (each of them one character), and the defect
/// `raw-8bit-header` says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Field name as written.
    pub name: String,
    /// Field value with folds undone, otherwise as written.
    pub value: String,
}

/// An address, or the text that could not be read as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    /// Display name, decoded; the raw text where no address was found in it.
    pub name: Option<String>,
    /// `local@domain`, or what stood in its place (`mailer-daemon`); null where nothing did.
    pub email: Option<String>,
}

/// The JSON Schema of [`Document`].
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}
