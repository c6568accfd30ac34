//! iCloud, Yahoo, GMX, Yandex, mail.ru, Rambler, Proton.

use vigie_testkit::server::{close, reply, stall};

use super::*;
use crate::limits::wait_for_state;
use crate::place::Running;

/// 9: `RFC822` gives nothing, SEARCH gives what are no UIDs, and reading may mark as read even with PEEK: the mailbox is
/// opened for reading alone.
#[tokio::test(flavor = "multi_thread")]
async fn icloud_gives_messages_by_peek_alone_and_marks_them_read() {
    let bodies = (1..=3).map(|uid| format!("* {uid} FETCH (FLAGS (\\Seen))\r\n{}", sent(uid)));
    let answers = usual()
        .answer("UID FETCH * (UID RFC822)", "{tag} OK\r\n")
        .answer("UID SEARCH", "* SEARCH 4294967295 0 17\r\n{tag} OK\r\n")
        .answer("SELECT", "{tag} NO opened for writing\r\n")
        .answer("UID FETCH * (UID BODY.PEEK[])", done(bodies));
    let (_, server) = synced_twice(answers, MESSAGES).await;
    assert!(commands(&server).iter().any(|c| c.starts_with("EXAMINE")), "{}", server.transcript());
}

/// 10: UIDNEXT far above the last message, in a mailbox full of gaps: nobody asks UID by UID.
#[tokio::test(flavor = "multi_thread")]
async fn yahoo_inflates_uidnext() {
    let answers = usual().answer("EXAMINE", examined(3, 5, Some(4_000_000_000)));
    let (_, server) = synced_twice(answers, MESSAGES).await;
    let fetches = commands(&server).iter().filter(|c| c.starts_with("UID FETCH")).count();
    assert!(fetches < 12, "{fetches}: {}", server.transcript());
}

/// 10: one message is refused for good, listings come in any order.
#[tokio::test(flavor = "multi_thread")]
async fn yahoo_refuses_one_message_for_good_and_lists_in_any_order() {
    const SORRY: &str = "{tag} NO [SERVERBUG] UID FETCH Server error - Please try again later\r\n";
    let answers = usual()
        .answer("UID FETCH * (UID FLAGS", done([3, 1, 2].map(listed)))
        .answer("UID FETCH * (UID BODY.PEEK[])", SORRY)
        .answer("UID FETCH 1 (UID BODY.PEEK[])", done([sent(1)]))
        .answer("UID FETCH 2 (UID BODY.PEEK[])", SORRY)
        .answer("UID FETCH 3 (UID BODY.PEEK[])", done([sent(3)]));
    let server = Server::plain().script(all(answers)).start().await;
    let place = Place::plain(server.port(), "");
    let summary = place.sync();
    assert_eq!((summary.code, summary.by_mailbox("open")["INBOX"]), (Some(74), 1), "{summary:?}");
    stored(&place, 2);
    // It is not asked for again at once.
    let asked = || commands(&server).iter().filter(|c| c.starts_with("UID FETCH 2 (UID BODY")).count();
    let before = asked();
    assert_eq!(place.sync().code, Some(74));
    assert_eq!(asked(), before);
}

/// 13: UIDNEXT goes back although UIDVALIDITY stays: what is above it is found all the same.
#[tokio::test(flavor = "multi_thread")]
async fn gmx_rewinds_uidnext() {
    let rewound = usual_to(4).answer("EXAMINE", examined(4, 5, Some(2)));
    let server = Server::plain().script(all(usual())).script(all(rewound)).start().await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    stored(&place, 3);
    let again = place.sync();
    again.assert_clean();
    assert_eq!(again.stored(), 1, "{}", server.transcript());
    stored(&place, 4);
    assert_eq!(place.sync().stored(), 0);
}

fn idling(top: u32) -> Routine {
    usual_to(top).answer("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK\r\n")
}

/// 13, 14: IDLE ends the connection each time that it is begun (GMX), or soon after (Rambler): the mailbox is polled.
#[tokio::test(flavor = "multi_thread")]
async fn rambler_does_not_survive_idle_and_is_polled() {
    let deadly = [greeted(), idling(3).until("IDLE"), reply("+ idling\r\n"), close()];
    let server = Server::plain().script(deadly).start().await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("no IDLE with this server");
    server.wait_for_connections(4).await;
    wait_for_state(&place, "polling");
    assert_eq!(server.connections(), 4, "{}", server.transcript());
    run.signal("KILL");
    stored(&place, 3);
}

/// 14: Yandex drops IDLE whenever it likes, and what came meanwhile is found. mail.ru's BODYSTRUCTURE is garbage.
#[tokio::test(flavor = "multi_thread")]
async fn yandex_drops_idle_and_nothing_is_missed() {
    let garbage =
        "* 1 FETCH (BODYSTRUCTURE (\"text\" \"html\" (\"charset\" \"utf-8\" NIL \"<\\>\" (NIL) 7bit))\r\n";
    let listing = format!("{garbage}{}", done((1..=4).map(listed)));
    let server = Server::plain()
        .script([greeted(), idling(3).until("IDLE"), reply("+ idling\r\n"), close()])
        .script([
            greeted(),
            idling(4).answer("UID FETCH * (UID FLAGS", listing).until("IDLE"),
            reply("+ idling\r\n"),
            stall(),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("stored=3");
    let said = run.wait_for("trying again later");
    assert!(said.contains("the server closed the connection"), "{said}");
    run.wait_for("stored=1");
    wait_for_state(&place, "idle");
    run.signal("KILL");
    stored(&place, 4);
}

/// 18: a new version of Proton Bridge gives all messages new UIDs under the same UIDVALIDITY: they are copies, and the
/// old documents stay.
#[tokio::test(flavor = "multi_thread")]
async fn proton_bridge_changes_uids_between_versions() {
    let shifted = |text: String| text.replace("UID ", "UID 1");
    let answers = usual()
        .answer("EXAMINE", examined(3, 5, Some(14)))
        .answer("UID FETCH * (UID FLAGS", done((1..=3).map(|uid| shifted(listed(uid)))))
        .answer("UID FETCH * (UID BODY.PEEK[])", done((1..=3).map(|uid| shifted(sent(uid)))));
    let server = Server::plain().script(all(usual())).script(all(answers)).start().await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let again = place.sync();
    again.assert_clean();
    assert_eq!(again.stored(), 3, "{again:?}");
    let entries = place.entries();
    let copies = |uid: u32| entries.iter().filter(|e| e.blob_id == BlobId::of(body(uid).as_bytes())).count();
    assert_eq!([1, 2, 3].map(copies), [2, 2, 2]);
    assert_eq!(entries.iter().filter(|e| e.duplicate_of.is_some()).count(), 3);
    place.assert_whole(6);
    assert_eq!(place.sync().stored(), 0);
}
