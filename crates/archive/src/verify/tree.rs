//! What lies in the folders and should not.

use super::{Check, Repair};
use crate::catalog;
use crate::error::Error;
use crate::layout;

impl Check<'_> {
    pub(super) fn tree(&mut self) -> Result<(), Error> {
        for name in self.root.list(layout::TMP)? {
            let path = format!("{}/{name}", layout::TMP);
            if !self.is_in_hand(&path) {
                let what = "is left over from a run that was interrupted";
                self.repairable(&path, what, Repair::Leftover(path.clone()));
            }
        }
        self.documents(layout::MESSAGES)
    }

    /// No document without an entry.
    fn documents(&mut self, folder: &str) -> Result<(), Error> {
        for name in self.root.list(folder)? {
            let path = format!("{folder}/{name}");
            if self.root.is_folder(&path)? {
                self.documents(&path)?;
                continue;
            }
            let id = name.strip_suffix(".json").map(|stem| stem.rsplit('-').next().unwrap_or(stem));
            match id {
                Some(id) if self.catalog.get(|db| catalog::is_at(db, id, &path))? => {}
                Some(_) if self.is_in_hand(&path) => {}
                Some(_) => {
                    let what = "no entry of the catalog names this document";
                    match self.root.look_at(&path) {
                        Ok(_) => self.repairable(&path, what, Repair::Entry(path.clone())),
                        Err(e) => {
                            let what = format!("{what}, and it cannot be read: {e}");
                            self.problem(&path, what, "look at its owner and mode, and at the disk's health");
                        }
                    }
                }
                None => self.problem(&path, "is no document", "find out who put it there; remove it"),
            }
        }
        Ok(())
    }
}
