//! One part of a message's body, and the text in it: EmailBodyPart and EmailBodyValue of RFC 8621.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::BlobId;

/// A MIME part: a leaf with content, or a multipart with `subParts`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Name of a leaf within the message (`1`, `2.1`); null for a multipart.
    pub part_id: Option<String>,
    /// SHA-256 of the decoded content; null for a multipart.
    pub blob_id: Option<BlobId>,
    /// Octets of the decoded content; 0 for a multipart.
    pub size: u64,
    /// File name, decoded, as the sender wrote it: data, never a path.
    pub name: Option<String>,
    /// Media type, lower case, without parameters.
    #[serde(rename = "type")]
    pub media_type: String,
    /// Charset as declared; `us-ascii` where a text part declares none, null for other parts.
    pub charset: Option<String>,
    /// Content-Disposition without parameters, lower case.
    pub disposition: Option<String>,
    /// Content-Id without angle brackets.
    pub cid: Option<String>,
    /// Content-Language.
    pub language: Option<Vec<String>>,
    /// Content-Location.
    pub location: Option<String>,
    /// Parts of a multipart, in order; null for a leaf.
    pub sub_parts: Option<Vec<Part>>,
    /// Attachments only: SHA-256 of the decoded content in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Attachments only: where the content lies, relative to the archive; absent where it was not extracted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Attachments only: what of the content could not be decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode_error: Option<String>,
    /// Attachments only: a file name that is safe on any system, made from `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe_name: Option<String>,
}

/// The text of a part, decoded to Unicode.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BodyValue {
    /// The text, line ends as `\n`.
    pub value: String,
    /// Whether transfer encoding or charset could not be decoded in full.
    pub is_encoding_problem: bool,
    /// Whether the text was cut by the cap.
    pub is_truncated: bool,
}
