//! What lies in the folders and should not.

use super::Check;
use crate::catalog;
use crate::error::Error;
use crate::layout;

impl Check {
    pub(super) fn tree(&mut self) -> Result<(), Error> {
        for name in self.root.list(layout::TMP)? {
            let path = format!("{}/{name}", layout::TMP);
            if !self.is_in_hand(&path) {
                self.problem(
                    &path,
                    "is left over from a run that was interrupted",
                    "start ingest: it cleans up",
                );
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
                Some(_) => self.problem(
                    &path,
                    "no entry of the catalog names this document",
                    "nothing is lost: ingest replaces it if it meets that message again; else it can be removed",
                ),
                None => self.problem(&path, "is no document", "find out who put it there; remove it"),
            }
        }
        Ok(())
    }
}
