//! 163.com and its kin, QQ, Naver.

use vigie_testkit::server::reply;

use super::*;

/// 11: nobody is served who did not say by ID who they are; no UIDNEXT, and an empty STATUS.
#[tokio::test(flavor = "multi_thread")]
async fn netease_serves_nobody_without_id_and_tells_no_uidnext() {
    let answers = || {
        usual()
            .answer("CAPABILITY", "* CAPABILITY IMAP4rev1 XLIST SPECIAL-USE ID LITERAL+ STARTTLS XAPPLEPUSHSERVICE UIDPLUS X-CM-EXT-1\r\n{tag} OK\r\n")
            .answer("EXAMINE", examined(3, 1, None))
            .answer("STATUS", "* STATUS \"INBOX\" ()\r\n{tag} OK STATUS completed\r\n")
            .answer("NOOP", "{tag} OK NOOP completed\r\n")
    };
    let unsafe_login = "{tag} NO SELECT Unsafe Login. Please contact kefu@188.com for help\r\n";
    let before = || answers().answer("EXAMINE", unsafe_login).until("ID");
    let told = || reply("* ID NIL\r\n{tag} OK ID completed\r\n");
    let server =
        Server::plain().script([greeted(), before(), told(), answers().until("LOGOUT")]).start().await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    stored(&place, MESSAGES);
    assert_eq!(place.sync().stored(), 0);
    // Of a STATUS that says nothing nothing is concluded.
    let scripted = Server::plain().script([greeted(), before(), told(), answers().until("LOGOUT")]);
    let (mut session, _server) = session(scripted).await;
    let told = session.status("INBOX").await.unwrap();
    assert_eq!((told.messages, told.uidnext), (None, None));
    assert_eq!(session.examine("INBOX", None).await.unwrap().exists, 3);
}

/// 12: no UIDVALIDITY, spaces before the closing parenthesis, and BAD to sets that do not ascend.
#[tokio::test(flavor = "multi_thread")]
async fn qq_has_no_uidvalidity_and_takes_only_sets_that_ascend() {
    let examine = "* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UNSEEN 1]\r\n{tag} OK [READ-ONLY] EXAMINE complete\r\n";
    let spaced = |line: String| line.replace(")\r\n", " )\r\n");
    let answers = usual()
        .answer("EXAMINE", examine)
        .answer("UID FETCH * (UID FLAGS", done((1..=3).map(|uid| spaced(listed(uid)))))
        .answer("UID FETCH * (UID BODY.PEEK[])", done((1..=3).map(|uid| spaced(sent(uid)))));
    let (place, server) = synced_twice(answers, MESSAGES).await;
    assert_eq!(by_validity(&place).into_keys().collect::<Vec<_>>(), [(0, 0)]);
    let mut sets = 0;
    for command in commands(&server) {
        let Some(set) = command.strip_prefix("UID FETCH ").and_then(|rest| rest.split(' ').next()) else {
            continue;
        };
        let numbers: Vec<u32> = set.split([',', ':']).filter_map(|n| n.parse().ok()).collect();
        assert!(numbers.is_sorted(), "{command}");
        sets += 1;
    }
    assert!(sets > 1);
}

/// 23: NOOP refreshes nothing: the mailbox has to be opened again.
#[tokio::test(flavor = "multi_thread")]
async fn naver_refreshes_by_opening_alone() {
    let server = Server::plain().script([
        greeted(),
        usual().until("NOOP"),
        reply("{tag} OK\r\n"),
        usual_to(4).until("LOGOUT"),
    ]);
    let (mut session, _server) = session(server).await;
    assert_eq!(session.examine("INBOX", None).await.unwrap().exists, 3);
    session.noop().await.unwrap();
    assert!(!session.has_news());
    assert_eq!(session.examine("INBOX", None).await.unwrap().exists, 4);
}
