//! What is quarantined: each row's files are there, and nothing else is.

use crate::catalog;
use crate::error::Error;
use crate::layout;
use crate::quarantine::{Note, id_of};

use super::Check;

impl Check<'_> {
    pub(super) fn quarantine(&mut self) -> Result<(), Error> {
        for row in self.catalog.get(catalog::quarantined)? {
            let path = layout::quarantine(&row.account, &row.id, layout::NOTE);
            let what = match self.note(&path) {
                Ok(note) if note.id == row.id => continue,
                Ok(note) => format!("is about {}, not about {}", note.id, row.id),
                Err(what) => what,
            };
            // Stored after all since the rows were read.
            if self.catalog.get(|db| catalog::is_quarantined(db, &row.id))? {
                self.problem(&path, what, "nothing of the message is lost by that: `vigie-ingest quarantine retry` asks the server for it again");
            }
        }
        for account in self.root.list(layout::QUARANTINE)? {
            for name in self.root.list(&format!("{}/{account}", layout::QUARANTINE))? {
                self.quarantine_file(&account, &name);
            }
        }
        Ok(())
    }

    /// A file that is there says what it is, by itself or by the note beside it.
    fn quarantine_file(&mut self, account: &str, name: &str) {
        let path = format!("{}/{account}/{name}", layout::QUARANTINE);
        if self.is_in_hand(&path) {
            return;
        }
        let Some(id) = id_of(name) else {
            self.problem(&path, "is nothing of the quarantine's", "find out who put it there; remove it");
            return;
        };
        let wrong = match self.note(&layout::quarantine(account, &id, layout::NOTE)) {
            Err(what) => Some(format!("its note {what}")),
            Ok(note) if note.id != id => Some(format!("its note is about {}", note.id)),
            Ok(note) if !name.ends_with(layout::NOTE) => {
                let length = self.root.look_at(&path).and_then(|file| file.metadata()).map(|of| of.len());
                match length {
                    Ok(length) if length == note.bytes => None,
                    Ok(length) => Some(format!("has {length} octets, should have {}", note.bytes)),
                    Err(error) => Some(format!("cannot be read: {error}")),
                }
            }
            Ok(_) => None,
        };
        if let Some(what) = wrong {
            self.problem(
                &path,
                what,
                "restore it from a backup, or remove it: it is not needed for anything else",
            );
        }
    }

    fn note(&self, path: &str) -> Result<Note, String> {
        let bytes = self.root.read(path).map_err(|e| format!("cannot be read: {e}"))?;
        serde_json::from_slice(&bytes).map_err(|e| format!("is no whole note: {e}"))
    }
}
