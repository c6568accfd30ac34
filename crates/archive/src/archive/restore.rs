//! A catalog that is missing or damaged: set aside, and made anew. When the archive is opened, and while it is written.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use vigie_common::id::BlobId;

use super::{Archive, recover};
use crate::catalog::{self, Catalog};
use crate::disk::{Root, clock};
use crate::error::Error;
use crate::layout;
use crate::rebuild::{self, Rebuilder, Rebuilt, Scratch};
use crate::round::{Message, Round};
use crate::segment::{self, Segments};

/// Damage that comes back sooner than this after a catalog was made anew is not mended by making it once more.
const AGAIN: Duration = Duration::from_mins(10);
/// Documents made anew in one round.
const MESSAGES: usize = 128;
/// And octets of their messages.
const OCTETS: u64 = 8 << 20;

/// One that could not be made anew is not begun again sooner than this: it takes long, and everybody waits for it.
const LATER: Duration = Duration::from_mins(2);
/// Catalogs that were set aside and are kept.
const ASIDE: usize = 3;

/// The catalog could not be made anew.
#[derive(Debug)]
pub(super) struct Lost {
    /// Why that is due.
    why: String,
    /// When it failed, and by what.
    failed: (Instant, Error),
}

/// A catalog that was made anew, and the messages whose documents are yet to be.
type Anew = (Rebuilt, Scratch);

/// Opens the catalog, and makes it anew if it cannot be used, or if there is another reason why.
pub(super) fn open(
    root: &Root,
    version: &str,
    why: Option<&str>,
    rebuilder: &mut dyn Rebuilder,
) -> Result<(Catalog, Option<Anew>), Error> {
    let why = match why.map_or_else(|| sound(root, version), |why| Err(damaged(root, why))) {
        Ok(catalog) => return Ok((catalog, None)),
        Err(Error::Damaged { what, .. }) => what,
        Err(error) if error.is_suspicious() => error.to_string(),
        Err(error) => return Err(error),
    };
    let anew = replace(root, version, &why, &[], rebuilder)?;
    Ok((Catalog::open(root.path(), version)?, Some(anew)))
}

/// The catalog, if it can be used.
fn sound(root: &Root, version: &str) -> Result<Catalog, Error> {
    if root.size(layout::CATALOG)? == 0 && (has_file(root, layout::MESSAGES)? || has_file(root, layout::RAW)?)
    {
        return Err(damaged(root, "it is missing or empty, and messages are there"));
    }
    super::create_catalog(root)?;
    let catalog = Catalog::open(root.path(), version)?;
    if catalog.get(catalog::is_to_remake)? {
        return Err(damaged(root, "it was made anew, and not all that was to be made with it"));
    }
    if catalog.is_doubtful()? {
        tracing::info!("the machine went down while ingest was running: checking the catalog");
        if let Some(what) = catalog.get(|db| catalog::integrity(db, true))?.first() {
            return Err(damaged(root, what));
        }
    }
    Ok(catalog)
}

fn damaged(root: &Root, what: &str) -> Error {
    Error::Damaged { path: root.path().join(layout::CATALOG), what: what.to_owned() }
}

/// Whether there is any file in a folder or below.
fn has_file(root: &Root, folder: &str) -> Result<bool, Error> {
    for name in root.list(folder)? {
        let path = format!("{folder}/{name}");
        if !root.is_folder(&path)? || has_file(root, &path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes another catalog, sets the present one aside, and gives the other its name. Nobody may have the present one open
/// for writing.
fn replace(
    root: &Root,
    version: &str,
    why: &str,
    names: &[catalog::Named],
    rebuilder: &mut dyn Rebuilder,
) -> Result<Anew, Error> {
    tracing::warn!(
        why,
        "the catalog is set aside and made anew from documents and raw segments, which takes a while"
    );
    let (mut rebuilt, scratch) = rebuild::rebuild(root, version, names, rebuilder)?;
    // What is recorded now may be of a life that died before it had made it durable.
    root.sync_whole(|| ())?;
    rebuilt.aside = set_aside(root, vigie_common::clock::now())?;
    root.rename(&rebuild::tmp(), layout::CATALOG, true)?;
    root.sync_folder("")?;
    if let Err(error) = forget_asides(root) {
        tracing::warn!(%error, "catalogs that were set aside long ago could not be removed");
    }
    Ok((rebuilt, scratch))
}

/// Removes catalogs that were set aside, but for the newest.
fn forget_asides(root: &Root) -> Result<(), Error> {
    let prefix = format!("{}.damaged-", layout::CATALOG);
    let mut all = BTreeMap::<(String, u32), Vec<String>>::new();
    for name in root.list("")? {
        let Some(rest) = name.strip_prefix(&prefix) else { continue };
        let stem = ["-wal", "-shm"].iter().find_map(|ending| rest.strip_suffix(ending)).unwrap_or(rest);
        let (time, count) = stem.split_once('-').unwrap_or((stem, "1"));
        // Another name is of a person who wants to keep it.
        if let (Some(16), Ok(count)) = (time.ends_with('Z').then_some(time.len()), count.parse()) {
            all.entry((time.to_owned(), count)).or_default().push(name);
        }
    }
    let old = all.len().saturating_sub(ASIDE);
    all.into_values().take(old).flatten().try_for_each(|name| root.remove(&name))
}

/// Gives the catalog and its log another name, under which nobody looks for them. First the catalog: its log alone is
/// never taken for anything, while a catalog without its log may look whole.
fn set_aside(root: &Root, now: Timestamp) -> Result<Option<String>, Error> {
    let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut name = format!("{}.damaged-{time}", layout::CATALOG);
    let mut count = 1;
    while root.exists(&name)? || root.exists(&format!("{name}-wal"))? {
        count += 1;
        name = format!("{}.damaged-{time}-{count}", layout::CATALOG);
    }
    let mut aside = None;
    for ending in ["", "-wal", "-shm"] {
        let from = format!("{}{ending}", layout::CATALOG);
        if root.exists(&from)? {
            root.rename(&from, &format!("{name}{ending}"), false)?;
            aside = Some(name.clone());
        }
    }
    root.sync_folder("")?;
    Ok(aside)
}

impl Archive {
    /// Makes the catalog anew, whatever is wrong with it or not.
    ///
    /// # Errors
    /// [`Error::Full`] and other trouble of the disk: nothing is lost by that, and it is done again; not at once, unless
    /// by another call of this.
    pub fn rebuild(&mut self, why: &str) -> Result<Rebuilt, Error> {
        let Some(mut rebuilder) = self.rebuilder.take() else {
            return Err(damaged(&self.root, why));
        };
        let done = self.rebuild_with(why, rebuilder.as_mut());
        self.rebuilder = Some(rebuilder);
        let done = done.and_then(|anew| self.remake(anew));
        self.lost = match &done {
            Ok(_) => None,
            Err(error) => Some(Lost { why: why.to_owned(), failed: (clock(), error.again()) }),
        };
        done
    }

    fn rebuild_with(&mut self, why: &str, rebuilder: &mut dyn Rebuilder) -> Result<Anew, Error> {
        // Whoever closes a catalog removes its log by name: that must not be the log of the next one.
        self.catalog = Catalog::nowhere(self.root.path())?;
        self.segments = Segments::default();
        self.on_the_way = None;
        self.mailboxes.forget();
        self.folders.forget();
        let anew = replace(&self.root, &self.version, why, &self.names, rebuilder)?;
        self.catalog = Catalog::open(self.root.path(), &self.version)?;
        recover::recover(&self.root, &self.catalog, &mut self.folders)?;
        self.sign()?;
        self.rebuilt = Some(clock());
        Ok(anew)
    }

    /// Makes anew the documents that are missing, and tells what was done.
    pub(super) fn remake(&mut self, (mut rebuilt, scratch): Anew) -> Result<Rebuilt, Error> {
        let mut found = scratch.next(None)?;
        while found.is_some() {
            let (mut messages, mut octets) = (Vec::new(), 0);
            while let Some(next) = found.take_if(|_| messages.len() < MESSAGES && octets < OCTETS) {
                match next.header.as_ref().and_then(|header| self.message(header)) {
                    Some(message) if message.entry.id.as_str() == next.id => {
                        octets += message.entry.size;
                        messages.push(message);
                    }
                    _ => rebuilt.unusable += 1,
                }
                found = scratch.next(Some(&next))?;
            }
            let count = messages.len() as u64;
            let stored =
                self.commit_once(&Round { messages, ..Round::default() }, vigie_common::clock::now())?;
            let stored = stored.stored.len() as u64;
            rebuilt.remade += stored;
            rebuilt.messages += stored;
            rebuilt.unusable += count - stored;
        }
        self.change(catalog::clear_to_remake)?;
        scratch.remove(&self.root)?;
        tracing::warn!(
            messages = rebuilt.messages,
            documents_made_anew = rebuilt.remade,
            unusable = rebuilt.unusable,
            damaged_places = rebuilt.damaged,
            aside = rebuilt.aside.as_deref().unwrap_or("there was none"),
            "the catalog was made anew; what it cannot know is listed again, not fetched"
        );
        Ok(rebuilt)
    }

    /// A message out of its bytes, if they are whole.
    pub(super) fn message(&self, header: &segment::Header) -> Option<Message> {
        let account = &header.source.as_ref()?.account;
        let place = self.catalog.get(|db| catalog::locate(db, account, &header.blob_id)).ok()??;
        let bytes = segment::read(&self.root, &place).ok()?;
        if BlobId::of(&bytes) != header.blob_id {
            return None;
        }
        self.rebuilder.as_ref()?.message(header, &bytes, vigie_common::clock::now()).ok()
    }

    /// Does some work; if the catalog turns out damaged, once more on one made anew. What writes does so by itself.
    ///
    /// # Errors
    /// Those of the work.
    pub fn healing<T>(&mut self, work: impl Fn(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(Lost { why, failed: (at, error) }) = &self.lost {
            if at.elapsed() < LATER {
                return Err(error.again());
            }
            let why = why.clone();
            self.rebuild(&why)?;
        }
        match work(self) {
            Err(error) if self.is_damage(&error) => {
                self.rebuild(&error.to_string())?;
                work(self)
            }
            done => done,
        }
    }

    fn is_damage(&self, error: &Error) -> bool {
        let early = self.rebuilt.is_some_and(|at| at.elapsed() < AGAIN);
        if self.rebuilder.is_none() || early {
            return false;
        }
        match error {
            Error::Damaged { .. } => true,
            error if error.is_suspicious() => {
                !matches!(self.catalog.get(|db| catalog::integrity(db, false)), Ok(found) if found.is_empty())
            }
            _ => false,
        }
    }
}
