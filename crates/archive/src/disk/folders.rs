//! Which folders are there for good.

use std::collections::{BTreeSet, HashSet};

use super::{Root, parent};
use crate::error::Error;

/// Folders whose names, up to the root, are known to be durable; and those that the present round made.
///
/// A folder that is merely there may have been made by a life that died before it synced: the first time
/// that one is used, it counts as made.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    known: HashSet<String>,
    fresh: Vec<String>,
}

impl Folders {
    /// Makes a folder and all above it, where they are not known.
    pub(crate) fn ensure(&mut self, root: &Root, rel: &str) -> Result<(), Error> {
        if rel.is_empty() || self.known.contains(rel) {
            return Ok(());
        }
        self.ensure(root, parent(rel))?;
        root.make_folder(rel)?;
        self.known.insert(rel.to_owned());
        self.fresh.push(rel.to_owned());
        Ok(())
    }

    /// The folders to be synced so that those made in this round stay.
    pub(crate) fn to_sync(&self) -> BTreeSet<String> {
        self.fresh.iter().map(|made| parent(made).to_owned()).collect()
    }

    /// The round is durable, and so are its folders.
    pub(crate) fn settle(&mut self) {
        self.fresh.clear();
    }

    /// The round failed: nothing is known any more.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
        self.fresh.clear();
    }
}
