//! What could not be taken: kept beside the messages, told, tried again when a person says so.

use vigie_archive::{Archive, Change, Error, MailboxId, Reader, Round, verify};
use vigie_common::record::EventKind;

use crate::checker::tree;
use crate::fixture::{folder, mail, now, open, register, settings};
use crate::scenario::note;

fn begin(archive: &mut Archive) -> MailboxId {
    let mailbox = register(archive, "one");
    let (uidvalidity, generation) = (7, 0);
    let uidnext = Some(60);
    commit(archive, vec![Change::Select { mailbox, uidvalidity, generation, exists: 9, uidnext, at: now() }]);
    mailbox
}

fn commit(archive: &mut Archive, changes: Vec<Change>) {
    archive.commit(&Round { changes, ..Round::default() }, now()).unwrap();
}

fn quarantine(mailbox: MailboxId, uid: u32, bytes: &[u8]) -> Change {
    let mut note = note(uid);
    note.bytes = bytes.len() as u64;
    Change::Quarantined { mailbox, note: Box::new(note), bytes: bytes.to_vec() }
}

fn files(root: &std::path::Path) -> Vec<String> {
    tree(root, "quarantine").into_keys().map(|path| path.rsplit('.').next().unwrap().to_owned()).collect()
}

#[test]
fn what_is_given_up_is_kept_and_told() {
    let folder = folder();
    let mut archive = open(folder.path());
    let mailbox = begin(&mut archive);
    let error = "half".to_owned();
    commit(&mut archive, vec![Change::Open { mailbox, uid: 31, attempts: 2, error, next_try: now() }]);
    commit(&mut archive, vec![quarantine(mailbox, 31, b"half of it"), quarantine(mailbox, 33, b"")]);
    let view = archive.view(mailbox).unwrap();
    assert_eq!(view.open, []);
    assert_eq!(view.quarantined.iter().map(|q| q.uid).collect::<Vec<_>>(), [31, 33]);
    assert!(view.covered.contains(31) && !view.stored.contains(31));
    assert_eq!(files(folder.path()).len(), 3, "two notes, and the bytes that came");

    let reader = Reader::open(folder.path()).unwrap();
    let listed = reader.quarantined().unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed[0].present && !listed[0].retrying);
    assert_eq!(reader.note(&listed[0]).unwrap(), note(31));
    assert_eq!(reader.mailboxes().unwrap()[0].quarantined, 2);
    let events = reader.tail(None, 9).unwrap().records;
    let event = events[0].event.as_ref().unwrap();
    assert_eq!((event.kind, event.id.as_ref()), (EventKind::Quarantined, Some(&note(31).id)));
    assert_eq!(verify(folder.path(), &mut |_, _| {}).unwrap().problems, []);
}

#[test]
fn one_that_is_stored_after_all_leaves_nothing_behind() {
    let folder = folder();
    let mut archive = open(folder.path());
    let mailbox = begin(&mut archive);
    commit(&mut archive, vec![quarantine(mailbox, 31, b"half of it"), quarantine(mailbox, 33, b"")]);
    commit(&mut archive, vec![Change::Retry { mailbox, uid: 31 }, Change::Retry { mailbox, uid: 32 }]);
    let view = archive.view(mailbox).unwrap();
    assert_eq!(view.open.iter().map(|open| open.uid).collect::<Vec<_>>(), [31], "32 was never quarantined");
    assert_eq!(view.quarantined.len(), 2, "it stays so until it is stored");
    archive.commit(&Round { messages: vec![mail(31).build()], ..Round::default() }, now()).unwrap();
    let view = archive.view(mailbox).unwrap();
    assert_eq!((view.open.len(), view.quarantined.len()), (0, 1));
    assert_eq!(files(folder.path()), ["json"]);
    // The other one has gone from the server: what is known of it stays.
    commit(&mut archive, vec![Change::Closed { mailbox, uid: 33 }]);
    assert_eq!(archive.view(mailbox).unwrap().quarantined, []);
    assert_eq!(files(folder.path()), ["json"]);
    assert_eq!(verify(folder.path(), &mut |_, _| {}).unwrap().problems, []);
}

/// The process died between the commit and its clean-up.
#[test]
fn files_of_what_is_stored_by_now_are_swept() {
    let folder = folder();
    let mut archive = open(folder.path());
    let mailbox = begin(&mut archive);
    commit(&mut archive, vec![quarantine(mailbox, 31, b"half of it")]);
    let kept = tree(folder.path(), "quarantine");
    commit(&mut archive, vec![Change::Retry { mailbox, uid: 31 }]);
    archive.commit(&Round { messages: vec![mail(31).build()], ..Round::default() }, now()).unwrap();
    drop(archive);
    kept.iter().for_each(|(path, bytes)| std::fs::write(folder.path().join(path), bytes).unwrap());
    drop(open(folder.path()));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn a_note_of_another_generation_is_refused() {
    let folder = folder();
    let mut archive = open(folder.path());
    let mailbox = begin(&mut archive);
    commit(&mut archive, vec![Change::NewGeneration { mailbox, uidvalidity: 7 }]);
    let round = Round { changes: vec![quarantine(mailbox, 31, b"half")], ..Round::default() };
    assert!(matches!(archive.commit(&round, now()), Err(Error::Outdated { .. })));
    assert_eq!(archive.view(mailbox).unwrap().quarantined, []);
}

#[test]
fn damage_is_told() {
    let folder = folder();
    let mut archive = Archive::open(&settings(folder.path()), "1.2.3").unwrap();
    let mailbox = begin(&mut archive);
    commit(&mut archive, vec![quarantine(mailbox, 31, b"half of it"), quarantine(mailbox, 33, b"")]);
    drop(archive);
    let path = |uid: u32, ending: &str| {
        folder.path().join(vigie_archive::layout::quarantine("one", &mail(uid).id(), ending))
    };
    std::fs::remove_file(path(33, "json")).unwrap();
    std::fs::write(path(31, "eml"), "hal").unwrap();
    std::fs::write(path(31, "eml").with_file_name("stray"), "").unwrap();
    let problems = verify(folder.path(), &mut |_, _| {}).unwrap().problems;
    let what = |uid: u32| {
        let found = problems.iter().filter(|p| p.path.contains(mail(uid).id().as_str()));
        found.map(|p| p.what.clone()).collect::<Vec<_>>().join("; ")
    };
    assert!(what(33).contains("cannot be read"), "{problems:#?}");
    assert_eq!(what(31), "has 3 octets, should have 10");
    assert_eq!(problems.len(), 3, "{problems:#?}");
}
