//! The one writer.

mod files;
mod lock;
mod pace;
mod plan;
mod record;
mod recover;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use vigie_common::document::MailboxSource;

pub(crate) use self::recover::segments_of;

use self::files::Files;
use self::lock::Lock;
use self::pace::Pace;
use self::plan::Plan;
use self::record::Mailboxes;
use crate::catalog::{self, Catalog};
use crate::disk::{Folders, Root, clock};
use crate::segment::Segments;
use crate::{Committed, Error, MailboxId, MailboxView, RawPolicy, Round, Shortage, SyncTiming, Way, layout};

/// What the writer needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Folder of the archive.
    pub root: PathBuf,
    /// Which messages keep their bytes. The ingest applies it ([`crate::round::keeps`]); here it is only said
    /// at start what is lost by it.
    pub raw: RawPolicy,
    /// No message is stored while fewer octets are free.
    pub min_free: u64,
}

/// The one writer. Synchronous: it lives on one thread, which does nothing else.
#[derive(Debug)]
pub struct Archive {
    root: Root,
    catalog: Catalog,
    min_free: u64,
    folders: Folders,
    segments: Segments,
    files: Files,
    mailboxes: Mailboxes,
    pace: Pace,
    /// Let go last.
    _lock: Lock,
}

impl Archive {
    /// Opens the archive, or makes it.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process writes; [`Error::Newer`], [`Error::Damaged`] for the catalog;
    /// [`Error::Denied`], [`Error::Full`], [`Error::Failed`] from the disk.
    pub fn open(settings: &Settings, version: &str) -> Result<Self, Error> {
        let root = Root::open(&settings.root)?;
        let lock = lock::take(&root)?;
        // SQLite would make it readable for everybody.
        if !root.exists(layout::CATALOG)? {
            drop(root.open_or_create(layout::CATALOG)?);
        }
        root.sync_folder("")?;
        let catalog = Catalog::open(root.path(), version)?;
        let mut folders = Folders::default();
        let all = [layout::MESSAGES, layout::RAW, layout::ATTACHMENTS, layout::QUARANTINE, layout::TMP];
        all.iter().try_for_each(|folder| folders.ensure(&root, folder))?;
        folders.to_sync().iter().try_for_each(|folder| root.sync_folder(folder))?;
        folders.settle();
        for name in root.list(layout::TMP)? {
            root.remove(&format!("{}/{name}", layout::TMP))?;
        }
        recover::recover(&root, &catalog, &mut folders)?;
        let tx = catalog.begin()?;
        let (pid, now) = (std::process::id(), vigie_common::clock::now());
        catalog::set_writer(&tx, pid, version, now).map_err(|e| catalog.error("write", e))?;
        catalog.commit(tx)?;
        if settings.raw != RawPolicy::Always {
            tracing::warn!(
                policy = ?settings.raw,
                "not every message keeps its exact bytes: those without cannot be exported or parsed anew"
            );
        }
        Ok(Self {
            root,
            catalog,
            min_free: settings.min_free,
            folders,
            segments: Segments::default(),
            files: Files::default(),
            mailboxes: Mailboxes::default(),
            pace: Pace::default(),
            _lock: lock,
        })
    }

    /// Makes a round durable, then records it.
    ///
    /// A file that is there already under a name of the round, and is not recorded, is never believed: it is
    /// of a round that failed, or of a life that was killed, and is replaced. Unless it is the whole document
    /// of other bytes: then it is a conflict.
    ///
    /// # Errors
    /// Nothing is recorded then; commit the same round again when the cause is gone.
    pub fn commit(&mut self, round: &Round, now: Timestamp) -> Result<Committed, Error> {
        self.files.clear(&self.root);
        self.segments.clear(&self.root);
        let committed = self.write(round, now);
        if committed.is_ok() {
            self.folders.settle();
            self.segments.settle();
        } else {
            self.folders.forget();
            self.mailboxes.forget();
            self.segments.abandon(&self.root);
            self.files.clear(&self.root);
        }
        committed
    }

    fn write(&mut self, round: &Round, now: Timestamp) -> Result<Committed, Error> {
        if !round.messages.is_empty() {
            self.check_room()?;
        }
        let Self { root, catalog, folders, segments, files, mailboxes, pace, .. } = self;
        // Begun before the files, so that what is looked up cannot change; recorded after them.
        let tx = catalog.begin()?;
        let mut plan = Plan::make(&tx, catalog, root, round)?;
        plan.append_raw(catalog, root, folders, segments, now)?;
        let sync = {
            let count = plan.files.len() + segments.touched();
            let mut sync = SyncTiming { way: pace.choose(count), files: count, took: Duration::ZERO };
            let each = sync.way == Way::Each;
            files.create(root, &mut plan.files, each, &mut sync.took)?;
            segments.flush(root)?;
            timed(&mut sync.took, || match sync.way {
                Way::None => Ok(()),
                Way::Each => segments.sync(root),
                Way::Whole => root.sync_whole(),
            })?;
            files.rename(root, folders, &plan.files)?;
            timed(&mut sync.took, || match sync.way {
                Way::None => Ok(()),
                Way::Each => {
                    let mut all = folders.to_sync();
                    all.extend(segments.folders());
                    all.extend(plan.folders());
                    all.iter().try_for_each(|folder| root.sync_folder(folder))
                }
                Way::Whole => root.sync_whole(),
            })?;
            pace.measured(sync);
            sync
        };
        let ends = segments.ends();
        record::record(catalog, &tx, mailboxes, round, &plan, &ends, now)?;
        let last_seq = catalog.get(|_| catalog::last_seq(&tx))?;
        catalog.commit(tx)?;
        Ok(plan.committed(last_seq, sync))
    }

    fn check_room(&self) -> Result<(), Error> {
        let path = self.root.path();
        let (free, _) = self.root.room().map_err(|e| Error::disk("look at", path, e))?;
        if free < self.min_free {
            let what = Shortage::Reserve { free, min_free: self.min_free };
            return Err(Error::Full { what, path: path.to_owned() });
        }
        Ok(())
    }

    /// Registers a mailbox, or what is new of its names.
    ///
    /// # Errors
    /// From the catalog.
    pub fn mailbox(&mut self, account: &str, mailbox: &MailboxSource) -> Result<MailboxId, Error> {
        match self.catalog.get(|db| catalog::find(db, account, &mailbox.raw_name))? {
            Some((id, known)) if known == *mailbox => Ok(id),
            _ => {
                let tx = self.catalog.begin()?;
                let id =
                    catalog::register(&tx, account, mailbox).map_err(|e| self.catalog.error("write", e))?;
                self.catalog.commit(tx)?;
                Ok(id)
            }
        }
    }

    /// What is known of a mailbox.
    ///
    /// # Errors
    /// From the catalog.
    pub fn view(&self, mailbox: MailboxId) -> Result<MailboxView, Error> {
        self.catalog.get(|db| catalog::view(db, mailbox))
    }

    /// All mailboxes of an account that are registered.
    ///
    /// # Errors
    /// From the catalog.
    pub fn mailboxes(&self, account: &str) -> Result<Vec<MailboxId>, Error> {
        self.catalog.get(|db| catalog::mailboxes(db, account))
    }

    /// Says that the writer lives, where no commit did lately.
    ///
    /// # Errors
    /// From the catalog.
    pub fn heartbeat(&mut self, now: Timestamp) -> Result<(), Error> {
        let tx = self.catalog.begin()?;
        catalog::heartbeat(&tx, now).map_err(|e| self.catalog.error("write", e))?;
        self.catalog.commit(tx)
    }

    /// Octets free for us on the archive's file system.
    ///
    /// # Errors
    /// From the system.
    pub fn free(&self) -> io::Result<u64> {
        self.root.room().map(|(free, _)| free)
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // Should this fail, readers see by the heartbeat that nobody writes, only later.
        if let Err(error) = catalog::clear_writer(&self.catalog.db) {
            tracing::debug!(%error, "could not take the writer's name out of the catalog");
        }
    }
}

/// Adds to `took` how long the work took.
fn timed<T>(took: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = clock();
    let done = work();
    *took += start.elapsed();
    done
}
