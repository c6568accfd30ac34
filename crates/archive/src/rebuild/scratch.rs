//! What was found of each message, put aside in a file: there may be more messages than memory.

use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension};

use crate::disk::Root;
use crate::error::Error;
use crate::layout;
use crate::segment::Header;

/// What was found of a message.
#[derive(Debug)]
pub(crate) struct Found {
    /// Account id: the name of its folder.
    pub(crate) account: String,
    /// Its id, as the file or the raw header says.
    pub(crate) id: String,
    /// Where its document lies.
    pub(crate) path: Option<String>,
    /// Its raw header.
    pub(crate) header: Option<Header>,
    /// It was erased.
    pub(crate) erased: bool,
}

/// The file.
#[derive(Debug)]
pub(crate) struct Scratch {
    db: Connection,
    path: PathBuf,
}

impl Scratch {
    /// Its name.
    pub(crate) fn name() -> String {
        format!("{}/rebuild.db", layout::TMP)
    }

    pub(super) fn make(root: &Root) -> Result<Self, Error> {
        drop(root.create(&Self::name())?);
        let path = root.path().join(Self::name());
        let db = Connection::open(&path).map_err(|e| Error::sql("open", &path, e))?;
        let scratch = Self { db, path };
        scratch.run(|db| {
            db.execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
                 PRAGMA cache_size = -8192;
                 CREATE TABLE found (
                    account TEXT NOT NULL,
                    id      TEXT NOT NULL,
                    path    TEXT,
                    place   INTEGER,             -- of its first header, in the order of all
                    header  TEXT,
                    erased  INTEGER NOT NULL DEFAULT 0,
                    remake  INTEGER NOT NULL DEFAULT 0,
                    PRIMARY KEY (account, id)
                 ) STRICT, WITHOUT ROWID;
                 BEGIN",
            )
        })?;
        Ok(scratch)
    }

    fn run<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        work(&self.db).map_err(|e| Error::sql("write", &self.path, e))
    }

    /// A document lies there; `false` if another one of this id was found before.
    pub(super) fn document(&mut self, account: &str, id: &str, path: &str) -> Result<bool, Error> {
        self.run(|db| {
            db.prepare_cached("INSERT OR IGNORE INTO found (account, id, path) VALUES (?1, ?2, ?3)")?
                .execute((account, id, path))
        })
        .map(|made| made > 0)
    }

    /// A header, at this place in the order of all.
    pub(super) fn header(&mut self, account: &str, place: u64, header: &Header) -> Result<(), Error> {
        let json = serde_json::to_string(header).map_err(|e| Error::disk("write", &self.path, e.into()))?;
        self.run(|db| {
            db.prepare_cached(
                "INSERT INTO found (account, id, place, header, erased) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET place = coalesce(place, excluded.place),
                   header = excluded.header, erased = max(erased, excluded.erased)",
            )?
            .execute((account, header.id.as_str(), place.cast_signed(), json, header.erased))
            .map(drop)
        })
    }

    /// All messages, account by account, in the order in which they were stored; those without a header come last.
    pub(super) fn each(&self, each: &mut dyn FnMut(&Self, Found) -> Result<(), Error>) -> Result<(), Error> {
        let error = |e| Error::sql("read", &self.path, e);
        let sql = "SELECT account, id, path, header, erased FROM found
                   ORDER BY account, place IS NULL, place, path";
        let mut query = self.db.prepare(sql).map_err(error)?;
        let mut rows = query.query([]).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            each(self, found(row).map_err(error)?)?;
        }
        Ok(())
    }

    /// The document is to be made anew.
    pub(super) fn remake(&self, found: &Found) -> Result<(), Error> {
        self.run(|db| {
            db.prepare_cached("UPDATE found SET remake = 1 WHERE account = ?1 AND id = ?2")?
                .execute((&found.account, &found.id))
                .map(drop)
        })
    }

    /// One whose document is to be made anew, behind the one before.
    pub(crate) fn next(&self, before: Option<&Found>) -> Result<Option<Found>, Error> {
        let (account, id) = before.map_or(("", ""), |found| (&found.account, &found.id));
        self.run(|db| {
            db.prepare_cached(
                "SELECT account, id, path, header, erased FROM found
                 WHERE remake = 1 AND (account, id) > (?1, ?2) ORDER BY account, id LIMIT 1",
            )?
            .query_row((account, id), found)
            .optional()
        })
    }

    /// Removes the file.
    pub(crate) fn remove(self, root: &Root) -> Result<(), Error> {
        drop(self.db);
        root.remove(&Self::name())
    }
}

fn found(row: &rusqlite::Row<'_>) -> rusqlite::Result<Found> {
    let header: Option<String> = row.get(3)?;
    Ok(Found {
        account: row.get(0)?,
        id: row.get(1)?,
        path: row.get(2)?,
        // Written by us a moment ago.
        header: header.and_then(|json| serde_json::from_str(&json).ok()),
        erased: row.get(4)?,
    })
}
