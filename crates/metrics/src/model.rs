//! The read model: one SQLite file that can be deleted at any time. One process writes it, and holds its lock.
//!
//! The rows, what is summed up from them, and the cursor change in one transaction: a message counts once,
//! whatever ends this process.

mod apply;
mod names;
pub mod page;
mod samples;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use vigie_common::record::Cursor;

pub use self::apply::{Applied, Latest};
use self::names::Names;
pub use self::samples::{Sample, TIERS};
use crate::error::{Error, Result};

const SCHEMA: &str = include_str!("model/schema.sql");
/// Version of the schema. A file of any other version is thrown away.
const FORMAT: u32 = 1;
/// `vgie`, which SQLite keeps in the head of the file: what is not marked so is not ours to throw away.
const MARK: [u8; 4] = *b"vgie";
/// Where in the file it stands.
const MARK_AT: u64 = 68;

/// The read model, open for writing.
#[derive(Debug)]
pub struct Model {
    db: Connection,
    path: PathBuf,
    /// Device and number of the file.
    file: (u64, u64),
    names: Names,
    /// Let go last.
    _lock: Lock,
}

/// The lock, held. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
struct Lock(File);

impl Lock {
    fn take(path: &Path) -> Result<Self> {
        let file = path.with_added_extension("lock");
        let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&file);
        let opened = opened.map_err(|e| Error::disk("make", &file, e))?;
        match opened.try_lock() {
            Ok(()) => Ok(Self(opened)),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(e)) => Err(Error::disk("lock", file, e)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone is not enough: a child that is just being started shares the open file.
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "could not let go of the read model's lock");
        }
    }
}

impl Model {
    /// Opens the read model, or makes it. One that cannot be used is thrown away.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process writes it, [`Error::Foreign`], [`Error::Disk`].
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| Error::disk("make", folder, e))?;
        }
        let lock = Lock::take(path)?;
        let (db, file) = match connect(path) {
            Err(Error::Unusable { what, .. }) => {
                tracing::warn!(database = %path.display(), %what, "the read model cannot be used: it is made anew from the catalog; samples of the host are lost");
                discard(path)?;
                connect(path)?
            }
            opened => opened?,
        };
        Ok(Self { db, path: path.to_owned(), file, names: Names::default(), _lock: lock })
    }

    /// Throws the file away and begins a new one.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn remake(&mut self) -> Result<()> {
        // Nobody else may write to it while there are two of it.
        self.db = Connection::open_in_memory().map_err(|e| Error::sql("open", &self.path, e))?;
        self.names = Names::default();
        discard(&self.path)?;
        (self.db, self.file) = connect(&self.path)?;
        Ok(())
    }

    /// Whether the file that is written is still the one that others find.
    ///
    /// # Errors
    /// [`Error::Unusable`] where it is not: it may be deleted at any time.
    pub fn look(&self) -> Result<()> {
        if std::fs::metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file) {
            return Ok(());
        }
        Err(Error::Unusable { path: self.path.clone(), what: "it was deleted or replaced".into() })
    }

    /// How far it has come; `None` at the beginning.
    ///
    /// # Errors
    /// From the database, as with all of these.
    pub fn cursor(&self) -> Result<Option<Cursor>> {
        let found: Option<String> = self
            .db
            .prepare_cached("SELECT value FROM meta WHERE key = 'cursor'")
            .and_then(|mut query| query.query_row([], |row| row.get(0)).optional())
            .map_err(|e| self.error("read", e))?;
        let wrong = |_| Error::Unusable { path: self.path.clone(), what: "its cursor is none".into() };
        found.map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// Forgets all mail, so that it is read again from the start. What was sampled of the host stays.
    ///
    /// # Errors
    /// From the database.
    pub fn clear(&mut self) -> Result<()> {
        self.write(|db, _| clear(db))
    }

    /// Moves what was written from the log to the database, so that the log does not grow.
    ///
    /// # Errors
    /// From the database.
    pub fn checkpoint(&self) -> Result<()> {
        let query = "PRAGMA wal_checkpoint(TRUNCATE)";
        // A reader may be in the way: then it is for the next time.
        self.db.query_row(query, [], |_| Ok(())).map_err(|e| self.error("write", e))
    }

    /// Runs one transaction.
    fn write<T>(&mut self, work: impl FnOnce(&Connection, &mut Names) -> rusqlite::Result<T>) -> Result<T> {
        let Self { db, names, .. } = self;
        let run = || {
            let tx = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
            let done = work(&tx, names)?;
            tx.commit()?;
            Ok(done)
        };
        let done = run();
        done.map_err(|e| {
            // Numbers given in it are not in the database.
            self.names = Names::default();
            self.error("write", e)
        })
    }

    fn error(&self, step: &'static str, error: rusqlite::Error) -> Error {
        Error::sql(step, &self.path, error)
    }
}

fn clear(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "DELETE FROM page; DELETE FROM message; DELETE FROM domain; DELETE FROM sender;
         DELETE FROM mailbox; DELETE FROM account; DELETE FROM meta WHERE key = 'cursor';",
    )
}

fn connect(path: &Path) -> Result<(Connection, (u64, u64))> {
    check_ours(path)?;
    // SQLite would make it readable for everybody.
    let made = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = made.and_then(|made| made.metadata()).map_err(|e| Error::disk("make", path, e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let prepare = || {
        let db = Connection::open_with_flags(path, flags)?;
        db.set_prepared_statement_cache_capacity(64);
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        // Before the log is begun: it is to stand in the file itself.
        let mark: i32 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        if mark != i32::from_be_bytes(MARK) {
            db.pragma_update(None, "application_id", i32::from_be_bytes(MARK))?;
        }
        // After a power failure the last transactions may be missing: they are read again from the catalog.
        db.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = NORMAL;
             PRAGMA cache_size = -16384;
             PRAGMA wal_autocheckpoint = 4000;",
        )?;
        let tables: u32 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            let tx = Transaction::new_unchecked(&db, TransactionBehavior::Immediate)?;
            tx.execute_batch(SCHEMA)?;
            tx.execute("INSERT INTO meta (key, value) VALUES ('format', ?1)", [FORMAT])?;
            tx.commit()?;
        }
        let format = "SELECT value FROM meta WHERE key = 'format'";
        let found: Option<u32> = db.query_row(format, [], |row| row.get(0)).optional()?;
        Ok((db, found))
    };
    let (db, found) = prepare().map_err(|e| match Error::sql("open", path, e) {
        // "no such table": a database, but none of ours.
        Error::Disk { source, .. } if source.to_string().contains("no such table") => {
            Error::Unusable { path: path.to_owned(), what: source.to_string() }
        }
        error => error,
    })?;
    if found != Some(FORMAT) {
        let what = format!("its format is {found:?}, this version knows {FORMAT}");
        return Err(Error::Unusable { path: path.to_owned(), what });
    }
    Ok((db, (file.dev(), file.ino())))
}

/// Whether a file may be written to and thrown away: it is missing, empty or marked as ours.
///
/// # Errors
/// [`Error::Foreign`] where it may not, [`Error::Disk`].
pub fn check_ours(path: &Path) -> Result<()> {
    let read = || -> io::Result<bool> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(true);
        }
        let mut mark = [0; MARK.len()];
        file.read_exact_at(&mut mark, MARK_AT)?;
        Ok(mark == MARK)
    };
    match read() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Foreign { path: path.to_owned() }),
        Err(e) => match e.kind() {
            io::ErrorKind::NotFound => Ok(()),
            io::ErrorKind::UnexpectedEof => Err(Error::Foreign { path: path.to_owned() }),
            _ => Err(Error::disk("read", path, e)),
        },
    }
}

fn discard(path: &Path) -> Result<()> {
    check_ours(path)?;
    let suffixed = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    for file in [path.to_owned(), suffixed("-wal"), suffixed("-shm")] {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::disk("remove", file, error));
            }
            _ => {}
        }
    }
    Ok(())
}
