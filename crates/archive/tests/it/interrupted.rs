//! Killed at every step, failed at every step: each time the end is that of an undisturbed run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use vigie_archive::faults::{self, Plan};
use vigie_archive::{Archive, Error, Reader, Shortage};

use crate::checker::{Watcher, check, check_at_rest, documents};
use crate::fixture::{folder, now, settings};
use crate::scenario;

/// Where the child works, and the step at which it dies.
const CHILD: &str = "VIGIE_ARCHIVE_TEST_CHILD";
const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// What an undisturbed run leaves, and how many steps it takes.
fn expected() -> (BTreeMap<String, Vec<u8>>, u64) {
    let folder = folder();
    faults::set(Plan::Fail(u64::MAX, 0));
    scenario::undisturbed(&settings(&folder.path().join("archive")));
    let steps = faults::taken();
    faults::set(Plan::Undisturbed);
    (documents(&folder.path().join("archive")), steps)
}

#[test]
fn an_undisturbed_run_is_sound() {
    let folder = folder();
    let root = folder.path().join("archive");
    scenario::undisturbed(&settings(&root));
    let expected = documents(&root);
    check(&root, &expected, "undisturbed");
    check_at_rest(&root, &expected, "undisturbed");
}

/// Not a test of its own: what [`killed`] runs as a process.
#[test]
fn the_child_that_is_killed() {
    let Ok(child) = std::env::var(CHILD) else { return };
    let (step, root) = child.split_once(' ').unwrap();
    faults::set(Plan::Kill(step.parse().unwrap()));
    scenario::undisturbed(&settings(Path::new(root)));
}

/// Kills at every second step from `first`; two tests share the work.
fn killed(first: u64) {
    let (expected, steps) = expected();
    assert!(steps > 100, "{steps} steps: what is counted?");
    let mut step = first;
    loop {
        let what = format!("killed at step {step}");
        let folder = folder();
        let root = folder.path().join("archive");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "interrupted::the_child_that_is_killed"])
            .env(CHILD, format!("{step} {}", root.display()))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut watcher = Watcher::default();
        let status = loop {
            watcher.look(&root, &what);
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
        };
        watcher.look(&root, &what);
        scenario::undisturbed(&settings(&root));
        watcher.look(&root, &what);
        check(&root, &expected, &what);
        if step % 16 == first % 16 {
            check_at_rest(&root, &expected, &what);
        }
        if status.success() {
            assert!(step > steps, "{what}: it was not");
            return;
        }
        step += 2;
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

/// Fails at every step, once or until further notice, and tries again as an ingest would.
fn failed(errno: i32, plan: fn(u64, i32) -> Plan) {
    let (expected, steps) = expected();
    for step in 1..=steps {
        let what = format!("{:?}", plan(step, errno));
        let folder = folder();
        let root = folder.path().join("archive");
        let settings = settings(&root);
        faults::set(plan(step, errno));
        let mut failures = 0;
        let mut again = |error: &Error| {
            failures += 1;
            let told = matches!(
                (errno, error),
                (ENOSPC, Error::Full { what: Shortage::Space, .. }) | (EIO, Error::Failed { .. })
            );
            assert!(told, "{what}: {error:?}");
            // Whatever was wrong is over after the third time.
            if failures == 3 {
                faults::set(Plan::Undisturbed);
            }
            assert!(failures <= 3, "{what}: it does not end");
        };
        let mut archive = loop {
            match Archive::open(&settings, "1.2.3") {
                Ok(archive) => break archive,
                Err(error) => again(&error),
            }
        };
        let mut watcher = Watcher::default();
        loop {
            let ran = scenario::run(&mut archive, &mut |archive, round| {
                loop {
                    let before = Reader::open(&root).unwrap().totals().unwrap();
                    match archive.commit(round, now()) {
                        Ok(committed) => return committed,
                        Err(error) => again(&error),
                    }
                    assert_eq!(Reader::open(&root).unwrap().totals().unwrap(), before, "{what}: recorded");
                    watcher.look(&root, &what);
                }
            });
            match ran {
                Ok(_) => break,
                Err(error) => again(&error),
            }
        }
        faults::set(Plan::Undisturbed);
        assert!(failures > 0, "{what}: nothing failed");
        drop(archive);
        check(&root, &expected, &what);
    }
}

#[test]
fn no_space_once_at_every_step() {
    failed(ENOSPC, Plan::Fail);
}

#[test]
fn no_space_for_a_while_from_every_step() {
    failed(ENOSPC, Plan::FailFrom);
}

#[test]
fn an_ill_disk_once_at_every_step() {
    failed(EIO, Plan::Fail);
}

#[test]
fn an_ill_disk_for_a_while_from_every_step() {
    failed(EIO, Plan::FailFrom);
}
