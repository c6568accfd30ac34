//! The honest server, asked in raw lines.

use std::time::Duration;

use tokio::time::Instant;
use vigie_testkit::generate::{self, Profile};
use vigie_testkit::mailbox_server::{Account, Draft, Mailbox, MailboxServer, Security, Service};
use vigie_testkit::tls::{Authority, Kind};

use crate::client::{Client, within};

async fn started() -> (MailboxServer, Mailbox, Account) {
    let account = Account::new("me@example.org", "se\"cret");
    let inbox = account.mailbox("INBOX");
    inbox.append("Subject: one\r\n\r\nfirst\r\n");
    inbox.append(Draft::made(|| b"Subject: two\r\n\r\nsecond\r\n".to_vec()).flag("\\Seen"));
    inbox.skip_to(10);
    inbox.append("Subject: ten\r\n\r\ntenth\r\n");
    account.mailbox("Reports/DMARC");
    let server = MailboxServer::start(&Service::new([account.clone()]), Security::None).await.unwrap();
    (server, inbox, account)
}

async fn logged_in(server: &MailboxServer) -> Client {
    let mut client = Client::connect(server.port()).await;
    assert!(client.line().await.starts_with("* OK [CAPABILITY IMAP4rev1"));
    let answer = client.ask("LOGIN me@example.org \"se\\\"cret\"").await;
    assert!(answer[0].starts_with("t OK [CAPABILITY"), "{answer:?}");
    client
}

#[tokio::test]
async fn logins_of_all_kinds() {
    let (server, _, account) = started().await;
    let mut client = Client::connect(server.port()).await;
    client.line().await;
    assert_eq!(client.ask("EXAMINE INBOX").await, ["t BAD not known, or not before login"]);
    assert!(client.ask("LOGIN me@example.org wrong").await[0].starts_with("t NO [AUTHENTICATIONFAILED]"));
    client.send("t LOGIN {14}\r\n").await;
    assert_eq!(client.line().await, "+ go on");
    client.send("me@example.org {7+}\r\nse\"cret\r\n").await;
    assert!(client.line().await.starts_with("t OK"));

    // base64 of "\0me@example.org\0se\"cret"
    let plain = "AG1lQGV4YW1wbGUub3JnAHNlImNyZXQ=";
    let mut client = Client::connect(server.port()).await;
    client.line().await;
    assert!(client.ask(&format!("AUTHENTICATE PLAIN {plain}")).await[0].starts_with("t OK"));
    account.set_password("changed");
    let mut client = Client::connect(server.port()).await;
    client.line().await;
    client.send("t AUTHENTICATE PLAIN\r\n").await;
    assert_eq!(client.line().await, "+");
    client.send(&format!("{plain}\r\n")).await;
    assert!(client.line().await.starts_with("t NO"));
    assert_eq!(server.service().connections(), 3);
    assert_eq!(server.service().commands("AUTHENTICATE"), 2);
}

#[tokio::test]
async fn mailboxes_are_listed_and_counted() {
    let (server, _, _) = started().await;
    let mut client = logged_in(&server).await;
    assert_eq!(
        client.ask("LIST \"\" \"*\"").await,
        [
            "* LIST (\\HasNoChildren) \"/\" \"INBOX\"",
            "* LIST (\\Noselect \\HasChildren) \"/\" \"Reports\"",
            "* LIST (\\HasNoChildren) \"/\" \"Reports/DMARC\"",
            "t OK done"
        ]
    );
    assert_eq!(
        client.ask("STATUS inbox (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)").await[0],
        "* STATUS \"inbox\" (MESSAGES 3 UIDNEXT 11 UIDVALIDITY 1 UNSEEN 2)"
    );
    assert_eq!(client.ask("EXAMINE nowhere").await, ["t NO [NONEXISTENT] there is no such mailbox"]);
    let answer = client.ask("EXAMINE INBOX").await;
    assert!(answer.contains(&String::from("* 3 EXISTS")), "{answer:?}");
    assert!(answer.contains(&String::from("* OK [UIDNEXT 11] next")), "{answer:?}");
    assert_eq!(answer.last().unwrap(), "t OK [READ-ONLY] done");
    assert_eq!(client.ask("garbage").await, ["t BAD not known here"]);
    client.send("\r\n").await;
    assert_eq!(client.line().await, "* BAD this is no command");
    assert_eq!(client.ask("LOGOUT").await, ["* BYE until next time", "t OK done"]);
    assert!(client.rest().await.0.is_empty());
}

#[tokio::test]
async fn messages_are_fetched_by_set_and_slice() {
    let (server, inbox, _) = started().await;
    let mut client = logged_in(&server).await;
    client.ask("SELECT INBOX").await;
    assert_eq!(
        client.ask("UID FETCH 2:* (FLAGS INTERNALDATE RFC822.SIZE)").await,
        [
            "* 2 FETCH (UID 2 FLAGS (\\Seen) INTERNALDATE \" 2-Jan-2026 03:04:05 +0000\" RFC822.SIZE 24)",
            "* 3 FETCH (UID 10 FLAGS () INTERNALDATE \" 2-Jan-2026 03:04:05 +0000\" RFC822.SIZE 23)",
            "t OK done"
        ]
    );
    assert_eq!(
        client.ask("FETCH 1,3 (UID BODY.PEEK[HEADER] BODY.PEEK[]<16.5>)").await,
        ["* 1 FETCH (UID 1 BODY[HEADER] {16}", "Subject: one", "",]
    );
    assert_eq!(client.line().await, " BODY[]<16> {5}");
    assert_eq!(client.line().await, "first)");
    for _ in 0..5 {
        client.line().await;
    }
    assert_eq!(client.line().await, "t OK done");
    assert_eq!(client.ask("UID FETCH 3:9 UID").await, ["t OK done"]);
    assert_eq!(client.ask("UID FETCH 900:* UID").await, ["* 3 FETCH (UID 10)", "t OK done"]);
    assert_eq!(client.ask("UID FETCH 1 ENVELOPE").await, ["t BAD FETCH takes a set and items known here"]);
    assert_eq!(client.ask("UID SEARCH UNSEEN").await, ["* SEARCH 1 10", "t OK done"]);
    client.send("t UID FETCH 1 BODY[TEXT]\r\n").await;
    assert_eq!(client.line().await, "* 1 FETCH (UID 1 BODY[TEXT] {7}");
    assert_eq!(client.line().await, "first");
    assert_eq!(client.line().await, " FLAGS (\\Seen))");
    client.line().await;
    assert_eq!(client.ask("UID SEARCH UID 1:5 SINCE 2-Jan-2026").await[0], "* SEARCH 1 2");
    assert_eq!(client.ask("UID SEARCH SINCE 3-Jan-2026").await[0], "* SEARCH");
    inbox.expunge(2);
    assert_eq!(
        client.ask("FETCH 2 UID").await,
        ["* 2 FETCH (UID 2)", "t OK done"],
        "numbers stay until told"
    );
    assert_eq!(client.ask("UID FETCH 1:* UID").await[..2], ["* 2 EXPUNGE", "* 2 EXISTS"]);
}

#[tokio::test]
async fn idle_is_told_what_comes_and_goes() {
    let (server, inbox, _) = started().await;
    let mut client = logged_in(&server).await;
    client.ask("EXAMINE INBOX").await;
    client.send("t IDLE\r\n").await;
    assert_eq!(client.line().await, "+ idling");
    within(server.service().wait_for_command("IDLE", 1)).await;
    inbox.append("x");
    assert_eq!(client.line().await, "* 4 EXISTS");
    inbox.expunge(1);
    assert_eq!(client.line().await, "* 1 EXPUNGE");
    assert_eq!(client.line().await, "* 3 EXISTS");
    client.send("DONE\r\nt NOOP\r\n").await;
    assert_eq!(client.line().await, "t OK done");
    assert_eq!(client.line().await, "t OK done");
    client.send("t IDLE\r\n").await;
    client.line().await;
    inbox.set_uidvalidity(2);
    assert_eq!(client.line().await, "* BYE the mailbox is another one now");
    client.rest().await.1.unwrap();
    server.service().forgo("IDLE");
    let mut client = logged_in(&server).await;
    assert!(!client.ask("CAPABILITY").await[0].contains("IDLE"));
    assert_eq!(client.ask("IDLE").await, ["t BAD not known here"]);
    server.disconnect_all();
    client.rest().await.1.unwrap();
    logged_in(&server).await;
}

#[tokio::test]
async fn starttls_comes_before_login() {
    let authority = Authority::new().unwrap();
    let acceptor = authority.identity(Kind::Valid).unwrap().acceptor().unwrap();
    let service = Service::new([Account::new("me", "secret")]);
    let server = MailboxServer::start(&service, Security::Starttls(acceptor)).await.unwrap();
    let mut client = Client::connect(server.port()).await;
    assert!(client.line().await.contains("LOGINDISABLED"));
    assert!(client.ask("LOGIN me secret").await[0].starts_with("t NO [PRIVACYREQUIRED]"));
    assert_eq!(client.ask("STARTTLS").await, ["t OK begin TLS"]);
    let mut client = client.secure(authority.pem()).await.unwrap();
    assert!(client.ask("CAPABILITY").await[0].contains("AUTH=PLAIN"));
    assert!(client.ask("LOGIN me secret").await[0].starts_with("t OK"));
}

#[tokio::test]
async fn a_large_mailbox_streams() {
    let account = Account::new("me", "secret");
    let count = 2_000;
    let drafts = (0..count).map(|index| Draft::new(generate::message(1, index, Profile::Small)));
    account.mailbox("INBOX").append_all(drafts);
    let server = MailboxServer::start(&Service::new([account]), Security::None).await.unwrap();
    let mut client = Client::connect(server.port()).await;
    let begun = Instant::now();
    client
        .send("a LOGIN me secret\r\nb EXAMINE INBOX\r\nc UID FETCH 1:* (UID BODY.PEEK[])\r\nd LOGOUT\r\n")
        .await;
    let (bytes, end) = client.rest().await;
    assert!(end.is_ok() && bytes.ends_with(b"d OK done\r\n"));
    assert!(bytes.len() > 2_000 * 2_500);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
