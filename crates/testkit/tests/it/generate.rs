//! Generated messages: the same everywhere, and of the sizes that they promise.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use vigie_testkit::generate::demo::{self, Kind};
use vigie_testkit::generate::{self, Profile};

fn hash(messages: impl Iterator<Item = Vec<u8>>) -> String {
    let mut hasher = Sha256::new();
    for message in messages {
        hasher.update(&message);
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Other bytes here are other bytes everywhere: mailboxes made before are no longer the same.
#[test]
fn the_same_arguments_give_the_same_bytes() {
    let of = |profile, count| hash((0..count).map(|index| generate::message(1, index, profile)));
    let when = |index: u64| Timestamp::from_second(1_750_000_000 + 3600 * index.cast_signed()).unwrap();
    let hashes = [
        of(Profile::Small, 200),
        of(Profile::Mixed, 200),
        of(Profile::Large, 1),
        hash((0..500).map(|index| generate::demo(1, index, when(index)))),
    ];
    assert_eq!(hashes, ["77355c50148db596", "56a1b607d0ac2ed7", "8a22085af30d2468", "3e354a64df11d0f0"]);
    assert_ne!(generate::message(1, 0, Profile::Small), generate::message(2, 0, Profile::Small));
}

#[test]
fn sizes_are_those_of_the_profile() {
    let sizes = |profile, count| {
        let mut sizes: Vec<usize> = (0..count).map(|n| generate::message(7, n, profile).len()).collect();
        sizes.sort_unstable();
        sizes
    };
    let small = sizes(Profile::Small, 100);
    assert!(small[0] > 3_000 && small[99] < 4_600, "small: {} to {}", small[0], small[99]);
    let mixed = sizes(Profile::Mixed, 2_000);
    assert!((9_000..15_000).contains(&mixed[1_000]), "mixed: median {}", mixed[1_000]);
    assert!(mixed[1_990] > 300_000 && mixed[1_999] < 3_200_000, "mixed: {} {}", mixed[1_990], mixed[1_999]);
    let large = sizes(Profile::Large, 6);
    assert!(large[0] > 1 << 20 && large[5] < 15 << 20);
}

const KINDS: [Kind; 9] = [
    Kind::Order,
    Kind::Invoice,
    Kind::Support,
    Kind::Newsletter,
    Kind::Alert,
    Kind::Dmarc,
    Kind::Form,
    Kind::Bounce,
    Kind::Invitation,
];

#[test]
fn every_kind_has_whole_lines_and_a_head() {
    let when = Timestamp::from_second(1_750_000_000).unwrap();
    for (kind, index) in KINDS.into_iter().flat_map(|kind| (0..40).map(move |index| (kind, index))) {
        let message = demo::of_kind(kind, 3, index, when);
        let end = message.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&message[..end]).unwrap();
        assert!(head.is_ascii(), "{head}");
        for field in
            ["Message-ID: <", "Date: ", "From: ", "To: ", "Subject: ", "Content-Type: ", "MIME-Version: "]
        {
            assert_eq!(
                head.lines().filter(|line| line.starts_with(field)).count(),
                1,
                "{kind:?} {field}: {head}"
            );
        }
        let bare = message.windows(2).filter(|pair| pair[1] == b'\n' && pair[0] != b'\r').count();
        assert_eq!(bare, 0, "{kind:?} {index} has bare line feeds");
        assert!(message.split(|byte| *byte == b'\n').all(|line| line.len() <= 999), "{kind:?} {index}");
    }
}

#[test]
fn an_answer_names_a_letter_that_exists() {
    let when = Timestamp::from_second(1_750_000_000).unwrap();
    let texts: Vec<String> =
        (0..300).map(|n| String::from_utf8_lossy(&generate::demo(1, n, when)).into_owned()).collect();
    let field =
        |text: &str, name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(ToOwned::to_owned);
    let mut answers = 0;
    for (at, text) in texts.iter().enumerate() {
        let Some(parent) = field(text, "In-Reply-To: ") else { continue };
        answers += 1;
        let earlier = &texts[..at];
        assert!(earlier.iter().any(|other| field(other, "Message-ID: ").as_ref() == Some(&parent)));
    }
    assert!(answers > 50, "{answers} answers");
}

#[test]
fn a_maildir_has_its_parts() {
    let dir = tempfile::tempdir().unwrap();
    generate::maildir(dir.path(), 5, 1, Profile::Small).unwrap();
    assert!(dir.path().join("cur").is_dir() && dir.path().join("tmp").is_dir());
    let mut files: Vec<_> =
        std::fs::read_dir(dir.path().join("new")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 5);
    assert_eq!(std::fs::read(&files[0]).unwrap(), generate::message(1, 0, Profile::Small));
}
