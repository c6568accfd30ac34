//! Gmail.

use vigie_testkit::server::{Server, close, cut, drip, reply};
use vigie_testkit::tls::{Authority, Kind};

use super::*;
use crate::limits::wait_for_state;
use crate::place::Running;

/// 1: labels are mailboxes, so that a message is there several times: once more in `\All` where that is asked for;
/// `[Gmail]` cannot be opened, and names are in the user's language.
#[tokio::test(flavor = "multi_thread")]
async fn gmail_labels_are_mailboxes_and_their_root_is_none() {
    let listed = "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n\
                  * LIST (\\HasChildren \\NonExistent) \"/\" \"[Gmail]\"\r\n\
                  * LIST (\\All \\HasNoChildren) \"/\" \"[Gmail]/Alle Nachrichten\"\r\n\
                  * LIST (\\HasNoChildren \\Drafts) \"/\" \"[Gmail]/Entw&APw-rfe\"\r\n{tag} OK Success\r\n";
    let answers = usual()
        .answer("LIST", listed)
        .answer("EXAMINE \"[Gmail]/Entw&APw-rfe\"", examined(0, 9, Some(1)))
        .answer("EXAMINE \"[Gmail]\"", "{tag} NO [NONEXISTENT] Unknown Mailbox: [Gmail] (Failure)\r\n");
    let server = Server::plain().script(all(answers)).start().await;
    let place = Place::plain(server.port(), "mailboxes = [\"*\", \"\\\\All\"]");
    place.sync().assert_clean();
    let entries = place.entries();
    assert_eq!(entries.len(), 6);
    assert_eq!(entries.iter().filter(|e| e.duplicate_of.is_some()).count(), 3, "each once as itself");
    place.assert_whole(6);
    assert!(!commands(&server).iter().any(|c| c == "EXAMINE \"[Gmail]\""), "{}", server.transcript());
    assert_eq!(place.sync().stored(), 0);
}

/// 2: the day's quota, a session that expires, HIGHESTMODSEQ without text.
#[tokio::test(flavor = "multi_thread")]
async fn gmail_quota_makes_the_account_rest_and_an_expired_session_does_not() {
    let modseq = "* 3 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 4] x\r\n* OK [HIGHESTMODSEQ 12345]\r\n{tag} OK\r\n";
    let answers = || usual().answer("EXAMINE", modseq);
    let server = Server::plain()
        .script(ends_at(answers(), "UID FETCH * (UID BODY", "* BYE Session expired, please login again.\r\n"))
        .script([
            greeted(),
            answers().until("UID FETCH * (UID BODY"),
            reply("{tag} NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)\r\n"),
            close(),
        ])
        .script(all(answers()))
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("Session expired");
    let said = run.wait_for("the account rests");
    assert!(said.contains("bandwidth limits"), "{said}");
    let (_, standing) = wait_for_state(&place, "throttled").remove(0);
    assert!(standing["reason"].as_str().unwrap().contains("[OVERQUOTA]"), "{standing}");
    assert_eq!(server.connections(), 2);
    run.signal("TERM");
    run.wait_for("stopped");
    place.sync().assert_clean();
    stored(&place, MESSAGES);
}

/// 2: less than 1 KiB/s instead of a refusal: slow is no silence.
#[tokio::test(flavor = "multi_thread")]
async fn gmail_may_trickle() {
    let bodies: String = (1..=MESSAGES).map(sent).collect();
    let server = Server::plain()
        .script([
            greeted(),
            usual().until("UID FETCH * (UID BODY"),
            drip(bodies, 1),
            reply("{tag} OK\r\n"),
            usual().until("LOGOUT"),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    stored(&place, MESSAGES);
}

/// 3: TLS ends without its good-bye, and a listing misses what comes back in the next.
#[tokio::test(flavor = "multi_thread")]
async fn gmail_ends_tls_without_good_bye_and_forgets_uids_for_a_while() {
    let authority = Authority::new().unwrap();
    let identity = authority.identity(Kind::Valid).unwrap();
    let forgetful = usual().answer("UID FETCH * (UID FLAGS", done([1, 3].map(listed)));
    let server = Server::implicit(&identity)
        .script([greeted(), usual().until("UID FETCH * (UID BODY"), cut()])
        .script(all(forgetful))
        .script(all(usual()))
        .start()
        .await;
    let mut place = Place::new();
    std::fs::write(place.path("ca.pem"), authority.pem()).unwrap();
    place.account("a", server.port(), "ca_file = \"ca.pem\"\n");
    place.sync().assert_clean();
    assert_eq!(place.entries().len(), 2);
    place.sync().assert_clean();
    stored(&place, MESSAGES);
}
