//! Exchange, Exchange Online and Outlook.com.

use std::time::Duration;

use tokio::time::Instant;
use vigie_testkit::server::{close, expect_line, reply, stall};

use super::*;
use crate::limits::wait_for_state;
use crate::place::Running;

/// 4: neither CONDSTORE nor QRESYNC, and a wait in words, after which it hangs up.
#[tokio::test(flavor = "multi_thread")]
async fn exchange_online_suggests_a_wait_and_hangs_up() {
    let throttled = "{tag} BAD Request is throttled. Suggested Backoff Time: 1500 milliseconds\r\n";
    let server = Server::plain()
        .script([greeted(), usual().until("UID FETCH * (UID BODY"), reply(throttled), close()])
        .script(all(usual()))
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("the account rests");
    run.wait_for("stored=3");
    wait_for_state(&place, "polling");
    assert_eq!(server.connections(), 2, "one try after the wait: {}", server.transcript());
    run.signal("TERM");
    run.wait_for("stopped");
    stored(&place, MESSAGES);
}

/// 5: IDLE that tells nothing ends by our own clock, and what STATUS says of an open mailbox is frozen: it is opened again.
#[tokio::test(flavor = "multi_thread")]
async fn exchange_online_idles_without_a_word() {
    let frozen = "* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 5)\r\n{tag} OK\r\n";
    let server = Server::plain().script([
        greeted(),
        usual().until("EXAMINE"),
        reply(examined(3, 5, Some(4))),
        usual().until("IDLE"),
        reply("+ IDLE accepted, awaiting DONE command.\r\n"),
        expect_line("DONE"),
        reply("{tag} OK\r\n"),
        usual_to(4).answer("STATUS", frozen).until("LOGOUT"),
    ]);
    let (mut session, server) = session(server).await;
    assert_eq!(session.examine("INBOX", None).await.unwrap().exists, 3);
    let until = Instant::now() + Duration::from_millis(300);
    assert!(!session.idle(until, std::future::pending()).await.unwrap());
    session.noop().await.unwrap();
    assert_eq!(session.status("INBOX").await.unwrap().messages, Some(3), "frozen");
    assert_eq!(session.examine("INBOX", None).await.unwrap().exists, 4, "{}", server.transcript());
}

/// 6: "authenticated but not connected" comes and goes, and a token is good for an hour.
#[tokio::test(flavor = "multi_thread")]
async fn outlook_is_not_connected_for_a_while_and_its_sessions_end_with_the_token() {
    let idling = || usual().answer("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK\r\n");
    let server = Server::plain()
        .script([
            greeted(),
            idling().until("LOGIN"),
            reply("{tag} NO User is authenticated but not connected.\r\n"),
        ])
        .script([
            greeted(),
            idling().until("IDLE"),
            reply("+ idling\r\n* BYE Session invalidated - AccessTokenExpired\r\n"),
            close(),
        ])
        .script([greeted(), idling().until("IDLE"), reply("+ idling\r\n"), stall()])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("not connected");
    run.wait_for("stored=3");
    run.wait_for("AccessTokenExpired");
    server.wait_for(3, "IDLE").await;
    wait_for_state(&place, "idle");
    assert!(!run.seen.iter().any(|line| line.contains("credentials refused")), "{:#?}", run.seen);
    run.signal("KILL");
    stored(&place, MESSAGES);
}

/// 7: the UIDVALIDITY of one mailbox changes again and again: each time a generation of its own, nothing is thrown away.
#[tokio::test(flavor = "multi_thread")]
async fn outlook_changes_uidvalidity_again_and_again() {
    let valid = |validity| all(usual().answer("EXAMINE", examined(3, validity, Some(4))));
    let server =
        Server::plain().script(valid(5)).script(valid(6)).script(valid(5)).script(valid(5)).start().await;
    let place = Place::plain(server.port(), "");
    for stored in [3, 3, 3, 0] {
        let summary = place.sync();
        summary.assert_clean();
        assert_eq!(summary.stored(), stored, "{summary:?}");
    }
    let generations: Vec<_> = by_validity(&place).into_iter().collect();
    assert_eq!(generations, [((5, 0), 3), ((5, 1), 3), ((6, 0), 3)]);
    assert_eq!(place.entries().iter().filter(|e| e.duplicate_of.is_some()).count(), 6);
    place.assert_whole(9);
}

/// 7: EXISTS comes before the continuation of IDLE.
#[tokio::test(flavor = "multi_thread")]
async fn outlook_tells_of_mail_before_idle_has_begun() {
    let idling = |top| usual_to(top).answer("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK\r\n");
    let server = Server::plain()
        .script([
            greeted(),
            idling(3).until("IDLE"),
            reply("* 4 EXISTS\r\n+ idling\r\n"),
            expect_line("DONE"),
            reply("{tag} OK\r\n"),
            idling(4).until("IDLE"),
            reply("+ idling\r\n"),
            stall(),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("stored=3");
    run.wait_for("stored=1");
    server.wait_for_nth(1, "IDLE", 2).await;
    run.signal("KILL");
    stored(&place, 4);
}

/// 8: BODYSTRUCTURE is malformed, SEARCH unreliable and MOVE broken: none of them is ever used, and what comes unasked does
/// no harm.
#[tokio::test(flavor = "multi_thread")]
async fn exchange_structures_are_never_asked_for() {
    let noise = "* 2 FETCH (BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"CHARSET\" ) NIL NIL 7BIT) \"MIXED\" (())))\r\n\
                 * 3 FETCH (ENVELOPE (NIL NIL ((NIL NIL NIL) NIL) ))\r\n* SEARCH 1 2 x\r\n";
    let listing = format!("{noise}{}", done((1..=3).map(listed)));
    let (_, server) = synced_twice(usual().answer("UID FETCH * (UID FLAGS", listing), MESSAGES).await;
    for command in commands(&server) {
        for word in ["BODYSTRUCTURE", "ENVELOPE", "SEARCH", "MOVE", "STORE", "EXPUNGE", "CLOSE", "SELECT"] {
            assert!(!command.split(' ').any(|w| w.trim_matches(['(', ')']) == word), "{command}");
        }
        assert!(!command.contains("RFC822") || command.contains("RFC822.SIZE"), "{command}");
        assert!(!command.contains("BODY["), "without PEEK: {command}");
    }
}
