//! One pair: its header, and its bytes as a zstd frame.

use std::cell::RefCell;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use vigie_common::document::Source;
use vigie_common::id::{BlobId, Id};
use zstd::bulk::Compressor;

use crate::content::{Content, Spool};

/// Compression beyond this costs more time than it saves room: most of a mail is base64.
const LEVEL: i32 = 1;
/// First four bytes of our skippable frames, little-endian (RFC 8878 section 3.1.2 leaves 16 of them).
pub(crate) const SKIPPABLE: u32 = 0x184D_2A50;

/// What a pair says of its message: enough to make document and entry anew without the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Id of the message instance.
    pub id: Id,
    /// SHA-256 of its bytes.
    pub blob_id: BlobId,
    /// Octets of it.
    pub size: u64,
    /// Where it was found; null for an imported one.
    pub source: Option<Source>,
    /// The bytes are kept already, by an earlier pair of this account: none follow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same: bool,
    /// `false`: the bytes are not kept, none follow.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub kept: bool,
    /// The message was erased: none follow, and none of an earlier pair with this id counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

const fn yes() -> bool {
    true
}

impl Header {
    /// The header of a message whose bytes follow.
    #[must_use]
    pub const fn new(id: Id, blob_id: BlobId, size: u64, source: Option<Source>) -> Self {
        Self { id, blob_id, size, source, same: false, kept: true, erased: false }
    }

    /// Whether a frame with the bytes follows.
    #[must_use]
    pub const fn has_body(&self) -> bool {
        self.kept && !self.same && !self.erased
    }

    /// Appends it as a skippable frame.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        let length = u32::try_from(json.len()).map_err(io::Error::other)?;
        out.extend_from_slice(&SKIPPABLE.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&json);
        Ok(())
    }
}

/// A pair made ready to be appended; made off the store thread, because compressing takes time.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its header.
    pub header: Header,
    /// Its bytes as one zstd frame; empty where none are kept.
    pub(crate) body: Content,
}

impl Frame {
    /// Compresses the exact bytes of a message.
    ///
    /// # Errors
    /// When zstd has no memory for it.
    pub fn encode(header: Header, bytes: &[u8]) -> io::Result<Self> {
        thread_local! {
            // Making one costs more than compressing a small message.
            static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
        }
        let mut body = COMPRESSOR.with_borrow_mut(|slot| {
            let compressor = match slot {
                Some(compressor) => compressor,
                None => slot.insert(compressor()?),
            };
            compressor.compress(bytes)
        })?;
        // Room was made for the worst case, and the frame may wait for its round.
        body.shrink_to_fit();
        Ok(Self { header, body: body.into() })
    }

    /// The same in a file, for bytes that are too many to be there twice.
    ///
    /// # Errors
    /// From the file.
    pub fn encode_to(mut spool: Spool, header: Header, bytes: &[u8]) -> io::Result<Self> {
        let mut encoder = zstd::stream::write::Encoder::new(&mut spool, LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
        encoder.write_all(bytes)?;
        encoder.finish()?;
        Ok(Self { header, body: spool.finish()? })
    }

    /// A header without bytes, for a message whose bytes are not to be kept.
    #[must_use]
    pub const fn bare(header: Header) -> Self {
        Self { header, body: Content::Memory(Vec::new()) }
    }

    /// Octets of the compressed bytes.
    #[must_use]
    pub fn compressed(&self) -> u64 {
        self.body.len()
    }

    /// How many of them are in memory.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        self.body.in_memory()
    }
}

fn compressor() -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(LEVEL)?;
    // So that `zstd -dc` notices damage, which knows nothing of our hash.
    compressor.include_checksum(true)?;
    Ok(compressor)
}
