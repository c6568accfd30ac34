//! A real Dovecot: its mailbox becomes documents, and what it is sent arrives.

use std::collections::BTreeSet;

use vigie_common::id::BlobId;
use vigie_testkit::dovecot::Dovecot;
use vigie_testkit::generate::{self, Profile};

use crate::messages::small;
use crate::place::{Place, Running};

const MESSAGES: u64 = 500;

#[test]
fn a_real_mailbox_over_tls_plain_and_compressed() {
    let dovecot = Dovecot::start().unwrap();
    let maildir = tempfile::tempdir().unwrap();
    generate::maildir(maildir.path(), MESSAGES, 3, Profile::Mixed).unwrap();
    dovecot.import("me", maildir.path()).unwrap();
    let expected: BTreeSet<BlobId> =
        (0..MESSAGES).map(|n| BlobId::of(&generate::message(3, n, Profile::Mixed))).collect();
    let tls = format!("ca_file = \"{}\"", dovecot.ca_file().display());
    for (port, more) in [
        (dovecot.tls_port(), tls.clone()),
        (dovecot.port(), "tls = \"none\"".to_owned()),
        (dovecot.tls_port(), format!("{tls}\ncompress = true")),
    ] {
        let mut place = Place::new();
        place.account("a", port, &more);
        let first = place.sync();
        first.assert_clean();
        assert_eq!(first.stored(), MESSAGES, "{more}\n{}", dovecot.log());
        place.assert_whole(MESSAGES);
        assert_eq!(place.entries().into_iter().map(|e| e.blob_id).collect::<BTreeSet<_>>(), expected);
        let raw: u64 = place.entries().iter().map(|e| e.size).sum();
        assert_eq!(place.raw_messages().len() as u64, raw);
        let second = place.sync();
        second.assert_clean();
        assert_eq!(second.stored(), 0);
        let check = place.run(&["check", "--log-level", "debug"]);
        let compressed = String::from_utf8_lossy(&check.stderr).contains("compressed=true");
        assert_eq!(compressed, more.contains("compress"), "{}", String::from_utf8_lossy(&check.stderr));
    }
}

#[test]
fn deliveries_arrive_while_it_watches() {
    let dovecot = Dovecot::start().unwrap();
    dovecot.deliver("me", &small(0)).unwrap();
    let mut place = Place::new();
    place.account("a", dovecot.port(), "tls = \"none\"");
    let run = Running::start(place.command(&["run"]), false);
    let mut follow = Running::start(place.command(&["follow"]), true);
    follow.wait_for("\"seq\":1");
    for n in 1..=5 {
        dovecot.deliver("me", &small(n)).unwrap();
        follow.wait_for(&format!("\"seq\":{}", n + 1));
    }
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    run_is_quiet(&place);
}

fn run_is_quiet(place: &Place) {
    place.assert_whole(6);
    assert_eq!(place.sync().stored(), 0);
}
