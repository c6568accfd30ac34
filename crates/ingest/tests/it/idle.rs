//! IDLE with servers that have their own idea of it.

use vigie_common::record::EventKind;
use vigie_testkit::server::{Routine, Server, Step, close, expect_line, gate, reply, routine, send, stall};

use crate::place::{Place, Running};

/// One message of UID 7, on a server that can IDLE.
fn polite() -> Routine {
    let examine = "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 8] x\r\n{tag} OK\r\n";
    routine()
        .answer("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK\r\n")
        .answer("LOGIN", "{tag} OK\r\n")
        .answer("LIST", "* LIST () \"/\" INBOX\r\n{tag} OK\r\n")
        .answer("EXAMINE", examine)
        .answer("UID FETCH", listed(1, 7))
        .answer("UID FETCH 8:* (UID FLAGS", listed(2, 8))
        .answer("UID FETCH 7 (UID BODY.PEEK[])", body(7))
        .answer("UID FETCH 8 (UID BODY.PEEK[])", body(8))
}

fn listed(number: u32, uid: u32) -> String {
    format!("* {number} FETCH (UID {uid} FLAGS () RFC822.SIZE 5)\r\n{{tag}} OK\r\n")
}

fn body(uid: u32) -> String {
    format!("* 1 FETCH (UID {uid} BODY[] {{5}}\r\nhel{uid:02})\r\n{{tag}} OK\r\n")
}

fn greeted() -> Step {
    send("* OK ready\r\n")
}

fn watch(server: &Server) -> (Place, Running) {
    let place = Place::plain(server.port(), "");
    let run = Running::start(place.command(&["run"]), false);
    (place, run)
}

/// Outlook.com.
#[tokio::test(flavor = "multi_thread")]
async fn exists_before_the_continuation_is_not_missed() {
    let server = Server::plain()
        .script([
            greeted(),
            polite().until("IDLE"),
            reply("* 2 EXISTS\r\n+ idling\r\n"),
            expect_line("DONE"),
            reply("{tag} OK\r\n"),
            polite().until("IDLE"),
            stall(),
        ])
        .start()
        .await;
    let (place, run) = watch(&server);
    server.wait_for_nth(1, "IDLE", 2).await;
    run.signal("KILL");
    place.assert_whole(2);
}

/// Dovecot says every two minutes that it is still here.
#[tokio::test(flavor = "multi_thread")]
async fn still_here_is_not_mail() {
    let server = Server::plain()
        .script([
            greeted(),
            polite().until("IDLE"),
            reply("+ idling\r\n* OK Still here\r\n* 1 EXISTS\r\n* 0 RECENT\r\n"),
            gate("mail"),
            send("* OK Still here\r\n* 2 EXISTS\r\n"),
            expect_line("DONE"),
            reply("{tag} OK\r\n"),
            polite().until("IDLE"),
            stall(),
        ])
        .start()
        .await;
    let (place, mut run) = watch(&server);
    run.wait_for("stored");
    server.wait_for(1, "IDLE").await;
    assert!(!server.lines(1).contains(&"DONE".to_owned()), "{}", server.transcript());
    server.open("mail");
    server.wait_for_nth(1, "IDLE", 2).await;
    run.signal("KILL");
    place.assert_whole(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_or_ends_it_at_once_is_asked_every_minute() {
    for answer in [
        "{tag} NO not now\r\n",
        "{tag} BAD what\r\n",
        "+ idling\r\n{tag} OK done\r\n",
        "+ idling\r\n{tag} NO no\r\n",
    ] {
        let server = Server::plain()
            .script([greeted(), polite().until("IDLE"), reply(answer), polite().until("LOGOUT")])
            .start()
            .await;
        let (_place, mut run) = watch(&server);
        run.wait_for("no IDLE with this server");
        run.signal("TERM");
        run.wait_for("stopped");
        assert_eq!(server.connections(), 1, "the connection is still good\n{}", server.transcript());
    }
}

/// GMX: no reconnecting for ever.
#[tokio::test(flavor = "multi_thread")]
async fn who_closes_before_the_continuation_is_soon_asked_every_minute() {
    let closes = || [greeted(), polite().until("IDLE"), close()];
    let server = Server::plain()
        .script(closes())
        .script(closes())
        .script([greeted(), polite().until("LOGOUT")])
        .start()
        .await;
    let (_place, mut run) = watch(&server);
    run.wait_for("no IDLE with this server");
    server.wait_for_connections(3).await;
    server.wait_for(3, "EXAMINE").await;
    run.signal("TERM");
    run.wait_for("stopped");
    assert!(!server.lines(3).iter().any(|line| line.ends_with("IDLE")), "{}", server.transcript());
}

/// Flags are told without UIDs, and the numbers move meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn flags_told_by_number_find_their_message() {
    let two = "* 2 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 9] x\r\n{tag} OK\r\n";
    let both = || {
        polite()
            .answer("EXAMINE", two)
            .answer("UID FETCH", format!("* 1 FETCH (UID 7 FLAGS () RFC822.SIZE 5)\r\n{}", listed(2, 8)))
            .answer(
                "UID FETCH 7:8 (UID BODY.PEEK[])",
                format!("{}{}", body(7).replace("{tag} OK\r\n", ""), body(8)),
            )
    };
    let server = Server::plain()
        .script([
            greeted(),
            both().until("IDLE"),
            reply("+ idling\r\n* 2 FETCH (FLAGS (\\Seen))\r\n* 1 EXPUNGE\r\n"),
            expect_line("DONE"),
            reply("{tag} OK\r\n"),
            both().until("FETCH 1 (UID FLAGS)"),
            reply("* 1 FETCH (UID 8 FLAGS (\\Seen))\r\n{tag} OK\r\n"),
            both().until("IDLE"),
            stall(),
        ])
        .start()
        .await;
    let (place, run) = watch(&server);
    server.wait_for_nth(1, "IDLE", 2).await;
    run.signal("KILL");
    let events = place.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].kind, events[0].uid), (EventKind::Flags, Some(8)));
}
