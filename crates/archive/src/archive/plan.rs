//! What a round comes to: what of it is new, and which files that makes.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::Connection;
use serde::Deserialize;
use vigie_common::id::{BlobId, Id};

use super::files::NewFile;
use crate::catalog::{self, BlobRow, Catalog};
use crate::disk::{Folders, Root, parent};
use crate::error::Error;
use crate::layout;
use crate::round::{Committed, Message, Round, SyncTiming};
use crate::segment::{SegmentName, Segments};

/// What a round comes to.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// Messages to be stored.
    pub(crate) new: Vec<New<'a>>,
    /// Messages stored before.
    pub(crate) already: Vec<&'a Message>,
    /// Ids of other messages.
    conflicts: Vec<Id>,
    /// Attachments not yet durable.
    pub(crate) attachments: Vec<(&'a BlobId, u64)>,
    /// Documents and attachments.
    pub(crate) files: Vec<NewFile<'a>>,
}

/// A message to be stored.
#[derive(Debug)]
pub(crate) struct New<'a> {
    pub(crate) message: &'a Message,
    /// Where its document will lie.
    pub(crate) path: String,
    /// The first instance with these bytes, if this is not it.
    pub(crate) duplicate_of: Option<Id>,
    /// Whether the catalog learns something of the blob.
    pub(crate) blob_changes: bool,
    /// Whether the bytes are appended now.
    append: bool,
    /// Whether they are kept already.
    same: bool,
    /// Where they are: segment, offset, length of the frame.
    pub(crate) place: Option<(SegmentName, u64, u64)>,
}

impl<'a> Plan<'a> {
    /// Looks up what of a round is new. Writes nothing.
    pub(crate) fn make(
        db: &Connection,
        catalog: &Catalog,
        root: &Root,
        round: &'a Round,
    ) -> Result<Self, Error> {
        let mut plan = Self {
            new: Vec::with_capacity(round.messages.len()),
            already: Vec::new(),
            conflicts: Vec::new(),
            attachments: Vec::new(),
            files: Vec::with_capacity(round.messages.len()),
        };
        let mut ids: HashMap<&Id, &BlobId> = HashMap::new();
        let mut blobs: HashMap<(&str, &BlobId), BlobRow> = HashMap::new();
        let mut attachments = HashSet::new();
        for message in &round.messages {
            let entry = &message.entry;
            if !layout::is_account(&entry.account) {
                let why = std::io::Error::new(std::io::ErrorKind::InvalidInput, "no account is named so");
                return Err(Error::disk("store messages of account", &entry.account, why));
            }
            let stored = match ids.get(&entry.id) {
                Some(&blob) => Some(blob.clone()),
                None => catalog.get(|_| catalog::by_id(db, &entry.id))?,
            };
            let path = layout::document(&entry.account, entry.received_at, &entry.id);
            let over = stored.is_none() && root.exists(&path)?;
            match stored.or(if over { document_of(root, &path)? } else { None }) {
                Some(blob) if blob != entry.blob_id => {
                    plan.conflicts.push(entry.id.clone());
                    continue;
                }
                Some(_) if !over => {
                    plan.already.push(message);
                    continue;
                }
                _ => {}
            }
            ids.insert(&entry.id, &entry.blob_id);
            plan.files.push(NewFile {
                target: path.clone(),
                over,
                bytes: &message.document,
                tmp: String::new(),
            });
            for (blob, bytes) in &message.attachments {
                if attachments.insert(blob) && !catalog.get(|_| catalog::attachment_known(db, blob))? {
                    let target = layout::attachment(blob);
                    let over = root.exists(&target)?;
                    plan.files.push(NewFile { target, over, bytes, tmp: String::new() });
                    plan.attachments.push((blob, bytes.len() as u64));
                }
            }
            let key = (entry.account.as_str(), &entry.blob_id);
            let known = match blobs.get(&key) {
                Some(known) => Some(known.clone()),
                None => catalog.get(|_| catalog::blob(db, key.0, key.1))?,
            };
            let first = known.as_ref().and_then(|known| known.first.clone());
            let same = known.as_ref().is_some_and(|known| known.kept);
            let append = !same && message.keep && message.raw.compressed() > 0;
            plan.new.push(New {
                message,
                path,
                duplicate_of: first.clone().filter(|first| *first != entry.id),
                blob_changes: first.is_none() || append,
                append,
                same,
                place: None,
            });
            let first = Some(first.unwrap_or_else(|| entry.id.clone()));
            blobs.insert(key, BlobRow { first, kept: same || append });
        }
        Ok(plan)
    }

    /// Appends the raw pairs.
    pub(crate) fn append_raw(
        &mut self,
        catalog: &Catalog,
        root: &Root,
        folders: &mut Folders,
        segments: &mut Segments,
        now: Timestamp,
    ) -> Result<(), Error> {
        let month = layout::month(now);
        let mut bytes = Vec::new();
        for new in &mut self.new {
            let entry = &new.message.entry;
            if !segments.knows(&entry.account)
                && let Some((name, recorded)) = catalog.get(|db| catalog::last_segment(db, &entry.account))?
            {
                segments.last(root, name, recorded)?;
            }
            let frame: &[u8] = if new.append { &new.message.raw.body } else { &[] };
            let mut header = new.message.raw.header.clone();
            header.same = new.same;
            header.kept = new.same || new.append;
            bytes.clear();
            header.write(&mut bytes).map_err(|e| Error::disk("write the header of", &new.path, e))?;
            let place = (entry.account.as_str(), month.as_str());
            let (name, offset) = segments.append(root, folders, place, &bytes, frame)?;
            new.place = new.append.then_some((name, offset, frame.len() as u64));
        }
        Ok(())
    }

    /// Folders of the files.
    pub(crate) fn folders(&self) -> BTreeSet<String> {
        self.files.iter().map(|file| parent(&file.target).to_owned()).collect()
    }

    /// The report.
    pub(crate) fn committed(self, last_seq: u64, sync: SyncTiming) -> Committed {
        Committed {
            stored: self.new.iter().map(|new| new.message.entry.id.clone()).collect(),
            already: self.already.iter().map(|message| message.entry.id.clone()).collect(),
            conflicts: self.conflicts,
            last_seq,
            sync,
        }
    }
}

/// The blobId in a document that is there; none if it is cut, empty or no document: then it counts as absent.
fn document_of(root: &Root, path: &str) -> Result<Option<BlobId>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        blob_id: BlobId,
    }
    // Reads to the end: a cut document is no JSON.
    Ok(serde_json::from_slice::<Named>(&root.read(path)?).ok().map(|named| named.blob_id))
}
