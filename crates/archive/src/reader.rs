//! Everybody but the writer: follow, status, metrics. Read-only.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use vigie_common::id::{BlobId, Id};
use vigie_common::record::{Cursor, Entry, Record};

use crate::catalog::{self, Catalog};
use crate::disk::Root;
use crate::{Error, MailboxStatus, Note, Quarantined, layout, segment};

/// A writer that has said nothing for so long is not running.
const SILENT: SignedDuration = SignedDuration::from_secs(30);

/// A reader of an archive. It holds no lock and no transaction between calls.
#[derive(Debug)]
pub struct Reader {
    root: Root,
    catalog: Catalog,
    /// Which file the catalog was, when it was opened.
    file: Option<(u64, u64)>,
}

/// Records behind a cursor.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    /// In the order of their `seq`.
    pub records: Vec<Record>,
    /// The cursor was of another catalog or its record is not there: these are from the start.
    pub restarted: bool,
}

/// The process that writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Writer {
    /// Its pid.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// When it opened the archive.
    pub since: Timestamp,
    /// When it last said that it lives.
    pub heartbeat: Timestamp,
}

impl Writer {
    /// Whether it is running: it says so every 10 s.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        now.duration_since(self.heartbeat) < SILENT
    }
}

/// Sums over the whole archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Messages stored.
    pub messages: u64,
    /// Octets of them.
    pub bytes: u64,
    /// Number of the last record; 0 if there is none.
    pub last_seq: u64,
}

/// Where the bytes of a blob lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The segment, relative to the archive.
    pub segment: String,
    /// Where in it its zstd frame begins.
    pub offset: u64,
    /// Octets of the frame.
    pub length: u64,
    /// Octets of the message.
    pub size: u64,
}

impl Reader {
    /// Opens the catalog of an archive.
    ///
    /// # Errors
    /// [`Error::NoArchive`] if there is none (yet), [`Error::Newer`], [`Error::Damaged`].
    pub fn open(root: &Path) -> Result<Self, Error> {
        let file = identity(root);
        let catalog = Catalog::read(root)?;
        Ok(Self { root: Root::look(root)?, catalog, file })
    }

    /// Whether the catalog that is open is still the archive's: it may have been made anew since, or the folder be
    /// another one. Then open it again.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.file == identity(self.root.path())
    }

    /// Name of the catalog's making.
    ///
    /// # Errors
    /// From the catalog, as with all of these.
    pub fn epoch(&self) -> Result<u64, Error> {
        self.catalog.get(catalog::epoch)
    }

    /// At most `limit` records behind a cursor, or from the start.
    ///
    /// # Errors
    /// From the catalog.
    pub fn tail(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Tail, Error> {
        let epoch = self.epoch()?;
        let (after, restarted) = match cursor {
            None => (0, false),
            Some(cursor) if cursor.epoch != epoch => (0, true),
            Some(cursor) if cursor.seq == 0 => (0, cursor.mark != 0),
            Some(cursor) => match self.catalog.get(|db| catalog::mark_of(db, cursor.seq))? {
                Some(mark) if mark == cursor.mark => (cursor.seq, false),
                _ => (0, true),
            },
        };
        let records = self.catalog.get(|db| catalog::tail(db, epoch, after, limit))?;
        Ok(Tail { records, restarted })
    }

    /// The entry of a message as it is now; `None` when it is not stored (any more).
    ///
    /// # Errors
    /// From the catalog.
    pub fn entry(&self, id: &Id) -> Result<Option<Entry>, Error> {
        self.catalog.get(|db| catalog::entry_of(db, id))
    }

    /// Number of the last record; 0 if there is none.
    ///
    /// # Errors
    /// From the catalog.
    pub fn last_seq(&self) -> Result<u64, Error> {
        self.catalog.get(catalog::last_seq)
    }

    /// The cursor that stands before the record `seq`, for `follow --from`: that of the last record before
    /// it; `None` where there is none, and reading starts at the beginning.
    ///
    /// # Errors
    /// From the catalog.
    pub fn before(&self, seq: u64) -> Result<Option<Cursor>, Error> {
        let epoch = self.epoch()?;
        self.catalog.get(|db| catalog::before(db, epoch, seq))
    }

    /// All mailboxes, by account and name.
    ///
    /// # Errors
    /// From the catalog.
    pub fn mailboxes(&self) -> Result<Vec<MailboxStatus>, Error> {
        self.catalog.get(catalog::statuses)
    }

    /// All messages that could not be taken and were given up, by account, mailbox and UID.
    ///
    /// # Errors
    /// From the catalog.
    pub fn quarantined(&self) -> Result<Vec<Quarantined>, Error> {
        self.catalog.get(catalog::quarantined)
    }

    /// What is known of one of them.
    ///
    /// # Errors
    /// [`Error::Failed`] when its file cannot be read, [`Error::Damaged`] when it is not whole.
    pub fn note(&self, of: &Quarantined) -> Result<Note, Error> {
        let path = layout::quarantine(&of.account, &of.id, layout::NOTE);
        serde_json::from_slice(&self.root.read(&path)?)
            .map_err(|e| Error::Damaged { path: self.root.path().join(path), what: e.to_string() })
    }

    /// The process that writes; `None` when it ended in order. One killed is still told: compare its heartbeat.
    ///
    /// # Errors
    /// From the catalog.
    pub fn writer(&self) -> Result<Option<Writer>, Error> {
        self.catalog.get(catalog::writer)
    }

    /// Sums over the whole archive.
    ///
    /// # Errors
    /// From the catalog.
    pub fn totals(&self) -> Result<Totals, Error> {
        self.catalog.get(catalog::totals)
    }

    /// Where the bytes of a blob lie; `None` when they are not kept.
    ///
    /// # Errors
    /// From the catalog.
    pub fn locate(&self, account: &str, blob: &BlobId) -> Result<Option<Location>, Error> {
        self.catalog.get(|db| catalog::locate(db, account, blob))
    }

    /// The exact bytes of a message; `None` when they are not kept.
    ///
    /// # Errors
    /// [`Error::Damaged`] when they are not what they were.
    pub fn raw(&self, account: &str, blob: &BlobId) -> Result<Option<Vec<u8>>, Error> {
        let mut last = None;
        loop {
            let Some(place) = self.locate(account, blob)? else { return Ok(None) };
            let path = self.root.path().join(&place.segment);
            let why = match segment::read(&self.root, &place) {
                Ok(bytes) if BlobId::of(&bytes) == *blob => return Ok(Some(bytes)),
                Ok(_) => "it does not hash to that".to_owned(),
                Err(e) if e.kind() == io::ErrorKind::NotFound => "the segment is gone".to_owned(),
                Err(e) if e.raw_os_error().is_some() => return Err(Error::disk("read", path, e)),
                Err(e) => e.to_string(),
            };
            // A segment may be rewritten while we look: then the blob lies elsewhere now.
            if last.as_ref() == Some(&place) {
                let what = format!("the message {blob} at offset {} cannot be read: {why}", place.offset);
                return Err(Error::Damaged { path, what });
            }
            last = Some(place);
        }
    }
}

/// Which file the catalog of an archive is.
fn identity(root: &Path) -> Option<(u64, u64)> {
    let file = std::fs::metadata(root.join(layout::CATALOG)).ok()?;
    Some((file.dev(), file.ino()))
}
