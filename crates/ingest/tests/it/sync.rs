//! `sync`: everything once, nothing twice.

use vigie_common::document::Mode;
use vigie_common::id::BlobId;
use vigie_common::record::EventKind;
use vigie_testkit::generate::{self, Profile};
use vigie_testkit::mailbox_server::Draft;

use crate::messages::{server, small};
use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn every_message_once_and_a_second_run_asks_for_none() {
    let (server, _, account) = server(700).await;
    account.mailbox("Orders/2026").append_all((1000..1150).map(|n| Draft::new(small(n))));
    account.mailbox("Junk").append(small(1));
    let place = Place::plain(server.port(), "mailboxes = [\"*\", \"!Junk\"]");

    let first = place.sync();
    first.assert_clean();
    assert_eq!(
        first.by_mailbox("stored"),
        [("INBOX".to_owned(), 700), ("Orders/2026".to_owned(), 150)].into()
    );
    place.assert_whole(850);
    let entries = place.entries();
    assert_eq!(entries.len(), 850);
    assert!(entries.iter().all(|e| e.mode == Mode::Backfill));
    let raw = place.raw_messages();
    assert_eq!(raw.len() as u64, entries.iter().map(|e| e.size).sum::<u64>());
    let expected: std::collections::BTreeSet<BlobId> =
        (0..700).chain(1000..1150).map(|n| BlobId::of(&small(n))).collect();
    assert_eq!(
        entries.iter().map(|e| e.blob_id.clone()).collect::<std::collections::BTreeSet<_>>(),
        expected
    );

    let before = server.service().commands("UID FETCH");
    let second = place.sync();
    second.assert_clean();
    assert_eq!(second.stored(), 0);
    assert!(
        server.service().commands("UID FETCH") - before <= 4,
        "a look at the last UIDs of each mailbox, and no body"
    );
    assert_eq!(place.records().len(), 850);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_document_lies_where_its_entry_says() {
    let (server, inbox, _) = server(0).await;
    inbox.append_all(
        (0..300)
            .map(|n| Draft::new(small(n)).received("2026-03-04T05:06:07Z".parse().unwrap()).flag("\\Seen")),
    );
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let entries = place.entries();
    assert_eq!(entries.len(), 300);
    for entry in entries.iter().take(20) {
        let document = place.document(entry);
        assert_eq!((&document.id, &document.blob_id), (&entry.id, &entry.blob_id));
        assert_eq!(entry.path, format!("messages/a/2026/03/04/050607-{}.json", entry.id));
        assert!(document.keywords.contains_key("$seen"));
        assert_eq!(document.vigie.source.unwrap().uid, entry.uid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_empty_messages_and_attachments() {
    let (server, inbox, _) = server(0).await;
    let large = generate::message(1, 2, Profile::Large);
    let mixed: Vec<Vec<u8>> = (0..40).map(|n| generate::message(1, n, Profile::Mixed)).collect();
    inbox.append(large.clone());
    inbox.append(Vec::new());
    inbox.append(b"\0\xff not a message".to_vec());
    // Exactly the length of a slice, and of two.
    for length in [1 << 20, 2 << 20, (1 << 20) + 1] {
        let mut bytes = b"Subject: exact\r\n\r\n".to_vec();
        bytes.resize(length, b'x');
        inbox.append(bytes);
    }
    inbox.append_all(mixed.iter().cloned().map(Draft::new));
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    place.assert_whole(46);
    let entries = place.entries();
    assert!(entries.iter().any(|e| e.blob_id == BlobId::of(&large) && e.attachments > 0));
    assert!(entries.iter().any(|e| e.size == 0));
    for (entry, n) in entries.iter().filter(|e| e.attachments > 0).zip(0..5) {
        for part in place.document(entry).attachments {
            let bytes = std::fs::read(place.archive().join(part.path.unwrap())).unwrap();
            assert_eq!(BlobId::of(&bytes), part.blob_id.unwrap(), "{n}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_twice_are_two_messages_and_one_blob() {
    let (server, inbox, account) = server(3).await;
    inbox.append(small(0));
    account.mailbox("Copy").append(small(1));
    let place = Place::plain(server.port(), "mailboxes = [\"*\"]");
    place.sync().assert_clean();
    place.assert_whole(5);
    let entries = place.entries();
    assert_eq!(entries.iter().filter(|e| e.duplicate_of.is_some()).count(), 2);
    assert_eq!(place.raw_messages().len(), (0..3).map(|n| small(n).len()).sum::<usize>());
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_deletions_and_arrivals_between_two_runs() {
    let (server, inbox, _) = server(50).await;
    inbox.skip_to(1_000_000);
    inbox.append_all((50..60).map(|n| Draft::new(small(n))));
    let place = Place::plain(server.port(), "");
    assert_eq!(place.sync().stored(), 60);
    for uid in 1..=20 {
        inbox.expunge(uid);
    }
    inbox.append_all((60..65).map(|n| Draft::new(small(n))));
    let second = place.sync();
    second.assert_clean();
    assert_eq!(second.stored(), 5);
    // What was deleted on the server stays here.
    place.assert_whole(65);
    let before = server.service().commands("UID FETCH");
    assert_eq!(place.sync().stored(), 0);
    assert!(
        server.service().commands("UID FETCH") - before <= 2,
        "the difference is known: no complete listing again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_uidvalidity_begins_a_new_generation_and_keeps_the_old() {
    let (server, inbox, _) = server(20).await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    inbox.set_uidvalidity(77);
    let second = place.sync();
    second.assert_clean();
    assert_eq!(second.stored(), 20);
    place.assert_whole(40);
    let resets: Vec<_> = place.events().into_iter().filter(|e| e.kind == EventKind::Reset).collect();
    assert_eq!(resets.len(), 1);
    assert_eq!(resets[0].uidvalidity, Some(77));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_since_is_left_out_until_since_moves_back() {
    let (server, inbox, _) = server(0).await;
    for n in 0..30 {
        let at = format!("2026-01-{:02}T12:00:00Z", n + 1).parse().unwrap();
        inbox.append(Draft::new(small(n)).received(at));
    }
    let mut place = Place::plain(server.port(), "since = \"2026-01-21\"");
    assert_eq!(place.sync().stored(), 10);
    assert_eq!(place.sync().stored(), 0);
    place = moved(place, server.port(), "since = \"2026-01-11\"");
    assert_eq!(place.sync().stored(), 10);
    place = moved(place, server.port(), "");
    assert_eq!(place.sync().stored(), 10);
    place.assert_whole(30);
}

#[tokio::test(flavor = "multi_thread")]
async fn since_now_takes_only_what_arrives_from_then_on() {
    let (server, inbox, _) = server(30).await;
    let place = Place::plain(server.port(), "since = \"now\"");
    assert_eq!(place.sync().stored(), 0);
    inbox.append(small(100));
    assert_eq!(place.sync().stored(), 1);
    assert_eq!(place.sync().stored(), 0);
    place.assert_whole(1);
}

/// The same archive under another configuration.
fn moved(old: Place, port: u16, more: &str) -> Place {
    let new = Place::plain(port, more);
    std::fs::rename(old.archive(), new.archive()).unwrap();
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_never_keeps_no_bytes_and_says_so() {
    let (server, _, _) = server(5).await;
    let place = Place::plain(server.port(), "");
    let mut place = place;
    place.append("");
    let output = place.command(&["sync", "--json"]).env("VIGIE_ARCHIVE__RAW", "never").output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("can never be exported"));
    assert!(place.raw_messages().is_empty());
    let entries = place.entries();
    assert_eq!(entries.len(), 5);
    assert!(!place.document(&entries[0]).vigie.raw.kept);
    place.assert_whole(5);
}

/// Yahoo and others: UIDNEXT promises more than there is.
#[tokio::test(flavor = "multi_thread")]
async fn since_now_goes_by_the_last_message_and_not_by_uidnext() {
    use vigie_testkit::server::{Server, routine, send, serve};
    let (server, inbox, account) = server(3).await;
    inbox.set_uidvalidity(1);
    let service = vigie_testkit::mailbox_server::Service::new([account]);
    let scripted = Server::plain()
        .script([
            send("* OK hi\r\n"),
            routine()
                .answer("UID FETCH", "{tag} OK\r\n")
                .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
                .answer("LOGIN", "{tag} OK\r\n")
                .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK\r\n")
                .answer(
                    "EXAMINE",
                    "* 3 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 1000] x\r\n{tag} OK\r\n",
                )
                .answer("UID FETCH * (UID FLAGS", "* 3 FETCH (UID 3 RFC822.SIZE 5)\r\n{tag} OK\r\n")
                .until("LOGOUT"),
        ])
        .script([serve(&service)])
        .start()
        .await;
    let place = Place::plain(scripted.port(), "since = \"now\"");
    assert_eq!(place.sync().stored(), 0);
    inbox.append(small(100));
    let second = place.sync();
    assert!(second.stored() >= 1, "{second:?}");
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_no_success() {
    let (server, _, _) = server(1).await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    for command in [&["verify"][..], &["status"], &["follow", "--once"], &["schema"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = place.command(command).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(73), "{command:?}");
    }
}
