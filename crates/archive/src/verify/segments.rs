//! Every segment: each pair whole, its bytes hashing right, and where the catalog says.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use vigie_common::id::BlobId;

use super::{Check, Repair};
use crate::archive::segments_of;
use crate::catalog;
use crate::disk::Root;
use crate::error::Error;
use crate::layout;
use crate::segment::{Ending, SegmentName, walk};

impl Check<'_> {
    pub(super) fn segments(&mut self) -> Result<(), Error> {
        let mut all: BTreeMap<SegmentName, Option<(i64, u64)>> = BTreeMap::new();
        for account in self.root.list(layout::RAW)? {
            all.extend(segments_of(&self.root, &account)?.into_iter().map(|name| (name, None)));
        }
        // Read after the folders: what is in the catalog is on disk.
        for (id, name, length) in self.catalog.get(catalog::segments)? {
            all.insert(name, Some((id, length)));
        }
        all.into_iter().try_for_each(|(name, recorded)| self.segment(&name, recorded))
    }

    fn segment(&mut self, name: &SegmentName, recorded: Option<(i64, u64)>) -> Result<(), Error> {
        let path = name.path();
        let error = |root: &Root, e| Error::disk("read", root.path().join(&path), e);
        let file = match self.root.look_at(&path) {
            Ok(file) => file,
            Err(e) => {
                let what = format!("cannot be opened: {e}");
                match recorded {
                    Some(_) if e.kind() == std::io::ErrorKind::NotFound => {
                        self.repairable(&path, what, Repair::Segment(name.clone()));
                    }
                    _ => self.problem(&path, what, "look at its owner and mode, and at the disk's health"),
                }
                return Ok(());
            }
        };
        let length = recorded.map_or(0, |(_, length)| length);
        let size = file.metadata().map_err(|e| error(&self.root, e))?.len();
        if !self.deep {
            if size < length {
                let what = format!("is cut: {size} of {length} recorded octets");
                self.problem(
                    &path,
                    what,
                    "look at the disk's health; run `vigie-ingest verify --deep --repair`",
                );
            } else if size > length && !self.is_in_hand(&path) {
                let what = format!("holds {} octets behind its recorded end", size - length);
                self.problem(&path, what, "start ingest: it takes up what is whole and cuts what is not");
            }
            return Ok(());
        }
        let mut due: HashMap<(u64, u64), BlobId> = match recorded {
            Some((id, _)) => self.catalog.get(|db| catalog::places(db, id))?,
            None => Vec::new(),
        }
        .into_iter()
        .map(|(offset, length, blob)| ((offset, length), blob))
        .collect();
        let mut last = 0;
        let root = Rc::clone(&self.root);
        let walked = walk(&root, &path, &file, (0, size), &mut |pair, _| {
            self.looked_at(pair.end - last);
            last = pair.end;
            let Some(frame) = pair.frame else { return Ok(()) };
            if due.remove(&frame).as_ref() == Some(&pair.header.blob_id) {
                return Ok(());
            }
            self.stray(name, &pair.header.blob_id, (frame.0, frame.1, pair.header.size))
        })?;
        for (from, to, what) in &walked.holes {
            let what = format!("is damaged from offset {from} to {to}: {what}");
            self.problem(
                &path,
                what,
                "look at the disk's health; what can be is repaired by `verify --deep --repair`",
            );
        }
        let end = walked.end;
        let beyond = end >= length;
        match walked.ending {
            Ending::Whole if beyond => {}
            Ending::Cut | Ending::Damaged(_) if beyond && self.is_in_hand(&path) => {}
            Ending::Cut if beyond => self.problem(
                &path,
                format!("ends within a pair that was never recorded, at offset {end}: nothing is lost"),
                "start ingest: it cuts such a pair off the end of an account's last segment",
            ),
            Ending::Damaged(what) if beyond => self.problem(
                &path,
                format!("what follows its recorded end is damaged: {what}; nothing that is recorded is lost"),
                "look at the disk's health; ingest leaves this segment as it is and begins another",
            ),
            Ending::Whole | Ending::Cut => {
                let what = format!("is cut: {end} of {length} recorded octets");
                self.problem(&path, what, "look at the disk's health");
            }
            Ending::Damaged(what) => self.problem(&path, what, "look at the disk's health"),
        }
        for ((offset, _), blob) in due {
            let what = format!("the bytes of {blob} are not at offset {offset}, where the catalog says");
            self.repairable(&path, what, Repair::Bytes(name.account.clone(), blob));
        }
        Ok(())
    }

    /// A pair that the catalog does not place here: well if the same bytes are kept elsewhere.
    fn stray(&mut self, name: &SegmentName, blob: &BlobId, frame: (u64, u64, u64)) -> Result<(), Error> {
        let known = self.catalog.get(|db| catalog::blob(db, &name.account, blob))?;
        let path = name.path();
        if !known.is_some_and(|known| known.kept) && !self.is_in_hand(&path) {
            let what = format!("holds {blob} at offset {}, which the catalog does not know", frame.0);
            self.repairable(&path, what, Repair::Place(name.clone(), blob.clone(), frame));
        }
        Ok(())
    }
}
