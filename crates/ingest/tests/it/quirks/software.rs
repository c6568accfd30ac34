//! Server software: Dovecot, Cyrus, Courier, Zimbra, Winmail, GNU, DavMail, Xeams, Zoho, hMailServer; and any of them.

use vigie_testkit::server::{close, expect_line, reply, stall};

use super::*;
use crate::limits::{standing, wait_for_state};
use crate::place::Running;

fn idling(top: u32) -> Routine {
    usual_to(top).answer("CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK\r\n")
}

/// 15: "Still here" is no mail, and BYE for inactivity no fault of ours.
#[tokio::test(flavor = "multi_thread")]
async fn dovecot_is_still_here_and_says_good_bye() {
    let server = Server::plain()
        .script([
            greeted(),
            idling(3).until("IDLE"),
            reply("+ idling\r\n* OK Still here\r\n* OK Still here\r\n* 4 EXISTS\r\n* 0 RECENT\r\n"),
            expect_line("DONE"),
            reply("{tag} OK Idle completed.\r\n"),
            idling(4).until("IDLE"),
            reply("+ idling\r\n* OK Still here\r\n* BYE Disconnected for inactivity.\r\n"),
            close(),
        ])
        .script([greeted(), idling(4).until("IDLE"), reply("+ idling\r\n"), stall()])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("stored=3");
    run.wait_for("stored=1");
    run.wait_for("Disconnected for inactivity");
    server.wait_for(2, "IDLE").await;
    wait_for_state(&place, "idle");
    let dones = server.lines(1).iter().filter(|line| *line == "DONE").count();
    assert_eq!(dones, 1, "{}", server.transcript());
    run.signal("KILL");
    stored(&place, 4);
}

/// 15: FETCH without UID in the middle of ours (Cyrus, and any other).
#[tokio::test(flavor = "multi_thread")]
async fn cyrus_tells_of_flags_in_the_middle_of_a_fetch() {
    let flags = "* 2 FETCH (FLAGS (\\Seen))\r\n";
    let between = |lines: fn(u32) -> String| done((1..=3).map(|uid| format!("{flags}{}{flags}", lines(uid))));
    let answers = usual()
        .answer("UID FETCH * (UID FLAGS", between(listed))
        .answer("UID FETCH * (UID BODY.PEEK[])", between(sent));
    synced_twice(answers, MESSAGES).await;
}

/// 16: several EXISTS at once (Zimbra), none for an empty mailbox, an UIDVALIDITY that is told twice (Courier).
#[tokio::test(flavor = "multi_thread")]
async fn zimbra_counts_several_times_and_others_not_at_all() {
    let counts = "* 0 EXISTS\r\n* 3 EXISTS\r\n* 2 EXISTS\r\n* 3 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 4] x\r\n{tag} OK\r\n";
    synced_twice(usual().answer("EXAMINE", counts), MESSAGES).await;
    let empty = "* FLAGS ()\r\n* OK [UIDVALIDITY 5] x\r\n{tag} OK\r\n";
    let bad = "{tag} BAD Sequence set is empty\r\n";
    let (_, server) = synced_twice(usual().answer("EXAMINE", empty).answer("UID FETCH", bad), 0).await;
    assert!(!commands(&server).iter().any(|c| c.contains("FETCH")), "{}", server.transcript());
}

/// 17: no UIDNEXT (Winmail), UIDVALIDITY of 0 or of more than 32 bits: one generation, and it stays.
#[tokio::test(flavor = "multi_thread")]
async fn winmail_has_no_uidnext_and_others_no_usable_uidvalidity() {
    for (validity, counted) in [(7, 7), (0, 0), (1_666_390_893_380, 0)] {
        let (place, server) =
            synced_twice(usual().answer("EXAMINE", examined(3, validity, None)), MESSAGES).await;
        let generations: Vec<_> = by_validity(&place).into_keys().collect();
        assert_eq!(generations, [(counted, 0)], "{validity}: {}", server.transcript());
    }
}

/// 18: GNU imap4d has a UID 0: it names nothing, and the others are there.
#[tokio::test(flavor = "multi_thread")]
async fn gnu_imap4d_has_a_uid_of_zero() {
    let zero = "* 4 FETCH (UID 0 FLAGS () RFC822.SIZE 5)\r\n".to_owned();
    let listing = done((1..=3).map(listed).chain([zero]));
    let answers =
        usual().answer("EXAMINE", examined(4, 5, Some(4))).answer("UID FETCH * (UID FLAGS", listing);
    synced_twice(answers, MESSAGES).await;
}

/// 19: FETCH in an empty mailbox is BAD: it is not sent. DavMail puts a space too many.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_mailbox_is_not_fetched_from() {
    let answers = usual()
        .answer("EXAMINE", examined(0, 5, Some(1)))
        .answer("UID FETCH", "{tag} BAD FETCH The specified message set is invalid.\r\n");
    let (_, server) = synced_twice(answers, 0).await;
    assert!(!commands(&server).iter().any(|c| c.contains("FETCH")), "{}", server.transcript());
    let spaced = |uid: u32| listed(uid).replace("RFC822.SIZE ", " RFC822.SIZE  ");
    synced_twice(usual().answer("UID FETCH * (UID FLAGS", done((1..=3).map(spaced))), MESSAGES).await;
}

/// 20: a parenthesis before the last items (Xeams), `\*` among flags and a space before the parenthesis (Zoho, SurgeMail), `+`
/// without a space (public-inbox).
#[tokio::test(flavor = "multi_thread")]
async fn xeams_and_zoho_have_their_own_grammar() {
    let xeams = |uid: u32| listed(uid).replace(" FLAGS", ") FLAGS");
    let zoho = |uid: u32| listed(uid).replace("FLAGS ()", "FLAGS (\\Seen \\* )").replace(")\r\n", " )\r\n");
    for line in [&xeams as &dyn Fn(u32) -> String, &zoho] {
        synced_twice(usual().answer("UID FETCH * (UID FLAGS", done((1..=3).map(line))), MESSAGES).await;
    }
    let server = Server::plain()
        .script([
            greeted(),
            idling(3).until("IDLE"),
            reply("+\r\n* 4 EXISTS\r\n"),
            expect_line("DONE"),
            reply("{tag} OK\r\n"),
            idling(4).until("IDLE"),
            stall(),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("stored=3");
    run.wait_for("stored=1");
    run.signal("KILL");
    stored(&place, 4);
}

/// 21: a slice that is not the one asked for is no part of the message.
#[tokio::test(flavor = "multi_thread")]
async fn hmailserver_gives_other_slices_than_asked_for() {
    const SIZE: usize = 1_500_000;
    let listing = format!(
        "{}* 4 FETCH (UID 4 FLAGS () RFC822.SIZE {SIZE})\r\n{{tag}} OK\r\n",
        (1..=3).map(listed).collect::<String>()
    );
    let slice = |offset: usize, length: usize| {
        format!("* 4 FETCH (UID 4 BODY[]<{offset}> {{{length}}}\r\n{})\r\n{{tag}} OK\r\n", "x".repeat(length))
    };
    let answers = usual()
        .answer("EXAMINE", examined(4, 5, Some(5)))
        .answer("UID FETCH * (UID FLAGS", listing)
        .answer("UID FETCH 4 (UID BODY.PEEK[]<0.", slice(0, 1 << 20))
        .answer("UID FETCH 4 (UID BODY.PEEK[]<1048576.", slice(0, 1 << 20));
    let server = Server::plain().script(all(answers)).start().await;
    let place = Place::plain(server.port(), "");
    let summary = place.sync();
    assert_eq!((summary.code, summary.by_mailbox("open")["INBOX"]), (Some(74), 1), "{summary:?}");
    assert!(summary.said.contains("got another"), "{}", summary.said);
    stored(&place, 3);
}

/// 22: lets us in and hangs up, each time: it is asked more and more slowly, and people are told.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lets_in_and_hangs_up_is_not_asked_without_pause() {
    let server = Server::plain().script(ends_at(usual(), "LIST", "")).start().await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    for _ in 0..3 {
        run.wait_for("cannot look at the account");
    }
    assert_eq!(server.connections(), 3);
    // The same once the mailboxes are known.
    let server = Server::plain().script(ends_at(usual(), "EXAMINE", "")).start().await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    for _ in 0..3 {
        run.wait_for("trying again later");
    }
    assert_eq!(server.connections(), 3);
    let (_, standing) = wait_for_state(&place, "backing-off").remove(0);
    assert!(standing["nextStep"].as_str().unwrap().contains("tries again at 20"), "{standing}");
}

/// 22: LIST is refused on a session that is well otherwise: the mailboxes that are known stay so.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_list_is_no_empty_list() {
    let refused = all(usual().answer("LIST", "{tag} NO LIST failed\r\n"));
    let server = Server::plain().script(all(usual())).script(refused).start().await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("the server refused LIST");
    let (name, standing) = wait_for_state(&place, "backing-off").remove(0);
    assert_eq!(name, "INBOX");
    assert!(standing["reason"].as_str().unwrap().contains("LIST failed"), "{standing}");
    run.signal("TERM");
    run.wait_for("stopped");
    assert_eq!(self::standing(&place).len(), 1);
    stored(&place, MESSAGES);
}

/// 22: FETCH without FLAGS, without INTERNALDATE, with an empty ENVELOPE.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_may_say_less_than_was_asked() {
    let bare = |uid: u32| format!("* {uid} FETCH (UID {uid} ENVELOPE ())\r\n* {uid} FETCH (UID {uid})\r\n");
    synced_twice(usual().answer("UID FETCH * (UID FLAGS", done((1..=3).map(bare))), MESSAGES).await;
}
