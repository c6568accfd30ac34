//! The catalog: one SQLite file that numbers what is stored, and knows how far each mailbox is dealt with.

mod blob;
mod change;
mod coverage;
mod earlier;
mod mailbox;
mod quarantine;
mod record;
mod value;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use vigie_common::document::MailboxSource;

pub(crate) use self::blob::{
    BlobRow, attachment_known, attachments, blob, forget_attachment, forget_place, insert_attachment,
    insert_blob, locate,
};
pub(crate) use self::blob::{forget_segment, last_segment, places, segment_number, segments, set_segment};
pub(crate) use self::change::{Refusal, apply, close, has_open};
pub(crate) use self::coverage::{Kind, cover, ranges, uncover};
pub(crate) use self::earlier::{earlier, stored_as, stored_in};
pub(crate) use self::mailbox::{
    all_mailboxes, count, find, mailboxes, received, register, register_as, set_present, statuses, view,
};
pub(crate) use self::quarantine::{insert_quarantined, is_quarantined, quarantined, release};
pub(crate) use self::record::{
    Filled, before, by_id, entries, entry_of, insert_entry, insert_event, is_at, last_seq, mark_of, tail,
    with_bytes,
};
pub(crate) use self::value::{micros, time};
use crate::error::Error;
use crate::layout;
use crate::mailbox::MailboxId;
use crate::reader::{Totals, Writer};
use crate::steps::step;

const SCHEMA: &str = include_str!("catalog/schema.sql");
/// Version of the schema. A binary that knows less refuses the catalog.
const FORMAT: u32 = 2;
/// What takes a catalog from a format to the next, by the format that it begins with.
const UPGRADES: [(u32, &str); 1] = [(1, include_str!("catalog/from-1.sql"))];

/// A mailbox: its number, its account, its names.
pub(crate) type Named = (MailboxId, String, MailboxSource);

/// An open catalog.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) db: Connection,
    path: PathBuf,
}

impl Catalog {
    /// Opens it for writing, and makes it where its file is empty.
    pub(crate) fn open(root: &Path, version: &str) -> Result<Self, Error> {
        let path = root.join(layout::CATALOG);
        let catalog = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let format = catalog.format()?;
        // SQLite leaves alone what a later version of its own wrote. There is none: we brought it along.
        let refuses = catalog.get(|db| db.is_readonly(rusqlite::MAIN_DB))?;
        if refuses && std::fs::File::options().write(true).open(&catalog.path).is_ok() {
            let what = "its header says that it must not be written".to_owned();
            return Err(Error::Damaged { path: catalog.path, what });
        }
        catalog
            .db
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA foreign_keys = ON;
                 PRAGMA cache_size = -8192;
                 PRAGMA wal_autocheckpoint = 4000;",
            )
            .map_err(|e| catalog.error("prepare", e))?;
        match format {
            None => catalog.make(version)?,
            Some(format) => catalog.upgrade(format)?,
        }
        Ok(catalog)
    }

    /// Makes one anew, in a file that is there and empty, as fast as can be: it is of no use before it is whole. Whoever
    /// calls this makes the file durable.
    pub(crate) fn create(path: PathBuf, version: &str) -> Result<Self, Error> {
        let catalog = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let quick = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32768;";
        catalog.db.execute_batch(quick).map_err(|e| catalog.error("prepare", e))?;
        catalog.make(version)?;
        Ok(catalog)
    }

    /// One that holds nothing, for as long as there is no other.
    pub(crate) fn nowhere(root: &Path) -> Result<Self, Error> {
        let path = root.join(layout::CATALOG);
        let db = Connection::open_in_memory().map_err(|e| Error::sql("open", &path, e))?;
        Ok(Self { db, path })
    }

    /// Closes it; that nothing is left to be written is certain then.
    pub(crate) fn close(self) -> Result<(), Error> {
        let Self { db, path } = self;
        db.close().map_err(|(_, e)| Error::sql("close", &path, e))
    }

    /// Whether the last writer did not end in order and the machine was started since: what it wrote last may not
    /// have reached the disk, whatever the disk said.
    pub(crate) fn is_doubtful(&self) -> Result<bool, Error> {
        let unfinished = self.get(writer)?.is_some();
        Ok(unfinished && self.get(|db| db.query_row(BOOT, [], |row| row.get(0)).optional())? != boot())
    }

    /// Opens it for reading.
    pub(crate) fn read(root: &Path) -> Result<Self, Error> {
        let none = || Error::NoArchive { root: root.to_owned() };
        let path = root.join(layout::CATALOG);
        if !path.exists() {
            return Err(none());
        }
        let catalog = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // Its writer is just making it.
        let format = catalog.format()?.ok_or_else(none)?;
        if format < FORMAT {
            return Err(Error::Older { path: catalog.path, found: format, known: FORMAT });
        }
        Ok(catalog)
    }

    fn connect(path: PathBuf, flags: OpenFlags) -> Result<Self, Error> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags).map_err(|e| Error::sql("open", &path, e))?;
        db.set_prepared_statement_cache_capacity(64);
        let catalog = Self { db, path };
        catalog.db.busy_timeout(std::time::Duration::from_secs(5)).map_err(|e| catalog.error("open", e))?;
        Ok(catalog)
    }

    /// The version of its schema; none if it has none yet.
    fn format(&self) -> Result<Option<u32>, Error> {
        let made = "SELECT count(*) FROM sqlite_schema";
        let tables: u32 = self.db.query_row(made, [], |row| row.get(0)).map_err(|e| self.error("read", e))?;
        if tables == 0 {
            return Ok(None);
        }
        let found: Option<u32> = self
            .db
            .query_row("SELECT value FROM meta WHERE key = 'format'", [], |row| row.get(0))
            .optional()
            .map_err(|e| self.error("read", e))?;
        match found {
            Some(1..=FORMAT) => Ok(found),
            Some(found) if found > FORMAT => {
                Err(Error::Newer { path: self.path.clone(), found, known: FORMAT })
            }
            other => Err(Error::Damaged {
                path: self.path.clone(),
                what: format!("its format is {other:?}, this version knows {FORMAT}"),
            }),
        }
    }

    /// Takes a catalog of an older version to ours, a format at a time.
    fn upgrade(&self, from: u32) -> Result<(), Error> {
        for (format, sql) in UPGRADES.iter().filter(|(format, _)| *format >= from) {
            let tx = self.begin()?;
            tx.execute_batch(sql).map_err(|e| self.error("upgrade", e))?;
            self.commit(tx)?;
            tracing::info!(path = %self.path.display(), from = format, to = format + 1, "the catalog was upgraded");
        }
        Ok(())
    }

    fn make(&self, version: &str) -> Result<(), Error> {
        let make = || {
            let tx = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
            tx.execute_batch(SCHEMA)?;
            // SQLite's integers are signed: the bits are what counts.
            let epoch = rand::random::<u64>().cast_signed();
            tx.execute(
                "INSERT INTO meta (key, value) VALUES ('format', ?1), ('epoch', ?2), ('version', ?3)",
                (FORMAT, epoch, version),
            )?;
            Ok(tx)
        };
        let tx = make().map_err(|e| self.error("make", e))?;
        self.commit(tx)
    }

    /// A transaction that will write.
    pub(crate) fn begin(&self) -> Result<Transaction<'_>, Error> {
        Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)
            .map_err(|e| self.error("write", e))
    }

    /// Makes a transaction durable, and visible.
    pub(crate) fn commit(&self, tx: Transaction<'_>) -> Result<(), Error> {
        step("commit", "").map_err(|e| Error::disk("commit to", &self.path, e))?;
        tx.commit().map_err(|e| self.error("commit to", e))
    }

    pub(crate) fn error(&self, what: &'static str, error: rusqlite::Error) -> Error {
        Error::sql(what, &self.path, error)
    }

    /// Runs a query.
    pub(crate) fn get<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        query(&self.db).map_err(|e| self.error("read", e))
    }
}

/// Name of this making of the catalog.
pub(crate) fn epoch(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT value FROM meta WHERE key = 'epoch'")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

/// Messages of which this catalog knows are yet to be made anew: without them it is not whole.
pub(crate) fn set_to_remake(db: &Connection) -> rusqlite::Result<()> {
    db.execute("INSERT INTO meta (key, value) VALUES ('remake', 1)", []).map(drop)
}

/// They are made.
pub(crate) fn clear_to_remake(db: &Connection) -> rusqlite::Result<()> {
    db.execute("DELETE FROM meta WHERE key = 'remake'", []).map(drop)
}

pub(crate) fn is_to_remake(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare("SELECT 1 FROM meta WHERE key = 'remake'")?.exists([])
}

/// Says that the writer lives.
pub(crate) fn heartbeat(db: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE writer SET heartbeat = ?1")?.execute([micros(now)]).map(drop)
}

/// The start of the machine at which the last writer began.
const BOOT: &str = "SELECT value FROM meta WHERE key = 'boot'";

/// A name of this start of the machine, if it can be had.
fn boot() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

/// Says who writes.
pub(crate) fn set_writer(db: &Connection, pid: u32, version: &str, now: Timestamp) -> rusqlite::Result<()> {
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('boot', ?1)", [boot().unwrap_or_default()])?;
    db.execute("INSERT OR REPLACE INTO writer VALUES (1, ?1, ?2, ?3, ?3)", (pid, version, micros(now)))
        .map(drop)
}

/// Says that nobody writes.
pub(crate) fn clear_writer(db: &Connection) -> rusqlite::Result<()> {
    db.execute("DELETE FROM writer", []).map(drop)
}

pub(crate) fn writer(db: &Connection) -> rusqlite::Result<Option<Writer>> {
    db.prepare_cached("SELECT pid, version, since, heartbeat FROM writer")?
        .query_row([], |row| {
            Ok(Writer {
                pid: row.get(0)?,
                version: row.get(1)?,
                since: time(row, 2)?,
                heartbeat: time(row, 3)?,
            })
        })
        .optional()
}

pub(crate) fn totals(db: &Connection) -> rusqlite::Result<Totals> {
    let sums = "SELECT coalesce(sum(stored), 0), coalesce(sum(bytes), 0) FROM generation";
    let (messages, bytes) = db.prepare_cached(sums)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Totals { messages, bytes, last_seq: last_seq(db)? })
}

/// What SQLite finds wrong in its file; empty when all is well. `quick` leaves out whether indexes and tables agree.
pub(crate) fn integrity(db: &Connection, quick: bool) -> rusqlite::Result<Vec<String>> {
    let check = if quick { "PRAGMA quick_check(10)" } else { "PRAGMA integrity_check" };
    let found: Vec<String> = db.prepare(check)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(found.into_iter().filter(|what| what != "ok").collect())
}
