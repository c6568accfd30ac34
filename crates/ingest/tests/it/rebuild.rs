//! The catalog made anew: nothing is fetched again, nothing is told twice.

use std::collections::BTreeMap;
use std::fs;

use vigie_common::id::Id;
use vigie_common::record::Entry;
use vigie_testkit::generate::{self, Profile};
use vigie_testkit::mailbox_server::{Account, Draft, Mailbox, MailboxServer, Security, Service};

use crate::place::{Place, Running, collect};

async fn server() -> (MailboxServer, Mailbox, Account) {
    let account = Account::new("me", "secret");
    let inbox = account.mailbox("INBOX");
    let at =
        |n: u64| jiff::Timestamp::from_second(1_780_000_000 + i64::try_from(n).unwrap() * 7_000).unwrap();
    inbox.append_all((0..60).map(|n| Draft::new(generate::message(7, n, Profile::Mixed)).received(at(n))));
    inbox.append(Draft::new(generate::message(7, 1, Profile::Mixed)).flag("\\Seen"));
    let server = MailboxServer::start(&Service::new([account.clone()]), Security::None).await.unwrap();
    (server, inbox, account)
}

fn by_id(place: &Place) -> BTreeMap<Id, Entry> {
    place.entries().into_iter().map(|entry| (entry.id.clone(), entry)).collect()
}

fn lose(place: &Place) {
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = fs::remove_file(place.archive().join(name));
    }
}

/// Without what differs from one storing to the next.
fn same(entries: &BTreeMap<Id, Entry>) -> Vec<Entry> {
    entries.values().map(|entry| Entry { stored_at: jiff::Timestamp::UNIX_EPOCH, ..entry.clone() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_catalog_comes_back_without_fetching() {
    let (server, ..) = server().await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let before = by_id(&place);
    assert_eq!(before.len(), 61);
    lose(&place);
    let output = place.run(&["rebuild-catalog", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("\"messages\":61"), "{text}");
    assert_eq!(same(&by_id(&place)), same(&before));
    place.assert_whole(61);
    // By itself, too.
    lose(&place);
    let sync = place.sync();
    sync.assert_clean();
    assert_eq!(sync.stored(), 0);
    assert!(sync.said.contains("made anew"), "{}", sync.said);
    assert_eq!(same(&by_id(&place)), same(&before));
    place.assert_whole(61);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_documents_are_made_anew_as_they_were() {
    let (server, ..) = server().await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let before = by_id(&place);
    let mut documents: BTreeMap<_, _> =
        before.values().map(|e| (e.path.clone(), place.document(e))).collect();
    let mut attachments = Vec::new();
    collect(&place.archive().join("attachments"), &mut attachments);
    assert!(attachments.len() > 3, "{attachments:?}");
    for folder in ["messages", "attachments"] {
        fs::remove_dir_all(place.archive().join(folder)).unwrap();
    }
    lose(&place);
    let sync = place.sync();
    sync.assert_clean();
    assert_eq!(sync.stored(), 0, "{}", sync.said);
    place.assert_whole(61);
    let after = by_id(&place);
    for entry in after.values() {
        // When it was fetched, and that it was backfill, is not known any more.
        let (mut was, mut is) = (documents.remove(&entry.path).unwrap(), place.document(entry));
        (was.vigie.ingest, is.vigie.ingest) = (None, None);
        assert_eq!(is, was);
    }
    let mut again = Vec::new();
    collect(&place.archive().join("attachments"), &mut again);
    attachments.sort();
    again.sort();
    assert_eq!(again, attachments);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_ingest_makes_it_anew_and_goes_on() {
    let (server, inbox, _) = server().await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("stored");
    let mut follow = Running::start(place.command(&["follow"]), true);
    follow.wait_for("\"seq\":61,");
    let output = place.run(&["rebuild-catalog"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("61 messages recorded") && text.contains("catalog.db.damaged-"), "{text}");
    // Whoever follows begins anew.
    follow.wait_for("\"seq\":1,");
    follow.wait_for("\"seq\":61,");
    inbox.append(generate::message(7, 99, Profile::Small));
    follow.wait_for("\"seq\":62,");
    // Damaged under its hands.
    for name in ["catalog.db", "catalog.db-wal"] {
        let path = place.archive().join(name);
        let length = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
        fs::write(&path, vec![0x55; length]).unwrap();
    }
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    let sync = place.sync();
    sync.assert_clean();
    assert_eq!(sync.stored(), 0);
    place.assert_whole(62);
}

/// `since = "now"`: no document says what was left out.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_out_stays_left_out() {
    let (server, inbox, _) = server().await;
    let place = Place::plain(server.port(), "since = \"now\"");
    assert_eq!(place.sync().stored(), 0);
    inbox.append(generate::message(7, 97, Profile::Small));
    assert_eq!(place.sync().stored(), 1);
    lose(&place);
    let sync = place.sync();
    sync.assert_clean();
    assert_eq!(sync.stored(), 0, "{}", sync.said);
    inbox.append(generate::message(7, 98, Profile::Small));
    assert_eq!(place.sync().stored(), 1);

    // The same while ingest runs, and the first that it hears of is an arrival.
    let run = Running::start(place.command(&["run"]), false);
    server.service().wait_for_command("IDLE", 1).await;
    assert!(place.run(&["rebuild-catalog"]).status.success());
    inbox.append(generate::message(7, 99, Profile::Small));
    let mut follow = Running::start(place.command(&["follow"]), true);
    follow.wait_for("\"seq\":3,");
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    let sync = place.sync();
    sync.assert_clean();
    assert_eq!(sync.stored(), 0, "{}", sync.said);
    place.assert_whole(3);
}

#[test]
fn without_an_archive_there_is_nothing_to_make_it_of() {
    let place = Place::new();
    let output = place.run(&["rebuild-catalog"]);
    assert_eq!(output.status.code(), Some(69));
    assert!(!place.archive().exists());
}

/// What is missing is made anew, or fetched again: by the command itself, or by the ingest that runs.
#[tokio::test(flavor = "multi_thread")]
async fn verify_repairs_what_can_be_repaired() {
    let (server, ..) = server().await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let spoil = || {
        let entries = place.entries();
        fs::remove_file(place.archive().join(&entries[3].path)).unwrap();
        fs::write(place.archive().join(&entries[5].path), "{\"cut\":").unwrap();
        let mut attachments = Vec::new();
        collect(&place.archive().join("attachments"), &mut attachments);
        fs::write(&attachments[0], "another").unwrap();
        fs::write(place.archive().join(".tmp/7"), "half").unwrap();
    };
    spoil();
    let plain = place.run(&["verify", "--json"]);
    assert_eq!(plain.status.code(), Some(74));
    assert!(place.run(&["verify"]).status.code() == Some(74));
    let output = place.run(&["verify", "--deep", "--repair"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("made anew from the bytes") && text.contains("61 messages"), "{text}");
    place.assert_whole(61);
    assert_eq!(place.sync().stored(), 0);

    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("watching");
    spoil();
    let output = place.run(&["verify", "--deep", "--repair", "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("\"repaired\":[{"), "{text}");
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    // What is kept nowhere is fetched again.
    fs::remove_dir_all(place.archive().join("raw")).unwrap();
    fs::remove_dir_all(place.archive().join("messages")).unwrap();
    let output = place.run(&["verify", "--repair"]);
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    let sync = place.sync();
    sync.assert_clean();
    place.assert_whole(61);
    assert_eq!(place.entries().len(), 61, "nothing is told twice");
}
