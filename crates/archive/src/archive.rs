//! The one writer.

mod files;
mod lock;
mod look;
mod pace;
mod plan;
mod record;
mod recover;
mod repair;
mod restore;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use vigie_common::document::MailboxSource;

pub(crate) use self::recover::segments_of;

use self::files::Files;
use self::lock::Lock;
use self::pace::Pace;
use self::plan::{Names, Plan};
use self::record::Mailboxes;
use self::restore::Lost;
use crate::catalog::{self, Catalog};
use crate::disk::{Folders, Root, clock};
use crate::rebuild::{Rebuilder, Rebuilt};
use crate::segment::Segments;
use crate::{
    Change, Committed, Error, MailboxId, RawPolicy, Round, Shortage, SyncTiming, Way, layout, quarantine,
};

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

/// A round that was [pushed](Archive::push).
#[derive(Debug)]
struct OnTheWay {
    round: Arc<Round>,
    plan: Plan,
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
    /// A round whose files have their names, and which is not recorded yet.
    on_the_way: Option<OnTheWay>,
    version: String,
    /// Mailboxes that have their numbers, so that they keep them in a catalog made anew.
    names: Vec<catalog::Named>,
    rebuilder: Option<Box<dyn Rebuilder>>,
    /// The catalog could not be made anew yet.
    lost: Option<Lost>,
    /// When it was made anew.
    rebuilt: Option<Instant>,
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
        Self::begin(settings, version, None, None).map(|(archive, _)| archive)
    }

    /// The same; a catalog that is missing or damaged, now or later, is set aside and made anew.
    ///
    /// # Errors
    /// As [`open`](Self::open), but [`Error::Damaged`].
    pub fn open_or_rebuild(
        settings: &Settings,
        version: &str,
        rebuilder: Box<dyn Rebuilder>,
    ) -> Result<Self, Error> {
        Self::begin(settings, version, Some(rebuilder), None).map(|(archive, _)| archive)
    }

    /// The same; the catalog is made anew whatever it is, even one of a newer version: somebody asked for it.
    ///
    /// # Errors
    /// As [`open_or_rebuild`](Self::open_or_rebuild), but [`Error::Newer`].
    pub fn open_rebuilt(
        settings: &Settings,
        version: &str,
        rebuilder: Box<dyn Rebuilder>,
    ) -> Result<(Self, Rebuilt), Error> {
        let (archive, rebuilt) = Self::begin(settings, version, Some(rebuilder), Some("that was asked for"))?;
        Ok((archive, rebuilt.unwrap_or_default()))
    }

    fn begin(
        settings: &Settings,
        version: &str,
        mut rebuilder: Option<Box<dyn Rebuilder>>,
        why: Option<&str>,
    ) -> Result<(Self, Option<Rebuilt>), Error> {
        let root = Root::open(&settings.root)?;
        let lock = lock::take(&root)?;
        let mut folders = Folders::default();
        let all = [layout::MESSAGES, layout::RAW, layout::ATTACHMENTS, layout::QUARANTINE, layout::TMP];
        all.iter().try_for_each(|folder| folders.ensure(&root, folder))?;
        folders.to_sync().iter().try_for_each(|folder| root.sync_folder(folder))?;
        folders.settle();
        for name in root.list(layout::TMP)? {
            root.remove(&format!("{}/{name}", layout::TMP))?;
        }
        let (catalog, anew) = match &mut rebuilder {
            Some(rebuilder) => restore::open(&root, version, why, rebuilder.as_mut())?,
            None => {
                create_catalog(&root)?;
                (Catalog::open(root.path(), version)?, None)
            }
        };
        let mut archive = Self {
            names: Vec::new(),
            root,
            catalog,
            version: version.to_owned(),
            min_free: settings.min_free,
            folders,
            segments: Segments::default(),
            files: Files::default(),
            mailboxes: Mailboxes::default(),
            pace: Pace::default(),
            on_the_way: None,
            rebuilder,
            lost: None,
            rebuilt: anew.as_ref().map(|_| clock()),
            _lock: lock,
        };
        archive.healing(|archive| {
            recover::recover(&archive.root, &archive.catalog, &mut archive.folders)?;
            quarantine::sweep(&archive.root, &archive.catalog)?;
            archive.names = archive.catalog.get(catalog::all_mailboxes)?;
            archive.sign()
        })?;
        let rebuilt = anew.map(|anew| archive.remake(anew)).transpose()?;
        if settings.raw != RawPolicy::Always {
            tracing::warn!(
                policy = ?settings.raw,
                "not every message keeps its exact bytes: those without cannot be exported or parsed anew"
            );
        }
        Ok((archive, rebuilt))
    }

    /// Says in the catalog who writes.
    fn sign(&self) -> Result<(), Error> {
        let tx = self.catalog.begin()?;
        let (pid, now) = (std::process::id(), vigie_common::clock::now());
        catalog::set_writer(&tx, pid, &self.version, now).map_err(|e| self.catalog.error("write", e))?;
        self.catalog.commit(tx)
    }

    /// Makes a round durable, then records it.
    ///
    /// A file that is there already under a name of the round, and is not recorded, is never believed: it is
    /// of a round that failed, or of a life that was killed, and is replaced. Unless it is the whole document
    /// of other bytes: then it is a conflict.
    ///
    /// # Errors
    /// Nothing is recorded then, nor is what was on its way; commit the same round again when the cause is gone.
    pub fn commit(&mut self, round: &Round, now: Timestamp) -> Result<Committed, Error> {
        self.healing(|archive| archive.commit_once(round, now))
    }

    fn commit_once(&mut self, round: &Round, now: Timestamp) -> Result<Committed, Error> {
        self.settle(now)?;
        self.tidy();
        let committed = self.alone(round, now);
        self.forget_unless(committed.is_ok());
        committed
    }

    /// Takes a round on its way. It is recorded by the next call of this or of [`settle`](Self::settle): one call of
    /// `syncfs` then makes its names durable together with the bytes of the round behind it. For rounds that follow one
    /// another without a pause. What the round before it came to is told to `recorded`.
    ///
    /// Names that are taken fail the round, where [`commit`](Self::commit) looks at them.
    ///
    /// # Errors
    /// Nothing is recorded then but the round that `recorded` was told of: commit each of the others alone.
    pub fn push(
        &mut self,
        round: Arc<Round>,
        now: Timestamp,
        recorded: impl FnOnce(Committed),
    ) -> Result<(), Error> {
        self.tidy();
        let pushed = self.behind(round, now, recorded);
        self.forget_unless(pushed.is_ok());
        pushed
    }

    /// Records the round that is on its way, if there is one.
    ///
    /// # Errors
    /// Nothing is recorded then; commit that round again.
    pub fn settle(&mut self, now: Timestamp) -> Result<Option<Committed>, Error> {
        let Some(before) = self.on_the_way.take() else { return Ok(None) };
        let committed = self.record_synced(before, now).map(Some);
        self.forget_unless(committed.is_ok());
        committed
    }

    /// Whether a round of so many files is worth to be [pushed](Self::push).
    #[must_use]
    pub fn is_large(&self, files: usize) -> bool {
        self.pace.choose(files) == Way::Whole
    }

    /// Removes what failed rounds left, as far as the disk lets us by now.
    fn tidy(&mut self) {
        self.files.clear(&self.root);
        self.segments.clear(&self.root);
    }

    /// After a failure nothing is known to be durable but what is recorded.
    fn forget_unless(&mut self, good: bool) {
        if !good {
            self.on_the_way = None;
            self.folders.forget();
            self.mailboxes.forget();
            self.segments.abandon(&self.root);
            self.files.clear(&self.root);
        }
    }

    /// A round from its beginning to its end.
    fn alone(&mut self, round: &Round, now: Timestamp) -> Result<Committed, Error> {
        self.check_room(round)?;
        let Self { root, catalog, folders, segments, files, mailboxes, pace, .. } = self;
        // Begun before the files, so that what is looked up cannot change; recorded after them.
        let tx = catalog.begin()?;
        let mut plan = Plan::make(&tx, catalog, root, round, None, Names::Looked)?;
        plan.append_raw(round, catalog, root, folders, segments, now)?;
        let count = plan.files.len() + segments.touched();
        let mut sync = SyncTiming { way: pace.choose(count), files: count, took: Duration::ZERO };
        files.create(root, round, &mut plan.files, sync.way == Way::Each, &mut sync.took)?;
        segments.flush(root)?;
        timed(&mut sync.took, || match sync.way {
            Way::None => Ok(()),
            Way::Each => segments.sync(root),
            Way::Whole => root.sync_whole(|| ()),
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
            Way::Whole => root.sync_whole(|| ()),
        })?;
        pace.measured(sync);
        (plan.sync, plan.ends) = (sync, segments.ends());
        let released = record::record(catalog, &tx, mailboxes, round, &plan, now)?;
        let last_seq = catalog.get(|_| catalog::last_seq(&tx))?;
        catalog.commit(tx)?;
        quarantine::remove(root, &released);
        folders.settle();
        segments.settle(&plan.ends);
        Ok(plan.committed(round, last_seq))
    }

    /// A round up to its names, and the one before it to its end: the same sync is for both.
    fn behind(
        &mut self,
        round: Arc<Round>,
        now: Timestamp,
        recorded: impl FnOnce(Committed),
    ) -> Result<(), Error> {
        self.check_room(&round)?;
        let before = self.on_the_way.take();
        let Self { root, catalog, folders, segments, files, mailboxes, pace, .. } = self;
        let tx = catalog.begin()?;
        let known = before.as_ref().map(|before| &before.plan);
        let mut plan = Plan::make(&tx, catalog, root, &round, known, Names::Free)?;
        plan.append_raw(&round, catalog, root, folders, segments, now)?;
        let mut sync = SyncTiming { way: Way::Whole, files: plan.files.len(), took: Duration::ZERO };
        files.create(root, &round, &mut plan.files, false, &mut sync.took)?;
        segments.flush(root)?;
        plan.ends = segments.ends();
        let (released, last_seq) = timed(&mut sync.took, || {
            root.sync_whole(|| match &before {
                // The rows wait in the transaction until the names that they speak of are durable.
                Some(OnTheWay { round, plan }) => {
                    let released = record::record(catalog, &tx, mailboxes, round, plan, now)?;
                    Ok((released, catalog.get(|_| catalog::last_seq(&tx))?))
                }
                None => Ok((Vec::new(), 0)),
            })
        })??;
        pace.measured(sync);
        plan.sync = sync;
        match before {
            Some(OnTheWay { round, plan }) => {
                catalog.commit(tx)?;
                quarantine::remove(root, &released);
                folders.settle();
                segments.settle(&plan.ends);
                recorded(plan.committed(&round, last_seq));
            }
            None => drop(tx),
        }
        files.rename(root, folders, &plan.files)?;
        self.on_the_way = Some(OnTheWay { round, plan });
        Ok(())
    }

    /// Makes the names of a round durable, and records it.
    fn record_synced(&mut self, before: OnTheWay, now: Timestamp) -> Result<Committed, Error> {
        let OnTheWay { round, plan } = before;
        self.root.is_in_place()?;
        let Self { root, catalog, folders, segments, mailboxes, .. } = self;
        let tx = catalog.begin()?;
        let (released, last_seq) = root.sync_whole(|| {
            let released = record::record(catalog, &tx, mailboxes, &round, &plan, now)?;
            Ok::<_, Error>((released, catalog.get(|_| catalog::last_seq(&tx))?))
        })??;
        catalog.commit(tx)?;
        quarantine::remove(root, &released);
        folders.settle();
        segments.settle(&plan.ends);
        Ok(plan.committed(&round, last_seq))
    }

    /// Whether anything can be written: the folder is where it was, and there is room.
    fn check_room(&self, round: &Round) -> Result<(), Error> {
        self.root.is_in_place()?;
        let quarantines = || round.changes.iter().any(|change| matches!(change, Change::Quarantined { .. }));
        if round.messages.is_empty() && !quarantines() {
            return Ok(());
        }
        let path = self.root.path();
        let (free, _) = self.root.room().map_err(|e| Error::disk("look at", path, e))?;
        if free < self.min_free {
            let what = Shortage::Reserve { free, min_free: self.min_free };
            return Err(Error::Full { what, path: path.to_owned() });
        }
        Ok(())
    }

    /// Folder in which a [`Spool`](crate::Spool) may be made.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.root.path().join(layout::TMP)
    }

    /// Registers a mailbox, or what is new of its names.
    ///
    /// # Errors
    /// From the catalog.
    pub fn mailbox(&mut self, account: &str, mailbox: &MailboxSource) -> Result<MailboxId, Error> {
        let id = self.healing(|archive| archive.register(account, mailbox))?;
        if !self.names.iter().any(|(known, ..)| *known == id) {
            self.names.push((id, account.to_owned(), mailbox.clone()));
        }
        Ok(id)
    }

    fn register(&self, account: &str, mailbox: &MailboxSource) -> Result<MailboxId, Error> {
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

    /// Says that the writer lives, where no commit did lately.
    ///
    /// # Errors
    /// From the catalog; the archive's folder is not where it was.
    pub fn heartbeat(&mut self, now: Timestamp) -> Result<(), Error> {
        self.healing(|archive| {
            archive.root.is_in_place()?;
            let tx = archive.catalog.begin()?;
            catalog::heartbeat(&tx, now).map_err(|e| archive.catalog.error("write", e))?;
            archive.catalog.commit(tx)
        })
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

/// SQLite would make it readable for everybody.
fn create_catalog(root: &Root) -> Result<(), Error> {
    if !root.exists(layout::CATALOG)? {
        drop(root.open_or_create(layout::CATALOG)?);
    }
    root.sync_folder("")
}

/// Adds to `took` how long the work took.
fn timed<T>(took: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = clock();
    let done = work();
    *took += start.elapsed();
    done
}
