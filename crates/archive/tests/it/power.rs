//! What a power cut would leave: only what was synced, and only under names that were synced.
//!
//! The steps of a run are played back on a model of a disk that keeps nothing else. At each commit, every
//! file that the round has written must be whole in it: data before name, name before catalog.

use std::collections::{BTreeMap, BTreeSet};

use vigie_archive::faults::{self, Plan};
use vigie_archive::{Archive, Round};

use crate::fixture::{folder, mail, now, settings};
use crate::scenario;

/// A disk that forgets what is not synced. Files go by the name under which they were made.
#[derive(Default)]
struct Disk {
    /// Present names: of a file, of a folder.
    files: BTreeMap<String, String>,
    folders: BTreeSet<String>,
    /// Names that would be there after a cut.
    durable: BTreeMap<String, String>,
    durable_folders: BTreeSet<String>,
    /// Files whose data would not be.
    unsynced: BTreeSet<String>,
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

impl Disk {
    fn play(&mut self, what: &str, path: &str) {
        match what {
            "create" | "open" => {
                self.files.insert(path.into(), path.into());
            }
            "write" => {
                self.unsynced.insert(self.files[path].clone());
            }
            "sync" => {
                self.unsynced.remove(&self.files[path]);
            }
            "make folder" => {
                self.folders.insert(path.into());
            }
            "rename" => {
                let (from, to) = path.split_once(' ').unwrap();
                let file = self.files.remove(from).unwrap();
                assert!(!self.unsynced.contains(&file), "{to} gets its name before its data is durable");
                self.files.insert(to.into(), file);
            }
            "sync folder" => {
                self.durable.retain(|name, _| parent(name) != path);
                let inside = self.files.iter().filter(|(name, _)| parent(name) == path);
                self.durable.extend(inside.map(|(name, file)| (name.clone(), file.clone())));
                let inside = self.folders.iter().filter(|name| parent(name) == path);
                self.durable_folders.extend(inside.cloned());
            }
            "sync whole" => {
                self.unsynced.clear();
                self.durable.clone_from(&self.files);
                self.durable_folders.clone_from(&self.folders);
            }
            "commit" => {
                let kept = |name: &&String| {
                    ["messages/", "raw/", "attachments/"].iter().any(|f| name.starts_with(f))
                };
                for name in self.files.keys().filter(kept) {
                    self.whole_after_a_cut(name);
                }
            }
            "remove" => {
                self.files.remove(path);
            }
            "cut" | "make root" | "sync parent of root" => {}
            other => panic!("a step that this disk does not know: {other}"),
        }
    }

    fn whole_after_a_cut(&self, name: &str) {
        let file = &self.files[name];
        assert_eq!(self.durable.get(name), Some(file), "{name} would have no name");
        assert!(!self.unsynced.contains(file), "{name} would be empty");
        let mut folder = parent(name);
        while !folder.is_empty() {
            assert!(self.durable_folders.contains(folder), "{folder} would not be there");
            folder = parent(folder);
        }
    }
}

pub(crate) fn play(log: &[(&'static str, String)]) -> usize {
    let mut disk = Disk::default();
    log.iter().for_each(|(what, path)| disk.play(what, path));
    log.iter().filter(|(what, _)| *what == "commit").count()
}

#[test]
fn nothing_is_recorded_before_it_is_durable() {
    let folder = folder();
    faults::set(Plan::Fail(u64::MAX, 0));
    scenario::undisturbed(&settings(&folder.path().join("archive")));
    let log = faults::log();
    faults::set(Plan::Undisturbed);
    assert!(log.iter().any(|(what, _)| *what == "sync whole"), "large rounds");
    assert!(log.iter().any(|(what, path)| *what == "sync" && path.starts_with(".tmp/")), "small rounds");
    assert!(play(&log) > 5);
}

/// After a failure nothing of the round is believed to be durable: not a folder, not a name, not a segment.
#[test]
fn nor_after_a_failure_at_any_step() {
    let steps = {
        let folder = folder();
        failing(&folder.path().join("archive"), u64::MAX).len()
    };
    for step in 1..=steps {
        let folder = folder();
        let log = failing(&folder.path().join("archive"), step as u64);
        // A sync that failed has made nothing durable, and the data that it failed on is lost: the log of
        // the second attempt alone must hold.
        let (failed, again) = log.split_at(step);
        let mut disk = Disk::default();
        for (what, path) in failed {
            match *what {
                "sync" | "sync folder" | "sync whole" => {}
                _ => disk
                    .files
                    .extend([(path.clone(), path.clone())].into_iter().filter(|_| *what == "create")),
            }
        }
        disk.folders
            .extend(failed.iter().filter(|(what, _)| *what == "make folder").map(|(_, path)| path.clone()));
        disk.folders.extend(["messages", "raw", "attachments", ".tmp"].map(String::from));
        disk.durable_folders.extend(["messages", "raw", "attachments", ".tmp"].map(String::from));
        // Names that the failed attempt gave are taken over by the second one, so they start as nothing.
        disk.files.retain(|name, _| name.starts_with(".tmp/"));
        again.iter().for_each(|(what, path)| disk.play(what, path));
    }
}

/// A round that fails at `step`, and again; the log of both.
fn failing(root: &std::path::Path, step: u64) -> Vec<(&'static str, String)> {
    let mut archive = Archive::open(&settings(root), "1.2.3").unwrap();
    let messages = (1..4).map(|uid| mail(uid).with("an attachment").build()).collect();
    let round = Round { messages, ..Round::default() };
    faults::set(Plan::Fail(step, 5));
    let failed = archive.commit(&round, now());
    assert_eq!(failed.is_err(), step != u64::MAX, "{failed:?}");
    if failed.is_err() {
        archive.commit(&round, now()).unwrap();
    }
    let log = faults::log();
    faults::set(Plan::Undisturbed);
    log
}
