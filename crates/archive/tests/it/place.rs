//! What others do to the archive's folder: move it, put something else in its place, take its file system away, plant
//! links and pipes in it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use vigie_archive::{Archive, Change, Error, Reader, Round, Shortage, layout, verify};
use vigie_common::id::BlobId;

use crate::checker::tree;
use crate::fixture::{Mail, folder, inbox, mail, now, open, open_or_rebuild, settings};

fn round(uid: u32) -> Round {
    Round { messages: vec![mail(uid).with("attached").build()], ..Round::default() }
}

fn sound(root: &Path, messages: u64) {
    let report = verify(root, &mut |_, _| {}).unwrap();
    assert_eq!((report.problems, report.messages), (vec![], messages));
}

/// Refuses everything, and says why; nothing is recorded.
#[track_caller]
fn refuses(archive: &mut Archive, uid: u32, why: &str) {
    let mailbox = archive.mailboxes("one").unwrap()[0];
    let covered = Change::Covered { mailbox, uids: vigie_archive::UidSet::of(50..=60) };
    let changes = Round { changes: vec![covered], ..Round::default() };
    for error in [
        archive.commit(&round(uid), now()).unwrap_err(),
        archive.commit(&changes, now()).unwrap_err(),
        archive.push(std::sync::Arc::new(round(uid)), now(), |_| panic!("recorded")).unwrap_err(),
        archive.heartbeat(now()).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Failed { .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
    assert!(!archive.view(mailbox).unwrap().covered.contains(50));
}

#[test]
fn moved_away_it_takes_nothing_until_it_is_back() {
    let folder = folder();
    let (root, away) = (folder.path().join("archive"), folder.path().join("away"));
    let mut archive = open(&root);
    archive.commit(&round(1), now()).unwrap();
    let before = tree(&root, "messages");
    fs::rename(&root, &away).unwrap();
    refuses(&mut archive, 2, "not there any more");
    assert!(!root.exists(), "nothing is made in its place");
    assert_eq!(tree(&away, "messages"), before);
    // Another folder, and a link to another folder.
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::create_dir(&root).unwrap();
    refuses(&mut archive, 2, "another folder");
    fs::remove_dir(&root).unwrap();
    symlink(&other, &root).unwrap();
    refuses(&mut archive, 2, "another folder");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
    fs::remove_file(&root).unwrap();
    fs::rename(&away, &root).unwrap();
    archive.commit(&round(2), now()).unwrap();
    drop(archive);
    sound(&root, 2);
}

/// As root only: others may not mount.
#[test]
fn unmounted_it_writes_nothing_under_the_mount_point() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, mount) = (folder.path().join("disk"), folder.path().join("mount"));
    fs::create_dir(&disk).unwrap();
    fs::create_dir(&mount).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).status().is_ok_and(|status| status.success())
    };
    let (from, to) = (disk.to_str().unwrap(), mount.to_str().unwrap());
    if !run("mount", &["--bind", from, to]) {
        not_tested();
        return;
    }
    let root = mount.join("archive");
    let mut archive = open(&root);
    archive.commit(&round(1), now()).unwrap();
    assert!(run("umount", &["--lazy", to]));
    refuses(&mut archive, 2, "not there any more");
    assert_eq!(fs::read_dir(&mount).unwrap().count(), 0);
    assert!(run("mount", &["--bind", from, to]));
    archive.commit(&round(2), now()).unwrap();
    drop(archive);
    sound(&root, 2);
    assert!(run("umount", &["--lazy", to]));
}

fn not_tested() {
    use std::io::Write;
    std::io::stderr().write_all(b"NOT TESTED: this user may not mount\n").unwrap();
}

struct Mounted(PathBuf);

impl Mounted {
    /// A file system of its own; none where this user may not mount.
    fn tmpfs(at: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let arguments = ["-t", "tmpfs", "-o", options, "tmpfs", at.to_str().unwrap()];
        let mounted = Command::new("mount").args(arguments).status().is_ok_and(|status| status.success());
        if !mounted {
            not_tested();
        }
        mounted.then_some(Self(at))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A disk that is full, or has no room for another file, for real. `fill` takes what is left, `free` gives it back.
fn full(options: &str, expected: Shortage, fill: impl Fn(&Path), free: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Mounted::tmpfs(folder.path().join("disk"), options) else { return };
    let root = disk.0.join("archive");
    let mut archive = open(&root);
    archive.commit(&round(1), now()).unwrap();
    fill(&disk.0);
    let mut failures = 0;
    for uid in 2..2000 {
        let before = Reader::open(&root).unwrap().totals().unwrap();
        match archive.commit(&round(uid), now()) {
            Ok(_) => continue,
            Err(Error::Full { what, .. }) => assert_eq!(what, expected),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(Reader::open(&root).unwrap().totals().unwrap(), before);
        failures += 1;
        if failures == 3 {
            free(&disk.0);
            archive.commit(&round(uid), now()).unwrap();
            drop(archive);
            sound(&root, u64::from(uid) - 2);
            return;
        }
    }
    panic!("it was never full");
}

#[test]
fn a_disk_that_is_full() {
    let fill = |disk: &Path| {
        let mut noise = fs::File::create(disk.join("noise")).unwrap();
        while std::io::Write::write_all(&mut noise, &[7; 4096]).is_ok() {}
    };
    full("size=2M", Shortage::Space, fill, |disk| fs::remove_file(disk.join("noise")).unwrap());
}

#[test]
fn a_disk_without_inodes() {
    let fill = |disk: &Path| {
        let mut n = 0;
        while fs::write(disk.join(format!("noise{n}")), "").is_ok() {
            n += 1;
        }
    };
    let free = |disk: &Path| {
        for entry in fs::read_dir(disk).unwrap().map(Result::unwrap) {
            if entry.file_name().to_str().unwrap().starts_with("noise") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    };
    full("size=16M,nr_inodes=60", Shortage::Inodes, fill, free);
}

#[test]
fn a_disk_that_may_only_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Mounted::tmpfs(folder.path().join("disk"), "size=8M") else { return };
    let root = disk.0.join("archive");
    let mut archive = open(&root);
    archive.commit(&round(1), now()).unwrap();
    drop(archive);
    let remount = |how: &str| {
        let options = format!("remount,{how}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&disk.0).status().unwrap().success());
    };
    remount("ro");
    let opened = Archive::open_or_rebuild(
        &settings(&root),
        "1.2.3",
        Box::new(crate::fixture::Maker(crate::scenario::mails)),
    );
    assert!(matches!(opened, Err(Error::Denied { .. })), "{opened:?}");
    remount("rw");
    drop(open_or_rebuild(&root));
    sound(&root, 1);
}

/// Whoever may write in the folder plants links to something of ours, and pipes: none is followed, none is waited for.
#[test]
fn nothing_planted_in_it_is_followed() {
    let folder = folder();
    let canary = folder.path().join("canary");
    fs::write(&canary, "canary").unwrap();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let document = mail(2).path();
    let attachment = layout::attachment(&BlobId::of(b"attached"));
    let segment = layout::segment("one", "2026-03", 1);
    type Plant<'a> = &'a dyn Fn(&Path);
    let plants: [(&str, Plant<'_>); 4] = [
        ("a symbolic link", &|path| symlink(&canary, path).unwrap()),
        ("a link to nowhere", &|path| symlink(outside.join("made"), path).unwrap()),
        ("a hard link", &|path| fs::hard_link(&canary, path).unwrap()),
        ("a pipe", &pipe),
    ];
    for place in [&document, &attachment, &segment, ".tmp/1", ".lock", "catalog.db"] {
        for (what, plant) in plants {
            let root = folder.path().join("archive");
            fs::create_dir_all(root.join(place).parent().unwrap()).unwrap();
            plant(&root.join(place));
            // It may be refused, or replaced; it is never written through.
            if let Ok(mut archive) = Archive::open(&settings(&root), "1.2.3") {
                archive.mailbox("one", &inbox()).unwrap();
                let _ = archive.commit(&Round { messages: vec![message(2)], ..Round::default() }, now());
            }
            assert_eq!(fs::read(&canary).unwrap(), b"canary", "{what} at {place}");
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{what} at {place}");
            fs::remove_dir_all(&root).unwrap();
        }
    }
    for place in ["messages", "messages/one", "raw", "raw/one", "attachments", ".tmp", "quarantine"] {
        let root = folder.path().join("archive");
        fs::create_dir_all(root.join(place).parent().unwrap()).unwrap();
        symlink(&outside, root.join(place)).unwrap();
        if let Ok(mut archive) = Archive::open(&settings(&root), "1.2.3") {
            archive.commit(&Round { messages: vec![message(2)], ..Round::default() }, now()).unwrap_err();
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{place}");
        fs::remove_dir_all(&root).unwrap();
    }
}

fn message(uid: u32) -> vigie_archive::Message {
    let made: Mail = mail(uid).with("attached");
    made.build()
}

/// Modes are ours, whatever the mask of the process is.
#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    const CHILD: &str = "VIGIE_ARCHIVE_TEST_MASK";
    if let Some(root) = std::env::var_os(CHILD) {
        let mut archive = open(Path::new(&root));
        archive.commit(&round(1), now()).unwrap();
        return;
    }
    let folder = folder();
    let root = folder.path().join("archive");
    let test = std::env::current_exe().unwrap();
    let script = "umask 000; exec \"$0\" --exact place::files_are_for_their_owner_alone";
    let child = Command::new("sh").args(["-c", script]).arg(test).env(CHILD, &root).output().unwrap();
    assert!(child.status.success());
    let mut all = vec![root.clone()];
    let mut seen = 0;
    while let Some(path) = all.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let due = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(found.permissions().mode() & 0o777, due, "{}", path.display());
        seen += 1;
        if found.is_dir() {
            all.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(seen > 12, "{seen}");
}
