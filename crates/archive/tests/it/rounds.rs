//! Rounds: what a commit stores, what it leaves alone, and who may commit.

use std::os::unix::fs::PermissionsExt;

use vigie_archive::{
    Archive, Change, Difference, Error, MailboxState, Reader, Round, Selected, Settings, Shortage, UidSet,
    Way, faults, verify,
};
use vigie_common::id::BlobId;
use vigie_common::record::EventKind;

use crate::checker::{entries, tree};
use crate::fixture::{Mail, at, folder, mail, now, open, register, settings};

fn round(mails: &[Mail]) -> Round {
    Round { messages: mails.iter().map(Mail::build).collect(), ..Round::default() }
}

fn changes(changes: Vec<Change>) -> Round {
    Round { changes, ..Round::default() }
}

#[test]
fn a_message_is_stored_once() {
    let folder = folder();
    let mut archive = open(folder.path());
    let mailbox = register(&mut archive, "one");
    let first = archive.commit(&round(&[mail(1), mail(2), mail(1)]), now()).unwrap();
    assert_eq!(first.stored, [mail(1).id(), mail(2).id()]);
    assert_eq!(first.already, [mail(1).id()], "twice in one round");
    assert_eq!((first.last_seq, first.sync.way, first.sync.files), (2, Way::Each, 3));
    let second = archive.commit(&round(&[mail(2), mail(3)]), now()).unwrap();
    assert_eq!((second.stored, second.already), (vec![mail(3).id()], vec![mail(2).id()]));
    // A message whose mailbox was never selected counts for its own generation.
    assert_eq!(archive.view(mailbox).unwrap().selected, None);
    let entry = entries(folder.path()).remove(0);
    assert_eq!((entry.path.as_str(), entry.stored_at), (mail(1).path().as_str(), now()));
    assert_eq!(std::fs::read(folder.path().join(&entry.path)).unwrap(), mail(1).build().document);
    let status = Reader::open(folder.path()).unwrap().mailboxes().unwrap().remove(0);
    assert_eq!((status.stored, status.last_stored), (3, Some(now())));
    let bytes = (1..4).map(|uid| mail(uid).body.len() as u64).sum::<u64>();
    assert_eq!(status.bytes, bytes);
}

#[test]
fn an_id_that_names_other_bytes_is_a_conflict() {
    let folder = folder();
    let mut archive = open(folder.path());
    archive.commit(&round(&[mail(1)]), now()).unwrap();
    let before = tree(folder.path(), "messages");
    let raw = tree(folder.path(), "raw");
    let other = mail(1).bytes("Subject: another\r\n\r\n").with("never written");
    let committed = archive.commit(&round(&[other]), now()).unwrap();
    assert_eq!(committed.conflicts, [mail(1).id()]);
    assert_eq!((committed.stored.len(), committed.last_seq), (0, 1));
    assert_eq!(tree(folder.path(), "messages"), before);
    assert_eq!(tree(folder.path(), "raw"), raw);
    assert!(tree(folder.path(), "attachments").is_empty());
}

/// The catalog is lost, the documents are there: the same messages find their places, others do not.
#[test]
fn a_document_that_is_not_recorded_is_a_conflict_only_if_it_is_whole_and_of_other_bytes() {
    let folder = folder();
    open(folder.path()).commit(&round(&[mail(1), mail(2), mail(3), mail(5)]), now()).unwrap();
    for file in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(file));
    }
    let path = |uid| folder.path().join(mail(uid).path());
    std::fs::write(path(2), "").unwrap();
    let cut = std::fs::read(path(3)).unwrap();
    std::fs::write(path(3), &cut[..cut.len() - 2]).unwrap();
    std::fs::write(path(5), vec![0; 5000]).unwrap();
    let mut archive = open(folder.path());
    let other = mail(1).bytes("Subject: another\r\n\r\n");
    let committed = archive.commit(&round(&[other, mail(2), mail(3), mail(5)]), now()).unwrap();
    assert_eq!(committed.conflicts, [mail(1).id()]);
    assert_eq!(committed.stored, [mail(2).id(), mail(3).id(), mail(5).id()]);
    assert_eq!(archive.commit(&round(&[mail(1)]), now()).unwrap().stored, [mail(1).id()]);
    drop(archive);
    assert_eq!(verify(folder.path(), &mut |_, _| {}).unwrap().problems, []);
    // Their bytes were found in the segment: none is kept twice.
    let reader = Reader::open(folder.path()).unwrap();
    let raw: Vec<u8> = tree(folder.path(), "raw").into_values().flatten().collect();
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    assert_eq!(raw.windows(4).filter(|w| *w == magic).count(), 4);
    assert_eq!(reader.raw("one", &BlobId::of(&mail(1).body)).unwrap(), Some(mail(1).body));
}

#[test]
fn bytes_are_kept_once_for_an_account_and_not_at_all_if_not_wanted() {
    let folder = folder();
    let mut archive = open(folder.path());
    let same = "Subject: same\r\n\r\n";
    let mails = [
        mail(1).bytes(same).not_kept(),
        mail(2).bytes(same),
        mail(3).bytes(same),
        mail(1).bytes(same).account("two"),
        mail(5).not_kept(),
    ];
    archive.commit(&round(&mails), now()).unwrap();
    let entries = entries(folder.path());
    let firsts: Vec<_> = entries.iter().map(|e| e.duplicate_of.clone()).collect();
    let first = Some(mail(1).id());
    assert_eq!(firsts, [None, first.clone(), first, None, None]);
    let reader = Reader::open(folder.path()).unwrap();
    let raw = |account, mail: Mail| reader.raw(account, &BlobId::of(&mail.body)).unwrap();
    assert_eq!(raw("one", mail(2).bytes(same)), Some(same.into()));
    assert_eq!(raw("two", mail(2).bytes(same)), Some(same.into()));
    assert_eq!(raw("one", mail(5)), None);
    assert_eq!(reader.totals().unwrap().messages, 5);
}

#[test]
fn an_attachment_that_is_there_and_not_recorded_is_not_believed() {
    let folder = folder();
    let mut archive = open(folder.path());
    let path = folder.path().join(vigie_archive::layout::attachment(&BlobId::of(b"content")));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "cont").unwrap();
    archive.commit(&round(&[mail(1).with("content"), mail(2).with("content")]), now()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"content");
    // What is recorded is not written again.
    let changed = std::fs::metadata(&path).unwrap().modified().unwrap();
    archive.commit(&round(&[mail(3).with("content")]), now()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), changed);
}

#[test]
fn one_process_writes() {
    let folder = folder();
    let archive = open(folder.path());
    match Archive::open(&settings(folder.path()), "2").unwrap_err() {
        Error::Locked { pid, .. } => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other}"),
    }
    let writer = Reader::open(folder.path()).unwrap().writer().unwrap().unwrap();
    assert_eq!((writer.pid, writer.version.as_str()), (std::process::id(), "1.2.3"));
    drop(archive);
    assert_eq!(Reader::open(folder.path()).unwrap().writer().unwrap(), None);
    let mut archive = open(folder.path());
    archive.heartbeat(at("2099-01-01T00:00:00Z")).unwrap();
    let writer = Reader::open(folder.path()).unwrap().writer().unwrap().unwrap();
    assert_eq!(writer.heartbeat, at("2099-01-01T00:00:00Z"));
}

#[test]
fn no_message_is_stored_below_the_reserve() {
    let folder = folder();
    let settings = Settings { min_free: u64::MAX, ..settings(folder.path()) };
    let mut archive = Archive::open(&settings, "1").unwrap();
    let mailbox = register(&mut archive, "one");
    let error = archive.commit(&round(&[mail(1)]), now()).unwrap_err();
    assert!(matches!(error, Error::Full { what: Shortage::Reserve { .. }, .. }), "{error}");
    assert!(tree(folder.path(), "messages").is_empty());
    assert!(archive.free().unwrap() > 0);
    // That it is so can be said.
    let state = MailboxState::DiskLow;
    let change = Change::State { mailbox, state, since: now(), reason: None, next_step: None };
    archive.commit(&changes(vec![change]), now()).unwrap();
    assert_eq!(archive.view(mailbox).unwrap().standing.unwrap().state, state);
}

#[test]
fn a_view_is_what_was_said() {
    let folder = folder();
    let mut archive = open(folder.path());
    let mailbox = register(&mut archive, "one");
    let covered = Change::Covered { mailbox, uids: "3:4".parse().unwrap() };
    let error = archive.commit(&changes(vec![covered.clone()]), now()).unwrap_err();
    assert!(matches!(error, Error::Outdated { .. }), "no generation yet: {error}");
    let select = |generation, exists| Change::Select {
        mailbox,
        uidvalidity: 7,
        generation,
        exists,
        uidnext: None,
        at: now(),
    };
    let open_uid = Change::Open {
        mailbox,
        uid: 9,
        attempts: 2,
        error: "it is cut".into(),
        next_try: at("2030-01-01T00:00:00Z"),
    };
    let all = vec![
        select(0, 5),
        covered,
        Change::Skipped { mailbox, uids: UidSet::of(1..=2) },
        open_uid.clone(),
        Change::Difference { mailbox, listed: Some(Difference { exists: 5, counted: 4 }) },
        Change::ProofOfLife { mailbox, at: now() },
    ];
    archive.commit(&Round { changes: all, ..round(&[mail(6)]) }, now()).unwrap();
    let view = archive.view(mailbox).unwrap();
    assert_eq!(
        view.selected,
        Some(Selected { uidvalidity: 7, generation: 0, exists: Some(5), uidnext: None, at: now() })
    );
    assert_eq!((view.covered.to_string(), view.skipped.to_string()), ("3:4,6,9".into(), "1:2".into()));
    assert_eq!((view.open.len(), view.open[0].uid, view.open[0].attempts), (1, 9, 2));
    assert_eq!(view.difference, Some(Difference { exists: 5, counted: 4 }));
    assert_eq!((view.proof_of_life, view.standing, view.stored), (Some(now()), None, UidSet::of(6..=6)));

    // Storing a message closes its UID; the difference goes when it is explained.
    let explained = Change::Difference { mailbox, listed: None };
    let all = vec![explained, Change::Unskip { mailbox }];
    archive.commit(&Round { changes: all, ..round(&[mail(9)]) }, now()).unwrap();
    let view = archive.view(mailbox).unwrap();
    assert_eq!((view.open.len(), view.difference, view.skipped.len()), (0, None, 0));

    let status = Reader::open(folder.path()).unwrap().mailboxes().unwrap().remove(0);
    assert_eq!((status.covered, status.skipped, status.open, status.stored), (4, 0, 0, 2));

    // Another generation: what is known is of the old one, and who did not notice is told.
    archive
        .commit(&changes(vec![open_uid, Change::NewGeneration { mailbox, uidvalidity: 7 }]), now())
        .unwrap();
    let view = archive.view(mailbox).unwrap();
    let selected = view.selected.unwrap();
    assert_eq!((selected.uidvalidity, selected.generation, selected.exists), (7, 1, None));
    assert!(view.covered.is_empty() && view.open.is_empty() && view.stored.is_empty());
    let error = archive.commit(&changes(vec![select(0, 5)]), now()).unwrap_err();
    assert!(matches!(error, Error::Outdated { .. }), "{error}");
    // A validity that is new begins at 0, one that comes back does not.
    for (uidvalidity, generation) in [(8, 0), (7, 2), (0, 0), (0, 1)] {
        archive.commit(&changes(vec![Change::NewGeneration { mailbox, uidvalidity }]), now()).unwrap();
        let selected = archive.view(mailbox).unwrap().selected.unwrap();
        assert_eq!((selected.uidvalidity, selected.generation), (uidvalidity, generation));
    }
    let tail = Reader::open(folder.path()).unwrap().tail(None, 100).unwrap();
    let events: Vec<_> = tail.records.into_iter().filter_map(|record| record.event).collect();
    assert!(events.iter().all(|event| event.kind == EventKind::Reset));
    let detail = "after uidvalidity 7, generation 0; 1 UIDs were still open";
    assert_eq!((events.len(), events[0].detail.as_deref()), (5, Some(detail)));
}

#[test]
fn a_segment_that_is_large_enough_is_left() {
    let folder = folder();
    let mut archive = open(folder.path());
    // Bytes that do not compress.
    let noise = |uid: u32| -> Mail {
        let mut mail = mail(uid);
        let mut state = u64::from(uid);
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_le_bytes()
        };
        mail.body = (0..23_000_000 / 8).flat_map(|_| next()).collect();
        mail
    };
    let mails: Vec<Mail> = (1..=4).map(noise).collect();
    archive.commit(&round(&mails), now()).unwrap();
    archive.commit(&round(&[mail(5)]), at("2026-04-01T00:00:00Z")).unwrap();
    archive.commit(&round(&[mail(6)]), now()).unwrap();
    let names: Vec<String> = tree(folder.path(), "raw").into_keys().collect();
    let month = |month, number| format!("raw/one/{month}/000{number}.mail.zst");
    assert_eq!(names, [month("2026-03", 1), month("2026-03", 2), month("2026-04", 1)], "nor does it go back");
    assert_eq!(verify(folder.path(), &mut |_, _| {}).unwrap().problems, []);
}

#[test]
fn what_the_disk_says_is_told() {
    let folder = folder();
    let root = folder.path().join("archive");
    let mut archive = open(&root);
    for (errno, expected) in [(30, "check owner, mode and mount"), (122, "quota exceeded"), (5, "cannot")] {
        faults::set(faults::Plan::Fail(1, errno));
        let error = archive.commit(&round(&[mail(1)]), now()).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(&root.display().to_string()), "{error}");
    }
    faults::set(faults::Plan::Undisturbed);
    archive.commit(&round(&[mail(1)]), now()).unwrap();
}

/// A folder that somebody removed while we run is made again; a link that he planted is not followed.
#[test]
fn the_tree_is_ours() {
    let folder = folder();
    let (root, elsewhere) = (folder.path().join("archive"), folder.path().join("elsewhere"));
    let mut archive = open(&root);
    archive.commit(&round(&[mail(1)]), now()).unwrap();
    std::fs::remove_dir_all(root.join("messages")).unwrap();
    archive.commit(&round(&[mail(2)]), now()).unwrap_err();
    archive.commit(&round(&[mail(2)]), now()).unwrap();
    assert!(root.join(mail(2).path()).exists());
    std::fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, root.join("messages/two")).unwrap();
    archive.commit(&round(&[mail(3).account("two")]), now()).unwrap_err();
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
    let mode = std::fs::metadata(root.join("catalog.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_account_that_would_leave_the_archive_is_refused() {
    let folder = folder();
    let mut archive = open(&folder.path().join("archive"));
    for account in ["..", "", "a/b", "A", "-a"] {
        let message = mail(1).account(account);
        assert!(archive.commit(&round(&[message]), now()).is_err(), "{account}");
    }
}

#[test]
fn keywords_that_changed_are_an_event_and_the_document_stays() {
    let folder = folder();
    let mut archive = open(folder.path());
    let mailbox = register(&mut archive, "one");
    let select =
        Change::Select { mailbox, uidvalidity: 7, generation: 0, exists: 2, uidnext: None, at: now() };
    archive.commit(&changes(vec![select]), now()).unwrap();
    archive.commit(&round(&[mail(1), mail(2)]), now()).unwrap();
    let before = tree(folder.path(), "messages");
    let keywords = |uid, words: &[&str]| Change::Keywords {
        mailbox,
        uid,
        keywords: words.iter().map(ToString::to_string).collect(),
    };
    // The first is as it was, the third is not stored.
    let told =
        vec![keywords(1, &["$seen"]), keywords(2, &["$seen", "$flagged", "$seen"]), keywords(3, &["x"])];
    archive.commit(&changes(told), now()).unwrap();
    archive.commit(&changes(vec![keywords(2, &["$flagged", "$seen"])]), now()).unwrap();
    let at = at("2026-05-01T00:00:00Z");
    let known = vec![Change::Modseq { mailbox, modseq: Some(9) }, Change::KeywordsAt { mailbox, at }];
    archive.commit(&changes(known), now()).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let events: Vec<_> =
        reader.tail(None, 100).unwrap().records.into_iter().filter_map(|r| r.event).collect();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].kind, events[0].uid, events[0].id.clone()),
        (EventKind::Flags, Some(2), Some(mail(2).id()))
    );
    let now_are = Some(vec!["$flagged".to_owned(), "$seen".to_owned()]);
    assert_eq!(events[0].keywords, now_are);
    assert_eq!(Some(reader.entry(&mail(2).id()).unwrap().unwrap().keywords), now_are);
    assert_eq!(tree(folder.path(), "messages"), before);
    let view = archive.view(mailbox).unwrap();
    assert_eq!((view.modseq, view.keywords_at), (Some(9), Some(at)));
    assert_eq!(reader.mailboxes().unwrap()[0].keywords_at, Some(at));
    archive.commit(&changes(vec![Change::NewGeneration { mailbox, uidvalidity: 8 }]), now()).unwrap();
    let view = archive.view(mailbox).unwrap();
    assert_eq!((view.modseq, view.keywords_at), (None, None), "another generation, other numbers");
}

#[test]
fn what_vanished_stays_and_is_counted_no_more_until_it_is_back() {
    let folder = folder();
    let mut archive = open(folder.path());
    let mailbox = register(&mut archive, "one");
    let select =
        Change::Select { mailbox, uidvalidity: 7, generation: 0, exists: 5, uidnext: None, at: now() };
    let skipped = Change::Skipped { mailbox, uids: UidSet::of(20..=29) };
    let open_uid = Change::Open { mailbox, uid: 9, attempts: 1, error: "no".into(), next_try: now() };
    archive.commit(&changes(vec![select, skipped, open_uid]), now()).unwrap();
    archive.commit(&round(&[mail(1), mail(2), mail(3)]), now()).unwrap();
    let gone = |uids: &str| changes(vec![Change::Vanished { mailbox, uids: uids.parse().unwrap() }]);
    archive.commit(&gone("2:9,25,4294967295"), now()).unwrap();
    archive.commit(&gone("2:3"), now()).unwrap();
    let view = archive.view(mailbox).unwrap();
    assert_eq!((view.stored.to_string(), view.covered.to_string()), ("1".into(), "1:3,9,25".into()));
    assert_eq!((view.skipped.to_string(), view.open.len()), ("20:24,26:29".into(), 0));
    let reader = Reader::open(folder.path()).unwrap();
    let events: Vec<_> =
        reader.tail(None, 100).unwrap().records.into_iter().filter_map(|r| r.event).collect();
    let told: Vec<_> = events.iter().map(|e| (e.kind, e.id.clone().unwrap())).collect();
    assert_eq!(told, [(EventKind::Vanished, mail(2).id()), (EventKind::Vanished, mail(3).id())]);
    assert_eq!(reader.totals().unwrap().messages, 3);
    // Listed again: the same document is taken up.
    let back = archive.commit(&round(&[mail(3)]), now()).unwrap();
    assert_eq!((back.already, back.stored.len()), (vec![mail(3).id()], 0));
    assert_eq!(archive.view(mailbox).unwrap().stored.to_string(), "1,3");
    drop(archive);
    assert_eq!(verify(folder.path(), &mut |_, _| {}).unwrap().problems, []);
}
