//! What a round comes to: what of it is new, and which files that makes.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::Connection;
use serde::Deserialize;
use vigie_common::id::{BlobId, Id};

use super::files::{NewFile, Origin};
use crate::catalog::{self, BlobRow, Catalog};
use crate::disk::{Folders, Root, parent};
use crate::error::Error;
use crate::layout;
use crate::round::{Change, Committed, Message, Round, SyncTiming};
use crate::segment::{SegmentName, Segments};

/// What a round comes to.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Messages to be stored.
    pub(crate) new: Vec<New>,
    /// Messages stored before, by their place in the round.
    already: Vec<usize>,
    /// Ids of other messages.
    conflicts: Vec<Id>,
    /// Attachments not yet durable.
    pub(crate) attachments: Vec<(BlobId, u64)>,
    /// Documents and attachments.
    pub(crate) files: Vec<NewFile>,
    /// How far the segments reach with it.
    pub(crate) ends: Vec<(SegmentName, u64)>,
    /// How its files were made durable.
    pub(crate) sync: SyncTiming,
    known: Known,
}

/// What will be known once the round is recorded.
#[derive(Debug, Default)]
struct Known {
    ids: HashMap<Id, BlobId>,
    blobs: HashMap<(String, BlobId), BlobRow>,
    attachments: HashSet<BlobId>,
}

/// What is there under the names of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// Nothing, it is hoped: a name that is taken fails the round.
    Free,
    /// Looked at, one by one.
    Looked,
}

/// A message to be stored.
#[derive(Debug)]
pub(crate) struct New {
    /// Its place in the round.
    at: usize,
    /// Where its document will lie.
    pub(crate) path: String,
    /// It is recorded, and what it consists of was not whole: its files are written again.
    pub(crate) again: bool,
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

impl Plan {
    /// Looks up what of a round is new. Writes nothing. `before` is on its way, and not in the catalog yet.
    pub(crate) fn make(
        db: &Connection,
        catalog: &Catalog,
        root: &Root,
        round: &Round,
        before: Option<&Self>,
        names: Names,
    ) -> Result<Self, Error> {
        let mut plan = Self {
            new: Vec::with_capacity(round.messages.len()),
            already: Vec::new(),
            conflicts: Vec::new(),
            attachments: Vec::new(),
            files: Vec::with_capacity(round.messages.len()),
            ends: Vec::new(),
            sync: SyncTiming::default(),
            known: Known::default(),
        };
        let Known { ids, blobs, attachments } = &mut plan.known;
        let before = before.map(|before| &before.known);
        for (at, message) in round.messages.iter().enumerate() {
            let entry = &message.entry;
            check_account(&entry.account)?;
            let on_its_way = ids.get(&entry.id).or_else(|| before?.ids.get(&entry.id)).cloned();
            let recorded = match on_its_way {
                Some(_) => None,
                None => catalog.get(|_| catalog::by_id(db, &entry.id))?,
            };
            let key = (entry.account.clone(), entry.blob_id.clone());
            let known = match blobs.get(&key).or_else(|| before?.blobs.get(&key)) {
                Some(known) => Some(known.clone()),
                None => catalog.get(|_| catalog::blob(db, &key.0, &key.1))?,
            };
            let path = layout::document(&entry.account, entry.received_at, &entry.id);
            let taken = |path: &str| Ok(names == Names::Looked && root.exists(path)?);
            let again = recorded.is_some();
            // What is recorded may have been lost since.
            let over = if again { root.exists(&path)? } else { on_its_way.is_none() && taken(&path)? };
            let there = if over { document_of(root, &path)? } else { None };
            let mut whole = on_its_way.is_some() || (again && there.as_ref() == Some(&entry.blob_id));
            if whole && again {
                whole = !message.keep || known.as_ref().is_some_and(|known| known.kept);
                for (blob, _) in &message.attachments {
                    whole &=
                        attachments.contains(blob) || catalog.get(|_| catalog::attachment_known(db, blob))?;
                }
            }
            match on_its_way.as_ref().or(recorded.as_ref()).or(there.as_ref()) {
                Some(blob) if *blob != entry.blob_id => {
                    plan.conflicts.push(entry.id.clone());
                    continue;
                }
                Some(_) if whole => {
                    plan.already.push(at);
                    continue;
                }
                _ => {}
            }
            ids.insert(entry.id.clone(), entry.blob_id.clone());
            let origin = Origin::Document(at);
            plan.files.push(NewFile { target: path.clone(), over, origin, tmp: String::new() });
            for (number, (blob, content)) in message.attachments.iter().enumerate() {
                if before.is_some_and(|before| before.attachments.contains(blob)) {
                    continue;
                }
                if attachments.insert(blob.clone())
                    && !catalog.get(|_| catalog::attachment_known(db, blob))?
                {
                    let target = layout::attachment(blob);
                    let over = taken(&target)?;
                    let origin = Origin::Attachment(at, number);
                    plan.files.push(NewFile { target, over, origin, tmp: String::new() });
                    plan.attachments.push((blob.clone(), content.len()));
                }
            }
            let first = known.as_ref().and_then(|known| known.first.clone());
            let same = known.as_ref().is_some_and(|known| known.kept);
            let append = !same && message.keep && message.raw.compressed() > 0;
            plan.new.push(New {
                at,
                path,
                again,
                duplicate_of: first.clone().filter(|first| *first != entry.id),
                blob_changes: first.is_none() || append,
                append,
                same,
                place: None,
            });
            let first = Some(first.unwrap_or_else(|| entry.id.clone()));
            blobs.insert(key, BlobRow { first, kept: same || append });
        }
        plan.quarantine(root, round)?;
        Ok(plan)
    }

    /// The files of what could not be taken: new ones replace those of an earlier try.
    fn quarantine(&mut self, root: &Root, round: &Round) -> Result<(), Error> {
        for change in &round.changes {
            let Change::Quarantined { note, bytes, .. } = change else { continue };
            check_account(&note.account)?;
            let target = layout::quarantine(&note.account, &note.id, layout::NOTE);
            let mut json = serde_json::to_vec_pretty(note)
                .map_err(|e| Error::disk("write the note of", &target, e.into()))?;
            json.push(b'\n');
            let mut files = vec![(target, json)];
            if !bytes.is_empty() {
                files.push((layout::quarantine(&note.account, &note.id, "eml"), bytes.clone()));
            }
            for (target, bytes) in files {
                let over = root.exists(&target)?;
                let origin = Origin::Made(bytes);
                self.files.push(NewFile { target, over, origin, tmp: String::new() });
            }
        }
        Ok(())
    }

    /// Appends the raw pairs.
    pub(crate) fn append_raw(
        &mut self,
        round: &Round,
        catalog: &Catalog,
        root: &Root,
        folders: &mut Folders,
        segments: &mut Segments,
        now: Timestamp,
    ) -> Result<(), Error> {
        let month = layout::month(now);
        let mut bytes = Vec::new();
        for new in &mut self.new {
            let Some(message) = round.messages.get(new.at) else { continue };
            let entry = &message.entry;
            if !segments.knows(&entry.account)
                && let Some((name, recorded)) = catalog.get(|db| catalog::last_segment(db, &entry.account))?
            {
                segments.last(root, name, recorded)?;
            }
            let frame = new.append.then_some(&message.raw.body);
            let mut header = message.raw.header.clone();
            header.same = new.same;
            header.kept = new.same || new.append;
            bytes.clear();
            header.write(&mut bytes).map_err(|e| Error::disk("write the header of", &new.path, e))?;
            let place = (entry.account.as_str(), month.as_str());
            let (name, offset) = segments.append(root, folders, place, &bytes, frame)?;
            new.place = frame.map(|frame| (name, offset, frame.len()));
        }
        Ok(())
    }

    /// Folders of the files.
    pub(crate) fn folders(&self) -> BTreeSet<String> {
        self.files.iter().map(|file| parent(&file.target).to_owned()).collect()
    }

    /// The messages to be stored.
    pub(crate) fn stored<'a>(&'a self, round: &'a Round) -> impl Iterator<Item = (&'a New, &'a Message)> {
        self.new.iter().filter_map(|new| Some((new, round.messages.get(new.at)?)))
    }

    /// The messages that were stored before.
    pub(crate) fn already<'a>(&'a self, round: &'a Round) -> impl Iterator<Item = &'a Message> {
        self.already.iter().filter_map(|&at| round.messages.get(at))
    }

    /// The report.
    pub(crate) fn committed(self, round: &Round, last_seq: u64) -> Committed {
        let id = |(_, message): (&New, &Message)| message.entry.id.clone();
        Committed {
            stored: self.stored(round).filter(|(new, _)| !new.again).map(id).collect(),
            already: {
                let again = self.stored(round).filter(|(new, _)| new.again).map(id);
                self.already(round).map(|message| message.entry.id.clone()).chain(again).collect()
            },
            sync: self.sync,
            conflicts: self.conflicts,
            last_seq,
        }
    }
}

/// No other text becomes part of a path.
fn check_account(account: &str) -> Result<(), Error> {
    if layout::is_account(account) {
        return Ok(());
    }
    let why = std::io::Error::new(std::io::ErrorKind::InvalidInput, "no account is named so");
    Err(Error::disk("store messages of account", account, why))
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
