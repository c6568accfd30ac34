//! Rounds that follow one another without a pause: each is recorded by the sync of the next. Killed at every step,
//! failed at every step, and the power cut at every step, the end is that of rounds committed one by one.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use vigie_archive::faults::{self, Plan};
use vigie_archive::{Archive, Committed, Error, Message, Reader, Round, verify};
use vigie_common::id::BlobId;

use crate::checker::{Watcher, documents, entries, tree};
use crate::fixture::{Mail, folder, mail, now, open, settings};
use crate::power;

const CHILD: &str = "VIGIE_ARCHIVE_TEST_PUSHED";
const EIO: i32 = 5;

/// Three rounds, each too large to be synced file by file, that share bytes, attachments and a message.
fn day() -> Vec<Vec<Mail>> {
    let same = "Subject: the same\r\n\r\nagain and again\r\n";
    let first = (1..14).map(mail).chain([mail(14).bytes(same).with("shared")]);
    let second = (20..33).map(mail).chain([mail(33).bytes(same).with("shared").with("of its own"), mail(3)]);
    let third = (40..53).map(mail).chain([mail(53).bytes(same).with("of its own")]);
    vec![first.collect(), second.collect(), third.collect()]
}

fn rounds() -> impl Iterator<Item = Round> {
    day().into_iter().map(|mails| Round {
        messages: mails.iter().map(Mail::build).collect::<Vec<Message>>(),
        ..Round::default()
    })
}

/// As the store does it: what fails in company is committed alone, `failed` deciding whether to go on.
fn run(root: &Path, failed: &mut dyn FnMut(Error)) {
    let mut archive = loop {
        match Archive::open(&settings(root), "1.2.3") {
            Ok(archive) => break archive,
            Err(error) => failed(error),
        }
    };
    let mut alone = |archive: &mut Archive, round: &Round| {
        while let Err(error) = archive.commit(round, now()) {
            failed(error);
        }
    };
    let mut before: Option<Arc<Round>> = None;
    for round in rounds().map(Arc::new) {
        let told = Cell::new(false);
        if archive.push(Arc::clone(&round), now(), |_| told.set(true)).is_ok() {
            before = Some(round);
            continue;
        }
        for round in before.take().filter(|_| !told.get()).into_iter().chain([round]) {
            alone(&mut archive, &round);
        }
    }
    if let (Some(round), Err(_)) = (before, archive.settle(now())) {
        alone(&mut archive, &round);
    }
}

fn undisturbed(root: &Path) {
    run(root, &mut |error| panic!("{error}"));
}

/// How many steps an undisturbed run takes.
fn steps() -> u64 {
    let folder = folder();
    faults::set(Plan::Fail(u64::MAX, 0));
    undisturbed(&folder.path().join("archive"));
    let steps = faults::taken();
    faults::set(Plan::Undisturbed);
    steps
}

/// What rounds committed one by one leave.
fn expected() -> BTreeMap<String, Vec<u8>> {
    let folder = folder();
    let root = folder.path().join("archive");
    let mut archive = open(&root);
    rounds().for_each(|round| drop(archive.commit(&round, now()).unwrap()));
    drop(archive);
    documents(&root)
}

#[track_caller]
fn check(root: &Path, expected: &BTreeMap<String, Vec<u8>>, what: &str) {
    let problems = verify(root, &mut |_, _| {}).unwrap().problems;
    assert!(problems.is_empty(), "{what}: {problems:#?}");
    assert!(documents(root) == *expected, "{what}: other files");
    assert!(tree(root, ".tmp").is_empty(), "{what}: .tmp is not empty");
    let entries = entries(root);
    assert_eq!(
        entries.len(),
        day().iter().flatten().count() - 1,
        "{what}: one of them is there in two rounds"
    );
    let reader = Reader::open(root).unwrap();
    for mail in day().iter().flatten() {
        let blob = BlobId::of(&mail.body);
        assert_eq!(reader.raw("one", &blob).unwrap().as_ref(), Some(&mail.body), "{what}: {}", mail.uid);
        let entry = entries.iter().find(|entry| entry.id == mail.id()).unwrap();
        let first = entries.iter().find(|e| e.blob_id == blob).unwrap();
        assert_eq!(
            entry.duplicate_of,
            (first.id != entry.id).then(|| first.id.clone()),
            "{what}: {}",
            mail.uid
        );
    }
}

#[test]
fn the_end_is_that_of_rounds_one_by_one_with_half_the_syncs() {
    let folder = folder();
    let root = folder.path().join("archive");
    faults::set(Plan::Fail(u64::MAX, 0));
    undisturbed(&root);
    let log = faults::log();
    faults::set(Plan::Undisturbed);
    check(&root, &expected(), "undisturbed");
    assert_eq!(
        log.iter().filter(|(what, _)| *what == "sync whole").count(),
        4,
        "one a round, and one at the end"
    );
    // Nothing is recorded before a power cut would leave it whole.
    assert!(power::play(&log) > 3);
    undisturbed(&root);
    check(&root, &expected(), "a further run");
}

#[test]
fn what_was_pushed_is_told_by_the_next() {
    let folder = folder();
    let mut archive = open(folder.path());
    let mut told: Vec<Committed> = Vec::new();
    for round in rounds() {
        archive.push(Arc::new(round), now(), |committed| told.push(committed)).unwrap();
    }
    assert_eq!(
        told.iter().map(|c| (c.stored.len(), c.already.len())).collect::<Vec<_>>(),
        [(14, 0), (14, 1)]
    );
    assert_eq!(entries(folder.path()).len(), 28);
    assert_eq!(archive.settle(now()).unwrap().unwrap().stored.len(), 14);
    assert_eq!(archive.settle(now()).unwrap(), None);
}

/// A life that was killed left documents under names of this round.
#[test]
fn names_that_are_taken_fail_the_company_and_not_the_round_alone() {
    let folder = folder();
    let root = folder.path().join("archive");
    drop(open(&root));
    let taken = root.join(mail(25).path());
    std::fs::create_dir_all(taken.parent().unwrap()).unwrap();
    std::fs::write(&taken, "{\"half").unwrap();
    let modes = |path: &Path, mode| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
    };
    modes(&taken, 0o600).unwrap();
    undisturbed(&root);
    check(&root, &expected(), "a name was taken");
}

/// Not a test of its own: what [`killed`] runs as a process.
#[test]
fn the_child_that_is_killed() {
    let Ok(child) = std::env::var(CHILD) else { return };
    let (step, root) = child.split_once(' ').unwrap();
    faults::set(Plan::Kill(step.parse().unwrap()));
    undisturbed(Path::new(root));
}

/// Kills at every second step from `first`; two tests share the work.
fn killed(first: u64) {
    let expected = expected();
    for step in (first..).step_by(2) {
        let what = format!("killed at step {step}");
        let folder = folder();
        let root = folder.path().join("archive");
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "pushed::the_child_that_is_killed"])
            .env(CHILD, format!("{step} {}", root.display()))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        let mut watcher = Watcher::default();
        watcher.look(&root, &what);
        undisturbed(&root);
        watcher.look(&root, &what);
        check(&root, &expected, &what);
        if status.success() {
            assert!(step > 100, "{what}: it was not");
            return;
        }
    }
}

#[test]
fn killed_at_every_odd_step() {
    killed(1);
}

#[test]
fn killed_at_every_even_step() {
    killed(2);
}

fn failed(plan: fn(u64, i32) -> Plan) {
    let expected = expected();
    for step in 1..=steps() {
        let what = format!("{:?}", plan(step, EIO));
        let folder = folder();
        let root = folder.path().join("archive");
        faults::set(plan(step, EIO));
        let mut failures = 0;
        run(&root, &mut |error| {
            failures += 1;
            assert!(matches!(error, Error::Failed { .. }), "{what}: {error:?}");
            // Whatever was wrong is over after the third time.
            if failures == 3 {
                faults::set(Plan::Undisturbed);
            }
        });
        faults::set(Plan::Undisturbed);
        check(&root, &expected, &what);
    }
}

#[test]
fn an_ill_disk_once_at_every_step() {
    failed(Plan::Fail);
}

#[test]
fn an_ill_disk_for_a_while_from_every_step() {
    failed(Plan::FailFrom);
}
