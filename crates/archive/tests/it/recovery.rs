//! What is found when an archive is opened: tails of segments, leftovers, damage.

use std::path::{Path, PathBuf};

use vigie_archive::{Reader, Round, verify};
use vigie_common::id::BlobId;

use crate::checker::tree;
use crate::fixture::{Mail, folder, mail, now, open};

fn store(root: &Path, mails: &[Mail]) {
    let messages = mails.iter().map(Mail::build).collect();
    open(root).commit(&Round { messages, ..Round::default() }, now()).unwrap();
}

fn segment(root: &Path, number: u32) -> PathBuf {
    root.join(vigie_archive::layout::segment("one", "2026-03", number))
}

/// An archive, and what a second round would have appended to its segment.
fn with_tail(root: &Path) -> (Vec<u8>, Vec<u8>) {
    store(root, &[mail(1), mail(2)]);
    let recorded = std::fs::read(segment(root, 1)).unwrap();
    let other = folder();
    store(other.path(), &[mail(1), mail(2), mail(3), mail(5)]);
    let longer = std::fs::read(segment(other.path(), 1)).unwrap();
    assert!(longer.starts_with(&recorded));
    (recorded.clone(), longer[recorded.len()..].to_vec())
}

fn write(path: &Path, parts: &[&[u8]]) {
    std::fs::write(path, parts.concat()).unwrap();
}

fn problems(root: &Path) -> Vec<String> {
    verify(root, &mut |_, _| {})
        .unwrap()
        .problems
        .into_iter()
        .map(|p| format!("{}: {}", p.path, p.what))
        .collect()
}

fn kept(root: &Path, mail: &Mail) -> bool {
    Reader::open(root).unwrap().raw("one", &BlobId::of(&mail.body)).unwrap().is_some()
}

/// Cut at every length: whole pairs are taken up, the rest is cut, and the next round finds its bytes kept.
#[test]
fn a_tail_of_any_length() {
    let made = folder();
    let (recorded, tail) = with_tail(made.path());
    drop(made);
    for length in (0..=tail.len()).step_by(7).chain([tail.len()]) {
        let folder = folder();
        let root = folder.path();
        store(root, &[mail(1), mail(2)]);
        write(&segment(root, 1), &[&recorded, &tail[..length]]);
        drop(open(root));
        assert_eq!(problems(root), [""; 0], "{length}");
        let third = kept(root, &mail(3));
        assert!(third || length < tail.len());
        store(root, &[mail(3), mail(5)]);
        assert_eq!(problems(root), [""; 0], "{length}");
        assert!(kept(root, &mail(3)) && kept(root, &mail(5)));
        assert_eq!(tree(root, "raw").len(), 1, "{length}: it is appended to again");
        let magic = [0x28, 0xb5, 0x2f, 0xfd];
        let frames = std::fs::read(segment(root, 1)).unwrap().windows(4).filter(|w| *w == magic).count();
        assert_eq!(frames, 4, "{length}: no bytes twice");
    }
}

/// The file has its length, its last blocks have not arrived.
#[test]
fn a_tail_of_zeros_is_an_incomplete_pair() {
    let made = folder();
    let (recorded, tail) = with_tail(made.path());
    drop(made);
    for whole in [0, 1, 9, 300, tail.len() - 20] {
        let folder = folder();
        let root = folder.path();
        store(root, &[mail(1), mail(2)]);
        write(&segment(root, 1), &[&recorded, &tail[..whole], &vec![0; tail.len() - whole]]);
        drop(open(root));
        assert_eq!(problems(root), [""; 0], "{whole}");
        store(root, &[mail(3), mail(5)]);
        assert_eq!(problems(root), [""; 0], "{whole}");
    }
}

#[test]
fn other_damage_is_reported_and_never_cut() {
    let folder = folder();
    let root = folder.path();
    let (recorded, mut tail) = with_tail(root);
    let last = tail.len() - 10;
    tail[last] ^= 1;
    write(&segment(root, 1), &[&recorded, &tail]);
    store(root, &[mail(3), mail(5)]);
    assert_eq!(std::fs::read(segment(root, 1)).unwrap(), [recorded.clone(), tail.clone()].concat());
    assert!(segment(root, 2).exists(), "what follows goes elsewhere");
    let found = problems(root);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("nothing that is recorded is lost"), "{found:?}");

    // Within what is recorded.
    let mut recorded = recorded;
    let last = recorded.len() - 10;
    recorded[last] ^= 1;
    write(&segment(root, 1), &[&recorded]);
    drop(open(root));
    assert_eq!(std::fs::read(segment(root, 1)).unwrap(), recorded);
    let found = problems(root).join("\n");
    assert!(found.contains("are not at offset"), "{found}");
    assert!(Reader::open(root).unwrap().raw("one", &BlobId::of(&mail(2).body)).is_err());

    // Shorter than recorded.
    write(&segment(root, 1), &[&recorded[..recorded.len() - 30]]);
    drop(open(root));
    assert!(problems(root).join("\n").contains("is cut"));
    assert_eq!(std::fs::read(segment(root, 1)).unwrap().len(), recorded.len() - 30);
}

/// Only the last segment of an account may end within a pair: elsewhere that is damage.
#[test]
fn a_cut_segment_that_is_not_the_last_stays() {
    let folder = folder();
    let root = folder.path();
    let (recorded, tail) = with_tail(root);
    write(&segment(root, 1), &[&recorded, &tail[..50]]);
    write(&segment(root, 2), &[]);
    store(root, &[mail(3)]);
    assert_eq!(std::fs::read(segment(root, 1)).unwrap().len(), recorded.len() + 50);
    let found = problems(root);
    assert!(found.len() == 1 && found[0].contains("never recorded"), "{found:?}");
}

#[test]
fn leftovers_are_cleaned() {
    let folder = folder();
    let root = folder.path();
    store(root, &[mail(1)]);
    std::fs::write(root.join(".tmp/17"), "half a docu").unwrap();
    assert_eq!(problems(root), [".tmp/17: is left over from a run that was interrupted"]);
    drop(open(root));
    assert_eq!(problems(root), [""; 0]);
}
