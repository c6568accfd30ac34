//! What can be done about a problem. Nothing of it deletes mail.

use serde::{Deserialize, Serialize};
use vigie_common::id::{BlobId, Id};

use crate::segment::SegmentName;

/// What can be done about a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Repair {
    /// The document of this message is missing or not whole.
    Document(Id),
    /// This attachment, of this message if that is known, is missing or not whole.
    Attachment(BlobId, Option<Id>),
    /// Bytes of an account are not where the catalog says, or nowhere.
    Bytes(String, BlobId),
    /// A whole segment is missing.
    Segment(SegmentName),
    /// Bytes that the catalog does not know: where their frame begins, its length, and how long they are.
    Place(SegmentName, BlobId, (u64, u64, u64)),
    /// A document that no entry names.
    Entry(String),
    /// A file in the making whose maker has died.
    Leftover(String),
    /// A message is stored, and its UID not covered.
    Cover(Id),
}

impl Repair {
    pub(super) const fn how(&self) -> &'static str {
        match self {
            Self::Document(_) | Self::Attachment(..) => {
                "it is made anew from the exact bytes, or else fetched again"
            }
            Self::Bytes(..) | Self::Segment(..) => "the message is fetched again if the server still has it",
            Self::Place(..) | Self::Entry(_) => "it is taken up",
            Self::Leftover(_) => "it is removed",
            Self::Cover(_) => "it is covered",
        }
    }
}

/// What was done about one problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repaired {
    /// Where, relative to the archive.
    pub path: String,
    /// What was done.
    pub what: String,
}
