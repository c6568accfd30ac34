//! `verify --repair`: what it finds wrong is mended, made anew, or fetched again; no mail is ever deleted.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use vigie_archive::{Change, Problem, Round, layout, verify, verify_quick};
use vigie_common::id::BlobId;

use crate::checker::{documents, entries};
use crate::fixture::{Mail, folder, inbox, mail, now, open_with};

const UIDS: std::ops::RangeInclusive<u32> = 1..=4;

fn mails() -> Vec<Mail> {
    UIDS.map(|uid| if uid == 1 { mail(1).with("content") } else { mail(uid) }).collect()
}

fn segment(root: &Path) -> PathBuf {
    root.join(layout::segment("one", "2026-03", 1))
}

fn problems(root: &Path, deep: bool) -> Vec<Problem> {
    let look = if deep { verify } else { verify_quick };
    look(root, &mut |done, all| assert!(done <= all)).unwrap().problems
}

/// Spoils an archive, has it repaired, and fetches again what is open then: which UIDs these were.
fn repaired(deep: bool, spoil: impl FnOnce(&Path)) -> BTreeSet<u32> {
    let folder = folder();
    let root = &folder.path().join("archive");
    let fill = |uids: &BTreeSet<u32>| {
        let mut archive = open_with(root, mails);
        let mailbox = archive.mailbox("one", &inbox()).unwrap();
        let messages: Vec<_> = mails().iter().filter(|m| uids.contains(&m.uid)).map(Mail::build).collect();
        let select =
            Change::Select { mailbox, uidvalidity: 7, generation: 0, exists: 4, uidnext: Some(5), at: now() };
        archive.commit(&Round { messages, changes: vec![select], ..Round::default() }, now()).unwrap();
    };
    fill(&UIDS.collect());
    let before = documents(root);
    let seq = vigie_archive::Reader::open(root).unwrap().last_seq().unwrap();
    assert_eq!((problems(root, true), problems(root, false)), (vec![], vec![]));
    spoil(root);
    let found = problems(root, deep);
    assert!(!found.is_empty(), "nothing was found");
    let mut archive = open_with(root, mails);
    let done = archive.repair(&found, now()).unwrap();
    assert!(!done.is_empty(), "nothing was done about {found:#?}");
    let mailbox = archive.mailbox("one", &inbox()).unwrap();
    let view = archive.view(mailbox).unwrap();
    assert_eq!(view.stored, view.covered);
    let open: BTreeSet<u32> = UIDS.filter(|uid| !view.covered.contains(*uid)).collect();
    drop(archive);
    fill(&open);
    assert_eq!(problems(root, true), []);
    assert_eq!(documents(root).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert!(documents(root) == before, "other content");
    assert_eq!(entries(root).len(), 4);
    assert_eq!(vigie_archive::Reader::open(root).unwrap().last_seq().unwrap(), seq, "nothing is told twice");
    open
}

#[test]
fn a_document_is_made_anew_from_its_bytes() {
    let path = mail(2).path();
    for deep in [true, false] {
        assert!(repaired(deep, |root| fs::remove_file(root.join(&path)).unwrap()).is_empty());
        assert!(repaired(deep, |root| fs::write(root.join(&path), "").unwrap()).is_empty());
        assert!(repaired(deep, |root| fs::write(root.join(&path), "{\"id\":").unwrap()).is_empty());
    }
    assert!(repaired(true, |root| fs::write(root.join(&path), "{}").unwrap()).is_empty());
    let all = |root: &Path| fs::remove_dir_all(root.join("messages")).unwrap();
    assert!(repaired(false, all).is_empty());
}

#[test]
fn an_attachment_is_made_anew_from_the_bytes_of_its_message() {
    let path = layout::attachment(&BlobId::of(b"content"));
    assert!(repaired(true, |root| fs::remove_file(root.join(&path)).unwrap()).is_empty());
    assert!(repaired(true, |root| fs::write(root.join(&path), "CONTENT").unwrap()).is_empty());
}

#[test]
fn what_is_kept_nowhere_is_fetched_again() {
    let gone = |root: &Path| fs::remove_file(segment(root)).unwrap();
    assert_eq!(repaired(true, gone), UIDS.collect());
    assert_eq!(repaired(false, gone), UIDS.collect());
    let both = |root: &Path| {
        fs::remove_file(segment(root)).unwrap();
        fs::remove_dir_all(root.join("messages")).unwrap();
    };
    assert_eq!(repaired(true, both), UIDS.collect());
}

#[test]
fn what_nobody_knows_is_taken_up() {
    let sql = |sql: &'static str| {
        move |root: &Path| {
            let db = rusqlite::Connection::open(root.join("catalog.db")).unwrap();
            db.pragma_update(None, "foreign_keys", false).unwrap();
            db.execute_batch(sql).unwrap();
        }
    };
    let nowhere = sql("UPDATE blob SET segment = NULL WHERE first = (SELECT id FROM entry WHERE uid = 2)");
    assert!(repaired(true, nowhere).is_empty());
    assert!(repaired(true, sql("UPDATE coverage SET first = 2")).is_empty());
    assert!(repaired(false, |root| fs::write(root.join(".tmp/9"), "half").unwrap()).is_empty());
}

#[test]
fn a_document_without_entry_is_taken_up_if_it_is_whole() {
    let folder = folder();
    let root = &folder.path().join("archive");
    drop(open_with(root, mails));
    for (uid, bytes) in
        [(1, mail(1).build().document), (2, b"cut".to_vec()), (3, mail(3).with("gone").build().document)]
    {
        let path = root.join(mail(uid).path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let found = problems(root, true);
    assert_eq!(found.len(), 3);
    let mut archive = open_with(root, mails);
    assert_eq!(archive.repair(&found, now()).unwrap().len(), 1);
    let mailbox = archive.mailbox("one", &inbox()).unwrap();
    assert!(entries(root).iter().map(|entry| entry.uid).eq([1]));
    // The others stay where they are, and are replaced when their messages come.
    for uid in [2, 3] {
        assert!(root.join(mail(uid).path()).exists());
    }
    let messages = vec![mail(2).build(), mail(3).with("gone").build()];
    let select =
        Change::Select { mailbox, uidvalidity: 7, generation: 0, exists: 3, uidnext: Some(4), at: now() };
    archive.commit(&Round { messages, changes: vec![select], ..Round::default() }, now()).unwrap();
    assert_eq!(archive.view(mailbox).unwrap().stored.to_string(), "1:3");
    drop(archive);
    let left = problems(root, true);
    // The bytes of the first one were never here.
    assert!(left.iter().all(|problem| problem.path == mail(1).path()), "{left:#?}");
}

/// Damage in the middle of a segment: what lies behind it is still found, and what it hit is fetched again.
#[test]
fn damage_in_a_segment() {
    let folder = folder();
    let root = &folder.path().join("archive");
    let mut archive = open_with(root, mails);
    let mailbox = archive.mailbox("one", &inbox()).unwrap();
    let build = |uid: u32| mail(uid).build();
    let select =
        Change::Select { mailbox, uidvalidity: 7, generation: 0, exists: 4, uidnext: Some(5), at: now() };
    let round = Round { messages: UIDS.map(build).collect(), changes: vec![select], ..Round::default() };
    archive.commit(&round, now()).unwrap();
    drop(archive);
    let mut bytes = fs::read(segment(root)).unwrap();
    let frames: Vec<usize> =
        (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&[0x28, 0xb5, 0x2f, 0xfd])).collect();
    bytes[frames[1] + 12] ^= 0xff;
    fs::write(segment(root), &bytes).unwrap();
    let found = problems(root, true);
    assert_eq!(found.len(), 2, "the place, and the one message: {found:#?}");
    let mut archive = open_with(root, mails);
    archive.repair(&found, now()).unwrap();
    assert!(!archive.view(mailbox).unwrap().covered.contains(2));
    archive.commit(&Round { messages: vec![build(2)], ..Round::default() }, now()).unwrap();
    drop(archive);
    assert_eq!(fs::read(segment(root)).unwrap()[..bytes.len()], bytes, "nothing is cut");
    let left = problems(root, true);
    assert!(left.len() == 1 && left[0].what.contains("is damaged from offset"), "{left:#?}");
}

/// What was found may not be so any more when it is to be repaired.
#[test]
fn what_changed_since_it_was_found_is_left_alone() {
    let folder = folder();
    let root = &folder.path().join("archive");
    let mut archive = open_with(root, mails);
    let mailbox = archive.mailbox("one", &inbox()).unwrap();
    let select =
        Change::Select { mailbox, uidvalidity: 7, generation: 0, exists: 4, uidnext: Some(5), at: now() };
    let messages = mails().iter().map(Mail::build).collect();
    archive.commit(&Round { messages, changes: vec![select], ..Round::default() }, now()).unwrap();
    drop(archive);
    let stray = root.join(mail(9).path());
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, mail(9).build().document).unwrap();
    let whole = fs::read(segment(root)).unwrap();
    fs::remove_file(segment(root)).unwrap();
    let mut found = problems(root, true);
    fs::write(segment(root), &whole).unwrap();
    let db = rusqlite::Connection::open(root.join("catalog.db")).unwrap();
    db.execute("UPDATE blob SET segment = NULL WHERE first = (SELECT id FROM entry WHERE uid = 2)", [])
        .unwrap();
    found.extend(problems(root, true).into_iter().filter(|problem| problem.what.contains("does not know")));
    assert!(found.iter().any(|problem| problem.what.contains("does not know")), "{found:#?}");
    // The segment has come back, the bytes in it are others, and the document cannot be read.
    let mut bytes = whole.clone();
    let frames: Vec<usize> =
        (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&[0x28, 0xb5, 0x2f, 0xfd])).collect();
    bytes[frames[1] + 12] ^= 0xff;
    fs::write(segment(root), &bytes).unwrap();
    fs::remove_file(&stray).unwrap();
    std::os::unix::fs::symlink("nowhere", &stray).unwrap();
    let mut archive = open_with(root, mails);
    let done = archive.repair(&found, now()).unwrap();
    assert_eq!(done, []);
    assert_eq!(archive.view(mailbox).unwrap().covered.to_string(), "1:4");
    drop(archive);
    let places: u32 =
        db.query_row("SELECT count(*) FROM blob WHERE segment IS NOT NULL", [], |row| row.get(0)).unwrap();
    assert_eq!(places, 3);
    let left = problems(root, true);
    assert!(left.iter().any(|problem| problem.what.contains("cannot be read")), "{left:#?}");
}
