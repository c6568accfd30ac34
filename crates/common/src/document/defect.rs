//! What could not be understood in a message. Codes are stable: scripts filter by them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing in a message that was not as it should be, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Defect {
    /// Stable code.
    pub code: Code,
    /// The part it was found in, where it was in one.
    pub part: Option<String>,
    /// For a person: what was found, what was done. Never more than 200 characters of the message.
    pub detail: String,
}

/// Stable codes of defects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// An element of an address field is no address; its text is kept as `name`.
    BadAddress,
    /// Base64 with stray bytes; what decodes is kept.
    Base64Invalid,
    /// Base64 that ends inside a group; what decodes is kept.
    Base64Truncated,
    /// Quoted-printable with invalid escapes; they are kept as written.
    QuotedPrintableInvalid,
    /// A transfer encoding that is not known; the content is kept undecoded.
    UnknownEncoding,
    /// A charset that is not known or not what the bytes are.
    BadCharset,
    /// A date that is not credible; the field is null.
    BadDate,
    /// A line of the header block that is no field; kept out of `headers`.
    BadHeader,
    /// An encoded word that cannot be decoded; kept as written.
    BadEncodedWord,
    /// Bytes above 127 in a header field that are not UTF-8.
    #[serde(rename = "raw-8bit-header")]
    Raw8bitHeader,
    /// A media type that cannot be read; taken as the default.
    BadMediaType,
    /// A multipart without a usable boundary, or whose boundary never appears.
    NoBoundary,
    /// A multipart whose closing boundary is missing.
    UnclosedMultipart,
    /// Nested deeper than the cap; the rest is one opaque part.
    DepthLimit,
    /// More parts than the cap; the rest is one opaque part.
    TooManyParts,
    /// More header fields, or a larger header block, than the cap; the rest is not decoded.
    TooManyHeaders,
    /// A header field longer than the cap; decoded up to it.
    HeaderTooLong,
    /// More addresses in one field than the cap; the rest is left out.
    TooManyAddresses,
    /// A body text longer than the cap; cut.
    TooLarge,
    /// No Message-ID.
    NoMessageId,
    /// No header block at all.
    NoHeader,
    /// A NUL byte in the header block.
    NulByte,
    /// The walker failed on this message; headers are best effort, the raw bytes are kept.
    ParserFailure,
}
