//! Reading a segment from its beginning, pair by pair, checking each hash.

use std::io::{self, BufRead, Read};

use sha2::{Digest, Sha256};
use vigie_common::id::BlobId;
use zstd::stream::read::Decoder;

use super::Header;
use super::frame::SKIPPABLE;

/// No header of ours comes near this.
const HEADER_CAP: u32 = 1 << 20;

/// A whole pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Its header.
    pub header: Header,
    /// Where its zstd frame begins and how long it is, where it has one.
    pub frame: Option<(u64, u64)>,
    /// Where it ends.
    pub end: u64,
}

/// Why there is no further pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The segment ends behind a whole pair.
    Whole,
    /// It ends within a pair.
    Cut,
    /// What follows is no pair.
    Damaged(String),
}

/// Pairs of a segment, in their order.
#[derive(Debug)]
pub struct Scan<R> {
    reader: Counted<R>,
    buffer: Vec<u8>,
}

impl<R: BufRead> Scan<R> {
    /// Reads on from `offset`, where a pair begins.
    pub const fn new(reader: R, offset: u64) -> Self {
        Self { reader: Counted { reader, offset }, buffer: Vec::new() }
    }

    /// The next whole pair, whose bytes hash to what its header says.
    ///
    /// # Errors
    /// When the segment cannot be read. What is wrong in it is an [`Ending`].
    pub fn pair(&mut self) -> io::Result<Result<Pair, Ending>> {
        if self.reader.fill_buf()?.is_empty() {
            return Ok(Err(Ending::Whole));
        }
        match self.whole_pair() {
            Ok(pair) => Ok(Ok(pair)),
            Err(Stop::Ending(ending)) => Ok(Err(ending)),
            Err(Stop::Io(error)) => Err(error),
        }
    }

    fn whole_pair(&mut self) -> Result<Pair, Stop> {
        let begin = self.reader.offset;
        let damaged = |what: &str| Stop::Ending(Ending::Damaged(format!("{what} at offset {begin}")));
        if self.number()? != SKIPPABLE {
            return Err(damaged("no pair begins"));
        }
        let length = self.number()?;
        if length > HEADER_CAP {
            return Err(damaged("no header of ours"));
        }
        self.buffer.resize(length.try_into().unwrap_or_default(), 0);
        self.reader.read_exact(&mut self.buffer)?;
        let header: Header =
            serde_json::from_slice(&self.buffer).map_err(|_| damaged("a header that cannot be read"))?;
        if !header.has_body() {
            return Ok(Pair { header, frame: None, end: self.reader.offset });
        }
        let start = self.reader.offset;
        if self.reader.fill_buf()?.is_empty() {
            return Err(Stop::Ending(Ending::Cut));
        }
        let mut hash = Hash(Sha256::new());
        let decoder = Decoder::with_buffer(&mut self.reader)?.single_frame();
        // One octet more than there should be: enough to see that there is too much.
        let size = match io::copy(&mut decoder.take(header.size.saturating_add(1)), &mut hash) {
            Ok(size) => size,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Err(e.into()),
            Err(e) if e.raw_os_error().is_some() => return Err(Stop::Io(e)),
            Err(_) => return Err(damaged("a message that cannot be decompressed")),
        };
        if size != header.size || BlobId::from_digest(&hash.0.finalize().into()) != header.blob_id {
            return Err(damaged("a message that does not hash to its header's blobId"));
        }
        let end = self.reader.offset;
        Ok(Pair { header, frame: Some((start, end - start)), end })
    }

    fn number(&mut self) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.reader.read_exact(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
}

/// Why a pair could not be read to its end.
enum Stop {
    Ending(Ending),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Ending(Ending::Cut),
            _ => Self::Io(error),
        }
    }
}

/// A reader that knows how far it is.
#[derive(Debug)]
struct Counted<R> {
    reader: R,
    offset: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(out)?;
        self.offset += n as u64;
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.reader.consume(n);
        self.offset += n as u64;
    }
}

/// A writer that only hashes.
struct Hash(Sha256);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
