//! Every entry: its document, its attachments, its bytes, its coverage.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use sha2::{Digest, Sha256};
use vigie_common::document::Document;
use vigie_common::id::BlobId;
use vigie_common::record::Entry;

use super::Check;
use crate::catalog;
use crate::error::Error;
use crate::layout;
use crate::uid_set::UidSet;

/// Coverage of generations, read once each.
type Coverage = HashMap<(String, String, u32, u32), UidSet>;

impl Check {
    pub(super) fn messages(&mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Error> {
        let total = self.catalog.get(catalog::entry_count)?;
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
            }
            progress(self.report.messages, total.max(self.report.messages));
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
                "restore the catalog from a backup",
            );
        }
        let kept = match self.document(entry, whole) {
            Ok(kept) => kept,
            Err(what) => {
                self.problem(&entry.path, what, "restore it from a backup; the exact bytes are in `raw`");
                true
            }
        };
        if kept && self.catalog.get(|db| catalog::locate(db, &entry.account, &entry.blob_id))?.is_none() {
            let what = format!("its bytes {} are kept nowhere, though it says so", entry.blob_id);
            self.problem(&entry.path, what, "restore catalog and raw segments from a backup");
        }
        if entry.uid > 0 && !self.is_covered(entry, coverage)? {
            let what = format!("uid {} of {} is stored but not covered", entry.uid, entry.mailbox);
            self.problem(layout::CATALOG, what, "ingest covers it the next time that it lists the mailbox");
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
                self.problem(
                    path,
                    what,
                    "restore it from a backup; the exact bytes of its message are in `raw`",
                );
            }
        }
        Ok(document.vigie.raw.kept)
    }

    fn attachment(&self, path: &str, blob: &BlobId, size: u64) -> Result<(), String> {
        let error = |e: std::io::Error| format!("cannot be read: {e}");
        let mut file = self.root.look_at(path).map_err(error)?;
        let (mut hash, mut read, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
        loop {
            let n = file.read(&mut buffer).map_err(error)?;
            if n == 0 {
                break;
            }
            hash.update(buffer.get(..n).unwrap_or_default());
            read += n as u64;
        }
        if read != size {
            return Err(format!("has {read} octets, should have {size}"));
        }
        if BlobId::from_digest(&hash.finalize().into()) != *blob {
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
