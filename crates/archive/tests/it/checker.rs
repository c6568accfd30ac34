//! The one checker, run after every fault: nothing lost, nothing twice, nothing half.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use vigie_archive::{Error, Reader, verify};
use vigie_common::document::Document;
use vigie_common::id::{BlobId, Id};
use vigie_common::record::{Cursor, Entry};

use crate::fixture::settings;
use crate::scenario;

/// Files under a folder, by their path relative to `root`.
pub(crate) fn tree(root: &Path, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(root.join(folder)).into_iter().flatten() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files.extend(tree(root, &path));
        } else if let Ok(bytes) = std::fs::read(entry.path()) {
            // One that is gone by now was just renamed.
            files.insert(path, bytes);
        }
    }
    files
}

/// Documents and attachments: what must be the same, however the way there was disturbed.
pub(crate) fn documents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = tree(root, "messages");
    files.extend(tree(root, "attachments"));
    files
}

pub(crate) fn entries(root: &Path) -> Vec<Entry> {
    let tail = Reader::open(root).unwrap().tail(None, usize::MAX).unwrap();
    tail.records.into_iter().filter_map(|record| record.entry).map(|entry| *entry).collect()
}

/// After the scenario has run to its end in `root`: it is as if nothing had ever gone wrong.
pub(crate) fn check(root: &Path, expected: &BTreeMap<String, Vec<u8>>, what: &str) {
    let problems = verify(root, &mut |_, _| {}).unwrap().problems;
    assert!(problems.is_empty(), "{what}: {problems:#?}");
    assert_eq!(documents(root).keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    assert!(documents(root) == *expected, "{what}: a file has other content");
    assert!(tree(root, ".tmp").is_empty(), "{what}: .tmp is not empty");

    let entries = entries(root);
    let ids: BTreeSet<&Id> = entries.iter().map(|entry| &entry.id).collect();
    assert_eq!(ids.len(), entries.len(), "{what}: an id is there twice");
    let mails = scenario::mails();
    let due: BTreeSet<Id> = mails.iter().map(|mail| mail.id()).collect();
    assert_eq!(ids, due.iter().collect(), "{what}");
    let reader = Reader::open(root).unwrap();
    for mail in &mails {
        let blob = BlobId::of(&mail.body);
        let raw = reader.raw(mail.account, &blob).unwrap();
        assert!(!mail.keep || raw.as_ref() == Some(&mail.body), "{what}: raw bytes of {}", mail.uid);
        let entry = entries.iter().find(|entry| entry.id == mail.id()).unwrap();
        let first = entries.iter().find(|e| e.account == mail.account && e.blob_id == blob).unwrap();
        let duplicate_of = (first.id != entry.id).then(|| first.id.clone());
        assert_eq!(entry.duplicate_of, duplicate_of, "{what}: {}", mail.uid);
    }
    owners_alone(root, what);
}

/// And a further run finds nothing to do.
pub(crate) fn check_at_rest(root: &Path, expected: &BTreeMap<String, Vec<u8>>, what: &str) {
    let seq = Reader::open(root).unwrap().totals().unwrap().last_seq;
    for committed in scenario::undisturbed(&settings(root)) {
        assert!(committed.stored.is_empty() && committed.conflicts.is_empty(), "{what}: {committed:?}");
    }
    // The event that a round brings is its own; nothing else is new.
    let now = Reader::open(root).unwrap().totals().unwrap().last_seq;
    assert_eq!(now, seq, "{what}: a further run recorded something");
    check(root, expected, what);
}

fn owners_alone(path: &Path, what: &str) {
    let mode = std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
    let due = if path.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(mode, due, "{what}: mode of {}", path.display());
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| owners_alone(&entry.unwrap().path(), what));
    }
}

/// A reader that looks while somebody writes.
#[derive(Default)]
pub(crate) struct Watcher {
    cursor: Option<Cursor>,
}

impl Watcher {
    /// Every record has its files, and no file is half there.
    pub(crate) fn look(&mut self, root: &Path, what: &str) {
        for (path, bytes) in tree(root, "messages") {
            let whole = serde_json::from_slice::<Document>(&bytes).is_ok();
            assert!(whole, "{what}: a partial document was seen at {path}");
        }
        for (path, bytes) in tree(root, "attachments") {
            let name = path.rsplit('/').next().unwrap();
            assert_eq!(BlobId::of(&bytes).hex(), name, "{what}: a partial attachment was seen");
        }
        let reader = match Reader::open(root) {
            Err(Error::NoArchive { .. }) => return,
            reader => reader.unwrap(),
        };
        let tail = reader.tail(self.cursor.as_ref(), 1000).unwrap();
        assert!(!tail.restarted, "{what}: a record went away");
        for record in tail.records {
            if let Some(entry) = &record.entry {
                let bytes = std::fs::read(root.join(&entry.path)).unwrap();
                let document: Document = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(document.id, entry.id, "{what}");
                for part in document.attachments {
                    assert!(root.join(part.path.unwrap()).exists(), "{what}: an attachment is missing");
                }
                if document.vigie.raw.kept {
                    let raw = reader.raw(&entry.account, &entry.blob_id).unwrap().unwrap();
                    assert_eq!(raw.len() as u64, entry.size, "{what}");
                }
            }
            self.cursor = Some(record.cursor);
        }
    }
}
