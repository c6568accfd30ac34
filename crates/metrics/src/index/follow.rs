//! From the catalog to the read model, batch by batch.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use vigie_archive::{Reader, layout};
use vigie_common::record::EventKind;

use crate::error::{Error, Result};
use crate::model::{Applied, Model};
use crate::standing::Archive;

/// Records of one transaction.
const BATCH: usize = 1000;

/// What there is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is no archive.
    Waiting,
    /// Further records are waiting.
    More,
    /// All is counted. `reopened`: the archive was opened just now.
    Done { reopened: bool },
}

/// The reader of the catalog, and how far it has come.
#[derive(Debug)]
pub(super) struct Follow {
    root: PathBuf,
    open: Option<Open>,
    last_seq: u64,
    indexed_seq: u64,
    applied: Applied,
}

#[derive(Debug)]
struct Open {
    reader: Reader,
    /// Device and number of the file: another one may take its name.
    file: (u64, u64),
    fresh: bool,
}

impl Follow {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, open: None, last_seq: 0, indexed_seq: 0, applied: Applied::default() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Numbers of the catalog's last record and of the last one that is counted.
    pub(super) fn numbers(&self) -> (u64, u64) {
        (self.last_seq, self.indexed_seq)
    }

    /// What the last step counted.
    pub(super) fn take_applied(&mut self) -> Applied {
        std::mem::take(&mut self.applied)
    }

    /// Opens the archive anew at the next step.
    pub(super) fn forget(&mut self) {
        self.open = None;
    }

    /// Counts a batch.
    pub(super) fn step(&mut self, model: &mut Model) -> Result<Step> {
        if !self.is_there()? {
            (self.last_seq, self.indexed_seq) = (0, 0);
            return Ok(Step::Waiting);
        }
        let Some(open) = &mut self.open else { return Ok(Step::Waiting) };
        let reader = &open.reader;
        let cursor = model.cursor()?;
        let tail = reader.tail(cursor.as_ref(), BATCH)?;
        // It is told even if these cannot be counted.
        self.indexed_seq = cursor.filter(|_| !tail.restarted).map_or(0, |cursor| cursor.seq);
        self.last_seq = reader.last_seq()?;
        let full = tail.records.len() == BATCH;
        if tail.restarted {
            tracing::warn!("the catalog is not the one that was counted: counting from the start");
        }
        if tail.restarted || !tail.records.is_empty() {
            // One that cannot be looked up now is not one that is gone: the batch is tried again.
            let mut present = HashMap::new();
            let reparsed = tail.records.iter().filter_map(|record| record.event.as_ref());
            for id in reparsed.filter(|e| e.kind == EventKind::Reparsed).filter_map(|e| e.id.as_ref()) {
                present.insert(id, reader.entry(id)?);
            }
            let present = |id: &_| present.get(id).cloned().flatten();
            self.applied = model.apply(&tail.records, tail.restarted, present)?;
            let last = tail.records.last();
            if self.applied.new > 0 {
                tracing::debug!(new = self.applied.new, seq = last.map(|r| r.seq), "counted");
            }
            self.indexed_seq = last.map_or(0, |record| record.seq);
        }
        if full {
            return Ok(Step::More);
        }
        Ok(Step::Done { reopened: std::mem::take(&mut open.fresh) })
    }

    /// Whether there is an archive, which is open then.
    fn is_there(&mut self) -> Result<bool> {
        let path = self.root.join(layout::CATALOG);
        let file = match std::fs::metadata(&path) {
            Ok(file) => (file.dev(), file.ino()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.open = None;
                return Ok(false);
            }
            Err(error) => return Err(Error::disk("look at", path, error)),
        };
        if self.open.as_ref().is_some_and(|open| open.file == file) {
            return Ok(true);
        }
        match Reader::open(&self.root) {
            Ok(reader) => {
                self.open = Some(Open { reader, file, fresh: true });
                Ok(true)
            }
            Err(vigie_archive::Error::NoArchive { .. } | vigie_archive::Error::Older { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What the archive says of itself, whether its records can be counted or not.
    pub(super) fn say(&mut self, now: Timestamp) -> Result<Option<Archive>> {
        if !self.is_there()? {
            return Ok(None);
        }
        let Some(open) = &self.open else { return Ok(None) };
        let (writer, mailboxes) = (open.reader.writer()?, open.reader.mailboxes()?);
        Ok(Some(Archive { as_of: now, writer, mailboxes }))
    }
}
