//! What `verify` found, mended as far as it can be: made anew from what is kept, or fetched again. Nothing of it deletes
//! mail.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use vigie_common::document::Document;
use vigie_common::id::{BlobId, Id};
use vigie_common::record::Entry;

use super::{Archive, segments_of};
use crate::catalog::{self, Filled, Kind};
use crate::error::Error;
use crate::layout;
use crate::mailbox::MailboxId;
use crate::reader::Location;
use crate::rebuild::hash;
use crate::round::Round;
use crate::segment::{self, Header, SegmentName, walk};
use crate::uid_set::UidSet;
use crate::verify::{Problem, Repair, Repaired};

impl Archive {
    /// Does about these problems what can be done; what is left, another verification tells. Messages that are to be
    /// fetched again are open to the next pass over their mailbox.
    ///
    /// # Errors
    /// Trouble of the disk: what was done before stays done.
    pub fn repair(&mut self, problems: &[Problem], now: Timestamp) -> Result<Vec<Repaired>, Error> {
        self.root.is_in_place()?;
        let mut done = Vec::new();
        let mut tell = |path: &str, what: &str| {
            done.push(Repaired { path: path.to_owned(), what: what.to_owned() });
        };
        let (mut remake, mut lost) = (BTreeMap::new(), BTreeSet::new());
        for Problem { path, repair, .. } in problems {
            match repair {
                Some(Repair::Leftover(name)) if !self.files.has(name) => {
                    self.root.remove(name)?;
                    tell(path, "removed");
                }
                Some(Repair::Entry(document)) if self.take_up(document)? => {
                    tell(path, "taken up: it is recorded now");
                }
                Some(Repair::Document(id)) => drop(remake.insert(id.clone(), path.clone())),
                Some(Repair::Attachment(blob, id)) => {
                    self.change(|db| catalog::forget_attachment(db, blob))?;
                    if let Some(id) = id {
                        remake.entry(id.clone()).or_insert_with(|| path.clone());
                    } else {
                        tell(path, "forgotten: it is written again when a message brings it");
                    }
                }
                Some(Repair::Place(name, blob, frame)) if self.place(name, blob, *frame)? => {
                    tell(path, "taken up: where these bytes lie is recorded now");
                }
                Some(Repair::Cover(id)) => {
                    if let Some(entry) = self.catalog.get(|db| catalog::entry_of(db, id))? {
                        self.cover(&entry)?;
                        tell(path, "covered");
                    }
                }
                _ => {}
            }
        }
        // Behind the others: what was lost may have been found elsewhere.
        for Problem { repair, .. } in problems {
            match repair {
                Some(Repair::Bytes(account, blob)) => lost.extend(self.lose(account, blob)?),
                // It may have come back since.
                Some(Repair::Segment(name)) if matches!(self.root.exists(&name.path()), Ok(false)) => {
                    let number = self.catalog.get(|db| catalog::segment_number(db, name))?;
                    let Some(number) = number else { continue };
                    for (.., blob) in &self.catalog.get(|db| catalog::places(db, number))? {
                        self.change(|db| catalog::forget_place(db, &name.account, blob))?;
                        lost.extend(self.lose(&name.account, blob)?);
                    }
                    self.change(|db| catalog::forget_segment(db, number))?;
                    self.segments = Default::default();
                }
                _ => {}
            }
        }
        for (id, path) in self.remake_all(remake, &mut lost, now)? {
            tell(&path, &format!("made anew from the bytes of message {id}"));
        }
        for path in self.reopen(&lost)? {
            tell(&path, "its UID is open: it is fetched again if the server still has it");
        }
        Ok(done)
    }

    /// One transaction.
    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let tx = self.catalog.begin()?;
        let done = work(&tx).map_err(|e| self.catalog.error("write", e))?;
        self.catalog.commit(tx)?;
        Ok(done)
    }

    /// Messages with these bytes, unless the bytes are somewhere.
    fn lose(&self, account: &str, blob: &BlobId) -> Result<Vec<Id>, Error> {
        if let Some(place) = self.catalog.get(|db| catalog::locate(db, account, blob))? {
            if self.is_there(blob, &place) {
                return Ok(Vec::new());
            }
            self.change(|db| catalog::forget_place(db, account, blob))?;
        }
        self.catalog.get(|db| catalog::with_bytes(db, account, blob))
    }

    fn is_there(&self, blob: &BlobId, place: &Location) -> bool {
        segment::read(&self.root, place).is_ok_and(|bytes| BlobId::of(&bytes) == *blob)
    }

    /// Records that bytes lie in a frame of this segment (where it begins, its length, how long they are), if they do, and
    /// are kept nowhere else.
    fn place(
        &self,
        name: &SegmentName,
        blob: &BlobId,
        (offset, length, size): (u64, u64, u64),
    ) -> Result<bool, Error> {
        let known = self.catalog.get(|db| catalog::locate(db, &name.account, blob))?;
        let here = Location { segment: name.path(), offset, length, size };
        if known.is_some_and(|known| self.is_there(blob, &known)) || !self.is_there(blob, &here) {
            return Ok(false);
        }
        self.change(|db| {
            let Some(number) = catalog::segment_number(db, name)? else { return Ok(false) };
            catalog::forget_place(db, &name.account, blob)?;
            let place = Some((number, offset, length));
            catalog::insert_blob(db, &name.account, blob, size, None, place).map(|()| true)
        })
    }

    fn cover(&self, entry: &Entry) -> Result<(), Error> {
        self.change(|db| {
            let Some((mailbox, _)) = catalog::find(db, &entry.account, &entry.mailbox)? else {
                return Ok(());
            };
            let (of, uids) = ((entry.uidvalidity, entry.generation), UidSet::of(entry.uid..=entry.uid));
            catalog::cover(db, mailbox, of, Kind::Covered, &uids)?;
            catalog::cover(db, mailbox, of, Kind::Stored, &uids)
        })
    }

    /// Records a document that is whole, where it belongs, and unknown; its attachments must be whole too.
    fn take_up(&mut self, path: &str) -> Result<bool, Error> {
        let Some(rebuilder) = &self.rebuilder else { return Ok(false) };
        let bytes = match self.root.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(%error, "a document that no entry names is left as it is");
                return Ok(false);
            }
        };
        let Ok(document) = serde_json::from_slice::<Document>(&bytes) else { return Ok(false) };
        let Some(entry) = rebuilder.entry(&document) else { return Ok(false) };
        let belongs = *path == layout::document(&entry.account, entry.received_at, &entry.id);
        if !belongs || self.catalog.get(|db| catalog::by_id(db, &entry.id))?.is_some() {
            return Ok(false);
        }
        let mut attachments = Vec::new();
        for part in &document.attachments {
            let (Some(path), Some(blob)) = (&part.path, &part.blob_id) else { continue };
            match hash(&self.root, path) {
                Ok((found, size)) if found == *blob => attachments.push((blob, size)),
                _ => return Ok(false),
            }
        }
        // It may be of a life that died before it had made it durable.
        self.root.sync_whole(|| ())?;
        let stored_at =
            document.vigie.ingest.as_ref().map_or(Timestamp::UNIX_EPOCH, |ingest| ingest.fetched_at);
        let Some(source) = &document.vigie.source else { return Ok(false) };
        self.change(|db| {
            let known = catalog::blob(db, &entry.account, &entry.blob_id)?;
            let first = known.and_then(|known| known.first);
            let filled = Filled { path, duplicate_of: first.as_ref(), stored_at };
            catalog::insert_entry(db, &entry, &filled)?;
            catalog::insert_blob(db, &entry.account, &entry.blob_id, entry.size, Some(&entry.id), None)?;
            attachments.iter().try_for_each(|(blob, size)| catalog::insert_attachment(db, blob, *size))?;
            let mailbox = match catalog::find(db, &entry.account, &entry.mailbox)? {
                Some((mailbox, _)) => mailbox,
                None => catalog::register(db, &entry.account, &source.mailbox)?,
            };
            let of = (entry.uidvalidity, entry.generation);
            catalog::count(db, mailbox, of, (1, entry.size), stored_at)
        })?;
        if entry.uid > 0 {
            self.cover(&entry)?;
        }
        Ok(true)
    }

    /// Makes documents and attachments anew; those that cannot be are lost.
    fn remake_all(
        &mut self,
        mut remake: BTreeMap<Id, String>,
        lost: &mut BTreeSet<Id>,
        now: Timestamp,
    ) -> Result<Vec<(Id, String)>, Error> {
        remake.retain(|id, _| !lost.contains(id));
        let mut done = Vec::new();
        if remake.is_empty() {
            return Ok(done);
        }
        let headers = self.headers(&remake)?;
        for (id, path) in remake {
            let message = headers.get(&id).and_then(|header| self.message(header));
            let Some(message) = message.filter(|message| message.entry.id == id) else {
                lost.insert(id);
                continue;
            };
            let messages = vec![message];
            let committed = self.commit_once(&Round { messages, ..Round::default() }, now)?;
            if committed.conflicts.is_empty() {
                done.push((id, path));
            }
        }
        Ok(done)
    }

    /// The raw headers of these messages.
    fn headers(&self, of: &BTreeMap<Id, String>) -> Result<HashMap<Id, Header>, Error> {
        let mut headers = HashMap::new();
        for account in self.root.list(layout::RAW)? {
            for name in segments_of(&self.root, &account)? {
                let path = name.path();
                let file = self.root.look_at(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
                let file = file.map_err(|e| Error::disk("read", self.root.path().join(&path), e));
                let walked = file.and_then(|(length, file)| {
                    walk(&self.root, &path, &file, (0, length), &mut |pair, trusted| {
                        if trusted && of.contains_key(&pair.header.id) && !pair.header.erased {
                            headers.insert(pair.header.id.clone(), pair.header);
                        }
                        Ok(())
                    })
                });
                if let Err(error) = walked {
                    tracing::warn!(%error, "no message is made anew from here: they are fetched again");
                }
            }
        }
        Ok(headers)
    }

    /// Opens the UIDs of these messages to the next pass over their mailbox; gives the paths of those that it can.
    fn reopen(&self, lost: &BTreeSet<Id>) -> Result<Vec<String>, Error> {
        let (mut paths, mut uids) = (Vec::new(), BTreeMap::<(MailboxId, (u32, u32)), UidSet>::new());
        for id in lost {
            let Some(entry) = self.catalog.get(|db| catalog::entry_of(db, id))? else { continue };
            let mailbox = self.catalog.get(|db| catalog::find(db, &entry.account, &entry.mailbox))?;
            let Some((mailbox, _)) = mailbox else { continue };
            let of = (entry.uidvalidity, entry.generation);
            let present = self.catalog.get(|db| catalog::view(db, mailbox))?.selected;
            // Of an older generation nothing can be asked for any more.
            if entry.uid > 0 && present.is_some_and(|now| (now.uidvalidity, now.generation) == of) {
                uids.entry((mailbox, of)).or_default().insert(entry.uid..=entry.uid);
                paths.push(entry.path);
            }
        }
        self.change(|db| {
            for (&(mailbox, of), uids) in &uids {
                for kind in [Kind::Covered, Kind::Stored] {
                    let there = catalog::ranges(db, mailbox, of, kind)?;
                    let uids: UidSet = uids.iter().flatten().filter(|&uid| there.contains(uid)).collect();
                    catalog::uncover(db, mailbox, of, kind, &uids)?;
                }
            }
            Ok(())
        })?;
        Ok(paths)
    }
}
