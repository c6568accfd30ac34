//! Every entry: its document, its attachments, its bytes, its coverage.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom};

use vigie_common::document::Document;
use vigie_common::id::BlobId;
use vigie_common::record::Entry;
use vigie_common::text::inert;

use super::{Check, Repair};
use crate::catalog;
use crate::error::Error;
use crate::layout;
use crate::rebuild::hash;
use crate::uid_set::UidSet;

/// Coverage of generations, read once each.
type Coverage = HashMap<(String, String, u32, u32), UidSet>;

impl Check<'_> {
    pub(super) fn messages(&mut self) -> Result<(), Error> {
        let mut coverage = Coverage::new();
        let mut whole: HashSet<BlobId> = HashSet::new();
        let mut after = 0;
        loop {
            // In portions: a writer's catalog grows as long as somebody reads.
            let entries = self.catalog.get(|db| catalog::entries(db, after, 1000))?;
            let Some(&(last, _)) = entries.last() else { return Ok(()) };
            after = last;
            for (_, entry) in &entries {
                self.entry(entry, &mut coverage, &mut whole)?;
                self.report.messages += 1;
                self.report.bytes += entry.size;
                self.looked_at(entry.size);
            }
        }
    }

    fn entry(
        &mut self,
        entry: &Entry,
        coverage: &mut Coverage,
        whole: &mut HashSet<BlobId>,
    ) -> Result<(), Error> {
        if entry.path != layout::document(&entry.account, entry.received_at, &entry.id) {
            self.problem(
                &entry.path,
                "is not where this document belongs",
                "run `vigie-ingest rebuild-catalog`",
            );
        }
        if !self.deep {
            if let Err(what) = self.end_of(&entry.path) {
                self.repairable(&entry.path, what, Repair::Document(entry.id.clone()));
            }
        } else {
            self.read(entry, whole)?;
        }
        if entry.uid > 0 && !self.is_covered(entry, coverage)? {
            let what =
                format!("uid {} of {} is stored but not covered", entry.uid, inert(&entry.mailbox, 80));
            self.repairable(layout::CATALOG, what, Repair::Cover(entry.id.clone()));
        }
        Ok(())
    }

    /// Whether a file is there and ends as a document does.
    fn end_of(&self, path: &str) -> Result<(), String> {
        let unreadable = |e: std::io::Error| format!("cannot be read: {e}");
        let mut file = self.root.look_at(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        if length == 0 {
            return Err("is empty".to_owned());
        }
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(length.saturating_sub(2))).map_err(unreadable)?;
        file.read_to_end(&mut end).map_err(unreadable)?;
        if end.trim_ascii_end().ends_with(b"}") {
            Ok(())
        } else {
            Err("is no whole document: it is cut".to_owned())
        }
    }

    /// Attachments are there, and have their length.
    pub(super) fn attachments(&mut self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let some = self.catalog.get(|db| catalog::attachments(db, after.as_ref(), 1000))?;
            let Some((last, _)) = some.last() else { return Ok(()) };
            after = Some(last.clone());
            for (blob, size) in some {
                let path = layout::attachment(&blob);
                let what = match self.root.look_at(&path).and_then(|file| file.metadata()) {
                    Ok(found) if found.len() == size => continue,
                    Ok(found) => format!("has {} octets, should have {size}", found.len()),
                    Err(e) => format!("cannot be read: {e}"),
                };
                self.repairable(&path, what, Repair::Attachment(blob, None));
            }
        }
    }

    /// The document, its attachments, its bytes.
    fn read(&mut self, entry: &Entry, whole: &mut HashSet<BlobId>) -> Result<(), Error> {
        let kept = match self.document(entry, whole) {
            Ok(kept) => kept,
            Err(what) => {
                self.repairable(&entry.path, what, Repair::Document(entry.id.clone()));
                false
            }
        };
        if kept && self.catalog.get(|db| catalog::locate(db, &entry.account, &entry.blob_id))?.is_none() {
            let what = format!("its bytes {} are kept nowhere, though it says so", entry.blob_id);
            let repair = Repair::Bytes(entry.account.clone(), entry.blob_id.clone());
            self.repairable(&entry.path, what, repair);
        }
        Ok(())
    }

    /// Whether the document says that its bytes are kept, or what is wrong with it.
    fn document(&mut self, entry: &Entry, whole: &mut HashSet<BlobId>) -> Result<bool, String> {
        let mut bytes = Vec::new();
        let read = self.root.look_at(&entry.path).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(|e| format!("cannot be read: {e}"))?;
        if bytes.is_empty() {
            return Err("is empty".to_owned());
        }
        let document: Document =
            serde_json::from_slice(&bytes).map_err(|e| format!("is no whole document: {e}"))?;
        if document.id != entry.id {
            return Err(format!("is the document of {}, not of {}", document.id, entry.id));
        }
        if document.blob_id != entry.blob_id {
            return Err(format!("is the document of {}, not of {}", document.blob_id, entry.blob_id));
        }
        for part in &document.attachments {
            let (Some(path), Some(blob)) = (&part.path, &part.blob_id) else { continue };
            if *path != layout::attachment(blob) {
                self.problem(
                    &entry.path,
                    "names an attachment where none belongs",
                    "restore it from a backup",
                );
            } else if whole.insert(blob.clone())
                && let Err(what) = self.attachment(path, blob, part.size)
            {
                self.repairable(path, what, Repair::Attachment(blob.clone(), Some(entry.id.clone())));
            }
        }
        Ok(document.vigie.raw.kept)
    }

    fn attachment(&self, path: &str, blob: &BlobId, size: u64) -> Result<(), String> {
        let (found, read) = hash(&self.root, path).map_err(|e| format!("cannot be read: {e}"))?;
        if read != size {
            return Err(format!("has {read} octets, should have {size}"));
        }
        if found != *blob {
            return Err("does not hash to its name".to_owned());
        }
        Ok(())
    }

    fn is_covered(&self, entry: &Entry, coverage: &mut Coverage) -> Result<bool, Error> {
        let key = (entry.account.clone(), entry.mailbox.clone(), entry.uidvalidity, entry.generation);
        if coverage.get(&key).is_some_and(|set| set.contains(entry.uid)) {
            return Ok(true);
        }
        // Not read yet, or stored since.
        let set = match self.catalog.get(|db| catalog::find(db, &entry.account, &entry.mailbox))? {
            Some((id, _)) => {
                let of = (entry.uidvalidity, entry.generation);
                self.catalog.get(|db| catalog::ranges(db, id, of, catalog::Kind::Covered))?
            }
            None => UidSet::new(),
        };
        let covered = set.contains(entry.uid);
        coverage.insert(key, set);
        Ok(covered)
    }
}
