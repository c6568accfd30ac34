//! A catalog made anew, from documents, raw segments, attachments and quarantine, without asking the server.
//!
//! What comes back: entries in the order in which their messages were stored, blobs and where they lie, mailboxes,
//! generations and their stored UIDs. What the files do not tell is learned from the server again by listing, without
//! fetching: which UIDs are gone or left out. The catalog is another one then: a new epoch, so that readers begin anew,
//! by id, and nothing counts twice.

mod found;
mod gather;
mod scratch;

use std::fmt;
use std::io;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vigie_common::document::Document;
use vigie_common::record::Entry;

pub(crate) use self::gather::hash;
pub(crate) use self::scratch::Scratch;

use self::gather::Gathered;
use crate::catalog::{self, Catalog};
use crate::disk::Root;
use crate::error::Error;
use crate::layout;
use crate::round::Message;
use crate::segment::Header;

/// What is known of mail and not of archives: needed to make a catalog anew.
pub trait Rebuilder: fmt::Debug + Send {
    /// The entry of a document; none if it is of no mailbox.
    fn entry(&self, document: &Document) -> Option<Entry>;

    /// A message anew, from what its raw header says and its exact bytes. `fetched` is told as the time of its fetch.
    ///
    /// # Errors
    /// It cannot be made: it is left for the server to give again.
    fn message(&self, header: &Header, bytes: &[u8], fetched: Timestamp) -> io::Result<Message>;

    /// So many of so many octets are read.
    fn progress(&mut self, done: u64, all: u64);
}

/// What became of a catalog that was made anew.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebuilt {
    /// Messages recorded.
    pub messages: u64,
    /// Those of them whose documents were missing or damaged, and were made anew from their bytes.
    pub remade: u64,
    /// Files among the documents that are no whole documents, and whose bytes are not kept: their messages are fetched
    /// again.
    pub unusable: u64,
    /// Places in raw segments that are damaged.
    pub damaged: u64,
    /// Where the old catalog is now, relative to the archive; none if there was none.
    pub aside: Option<String>,
}

/// Name of the new catalog while it is made.
pub(crate) fn tmp() -> String {
    format!("{}/{}", layout::TMP, layout::CATALOG)
}

/// Makes a catalog in `.tmp`, durable. `names` are mailboxes whose numbers somebody may still use.
pub(crate) fn rebuild(
    root: &Root,
    version: &str,
    names: &[catalog::Named],
    rebuilder: &mut dyn Rebuilder,
) -> Result<(Rebuilt, Scratch), Error> {
    for old in [tmp(), Scratch::name()] {
        root.remove(&old)?;
    }
    let file = root.create(&tmp())?;
    let mut scratch = Scratch::make(root)?;
    let (total, stray) = found::documents(root, &mut scratch)?;
    let catalog = Catalog::create(root.path().join(tmp()), version)?;
    let mut report = Rebuilt { unusable: stray, ..Rebuilt::default() };
    {
        let tx = catalog.begin()?;
        let write = |e| catalog.error("write", e);
        for (id, account, names) in names {
            catalog::register_as(&tx, *id, account, names).map_err(write)?;
        }
        let mut work = gather::Work { root, catalog: &catalog, db: &tx, rebuilder, done: 0, all: total };
        work.all += found::octets(root, layout::RAW)? + found::octets(root, layout::ATTACHMENTS)?;
        report.damaged = work.segments(&mut scratch)?;
        work.attachments()?;
        let mut gathered = Gathered::default();
        work.entries(&mut scratch, &mut gathered, &mut report)?;
        work.quarantine(&mut gathered)?;
        gathered.record(&tx).map_err(write)?;
        if scratch.next(None)?.is_some() {
            catalog::set_to_remake(&tx).map_err(write)?;
        }
        catalog.commit(tx)?;
    }
    catalog.close()?;
    root.sync_file(&file, &tmp())?;
    Ok((report, scratch))
}
