//! Out of the files, into the catalog.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use jiff::Timestamp;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use vigie_common::document::{Document, MailboxSource, Source};
use vigie_common::id::BlobId;
use vigie_common::record::Entry;

use super::scratch::{Found, Scratch};
use super::{Rebuilder, Rebuilt, found};
use crate::archive::segments_of;
use crate::catalog::{self, Catalog, Filled, Kind};
use crate::disk::Root;
use crate::error::Error;
use crate::layout;
use crate::quarantine::Note;
use crate::segment::{SegmentName, walk};
use crate::uid_set::UidSet;

/// The work on one catalog, in one transaction.
pub(super) struct Work<'a> {
    pub(super) root: &'a Root,
    pub(super) catalog: &'a Catalog,
    pub(super) db: &'a Connection,
    pub(super) rebuilder: &'a mut dyn Rebuilder,
    /// Octets read, and to be read.
    pub(super) done: u64,
    pub(super) all: u64,
}

/// What documents say of one generation of a mailbox.
#[derive(Default)]
struct Generation {
    stored: UidSet,
    /// Erased or quarantined.
    dealt: UidSet,
    messages: u64,
    bytes: u64,
    /// When the last of them was stored.
    last: Option<Timestamp>,
}

/// By uidvalidity and our count.
type Generations = BTreeMap<(u32, u32), Generation>;

/// What documents say of all mailboxes, by account and name.
#[derive(Default)]
pub(super) struct Gathered(BTreeMap<(String, String), (MailboxSource, Generations)>);

impl Work<'_> {
    fn sql<T>(&self, done: rusqlite::Result<T>) -> Result<T, Error> {
        done.map_err(|e| self.catalog.error("write", e))
    }

    fn read(&mut self, octets: u64) {
        self.done += octets;
        self.rebuilder.progress(self.done, self.all.max(self.done));
    }

    /// Takes down every header, and where bytes lie; how many damaged places there are.
    pub(super) fn segments(&mut self, scratch: &mut Scratch) -> Result<u64, Error> {
        let (mut place, mut damaged) = (0, 0);
        for account in self.root.list(layout::RAW)? {
            for name in segments_of(self.root, &account)? {
                damaged += self.segment(&name, scratch, &mut place)?;
            }
        }
        Ok(damaged)
    }

    fn segment(&mut self, name: &SegmentName, scratch: &mut Scratch, place: &mut u64) -> Result<u64, Error> {
        let path = name.path();
        let error = |root: &Root, e| Error::disk("read", root.path().join(&path), e);
        let file = self.root.look_at(&path).map_err(|e| error(self.root, e))?;
        let length = file.metadata().map_err(|e| error(self.root, e))?.len();
        let number = self.sql(catalog::set_segment(self.db, name, length))?;
        let mut last = 0;
        let walked = walk(self.root, &path, &file, (0, length), &mut |pair, trusted| {
            *place += 1;
            let header = &pair.header;
            if let Some((offset, octets)) = pair.frame {
                let at = Some((number, offset, octets));
                self.sql(catalog::insert_blob(
                    self.db,
                    &name.account,
                    &header.blob_id,
                    header.size,
                    None,
                    at,
                ))?;
            }
            if trusted {
                scratch.header(&name.account, *place, header)?;
            }
            self.read(pair.end - last);
            last = pair.end;
            Ok(())
        })?;
        // What follows the last whole pair is looked at when the archive is opened.
        self.sql(catalog::set_segment(self.db, name, walked.end))?;
        self.read(length - last);
        if !walked.holes.is_empty() {
            tracing::warn!(%path, places = walked.holes.len(), "a raw segment is damaged: run verify --deep");
        }
        Ok(walked.holes.len() as u64)
    }

    /// Attachments that hash to their names. Others are written again when a message brings them.
    pub(super) fn attachments(&mut self) -> Result<(), Error> {
        let mut all = Vec::new();
        for folder in self.root.list(layout::ATTACHMENTS)? {
            let names = self.root.list(&format!("{}/{folder}", layout::ATTACHMENTS))?;
            all.extend(names.iter().filter_map(|name| format!("sha256:{name}").parse::<BlobId>().ok()));
        }
        for blob in all {
            let path = layout::attachment(&blob);
            let Ok((hash, size)) = hash(self.root, &path) else { continue };
            self.read(size);
            if hash == blob {
                self.sql(catalog::insert_attachment(self.db, &blob, size))?;
            }
        }
        Ok(())
    }

    /// Every message: its entry, or what else is to become of it.
    pub(super) fn entries(
        &mut self,
        scratch: &mut Scratch,
        gathered: &mut Gathered,
        report: &mut Rebuilt,
    ) -> Result<(), Error> {
        scratch.each(&mut |scratch, found| {
            if found.erased {
                if let Some(source) = found.header.as_ref().and_then(|header| header.source.as_ref()) {
                    gathered.generation(source).dealt.insert(source.uid..=source.uid);
                }
                return Ok(());
            }
            if let Some((document, entry)) = self.document(&found)? {
                self.entry(&document, &entry, gathered)?;
                report.messages += 1;
                return Ok(());
            }
            let kept = match &found.header {
                Some(header) if header.source.is_some() => {
                    let kept = catalog::locate(self.db, &found.account, &header.blob_id);
                    self.sql(kept)?.is_some()
                }
                _ => false,
            };
            if kept {
                scratch.remake(&found)?;
            } else if found.path.is_some() {
                report.unusable += 1;
            }
            Ok(())
        })
    }

    /// The document of a message and its entry, if it is whole and where it belongs.
    fn document(&mut self, found: &Found) -> Result<Option<(Document, Entry)>, Error> {
        let Some(path) = &found.path else { return Ok(None) };
        let bytes = self.root.read(path)?;
        self.read(bytes.len() as u64);
        let Ok(document) = serde_json::from_slice::<Document>(&bytes) else { return Ok(None) };
        let entry = self.rebuilder.entry(&document);
        let entry = entry.filter(|entry| {
            let belongs = *path == layout::document(&entry.account, entry.received_at, &entry.id);
            let known = found.header.as_ref().is_none_or(|header| header.blob_id == entry.blob_id);
            belongs && known && entry.id.as_str() == found.id && entry.account == found.account
        });
        Ok(entry.map(|entry| (document, entry)))
    }

    fn entry(&mut self, document: &Document, entry: &Entry, gathered: &mut Gathered) -> Result<(), Error> {
        let stored_at =
            document.vigie.ingest.as_ref().map_or(Timestamp::UNIX_EPOCH, |ingest| ingest.fetched_at);
        let known = self.sql(catalog::blob(self.db, &entry.account, &entry.blob_id))?;
        let first = known.and_then(|known| known.first);
        let path = layout::document(&entry.account, entry.received_at, &entry.id);
        let filled = Filled { path: &path, duplicate_of: first.as_ref(), stored_at };
        self.sql(catalog::insert_entry(self.db, entry, &filled))?;
        if first.is_none() {
            let blob = (&entry.blob_id, entry.size, Some(&entry.id));
            self.sql(catalog::insert_blob(self.db, &entry.account, blob.0, blob.1, blob.2, None))?;
        }
        if let Some(source) = &document.vigie.source {
            let generation = gathered.generation(source);
            generation.messages += 1;
            generation.bytes += entry.size;
            generation.last = generation.last.max(Some(stored_at));
            if entry.uid > 0 {
                generation.stored.insert(entry.uid..=entry.uid);
            }
        }
        Ok(())
    }

    /// Messages that could not be taken.
    pub(super) fn quarantine(&mut self, gathered: &mut Gathered) -> Result<(), Error> {
        let (root, mut all) = (self.root, Vec::new());
        found::files(root, layout::QUARANTINE, &mut |path| {
            if path.ends_with(".json") {
                all.extend(serde_json::from_slice::<Note>(&root.read(path)?));
            }
            Ok(())
        })?;
        for one in all {
            // One that was stored after all is of no interest any more.
            if self.sql(catalog::by_id(self.db, &one.id))?.is_some() {
                continue;
            }
            let key = (one.account.clone(), one.mailbox.raw_name.clone());
            let (_, generations) =
                gathered.0.entry(key).or_insert_with(|| (one.mailbox.clone(), BTreeMap::new()));
            let generation = generations.entry((one.uidvalidity, one.generation)).or_default();
            generation.dealt.insert(one.uid..=one.uid);
            generation.last = generation.last.max(Some(one.at));
            let mailbox = self.sql(catalog::register(self.db, &one.account, &one.mailbox))?;
            let of = (one.uidvalidity, one.generation);
            self.sql(catalog::count(self.db, mailbox, of, (0, 0), one.at))?;
            self.sql(catalog::insert_quarantined(self.db, mailbox, &one))?;
        }
        Ok(())
    }
}

impl Gathered {
    fn generation(&mut self, source: &Source) -> &mut Generation {
        let key = (source.account.clone(), source.mailbox.raw_name.clone());
        let (_, generations) = self.0.entry(key).or_insert_with(|| (source.mailbox.clone(), BTreeMap::new()));
        generations.entry((source.uid_validity, source.generation)).or_default()
    }

    /// Writes mailboxes, generations and coverage. The present generation of a mailbox is the one that a message was
    /// stored of last; if the server says otherwise, the next pass finds out.
    pub(super) fn record(&self, db: &Connection) -> rusqlite::Result<()> {
        for ((account, _), (source, generations)) in &self.0 {
            let mailbox = catalog::register(db, account, source)?;
            for (&of, generation) in generations {
                let last = generation.last.unwrap_or(Timestamp::UNIX_EPOCH);
                catalog::count(db, mailbox, of, (generation.messages, generation.bytes), last)?;
                for (kind, uids) in [
                    (Kind::Stored, &generation.stored),
                    (Kind::Covered, &generation.stored),
                    (Kind::Covered, &generation.dealt),
                ] {
                    catalog::cover(db, mailbox, of, kind, uids)?;
                }
            }
            let present = generations.iter().max_by_key(|(of, generation)| (generation.last, **of));
            if let Some((&of, generation)) = present {
                catalog::set_present(db, mailbox, of, generation.last.unwrap_or(Timestamp::UNIX_EPOCH))?;
            }
        }
        Ok(())
    }
}

/// What a file hashes to, and its octets.
pub(crate) fn hash(root: &Root, path: &str) -> std::io::Result<(BlobId, u64)> {
    let mut file = root.look_at(path)?;
    file.seek(SeekFrom::Start(0))?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok((BlobId::from_digest(&hash.finalize().into()), size));
        }
        hash.update(buffer.get(..n).unwrap_or_default());
        size += n as u64;
    }
}
