//! Every segment: each pair whole, its bytes hashing right, and where the catalog says.

use std::collections::{BTreeMap, HashMap};
use std::io::BufReader;

use vigie_common::id::BlobId;

use super::Check;
use crate::archive::segments_of;
use crate::catalog;
use crate::error::Error;
use crate::layout;
use crate::segment::{Ending, Scan, SegmentName};

impl Check {
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
        let file = match self.root.look_at(&path) {
            Ok(file) => file,
            Err(e) => {
                self.problem(&path, format!("cannot be opened: {e}"), "restore it from a backup");
                return Ok(());
            }
        };
        let mut due: HashMap<(u64, u64), BlobId> = match recorded {
            Some((id, _)) => self.catalog.get(|db| catalog::places(db, id))?,
            None => Vec::new(),
        }
        .into_iter()
        .map(|(offset, length, blob)| ((offset, length), blob))
        .collect();
        let length = recorded.map_or(0, |(_, length)| length);
        let mut scan = Scan::new(BufReader::with_capacity(1 << 18, file), 0);
        let mut end = 0;
        let ending = loop {
            match scan.pair().map_err(|e| Error::disk("read", self.root.path().join(&path), e))? {
                Err(ending) => break ending,
                Ok(pair) => {
                    end = pair.end;
                    let Some(frame) = pair.frame else { continue };
                    if due.remove(&frame).as_ref() == Some(&pair.header.blob_id) {
                        continue;
                    }
                    self.stray(name, &pair.header.blob_id, frame.0)?;
                }
            }
        };
        let beyond = end >= length;
        match ending {
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
                self.problem(&path, what, "look at the disk's health; restore the segment from a backup");
            }
            Ending::Damaged(what) => {
                self.problem(&path, what, "look at the disk's health; restore the segment from a backup");
            }
        }
        for ((offset, _), blob) in due {
            let what = format!("the bytes of {blob} are not at offset {offset}, where the catalog says");
            self.problem(&path, what, "restore the segment from a backup");
        }
        Ok(())
    }

    /// A pair that the catalog does not place here: well if the same bytes are kept elsewhere.
    fn stray(&mut self, name: &SegmentName, blob: &BlobId, offset: u64) -> Result<(), Error> {
        let known = self.catalog.get(|db| catalog::blob(db, &name.account, blob))?;
        let path = name.path();
        if !known.is_some_and(|known| known.kept) && !self.is_in_hand(&path) {
            let what = format!("holds {blob} at offset {offset}, which the catalog does not know");
            self.problem(&path, what, "start ingest: it takes up what is not recorded");
        }
        Ok(())
    }
}
