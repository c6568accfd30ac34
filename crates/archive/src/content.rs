//! Bytes on their way into the archive: in memory, or, where they are many, in a file without a name.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{self, Mode, OFlags};

/// What is read from a file at once.
const PIECE: usize = 256 << 10;

/// Bytes to be stored.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file, from its beginning on; so many.
    File(Arc<File>, u64),
}

impl Content {
    /// How many.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them are in memory.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        if let Self::Memory(bytes) = self { bytes.len() } else { 0 }
    }

    /// Shows them piece by piece.
    pub(crate) fn pieces<E: From<io::Error>>(
        &self,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Memory(bytes) => each(bytes),
            Self::File(file, length) => {
                let (mut piece, mut at) = (vec![0; PIECE], 0);
                while at < *length {
                    let left = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
                    let part = piece.get_mut(..left).unwrap_or_default();
                    file.read_exact_at(part, at)?;
                    each(part)?;
                    at += left as u64;
                }
                Ok(())
            }
        }
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes)
    }
}

/// A file without a name that bytes are written to before their round: it is gone with whoever holds it.
#[derive(Debug)]
pub struct Spool {
    file: BufWriter<File>,
    length: u64,
}

impl Spool {
    /// A new one in a folder.
    ///
    /// # Errors
    /// It cannot be made there: not every file system knows such files.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(fs::open(folder, flags, Mode::RUSR | Mode::WUSR)?);
        Ok(Self { file: BufWriter::with_capacity(PIECE, file), length: 0 })
    }

    /// All that was written.
    ///
    /// # Errors
    /// The rest of it cannot be written.
    pub fn finish(self) -> io::Result<Content> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Content::File(Arc::new(file), self.length))
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
