//! A catalog that is missing, damaged or lost is set aside and made anew from the files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use vigie_archive::faults::{self, Plan};
use vigie_archive::{Archive, Error, Header, MailboxId, Reader, Round, UidSet, verify};
use vigie_common::id::Id;
use vigie_common::record::Entry;

use crate::checker::{check, check_at_rest, documents, entries};
use crate::fixture::{Maker, folder, inbox, mail, now, open_or_rebuild, settings};
use crate::scenario;

const CATALOG: [&str; 3] = ["catalog.db", "catalog.db-wal", "catalog.db-shm"];

/// The whole day, and what it leaves.
fn day(root: &Path) -> BTreeMap<String, Vec<u8>> {
    scenario::undisturbed(&settings(root));
    documents(root)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { assert!(fs::copy(&path, &to).is_ok()) }
    }
}

fn by_id(root: &Path) -> BTreeMap<Id, Entry> {
    entries(root).into_iter().map(|entry| (entry.id.clone(), entry)).collect()
}

fn asides(root: &Path) -> Vec<String> {
    let names = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("damaged")).collect();
    names.sort();
    names
}

fn lose(root: &Path) {
    for name in CATALOG {
        let _ = fs::remove_file(root.join(name));
    }
}

fn number(archive: &mut Archive, account: &str) -> MailboxId {
    archive.mailbox(account, &inbox()).unwrap()
}

fn problems(root: &Path) -> Vec<String> {
    let problems = verify(root, &mut |_, _| {}).unwrap().problems;
    problems.into_iter().map(|p| format!("{}: {}", p.path, p.what)).collect()
}

#[test]
fn one_that_is_gone_comes_back_whole() {
    let folder = folder();
    let root = &folder.path().join("archive");
    let expected = day(root);
    let before = by_id(root);
    let (epoch, totals) =
        (Reader::open(root).unwrap().epoch().unwrap(), Reader::open(root).unwrap().totals().unwrap());
    let reader = Reader::open(root).unwrap();
    lose(root);
    assert!(!reader.is_current());
    let mut archive = open_or_rebuild(root);
    let one = number(&mut archive, "one");
    let view = archive.view(one).unwrap();
    assert_eq!(view.selected.map(|s| (s.uidvalidity, s.generation)), Some((7, 1)));
    assert_eq!((view.stored, view.covered), (UidSet::of(1..=1), UidSet::of(1..=1)));
    let two = number(&mut archive, "two");
    assert_eq!(archive.view(two).unwrap().mailbox, inbox());
    drop(archive);
    assert_eq!(by_id(root), before, "every column");
    let after = Reader::open(root).unwrap();
    assert_ne!(after.epoch().unwrap(), epoch);
    assert_eq!(
        (after.totals().unwrap().messages, after.totals().unwrap().bytes),
        (totals.messages, totals.bytes)
    );
    assert!(asides(root).is_empty(), "there was nothing to set aside");
    check(root, &expected, "after it");
    check_at_rest(root, &expected, "after it");
}

#[test]
fn missing_documents_are_made_anew_from_their_bytes() {
    let folder = folder();
    let root = &folder.path().join("archive");
    let expected = day(root);
    let before = by_id(root);
    lose(root);
    fs::remove_dir_all(root.join("messages")).unwrap();
    fs::remove_dir_all(root.join("attachments")).unwrap();
    drop(open_or_rebuild(root));
    // Of one neither document nor bytes were left.
    let gone = scenario::mails().into_iter().find(|mail| mail.uid == 23).unwrap();
    let due: Vec<&Id> = before.keys().filter(|id| **id != gone.id()).collect();
    assert_eq!(by_id(root).keys().collect::<Vec<_>>(), due);
    assert_eq!(problems(root), [""; 0]);
    let mut archive = open_or_rebuild(root);
    scenario::run(&mut archive, &mut |archive, round| archive.commit(round, now()).unwrap()).unwrap();
    drop(archive);
    assert_eq!(documents(root).keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    assert_eq!(problems(root), [""; 0]);
}

#[test]
fn documents_that_are_cut_are_not_believed() {
    let folder = folder();
    let root = &folder.path().join("archive");
    let expected = day(root);
    lose(root);
    for (n, (path, bytes)) in expected.iter().filter(|(path, _)| path.ends_with(".json")).enumerate() {
        match n % 3 {
            0 => fs::write(root.join(path), &bytes[..bytes.len() / 2]).unwrap(),
            1 => fs::write(root.join(path), "").unwrap(),
            _ => {}
        }
    }
    for (path, _) in expected.iter().filter(|(path, _)| path.starts_with("attachments")) {
        fs::write(root.join(path), "cut").unwrap();
    }
    drop(open_or_rebuild(root));
    // Of one the bytes are not kept: what is left of it stays until the server gives it again.
    assert!(problems(root).iter().all(|what| what.contains("no entry")), "{:?}", problems(root));
    assert!(problems(root).len() <= 1);
    scenario::undisturbed(&settings(root));
    check(root, &expected, "after the next day");
}

#[test]
fn damage_in_a_segment_loses_no_document() {
    let folder = folder();
    let root = &folder.path().join("archive");
    day(root);
    let before = by_id(root);
    lose(root);
    let segment = root.join(vigie_archive::layout::segment("one", "2026-03", 1));
    let mut bytes = fs::read(&segment).unwrap();
    let second = bytes
        .windows(8)
        .enumerate()
        .filter(|(_, w)| w.starts_with(&[0x50, 0x2a, 0x4d, 0x18]))
        .nth(1)
        .unwrap()
        .0;
    bytes[second + 20] ^= 0xff;
    fs::write(&segment, &bytes).unwrap();
    drop(open_or_rebuild(root));
    assert_eq!(by_id(root).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!(fs::read(&segment).unwrap(), bytes, "nothing is cut");
    let reader = Reader::open(root).unwrap();
    let lost = scenario::mails()
        .iter()
        .filter(|m| m.keep && m.account == "one")
        .filter(|m| reader.raw("one", &vigie_common::id::BlobId::of(&m.body)).unwrap().is_none())
        .count();
    assert_eq!(lost, 1, "what lies behind the damage is found");
}

#[test]
fn erased_messages_stay_erased() {
    let folder = folder();
    let root = &folder.path().join("archive");
    let mut archive = open_or_rebuild(root);
    let messages = vec![mail(1).build(), mail(2).build()];
    archive.commit(&Round { messages, ..Round::default() }, now()).unwrap();
    drop(archive);
    let segment = root.join(vigie_archive::layout::segment("one", "2026-03", 1));
    let header = mail(2).build().raw.header;
    let json = serde_json::to_vec(&Header { erased: true, ..header }).unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    bytes.extend_from_slice(&0x184D_2A50_u32.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(json.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&json);
    fs::write(&segment, bytes).unwrap();
    fs::remove_file(root.join(mail(2).path())).unwrap();
    lose(root);
    let mut archive = open_or_rebuild(root);
    let one = number(&mut archive, "one");
    let view = archive.view(one).unwrap();
    assert_eq!((view.stored, view.covered), (UidSet::of(1..=1), UidSet::of(1..=2)));
    assert_eq!(by_id(root).len(), 1);
}

#[test]
fn quarantined_messages_are_not_asked_for_again() {
    let folder = folder();
    let root = &folder.path().join("archive");
    drop(open_or_rebuild(root));
    let id = mail(9).id();
    fs::create_dir(root.join("quarantine/one")).unwrap();
    let note = serde_json::json!({
        "schema": "vigie.quarantine/1", "id": id, "account": "one", "mailbox": inbox(), "uidvalidity": 7,
        "generation": 0, "uid": 9, "size": 3, "internalDate": null, "reason": "it came in pieces", "attempts": 3,
        "at": now(), "bytes": 0, "transcript": [],
    });
    fs::write(root.join(format!("quarantine/one/{id}.json")), note.to_string()).unwrap();
    // Without any mail it may be missing for good reason; here it is damaged.
    fs::write(root.join("catalog.db"), "no database at all").unwrap();
    let mut archive = open_or_rebuild(root);
    let one = number(&mut archive, "one");
    let view = archive.view(one).unwrap();
    assert_eq!((view.stored, view.covered), (UidSet::new(), UidSet::of(9..=9)));
    assert_eq!(view.selected.map(|s| (s.uidvalidity, s.generation)), Some((7, 0)));
}

/// Whatever is wrong with it: the archive opens, all mail is there, and at the latest after a rebuild all is well.
fn survives(root: &Path, expected: &BTreeMap<String, Vec<u8>>, what: &str) {
    let run = |archive: &mut Archive| {
        scenario::run(archive, &mut |archive, round| archive.commit(round, now()).unwrap()).map(drop)
    };
    let opened = Archive::open_or_rebuild(&settings(root), "1.2.3", Box::new(Maker(scenario::mails)));
    match opened {
        Ok(mut archive) => {
            run(&mut archive).unwrap_or_else(|e| panic!("{what}: {e}"));
            drop(archive);
        }
        // One octet that makes another number of it.
        Err(Error::Newer { .. }) => lose(root),
        Err(error) => panic!("{what}: {error}"),
    }
    assert!(documents(root) == *expected, "{what}: mail is missing");
    if !problems_or_damage(root).is_empty() {
        let mut archive = open_or_rebuild(root);
        archive.rebuild("verify found it damaged").unwrap();
        run(&mut archive).unwrap();
    }
    check(root, expected, what);
}

fn problems_or_damage(root: &Path) -> Vec<String> {
    verify(root, &mut |_, _| {}).map_or_else(
        |error| vec![error.to_string()],
        |report| report.problems.into_iter().map(|p| p.what).collect(),
    )
}

#[test]
fn any_octet_of_it_may_be_wrong() {
    let place = folder();
    let made = &place.path().join("archive");
    let expected = day(made);
    let whole = fs::read(made.join("catalog.db")).unwrap();
    let mut random = StdRng::seed_from_u64(7);
    // Every octet of the header, and others by chance.
    let places: Vec<usize> =
        (0..100).chain((0..200).map(|_| random.random_range(100..whole.len()))).collect();
    let mut rebuilt = 0;
    for at in places {
        let folder = folder();
        let root = folder.path().join("archive");
        copy(made, &root);
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << random.random_range(0..8);
        fs::write(root.join("catalog.db"), &bytes).unwrap();
        survives(&root, &expected, &format!("octet {at}"));
        rebuilt += asides(&root).len();
    }
    assert!(rebuilt > 20, "{rebuilt}");
}

#[test]
fn it_may_end_anywhere() {
    let place = folder();
    let made = &place.path().join("archive");
    let expected = day(made);
    let length = fs::metadata(made.join("catalog.db")).unwrap().len();
    for at in (0..length).step_by(4096).chain([1, 99, 4095, 4097, length - 1]) {
        let folder = folder();
        let root = folder.path().join("archive");
        copy(made, &root);
        fs::File::options().write(true).open(root.join("catalog.db")).unwrap().set_len(at).unwrap();
        survives(&root, &expected, &format!("cut at {at}"));
    }
}

#[test]
fn a_log_without_its_catalog_is_set_aside() {
    let folder = folder();
    let root = folder.path().join("archive");
    let expected = day(&root);
    // As a killed writer leaves it.
    let archive = open_or_rebuild(&root);
    let other = folder.path().join("other");
    copy(&root, &other);
    drop(archive);
    fs::remove_file(other.join("catalog.db")).unwrap();
    assert!(other.join("catalog.db-wal").exists());
    survives(&other, &expected, "a log alone");
    let asides = asides(&other);
    assert!(asides.iter().any(|name| name.ends_with("-wal")), "{asides:?}");
}

#[test]
fn of_a_newer_version_it_is_left_alone() {
    let folder = folder();
    let root = &folder.path().join("archive");
    day(root);
    let db = rusqlite::Connection::open(root.join("catalog.db")).unwrap();
    db.execute("UPDATE meta SET value = 9 WHERE key = 'format'", []).unwrap();
    db.close().unwrap();
    let opened = Archive::open_or_rebuild(&settings(root), "1.2.3", Box::new(Maker(scenario::mails)));
    assert!(matches!(opened, Err(Error::Newer { found: 9, .. })));
    assert!(asides(root).is_empty());
}

/// The machine went down, and the disk did not keep what it had promised.
#[test]
fn after_a_power_cut_it_is_looked_at() {
    let folder = folder();
    let root = folder.path().join("archive");
    let expected = day(&root);
    let archive = open_or_rebuild(&root);
    let other = folder.path().join("other");
    copy(&root, &other);
    drop(archive);
    let db = rusqlite::Connection::open(other.join("catalog.db")).unwrap();
    let page: i64 = db
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'event'", [], |row| row.get(0))
        .unwrap();
    db.execute("UPDATE meta SET value = 'another' WHERE key = 'boot'", []).unwrap();
    db.close().unwrap();
    let mut bytes = fs::read(other.join("catalog.db")).unwrap();
    let page = usize::try_from(page - 1).unwrap() * 4096;
    bytes[page..page + 4096].fill(0xee);
    fs::write(other.join("catalog.db"), bytes).unwrap();
    drop(open_or_rebuild(&other));
    assert_eq!(asides(&other).len(), 1);
    survives(&other, &expected, "zeros");
}

#[test]
fn damaged_while_it_is_written_it_is_made_anew_and_the_work_goes_on() {
    let folder = folder();
    let root = &folder.path().join("archive");
    let expected = day(root);
    let mut archive = open_or_rebuild(root);
    let (one, two) = (number(&mut archive, "one"), number(&mut archive, "two"));
    let before = archive.view(one).unwrap();
    for name in ["catalog.db", "catalog.db-wal"] {
        let path = root.join(name);
        let length = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
        fs::write(&path, vec![0xaa; length]).unwrap();
    }
    let messages = vec![mail(1).generation(1).build(), mail(99).generation(1).build()];
    let committed = archive.commit(&Round { messages, ..Round::default() }, now()).unwrap();
    assert_eq!((committed.already.len(), committed.stored.len()), (1, 1));
    assert_eq!(
        (number(&mut archive, "one"), number(&mut archive, "two")),
        (one, two),
        "they keep their numbers"
    );
    let view = archive.view(one).unwrap();
    assert_eq!(view.selected.map(|s| s.generation), before.selected.map(|s| s.generation));
    drop(archive);
    assert!(!asides(root).is_empty());
    assert_eq!(problems(root), [""; 0]);
    assert_eq!(documents(root).len(), expected.len() + 1);
}

/// Disturbed at every step, the next attempt does it.
#[test]
fn a_rebuild_may_fail_at_every_step() {
    let place = folder();
    let made = &place.path().join("archive");
    let expected = day(made);
    lose(made);
    for path in expected.keys().filter(|path| path.ends_with(".json")).take(3) {
        fs::remove_file(made.join(path)).unwrap();
    }
    let mut step = 1;
    loop {
        let folder = folder();
        let root = folder.path().join("archive");
        copy(made, &root);
        faults::set(Plan::Fail(step, if step % 2 == 0 { 5 } else { 28 }));
        let opened = Archive::open_or_rebuild(&settings(&root), "1.2.3", Box::new(Maker(scenario::mails)));
        let taken = faults::taken();
        faults::set(Plan::Undisturbed);
        let whole = opened.is_ok();
        drop(opened);
        survives(&root, &expected, &format!("failed at step {step}"));
        if whole && taken < step {
            return;
        }
        step += 1;
    }
}

/// What was to be made anew with it is made, although that failed at first.
#[test]
fn documents_are_made_anew_by_the_next_attempt() {
    let place = folder();
    let made = &place.path().join("archive");
    day(made);
    let gone = scenario::mails().into_iter().find(|mail| mail.uid == 23).unwrap().id();
    let due: Vec<Id> = by_id(made).into_keys().filter(|id| *id != gone).collect();
    lose(made);
    fs::remove_dir_all(made.join("messages")).unwrap();
    let mut step = 1;
    loop {
        let folder = folder();
        let root = folder.path().join("archive");
        copy(made, &root);
        faults::set(Plan::Fail(step, 28));
        let opened = Archive::open_or_rebuild(&settings(&root), "1.2.3", Box::new(Maker(scenario::mails)));
        let taken = faults::taken();
        faults::set(Plan::Undisturbed);
        let whole = opened.is_ok();
        drop(opened);
        drop(open_or_rebuild(&root));
        assert_eq!(by_id(&root).into_keys().collect::<Vec<_>>(), due, "failed at step {step}");
        if whole && taken < step {
            return;
        }
        step += 1;
    }
}

#[test]
fn one_that_failed_is_not_begun_again_by_every_call() {
    let folder = folder();
    let root = &folder.path().join("archive");
    day(root);
    let mut archive = open_or_rebuild(root);
    let round = Round { messages: vec![mail(99).generation(1).build()], ..Round::default() };
    faults::set(Plan::FailFrom(1, 28));
    assert!(matches!(archive.rebuild("it is damaged"), Err(Error::Full { .. })));
    faults::set(Plan::FailFrom(1, 28));
    assert!(matches!(archive.commit(&round, now()), Err(Error::Full { .. })));
    assert_eq!(faults::taken(), 0);
    faults::set(Plan::Undisturbed);
    assert!(matches!(archive.commit(&round, now()), Err(Error::Full { .. })), "it is not time yet");
    // Whoever asks for it has it.
    archive.rebuild("somebody asks for it").unwrap();
    assert_eq!(archive.commit(&round, now()).unwrap().stored.len(), 1);
}

#[test]
fn of_those_that_were_set_aside_the_newest_are_kept() {
    let folder = folder();
    let root = &folder.path().join("archive");
    day(root);
    let old = ["20240101T000000Z", "20240202T000000Z", "20240202T000000Z-2", "20240202T000000Z-10"];
    for stem in old {
        for ending in ["", "-wal"] {
            fs::write(root.join(format!("catalog.db.damaged-{stem}{ending}")), "old").unwrap();
        }
    }
    fs::write(root.join("catalog.db.damaged-look-at-this"), "another's").unwrap();
    fs::write(root.join("catalog.db"), "no database at all").unwrap();
    drop(open_or_rebuild(root));
    let left = asides(root);
    let kept: Vec<_> = left
        .iter()
        .filter_map(|name| name.strip_prefix("catalog.db.damaged-"))
        .filter(|name| old.iter().any(|stem| name.starts_with(stem)))
        .collect();
    assert_eq!(
        kept,
        ["20240202T000000Z-10", "20240202T000000Z-10-wal", "20240202T000000Z-2", "20240202T000000Z-2-wal"]
    );
    assert!(left.contains(&"catalog.db.damaged-look-at-this".to_owned()));
    assert!(left.len() > 5, "and the one of now: {left:?}");
}
