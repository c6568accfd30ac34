//! Whether all of an archive is there and whole.

mod messages;
mod quarantine;
mod segments;
mod tree;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::Error;
use crate::catalog::{self, Catalog};
use crate::disk::Root;
use crate::layout;

/// Behind this, nobody writes: a heartbeat is due every 10 s.
const SILENCE: Duration = Duration::from_secs(30);
/// What a writer has in hand is younger than this.
const IN_HAND: Duration = Duration::from_secs(60);

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Entries looked at.
    pub messages: u64,
    /// Octets of their messages.
    pub bytes: u64,
    /// What is wrong; empty when all is well.
    pub problems: Vec<Problem>,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Where, relative to the archive.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub todo: String,
}

/// Looks at every entry, document, attachment and segment. `progress` is told how many of how many
/// messages are done. May run beside a writer: what that has in hand is then left out.
///
/// # Errors
/// When it cannot look at all; what it finds wrong is in the report.
pub fn verify(root: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, Error> {
    let catalog = Catalog::read(root)?;
    let now = vigie_common::clock::now();
    let writer = catalog.get(catalog::writer)?;
    let live = writer.is_some_and(|writer| now.duration_since(writer.heartbeat).unsigned_abs() < SILENCE);
    let mut check = Check {
        root: Root::look(root)?,
        catalog,
        report: Report::default(),
        in_hand: live.then_some(IN_HAND),
    };
    check.catalog_file()?;
    check.segments()?;
    check.messages(progress)?;
    check.tree()?;
    check.quarantine()?;
    Ok(check.report)
}

/// A verification under way.
struct Check {
    root: Root,
    catalog: Catalog,
    report: Report,
    /// While somebody writes: what is younger than this and not recorded is what he has in hand.
    in_hand: Option<Duration>,
}

impl Check {
    fn problem(&mut self, path: &str, what: impl Into<String>, todo: &str) {
        self.report.problems.push(Problem {
            path: path.to_owned(),
            what: what.into(),
            todo: todo.to_owned(),
        });
    }

    /// The catalog itself: its pages and indexes, and so that no id is there twice.
    fn catalog_file(&mut self) -> Result<(), Error> {
        let found = self.catalog.get(|db| catalog::integrity(db, false))?;
        for what in found {
            self.problem(layout::CATALOG, what, "stop ingest and restore the catalog from a backup");
        }
        Ok(())
    }

    /// Whether this may be something that the writer has in hand.
    fn is_in_hand(&self, rel: &str) -> bool {
        let Some(young) = self.in_hand else { return false };
        match self.root.look_at(rel).and_then(|file| file.metadata()?.modified()) {
            Ok(changed) => changed.elapsed().is_ok_and(|age| age < young),
            Err(e) => e.kind() == std::io::ErrorKind::NotFound,
        }
    }
}
