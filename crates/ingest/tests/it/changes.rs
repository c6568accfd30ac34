//! What other clients do to messages that are stored: events tell of it, documents stay as they are.

use jiff::SignedDuration;
use vigie_archive::{Archive, Change, RawPolicy, Round, Settings, UidSet};
use vigie_common::clock;
use vigie_common::record::EventKind::{self, Flags, Vanished};
use vigie_testkit::dovecot::Dovecot;
use vigie_testkit::mailbox_server::Draft;
use vigie_testkit::server::{Routine, Server, Step, close, reply, routine, send};

use crate::messages::{server, small};
use crate::place::{Place, Running};

/// Kind, UID and keywords of the events.
fn told(place: &Place) -> Vec<(EventKind, u32, Option<String>)> {
    let events = place.events().into_iter();
    events.map(|e| (e.kind, e.uid.unwrap(), e.keywords.map(|k| k.join(" ")))).collect()
}

fn flags(uid: u32, keywords: &str) -> (EventKind, u32, Option<String>) {
    (Flags, uid, Some(keywords.into()))
}

fn vanished(uid: u32) -> (EventKind, u32, Option<String>) {
    (Vanished, uid, None)
}

/// Dovecot counts changes and tells them at once (QRESYNC).
#[test]
fn a_second_client_is_heard_of_live_and_after_a_pause() {
    let dovecot = Dovecot::start().unwrap();
    for n in 0..8 {
        dovecot.deliver("me", &small(n)).unwrap();
    }
    let mut place = Place::new();
    place.account("a", dovecot.port(), "tls = \"none\"\nmailboxes = [\"INBOX\", \"Archive\"]");
    let run = Running::start(place.command(&["run"]), false);
    let mut follow = Running::start(place.command(&["follow"]), true);
    follow.wait_for("\"seq\":8");
    let act = |words: &[&str]| dovecot.doveadm(words).unwrap();
    act(&["flags", "add", "-u", "me", "\\Flagged work", "mailbox", "INBOX", "uid", "2"]);
    assert!(follow.wait_for("\"kind\":\"flags\"").contains("\"$flagged\",\"work\""));
    act(&["expunge", "-u", "me", "mailbox", "INBOX", "uid", "1"]);
    follow.wait_for("\"kind\":\"vanished\"");
    act(&["move", "-u", "me", "Archive", "mailbox", "INBOX", "uid", "3"]);
    follow.wait_for("\"kind\":\"vanished\"");
    run.signal("TERM");
    assert_eq!(run.end(), Some(0), "{}", dovecot.log());
    let live = [flags(2, "$flagged work"), vanished(1), vanished(3)];
    assert_eq!(told(&place)[..3], live);

    act(&["flags", "remove", "-u", "me", "work", "mailbox", "INBOX", "uid", "2"]);
    act(&["flags", "add", "-u", "me", "\\Seen", "mailbox", "INBOX", "uid", "4"]);
    act(&["expunge", "-u", "me", "mailbox", "INBOX", "uid", "5"]);
    place.sync().assert_clean();
    let mut later = told(&place).split_off(3);
    later.sort_by_key(|(_, uid, _)| *uid);
    assert_eq!(later, [flags(2, "$flagged"), flags(4, "$seen"), vanished(5)], "{}", dovecot.log());
    // Nothing new: nothing is told twice.
    place.sync().assert_clean();
    assert_eq!(told(&place).len(), 6);
    // The one that was moved is stored from there, too.
    place.assert_whole(9);
    let entries = place.entries();
    let flagged = entries.iter().find(|e| e.mailbox == "INBOX" && e.uid == 2).unwrap();
    assert_eq!(flagged.keywords, ["$flagged"], "the entry tells how it is now");
    assert!(place.document(flagged).keywords.is_empty(), "the document tells how it was");
}

/// One message of UID 7, on a server that counts changes up to `modseq`.
fn counting(capabilities: &str, modseq: &str) -> Routine {
    let examine = format!(
        "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n* OK [HIGHESTMODSEQ {modseq}]\r\n{{tag}} OK\r\n"
    );
    let listed = "* 1 FETCH (UID 7 FLAGS () INTERNALDATE \"01-Nov-2026 00:00:00 +0000\" RFC822.SIZE 5)\r\n{tag} OK\r\n";
    routine()
        .answer("CAPABILITY", format!("* CAPABILITY IMAP4rev1 {capabilities}\r\n{{tag}} OK\r\n"))
        .answer("LOGIN", "{tag} OK\r\n")
        .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK\r\n")
        .answer("ENABLE QRESYNC", "* ENABLED QRESYNC\r\n{tag} OK\r\n")
        .answer("EXAMINE", examine)
        .answer("UID FETCH", listed)
        .answer("UID FETCH 7 (UID BODY.PEEK[])", "* 1 FETCH (UID 7 BODY[] {5}\r\nhello)\r\n{tag} OK\r\n")
}

fn greeted() -> Step {
    send("* OK ready\r\n")
}

/// What a client sent on a connection, without its tags.
fn sent(server: &Server, connection: usize) -> Vec<String> {
    let lines = server.lines(connection).into_iter();
    lines.filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_asked_for_where_the_server_counts_them() {
    let seen = "* 1 FETCH (UID 7 MODSEQ (12) FLAGS (\\Seen))\r\n{tag} OK\r\n";
    let server = Server::plain()
        .script([greeted(), counting("CONDSTORE", "10").until("LOGOUT")])
        .script([
            greeted(),
            counting("CONDSTORE", "12").until("UID FETCH 7 (UID FLAGS) (CHANGEDSINCE 10)"),
            reply(seen),
            counting("CONDSTORE", "12").until("LOGOUT"),
        ])
        .script([greeted(), counting("CONDSTORE", "12").until("LOGOUT")])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    for _ in 0..3 {
        place.sync().assert_clean();
    }
    assert_eq!(told(&place), [flags(7, "$seen")]);
    assert!(
        sent(&server, 1).contains(&"EXAMINE \"INBOX\" (CONDSTORE)".to_owned()),
        "{}",
        server.transcript()
    );
    assert!(!sent(&server, 3).iter().any(|line| line.contains("CHANGEDSINCE")), "{}", server.transcript());
}

/// It announces what it then refuses: everything goes on without.
#[tokio::test(flavor = "multi_thread")]
async fn announced_and_refused_extensions_are_done_without() {
    let refuses = || {
        counting("CONDSTORE QRESYNC ENABLE", "10")
            .answer("ENABLE", "{tag} BAD unknown\r\n")
            .answer("EXAMINE \"INBOX\" (", "{tag} BAD Extra arguments\r\n")
    };
    let changed_since = || {
        counting("CONDSTORE", "99").answer("UID FETCH 7 (UID FLAGS) (CHANGEDSINCE", "{tag} BAD no\r\n").answer(
            "UID FETCH 7 (UID FLAGS INTERNALDATE)",
            "* 1 FETCH (UID 7 FLAGS (\\Answered) INTERNALDATE \"01-Nov-2026 00:00:00 +0000\")\r\n{tag} OK\r\n",
        )
    };
    let server = Server::plain()
        .script([greeted(), refuses().until("LOGOUT")])
        .script([greeted(), changed_since().until("LOGOUT")])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let lines = sent(&server, 1);
    let examined: Vec<_> = lines.iter().filter(|line| line.starts_with("EXAMINE")).collect();
    assert_eq!(examined, ["EXAMINE \"INBOX\" (CONDSTORE)", "EXAMINE \"INBOX\""], "{}", server.transcript());
    place.assert_whole(1);
    place.sync().assert_clean();
    assert_eq!(told(&place), [flags(7, "$answered")], "{}", server.transcript());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_changed_is_told_at_once_where_the_server_can() {
    let told_at_once = "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n* OK [HIGHESTMODSEQ 12] x\r\n* VANISHED (EARLIER) 1:6,9:4000000000\r\n* 1 FETCH (UID 7 FLAGS (\\Draft) MODSEQ (12))\r\n{tag} OK\r\n";
    let gone = "* 0 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n* OK [HIGHESTMODSEQ 14]\r\n* VANISHED (EARLIER) 1:7\r\n{tag} OK\r\n";
    let resynced = |modseq: u64, answer: &str| {
        counting("QRESYNC ENABLE", "0").answer(&format!("EXAMINE \"INBOX\" (QRESYNC (5 {modseq}))"), answer)
    };
    let server = Server::plain()
        .script([greeted(), counting("QRESYNC ENABLE", "10").until("LOGOUT")])
        .script([greeted(), resynced(10, told_at_once).until("LOGOUT")])
        .script([greeted(), resynced(12, gone).until("LOGOUT")])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    for _ in 0..3 {
        place.sync().assert_clean();
    }
    assert_eq!(told(&place), [flags(7, "$draft"), vanished(7)], "{}", server.transcript());
    for connection in [2, 3] {
        let lines = sent(&server, connection);
        assert!(!lines.iter().any(|line| line.contains("CHANGEDSINCE")), "{}", server.transcript());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resync_that_the_connection_does_not_survive_is_done_in_pieces() {
    let gone = "* 0 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n* OK [HIGHESTMODSEQ 11]\r\n{tag} OK\r\n";
    let server = Server::plain()
        .script([greeted(), counting("QRESYNC ENABLE", "10").until("LOGOUT")])
        .script([
            greeted(),
            counting("QRESYNC ENABLE", "11").until("EXAMINE \"INBOX\" (QRESYNC (5 10))"),
            // Longer than any line that is taken.
            send(format!("* VANISHED (EARLIER) 1{}\r\n", ",3".repeat(200_000))),
            close(),
        ])
        .script([greeted(), counting("QRESYNC ENABLE", "11").answer("EXAMINE", gone).until("LOGOUT")])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    place.sync().assert_clean();
    assert!(
        sent(&server, 3).contains(&"EXAMINE \"INBOX\" (CONDSTORE)".to_owned()),
        "{}",
        server.transcript()
    );
    assert_eq!(told(&place), [vanished(7)]);
}

/// UIDs that never were, and those of another UIDVALIDITY, are nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn what_vanished_of_another_mailbox_is_not_ours() {
    let another = "* OK [CLOSED] x\r\n* 1 EXISTS\r\n* OK [UIDVALIDITY 6] x\r\n* OK [UIDNEXT 8] x\r\n* OK [HIGHESTMODSEQ 90]\r\n* VANISHED (EARLIER) 1:4294967295\r\n{tag} OK\r\n";
    let server = Server::plain()
        .script([greeted(), counting("QRESYNC ENABLE", "10").until("LOGOUT")])
        .script([greeted(), counting("QRESYNC ENABLE", "10").answer("EXAMINE", another).until("LOGOUT")])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    assert_eq!(place.sync().stored(), 1);
    let kinds: Vec<_> = place.events().into_iter().map(|e| e.kind).collect();
    assert_eq!(kinds, [EventKind::Reset]);
    place.assert_whole(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_counted_changes_the_flags_of_late_messages_are_read_again() {
    let (server, inbox, _) = server(0).await;
    let days_ago = |days: i64| clock::now() - SignedDuration::from_hours(24 * days);
    inbox.append_all((0..600).map(|n| Draft::new(small(n)).received(days_ago(400))));
    inbox.append_all((600..660).map(|n| Draft::new(small(n)).received(days_ago(10))));
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    inbox.set_flags(3, &["\\Seen"]);
    inbox.set_flags(610, &["\\Seen", "$Forwarded"]);
    // A moment ago they were as they are.
    place.sync().assert_clean();
    assert_eq!(told(&place), []);
    let settings = Settings { root: place.archive(), raw: RawPolicy::Always, min_free: 1 };
    let mut archive = Archive::open(&settings, "1").unwrap();
    let mailbox = archive.mailboxes("a").unwrap()[0];
    let at = clock::now() - SignedDuration::from_mins(16);
    let round = Round { changes: vec![Change::KeywordsAt { mailbox, at }], ..Round::default() };
    archive.commit(&round, clock::now()).unwrap();
    drop(archive);
    let before = server.service().commands("UID FETCH");
    place.sync().assert_clean();
    assert_eq!(told(&place), [flags(610, "$forwarded $seen")], "one of long ago is not looked at");
    let asked = server.service().commands("UID FETCH") - before;
    assert!(asked <= 3, "{asked}: not the whole mailbox");
    let status: serde_json::Value = serde_json::from_slice(&place.run(&["status", "--json"]).stdout).unwrap();
    let read_at: jiff::Timestamp = status["mailboxes"][0]["keywordsAt"].as_str().unwrap().parse().unwrap();
    assert!(read_at > at, "{status:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_complete_listing_does_not_show_is_gone_and_may_come_back() {
    let (server, inbox, _) = server(30).await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    for uid in [1, 2, 30] {
        inbox.expunge(uid);
    }
    inbox.append(small(30));
    place.sync().assert_clean();
    assert_eq!(told(&place), [vanished(1), vanished(2), vanished(30)]);
    // The counts fit again: nothing is listed but the last ones.
    let before = server.service().commands("UID FETCH");
    place.sync().assert_clean();
    assert_eq!(server.service().commands("UID FETCH") - before, 1);
    for uid in inbox.uids() {
        inbox.expunge(uid);
    }
    place.sync().assert_clean();
    assert_eq!(told(&place).len(), 31, "an empty mailbox is a complete listing");
    place.assert_whole(31);
}

/// EXISTS says two, one is shown: whether the other is gone nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_listing_says_nothing_of_what_it_does_not_show() {
    let two = "* 2 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 9] x\r\n{tag} OK\r\n";
    let line = |number: u32, uid: u32| {
        format!(
            "* {number} FETCH (UID {uid} FLAGS () INTERNALDATE \"01-Nov-2026 00:00:00 +0000\" RFC822.SIZE 5)\r\n"
        )
    };
    let base = || counting("", "0").answer("EXAMINE", two);
    let body = |uid: u32| format!("* 1 FETCH (UID {uid} BODY[] {{5}}\r\nhel{uid:02})\r\n");
    let both = || {
        base()
            .answer("UID FETCH", format!("{}{}{{tag}} OK\r\n", line(1, 7), line(2, 8)))
            .answer("UID FETCH 7:8 (UID BODY.PEEK[])", format!("{}{}{{tag}} OK\r\n", body(7), body(8)))
            .answer("UID FETCH 8 (UID BODY.PEEK[])", format!("{}{{tag}} OK\r\n", body(8)))
    };
    let one = |exists: &str| {
        base()
            .answer("EXAMINE", two.replace("2 EXISTS", exists))
            .answer("UID FETCH", format!("{}{{tag}} OK\r\n", line(1, 7)))
    };
    let server = Server::plain()
        .script([greeted(), both().until("LOGOUT")])
        .script([greeted(), one("3 EXISTS").until("LOGOUT")])
        .script([greeted(), one("1 EXISTS").until("LOGOUT")])
        .script([greeted(), both().until("LOGOUT")])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    assert_eq!(place.sync().stored(), 2, "{}", server.transcript());
    place.sync().assert_clean();
    assert_eq!(told(&place), []);
    place.sync().assert_clean();
    assert_eq!(told(&place), [vanished(8)]);
    // Listed again: taken up again, without a second document.
    place.sync().assert_clean();
    place.assert_whole(2);
    assert_eq!(told(&place), [vanished(8)]);
    let settings = Settings { root: place.archive(), raw: RawPolicy::Always, min_free: 1 };
    let archive = Archive::open(&settings, "1").unwrap();
    let mailbox = archive.mailboxes("a").unwrap()[0];
    let view = archive.view(mailbox).unwrap();
    assert_eq!(view.stored, UidSet::of(7..=8));
}
