//! Servers that lie, refuse, fall silent or attack. Nothing is lost, nothing is taken for done that is not.

use vigie_common::id::BlobId;
use vigie_testkit::mailbox_server::{Account, Draft, Service};
use vigie_testkit::server::{
    Builder, Server, close, huge, reply, reset, routine, send, serve, serve_cut, stall,
};

use crate::messages::small;
use crate::place::{Place, Running};

fn honest(messages: u64) -> Service {
    let account = Account::new("me", "secret");
    account.mailbox("INBOX").append_all((0..messages).map(|n| Draft::new(small(n))));
    Service::new([account])
}

/// A mailbox with one message of UID 7, up to the command that matters.
fn one_message() -> vigie_testkit::server::Routine {
    routine()
        .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
        .answer("LOGIN", "{tag} OK\r\n")
        .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK\r\n")
        .answer("EXAMINE", "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n{tag} OK\r\n")
        .answer("UID FETCH * (UID FLAGS", "* 1 FETCH (UID 7 FLAGS () INTERNALDATE \"01-Nov-2026 00:00:00 +0000\" RFC822.SIZE 5)\r\n{tag} OK\r\n")
}

fn greeted() -> vigie_testkit::server::Step {
    send("* OK ready\r\n")
}

async fn stored_in_spite_of(server: Builder, messages: u64) -> Place {
    let server = server.start().await;
    let place = Place::plain(server.port(), "");
    let mut summary = place.sync();
    for _ in 0..5 {
        if summary.code == Some(0) {
            break;
        }
        summary = place.sync();
    }
    summary.assert_clean();
    place.assert_whole(messages);
    place
}

/// The connection ends at every so manieth byte: what comes after goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn cut_anywhere_and_served_again() {
    let service = honest(30);
    for cut in [40, 150, 333, 700, 1_500, 4_000, 9_000, 30_000, 60_001, 90_000] {
        let server = Server::plain().script([serve_cut(&service, cut)]).script([serve(&service)]);
        let place = stored_in_spite_of(server, 30).await;
        assert_eq!(place.entries().len(), 30, "{cut}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_fetch_is_no_empty_mailbox() {
    let server = Server::plain()
        .script([
            greeted(),
            one_message().until("UID FETCH 7 (UID BODY.PEEK[])"),
            reply("{tag} NO [SERVERBUG] not today\r\n"),
            one_message().until("LOGOUT"),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let summary = place.sync();
    assert_eq!(summary.code, Some(74), "{summary:?}");
    assert_eq!(summary.by_mailbox("open")["INBOX"], 1);
    let status: serde_json::Value = serde_json::from_slice(&place.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(status["mailboxes"][0]["open"], 1, "{status:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_stream_is_no_end_of_a_command() {
    let service = honest(3);
    for script in [
        vec![greeted(), one_message().until("EXAMINE"), close()],
        vec![greeted(), one_message().until("LIST"), close()],
        vec![
            greeted(),
            one_message().until("UID FETCH 7 (UID BODY.PEEK[])"),
            send("* BYE later\r\n"),
            close(),
        ],
        vec![
            greeted(),
            one_message().until("UID FETCH 7 (UID BODY.PEEK[])"),
            send("* 1 FETCH (UID 7 BODY[] {500}\r\nhalf"),
            reset(),
        ],
    ] {
        stored_in_spite_of(Server::plain().script(script).script([serve(&service)]), 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_gone_when_it_is_asked_for_is_gone() {
    let server = Server::plain()
        .script([
            greeted(),
            one_message().until("UID FETCH 7 (UID BODY.PEEK[])"),
            reply("{tag} OK nothing\r\n"),
            routine().answer("UID FETCH", "{tag} OK nothing\r\n").until("LOGOUT"),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let summary = place.sync();
    assert_eq!(summary.by_mailbox("gone")["INBOX"], 1, "{summary:?}");
    assert_eq!(summary.by_mailbox("open")["INBOX"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetches_without_uid_or_for_others_are_not_taken() {
    let body = b"Subject: x\r\n\r\nthis\r\n";
    let answer = format!(
        "* 1 FETCH (FLAGS (\\Seen))\r\n* 1 FETCH (BODY[] {{3}}\r\nabc)\r\n* 9 FETCH (UID 99 BODY[] {{3}}\r\nxyz)\r\n* 1 FETCH (UID 7 BODY[] {{{}}}\r\n{})\r\n* 1 FETCH (UID 7 BODY[] {{5}}\r\nother)\r\n{{tag}} OK\r\n",
        body.len(),
        String::from_utf8_lossy(body)
    );
    let server = Server::plain()
        .script([greeted(), one_message().answer("UID FETCH 7 (UID BODY.PEEK[])", answer).until("LOGOUT")])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let entries = place.entries();
    assert_eq!(entries.len(), 1);
    assert_eq!((entries[0].uid, &entries[0].blob_id), (7, &BlobId::of(body)));
}

/// 500 MB announced: refused before a byte of it is given room.
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_literal_is_refused_in_little_memory() {
    for announced in ["500000000", "10737418240", "99999999999999999999", "-1"] {
        let server = Server::plain()
            .script([
                greeted(),
                one_message().until("UID FETCH 7 (UID BODY.PEEK[])"),
                send("* 1 FETCH (UID 7 BODY[] "),
                huge(announced, b'x', 50 << 20),
                stall(),
            ])
            .start()
            .await;
        let place = Place::plain(server.port(), "");
        let mut run = Running::start(place.command(&["run"]), false);
        run.wait_for("the server announced");
        let peak = peak_memory(run.child.id());
        assert!(peak < 64 << 10, "{announced}: {peak} KiB");
    }
}

/// High-water mark of the memory of a process, in KiB.
pub(crate) fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What makes imap-proto panic, overflow its stack, or give up the connection.
#[tokio::test(flavor = "multi_thread")]
async fn noise_between_answers_is_survived() {
    let noise = format!(
        "* OK [ALERT]\u{e9}\u{1b}[2J\r\n* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n* ESEARCH (TAG \"x\") UID ALL 1\r\n\r\n* METADATA \"\" (/x {{3}}\r\nabc)\r\n* 1  FETCH (FLAGS (\\Seen ) )\r\n* XYZZY {}\r\n* OK still here\r\n* 1 FETCH (FLAGS (caf\u{e9}))\r\n",
        "x".repeat(10_000)
    );
    let listing = format!("{noise}* 1 FETCH (UID 7 INTERNALDATE NIL RFC822.SIZE 5)\r\n{{tag}} OK\r\n");
    let server = Server::plain()
        .script([
            greeted(),
            routine()
                .answer("UID FETCH * (UID FLAGS", listing)
                .answer(
                    "UID FETCH 7 (UID BODY.PEEK[])",
                    format!("{noise}* 1 FETCH (UID 7 BODY[] {{5}}\r\nhello)\r\n{noise}{{tag}} OK\r\n"),
                )
                .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
                .answer("LOGIN", "{tag} OK\r\n")
                .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK\r\n")
                .answer("EXAMINE", format!("{noise}* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n{{tag}} OK\r\n"))
                .until("LOGOUT"),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let summary = place.sync();
    assert_eq!(summary.stored(), 1, "{summary:?}\n{}", server.transcript());
    assert_eq!(place.entries()[0].received_at, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_parentheses_end_the_connection_and_not_the_process() {
    let service = honest(2);
    let bomb = format!("* 1 FETCH (BODYSTRUCTURE {}\r\n", "(".repeat(50_000));
    let server = Server::plain()
        .script([greeted(), one_message().until("EXAMINE"), send(bomb), stall()])
        .script([serve(&service)]);
    stored_in_spite_of(server, 2).await;
}

/// One message that the server dies of: the others are stored, that one stays open and does not come back at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_kills_the_connection_is_left_open() {
    let listing = "* 1 FETCH (UID 6 RFC822.SIZE 3)\r\n* 2 FETCH (UID 7 RFC822.SIZE 5)\r\n* 3 FETCH (UID 8 RFC822.SIZE 3)\r\n{tag} OK\r\n";
    let polite = || {
        routine()
            .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
            .answer("LOGIN", "{tag} OK\r\n")
            .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK\r\n")
            .answer("EXAMINE", "* 3 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 9] x\r\n{tag} OK\r\n")
            .answer(
                "UID FETCH 6 (UID BODY.PEEK[]<0",
                "* 1 FETCH (UID 6 BODY[]<0> {3}\r\nsix)\r\n{tag} OK\r\n",
            )
            .answer(
                "UID FETCH 8 (UID BODY.PEEK[]<0",
                "* 3 FETCH (UID 8 BODY[]<0> {3}\r\n888)\r\n{tag} OK\r\n",
            )
            .answer("UID FETCH * (UID FLAGS", listing)
    };
    let deadly = || [greeted(), polite().until("UID FETCH 7 (UID BODY.PEEK[]<0"), reset()];
    let server = Server::plain()
        .script([greeted(), polite().until("UID FETCH 6:8 (UID BODY.PEEK[])"), reset()])
        .script(deadly())
        .script([greeted(), polite().until("LOGOUT")])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("a message stays open");
    run.wait_for("trying again later");
    run.wait_for("stored");
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    let uids: std::collections::BTreeSet<u32> = place.entries().iter().map(|e| e.uid).collect();
    assert_eq!(uids, [6, 8].into(), "{}", server.transcript());
    // The same by `sync`, in one go.
    let server = Server::plain()
        .script([greeted(), polite().until("UID FETCH 6:8 (UID BODY.PEEK[])"), reset()])
        .script(deadly())
        .script([greeted(), polite().until("LOGOUT")])
        .start()
        .await;
    let summary = Place::plain(server.port(), "").sync();
    assert_eq!((summary.code, summary.stored()), (Some(74), 2), "{summary:?}\n{}", server.transcript());
}

/// Dovecot works on pipelined commands at once: answers to one come before the end of the other.
#[tokio::test(flavor = "multi_thread")]
async fn answers_of_two_commands_may_come_intermingled() {
    use std::fmt::Write as _;
    let mut listing = String::new();
    let mut bodies = String::new();
    for uid in 1..=141 {
        write!(listing, "* {uid} FETCH (UID {uid} RFC822.SIZE 4)\r\n").unwrap();
        write!(bodies, "* {uid} FETCH (UID {uid} BODY[] {{4}}\r\n{uid:04})\r\n").unwrap();
    }
    let server = Server::plain()
        .script([
            greeted(),
            routine()
                .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
                .answer("LOGIN", "{tag} OK\r\n")
                .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK\r\n")
                .answer(
                    "EXAMINE",
                    "* 141 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 142] x\r\n{tag} OK\r\n",
                )
                .answer("UID FETCH * (UID FLAGS", format!("{listing}{{tag}} OK\r\n"))
                .until("UID FETCH 2:141 (UID BODY.PEEK[])"),
            vigie_testkit::server::expect("UID FETCH 1 (UID BODY.PEEK[])"),
            // All bodies, then the later tag, then the earlier one.
            send(format!("{bodies}A0009 OK\r\nA0008 OK\r\n")),
            routine().answer("UID FETCH * (UID FLAGS", format!("{listing}{{tag}} OK\r\n")).until("LOGOUT"),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let summary = place.sync();
    assert_eq!((summary.code, summary.stored()), (Some(0), 141), "{summary:?}\n{}", server.transcript());
    place.assert_whole(141);
}

/// Xeams and others: the line cannot be read, but the message is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_cannot_be_read_is_no_empty_mailbox() {
    for line in [
        "(UID 7) FLAGS (\\Seen)",
        "(UID 7 RFC822.SIZE )",
        "(UID 7 INTERNALDATE Nil)",
        "(UID 7 FLAGS ((a (b))))",
        "UID 7",
    ] {
        let server = Server::plain()
            .script([
                greeted(),
                routine()
                    .answer(
                        "UID FETCH 7 (UID BODY.PEEK[])",
                        "* 1 FETCH (UID 7 BODY[] {5}\r\nhello)\r\n{tag} OK\r\n",
                    )
                    .answer("UID FETCH * (UID FLAGS", format!("* 1 FETCH {line}\r\n{{tag}} OK\r\n"))
                    .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
                    .answer("LOGIN", "{tag} OK\r\n")
                    .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK\r\n")
                    .answer("EXAMINE", "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n{tag} OK\r\n")
                    .until("LOGOUT"),
            ])
            .start()
            .await;
        let summary = Place::plain(server.port(), "").sync();
        assert_eq!(
            (summary.code, summary.stored()),
            (Some(0), 1),
            "{line}: {summary:?}\n{}",
            server.transcript()
        );
    }
    // It counts messages and shows none at all: that is not believed.
    let server = Server::plain()
        .script([
            greeted(),
            routine()
                .answer("UID FETCH", "{tag} OK\r\n")
                .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
                .answer("LOGIN", "{tag} OK\r\n")
                .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK\r\n")
                .answer("EXAMINE", "* 3 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n{tag} OK\r\n")
                .until("LOGOUT"),
        ])
        .start()
        .await;
    let summary = Place::plain(server.port(), "").sync();
    assert_eq!(summary.code, Some(69));
    assert!(summary.errors().concat().contains("counts 3 messages and shows none"), "{summary:?}");
}

/// One mailbox that the server refuses does not take those behind it along.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_mailbox_is_its_own_trouble() {
    let account = Account::new("me", "secret");
    for name in ["INBOX", "A", "B", "C"] {
        account.mailbox(name).append(small(1));
    }
    let service = Service::new([account.clone()]);
    let server = vigie_testkit::mailbox_server::MailboxServer::start(
        &service,
        vigie_testkit::mailbox_server::Security::None,
    )
    .await
    .unwrap();
    let place = Place::plain(server.port(), "mailboxes = [\"*\"]");
    let mut run = Running::start(place.command(&["run"]), false);
    let mut follow = Running::start(place.command(&["follow"]), true);
    follow.wait_for("\"seq\":4");
    run.signal("TERM");
    run.wait_for("stopped");
    // B is listed and cannot be opened.
    let listed = "* LIST () \"/\" INBOX\r\n* LIST () \"/\" A\r\n* LIST () \"/\" B\r\n* LIST () \"/\" C\r\n{tag} OK\r\n";
    let polite = || {
        routine()
            .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
            .answer("LOGIN", "{tag} OK\r\n")
            .answer("LIST", listed)
            .answer("EXAMINE", "* 0 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n{tag} OK\r\n")
            .answer("EXAMINE \"B\"", "{tag} NO [NOPERM] not yours\r\n")
            .until("LOGOUT")
    };
    let scripted = Server::plain().script([greeted(), polite()]).start().await;
    let place = Place::plain(scripted.port(), "mailboxes = [\"*\"]");
    let mut run = Running::start(place.command(&["run"]), false);
    scripted.wait_for_connections(3).await;
    run.wait_for("this mailbox is left out for now");
    run.signal("TERM");
    run.wait_for("stopped");
    assert!(scripted.transcript().contains("EXAMINE \\\"C\\\""), "{}", scripted.transcript());
}

/// Slices smaller than asked for, and nothing where something was announced.
#[tokio::test(flavor = "multi_thread")]
async fn cut_bodies_are_not_taken_for_whole_ones() {
    let size = 1_200_000;
    let listing = format!("* 1 FETCH (UID 7 RFC822.SIZE {size})\r\n{{tag}} OK\r\n");
    let slice = |offset: usize, length: usize| {
        format!("* 1 FETCH (UID 7 BODY[]<{offset}> {{{length}}}\r\n{})\r\n{{tag}} OK\r\n", "x".repeat(length))
    };
    let polite = || {
        routine()
            .answer("UID FETCH 7 (UID BODY.PEEK[]<0.", slice(0, 500_000))
            .answer("UID FETCH 7 (UID BODY.PEEK[]<500000.", slice(500_000, 500_000))
            .answer("UID FETCH 7 (UID BODY.PEEK[]<1000000.", slice(1_000_000, 200_000))
            .answer("UID FETCH * (UID FLAGS", listing.clone())
            .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
            .answer("LOGIN", "{tag} OK\r\n")
            .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK\r\n")
            .answer("EXAMINE", "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n{tag} OK\r\n")
            .until("LOGOUT")
    };
    let server = Server::plain().script([greeted(), polite()]).start().await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    assert_eq!(place.entries()[0].size, size);

    let server = Server::plain()
        .script([
            greeted(),
            one_message()
                .answer("UID FETCH 7 (UID BODY.PEEK[])", "* 1 FETCH (UID 7 BODY[] \"\")\r\n{tag} OK\r\n")
                .until("LOGOUT"),
        ])
        .start()
        .await;
    let summary = Place::plain(server.port(), "").sync();
    assert_eq!((summary.code, summary.stored()), (Some(74), 0), "{summary:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_ended() {
    let server = Server::plain()
        .script([greeted(), one_message().until("LOGOUT")])
        .script([
            greeted(),
            routine()
                .answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
                .answer("LOGIN", "{tag} OK\r\n")
                .until("LIST"),
            send("* 1 FETCH (FLAGS (\\Seen) UID 1)\r\n".repeat(3_000_000)),
            stall(),
        ])
        .start()
        .await;
    let first = Place::plain(server.port(), "").sync();
    assert!(first.code.is_some());
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("the answer has no end");
    let peak = peak_memory(run.child.id());
    assert!(peak < 64 << 10, "{peak} KiB");
}

/// EXISTS with every answer, of the same number or of one more each time that messages are listed: neither a stack of
/// calls nor a loop without pause.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_always_tells_of_new_mail_is_not_asked_for_ever() {
    let server = Server::plain()
        .script([
            greeted(),
            routine()
                .answer("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK\r\n")
                .answer("LOGIN", "{tag} OK\r\n")
                .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK\r\n")
                .answer(
                    "EXAMINE",
                    "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n{tag} OK\r\n",
                )
                .answer(
                    "UID FETCH 7 (UID BODY.PEEK[])",
                    "* 1 EXISTS\r\n* 1 FETCH (UID 7 BODY[] {5}\r\nhello)\r\n{tag} OK\r\n",
                )
                .answer(
                    "UID FETCH * (UID FLAGS",
                    "* 1 EXISTS\r\n* 1 FETCH (UID 7 RFC822.SIZE 5)\r\n{tag} OK\r\n",
                )
                .answer("IDLE", "+ idling\r\n* 1 EXISTS\r\n* 1 EXISTS\r\n")
                .answer("DONE", "A9999 OK\r\n")
                .until("NEVER"),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("stored");
    server.wait_for(1, "IDLE").await;
    run.signal("TERM");
    server.wait_for(1, "DONE").await;
    let idles = server.lines(1).iter().filter(|line| line.contains("IDLE")).count();
    assert_eq!(idles, 1, "{}", server.transcript());
}
