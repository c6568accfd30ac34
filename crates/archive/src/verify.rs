//! Whether all of an archive is there and whole.

mod messages;
mod quarantine;
mod repair;
mod segments;
mod tree;

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::repair::Repair;
pub use self::repair::Repaired;

use crate::Error;
use crate::catalog::{self, Catalog};
use crate::disk::Root;
use crate::layout;

/// Behind this, nobody writes: a heartbeat is due every 10 s.
const SILENCE: Duration = Duration::from_secs(30);
/// What a writer has in hand is younger than this.
const IN_HAND: Duration = Duration::from_secs(60);

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Where, relative to the archive.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub todo: String,
    /// How it can be repaired, if it can.
    #[serde(skip)]
    pub(crate) repair: Option<Repair>,
}

/// Reads everything: every entry, document, attachment and segment, and whether all of it hashes right. `progress` is
/// told how many of how many octets are done. May run beside a writer: what that has in hand is then left out.
///
/// # Errors
/// When it cannot look at all; what it finds wrong is in the report.
pub fn verify(root: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, Error> {
    check(root, true, progress)
}

/// The same without reading what is in the files: whether all are there, have their length and their end.
///
/// # Errors
/// As [`verify`].
pub fn verify_quick(root: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, Error> {
    check(root, false, progress)
}

fn check(root: &Path, deep: bool, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, Error> {
    let catalog = Catalog::read(root)?;
    let now = vigie_common::clock::now();
    let writer = catalog.get(catalog::writer)?;
    let live = writer.is_some_and(|writer| now.duration_since(writer.heartbeat).unsigned_abs() < SILENCE);
    let mut check = Check {
        root: Rc::new(Root::look(root)?),
        catalog,
        report: Report::default(),
        in_hand: live.then_some(IN_HAND),
        deep,
        done: 0,
        all: 0,
        progress,
    };
    check.all = check.catalog.get(catalog::totals)?.bytes;
    if deep {
        check.all += check.catalog.get(catalog::segments)?.iter().map(|(.., length)| length).sum::<u64>();
    }
    check.catalog_file()?;
    check.segments()?;
    check.messages()?;
    if !deep {
        check.attachments()?;
    }
    check.tree()?;
    check.quarantine()?;
    Ok(check.report)
}

/// A verification under way.
struct Check<'a> {
    root: Rc<Root>,
    catalog: Catalog,
    report: Report,
    /// While somebody writes: what is younger than this and not recorded is what he has in hand.
    in_hand: Option<Duration>,
    deep: bool,
    /// Octets looked at, and to be looked at.
    done: u64,
    all: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Check<'_> {
    fn problem(&mut self, path: &str, what: impl Into<String>, todo: &str) {
        self.report.problems.push(Problem {
            path: path.to_owned(),
            what: what.into(),
            todo: todo.to_owned(),
            repair: None,
        });
    }

    /// A problem that [`Archive::repair`](crate::Archive::repair) can do something about.
    fn repairable(&mut self, path: &str, what: impl Into<String>, repair: Repair) {
        let todo = format!("run `vigie-ingest verify --repair`: {}", repair.how());
        self.problem(path, what, &todo);
        if let Some(problem) = self.report.problems.last_mut() {
            problem.repair = Some(repair);
        }
    }

    fn looked_at(&mut self, octets: u64) {
        self.done += octets;
        (self.progress)(self.done, self.all.max(self.done));
    }

    /// The catalog itself: its pages and indexes, and so that no id is there twice.
    fn catalog_file(&mut self) -> Result<(), Error> {
        let found = self.catalog.get(|db| catalog::integrity(db, false))?;
        for what in found {
            self.problem(
                layout::CATALOG,
                what,
                "run `vigie-ingest rebuild-catalog`: it is made anew from the files",
            );
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
