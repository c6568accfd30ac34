//! `verify` sees what is wrong, says where and what, and nothing else.

use std::path::Path;

use vigie_archive::{Archive, Problem, Round, verify};
use vigie_common::id::BlobId;

use crate::fixture::{Mail, folder, mail, now, open};

/// Stores four messages, spoils something, and verifies.
fn spoilt(spoil: impl FnOnce(&Path)) -> Vec<Problem> {
    let folder = folder();
    store(&mut open(folder.path()), &[mail(1).with("content"), mail(2), mail(3), mail(4)]);
    spoil(folder.path());
    let mut told = Vec::new();
    let report = verify(folder.path(), &mut |done, total| told.push((done, total))).unwrap();
    assert_eq!(report.messages, 4);
    assert!(told.is_sorted() && told.last().is_some_and(|(done, all)| done <= all), "{told:?}");
    report.problems
}

fn store(archive: &mut Archive, mails: &[Mail]) {
    let messages = mails.iter().map(Mail::build).collect();
    archive.commit(&Round { messages, ..Round::default() }, now()).unwrap();
}

#[track_caller]
fn one(problems: &[Problem], path: &str, what: &str) {
    let [problem] = problems else { panic!("{problems:#?}") };
    assert!(problem.path == path && problem.what.contains(what) && !problem.todo.is_empty(), "{problem:#?}");
}

#[test]
fn a_sound_archive_has_no_problems() {
    assert_eq!(spoilt(|_| {}), []);
}

#[test]
fn documents() {
    let path = mail(2).path();
    one(&spoilt(|root| std::fs::remove_file(root.join(&path)).unwrap()), &path, "cannot be read");
    one(&spoilt(|root| std::fs::write(root.join(&path), "").unwrap()), &path, "is empty");
    let cut = |root: &Path| {
        let bytes = std::fs::read(root.join(&path)).unwrap();
        std::fs::write(root.join(&path), &bytes[..bytes.len() - 1]).unwrap();
    };
    one(&spoilt(cut), &path, "no whole document");
    let other = |root: &Path| assert!(std::fs::copy(root.join(mail(1).path()), root.join(&path)).is_ok());
    one(&spoilt(other), &path, "is the document of");
    let stray = path.replace(".json", ".txt");
    one(&spoilt(|root| std::fs::write(root.join(&stray), "").unwrap()), &stray, "is no document");
    let orphan = mail(7).path();
    let adds = |root: &Path| {
        std::fs::create_dir_all(root.join(&orphan).parent().unwrap()).unwrap();
        std::fs::write(root.join(&orphan), mail(7).build().document).unwrap();
    };
    one(&spoilt(adds), &orphan, "no entry");
}

#[test]
fn attachments() {
    let path = vigie_archive::layout::attachment(&BlobId::of(b"content"));
    one(&spoilt(|root| std::fs::remove_file(root.join(&path)).unwrap()), &path, "cannot be read");
    one(
        &spoilt(|root| std::fs::write(root.join(&path), "cont").unwrap()),
        &path,
        "has 4 octets, should have 7",
    );
    one(&spoilt(|root| std::fs::write(root.join(&path), "CONTENT").unwrap()), &path, "does not hash");
}

#[test]
fn segments_and_catalog() {
    let path = "raw/one/2026-03/0001.mail.zst";
    let gone = spoilt(|root| std::fs::remove_file(root.join(path)).unwrap());
    one(&gone, path, "cannot be opened");
    let sql = |sql: &'static str| {
        move |root: &Path| {
            let db = rusqlite::Connection::open(root.join("catalog.db")).unwrap();
            db.pragma_update(None, "foreign_keys", false).unwrap();
            db.execute_batch(sql).unwrap();
        }
    };
    let uncovered = spoilt(sql("UPDATE coverage SET first = 2"));
    one(&uncovered, "catalog.db", "uid 1 of INBOX is stored but not covered");
    let unknown =
        spoilt(sql("UPDATE blob SET segment = NULL WHERE first = (SELECT id FROM entry WHERE uid = 1)"));
    assert!(unknown.iter().any(|p| p.path == path && p.what.contains("which the catalog does not know")));
    assert!(unknown.iter().any(|p| p.path == mail(1).path() && p.what.contains("kept nowhere")));
    assert_eq!(unknown.len(), 2);
}

/// What a writer has in hand is no problem.
#[test]
fn beside_a_writer() {
    let folder = folder();
    let mut archive = open(folder.path());
    store(&mut archive, &[mail(1)]);
    std::fs::write(folder.path().join(".tmp/1"), "half").unwrap();
    archive.heartbeat(vigie_common::clock::now()).unwrap();
    assert_eq!(verify(folder.path(), &mut |_, _| {}).unwrap().problems, []);
    drop(archive);
    one(&verify(folder.path(), &mut |_, _| {}).unwrap().problems, ".tmp/1", "left over");
}
