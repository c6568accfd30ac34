//! Names that are derived, never chosen: of a message instance, of a mailbox, of bytes.
//!
//! An id is the first 26 characters of the lower-case RFC 4648 base32 of a SHA-256 over
//! length-prefixed fields (four bytes, big-endian, then the field; numbers as decimal text), so
//! that no two lists of fields give the same input.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Length of an [`Id`] in characters: 130 bits of the hash.
const LENGTH: usize = 26;

/// One appearance of a message in a mailbox: what the server promises to be unique, and our count
/// of the times that the server broke that promise (`generation`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance {
    /// Account id of the configuration.
    pub account: String,
    /// Mailbox name as the server sent it (modified UTF-7 where it uses that).
    pub mailbox: String,
    /// UIDVALIDITY; 0 where the server's is missing or unusable.
    pub uidvalidity: u32,
    /// Counts from 0 within one `uidvalidity`.
    pub generation: u32,
    /// UID, never 0.
    pub uid: u32,
}

impl Instance {
    /// The id of the document of this instance.
    #[must_use]
    pub fn id(&self) -> Id {
        Id::derive(&[
            &self.account,
            &self.mailbox,
            &self.uidvalidity.to_string(),
            &self.generation.to_string(),
            &self.uid.to_string(),
        ])
    }
}

/// Name of a document (or of a mailbox): 26 characters of `a-z2-7`, safe in any path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Id(#[schemars(regex(pattern = "^[a-z2-7]{26}$"))] String);

impl Id {
    /// The id of an imported message.
    #[must_use]
    pub fn of_import(account: &str, mailbox: &str, blob: &BlobId) -> Self {
        Self::derive(&["import", account, mailbox, blob.as_str()])
    }

    /// The id of a message that is only parsed, not kept.
    #[must_use]
    pub fn of_parse(blob: &BlobId) -> Self {
        Self::derive(&["parse", blob.as_str()])
    }

    /// The stable id of a mailbox, as it stands in a document's `mailboxIds`.
    #[must_use]
    pub fn of_mailbox(account: &str, mailbox: &str) -> Self {
        Self::derive(&["mailbox", account, mailbox])
    }

    fn derive(fields: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for field in fields {
            // A field longer than 4 GiB cannot come from a server: names are capped far below.
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            hash.update(length.to_be_bytes());
            hash.update(field.as_bytes());
        }
        let mut text = BASE32_NOPAD.encode(&hash.finalize()).to_ascii_lowercase();
        text.truncate(LENGTH);
        Self(text)
    }

    /// The 26 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl TryFrom<String> for Id {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        let ours = |b: u8| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b);
        if text.len() == LENGTH && text.bytes().all(ours) { Ok(Self(text)) } else { Err(NotAName("an id")) }
    }
}

impl FromStr for Id {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        text.to_owned().try_into()
    }
}

/// `sha256:<64 hex digits>` of exact bytes: a message as received, or a decoded part.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct BlobId(#[schemars(regex(pattern = "^sha256:[0-9a-f]{64}$"))] String);

impl BlobId {
    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(&Sha256::digest(bytes).into())
    }

    /// Names bytes whose SHA-256 is already known.
    #[must_use]
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(format!("sha256:{}", HEXLOWER.encode(digest)))
    }

    /// The whole name, `sha256:` included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 hexadecimal digits alone.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<BlobId> for String {
    fn from(id: BlobId) -> Self {
        id.0
    }
}

impl TryFrom<String> for BlobId {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        let hex = text.strip_prefix("sha256:").unwrap_or_default();
        let ours = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex.len() == 64 && hex.bytes().all(ours) { Ok(Self(text)) } else { Err(NotAName("a blobId")) }
    }
}

impl FromStr for BlobId {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        text.to_owned().try_into()
    }
}

/// A text that is not of the form of an [`Id`] or [`BlobId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {0}")]
pub struct NotAName(&'static str);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inbox(uid: u32) -> Instance {
        Instance { account: "demo".into(), mailbox: "INBOX".into(), uidvalidity: 1, generation: 0, uid }
    }

    /// Frozen: every archive in the world holds these. Computed by another implementation.
    #[test]
    fn ids_are_frozen() {
        assert_eq!(inbox(1).id().as_str(), "by6cvfctuvwnkgtcff6pppeaam");
        let blob = BlobId::of(b"");
        assert_eq!(blob.as_str(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Id::of_parse(&blob).as_str(), "qbnkww3eezqjyqtbbzdwsnwx6c");
        assert_eq!(Id::of_import("demo", "INBOX", &blob).as_str(), "nugtr7voqqcwbaemglcg7hdawx");
        assert_eq!(Id::of_mailbox("demo", "INBOX").as_str(), "me2jguhhlzptkgg4urx6ynr256");
    }

    proptest! {
        #[test]
        fn different_instances_have_different_ids(
            a in "[a-z]{1,3}", b in ".{0,4}", c in "[a-z]{1,3}", d in ".{0,4}",
            v in 0u32..3, w in 0u32..3, g in 0u32..3, h in 0u32..3, u in 1u32..4, x in 1u32..4,
        ) {
            let one = Instance { account: a, mailbox: b, uidvalidity: v, generation: g, uid: u };
            let two = Instance { account: c, mailbox: d, uidvalidity: w, generation: h, uid: x };
            prop_assert_eq!(one == two, one.id() == two.id());
        }

        #[test]
        fn an_id_reads_back(uid in 1u32..) {
            let id = inbox(uid).id();
            prop_assert_eq!(id.as_str().parse::<Id>(), Ok(id.clone()));
            prop_assert_eq!(serde_json::from_str::<Id>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        }

        #[test]
        fn any_text_is_read_or_refused_without_panic(text in ".{0,80}") {
            if let Ok(id) = text.parse::<Id>() { prop_assert_eq!(id.as_str(), &text); }
            if let Ok(id) = text.parse::<BlobId>() { prop_assert_eq!(id.as_str(), &text); }
        }
    }
}
