//! Tokens that end, are refused, or are not to be had.

use vigie_testkit::server::{Server, close, expect, expect_line, reply, send, stall};

use super::authority::Authority;
use super::{log_in, mailbox, open, place, shown, xoauth2};
use crate::health::{alarm, get, readyz, start};
use crate::place::{Place, Running};

/// `{"status":"401","schemes":"bearer","scope":"https://mail.example/"}`
const CHALLENGE: &str =
    "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZXhhbXBsZS8ifQ==\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_its_token_ends_is_followed_by_one_with_another_token_and_no_alarm() {
    let authority = Authority::start().await;
    let server = Server::plain()
        .script([
            send("* OK ready\r\n"),
            mailbox().until("IDLE"),
            send("+ idling\r\n* BYE Session invalidated - AccessTokenExpired\r\n"),
            close(),
        ])
        .script([send("* OK ready\r\n"), mailbox().until("LOGOUT")])
        .start()
        .await;
    let place = place(server.port(), &authority, "client_credentials");
    let (_run, address) = start(&place, &[]).await;
    assert_eq!(shown(&server, 1, 1).await, xoauth2(1));
    assert_eq!(shown(&server, 2, 1).await, xoauth2(2));
    server.wait_for(2, "IDLE").await;
    assert_eq!(readyz(address).await["alarms"], serde_json::json!([]));
    let (_, metrics) = get(address, "/metrics", "").await;
    assert!(
        metrics.contains("vigie_ingest_token_refresh_total{account=\"a\",result=\"ok\"} 2\n"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_share_a_token_and_one_that_was_revoked_is_got_anew_once() {
    for why in ["revoked", "Token expired"] {
        let authority = Authority::start().await;
        let server = Server::plain()
            .script([send("* OK ready\r\n"), mailbox().until("IDLE"), close()])
            .script([
                send("* OK ready\r\n"),
                mailbox().until("AUTHENTICATE"),
                send(CHALLENGE),
                expect_line(""),
                reply(format!("{{tag}} NO [AUTHENTICATIONFAILED] {why}\r\n")),
                mailbox().until("LOGOUT"),
            ])
            .start()
            .await;
        let place = place(server.port(), &authority, "client_credentials");
        let _run = start(&place, &[]).await;
        assert_eq!(shown(&server, 2, 1).await, xoauth2(1), "the first is still good, as far as we know");
        assert_eq!(shown(&server, 2, 2).await, xoauth2(2));
        server.wait_for(2, "IDLE").await;
        assert_eq!(authority.asked_by("client_credentials"), 2);
        assert!(server.lines(2).iter().any(String::is_empty), "{}", server.transcript());
    }
}

/// The second answer of the same connection never comes: what is known of the new token is that it was never taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_and_hangs_up_is_not_knocked_at_for_ever() {
    let authority = Authority::start().await;
    let no = || [mailbox().until("AUTHENTICATE"), reply("{tag} NO [AUTHENTICATIONFAILED] no\r\n"), close()];
    let greeted = || send("* OK ready\r\n");
    let server = Server::plain()
        .script([greeted(), mailbox().until("IDLE"), close()])
        .script([greeted()].into_iter().chain(no()))
        .start()
        .await;
    let place = place(server.port(), &authority, "client_credentials");
    let (_run, address) = start(&place, &[]).await;
    alarm(address, "credentials-refused").await;
    assert_eq!((server.connections(), authority.asked_by("client_credentials")), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_that_is_refused_is_told_in_words_and_not_asked_for_again() {
    let authority = Authority::start().await;
    for (mechanism, answer) in [("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")] {
        let before = authority.asked_by("client_credentials");
        let server = Server::plain()
            .script([
                send("* OK ready\r\n"),
                expect("CAPABILITY"),
                reply(format!("* CAPABILITY IMAP4rev1 SASL-IR AUTH={mechanism}\r\n{{tag}} OK\r\n")),
                expect(&format!("AUTHENTICATE {mechanism} *")),
                send(CHALLENGE),
                expect_line(answer),
                reply("{tag} NO AUTHENTICATE failed.\r\n"),
                stall(),
            ])
            .start()
            .await;
        let place = place(server.port(), &authority, "client_credentials");
        let summary = place.sync();
        let error = summary.errors().concat();
        assert_eq!(summary.code, Some(77), "{error}");
        for said in ["AUTHENTICATE failed.", "status 401", "scope https://mail.example/", "IMAP is on"] {
            assert!(error.contains(said), "{said}: {error}");
        }
        assert_eq!(authority.asked_by("client_credentials"), before + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_well_says_nothing_of_the_token() {
    let authority = Authority::start().await;
    let server = Server::plain()
        .script([
            send("* OK ready\r\n"),
            mailbox().until("AUTHENTICATE"),
            reply("{tag} NO User is authenticated but not connected.\r\n"),
            stall(),
        ])
        .start()
        .await;
    let summary = place(server.port(), &authority, "client_credentials").sync();
    assert_eq!(summary.code, Some(69), "{summary:?}");
    assert_eq!(authority.asked_by("client_credentials"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_tokens_is_shown_none() {
    let authority = Authority::start().await;
    let server = Server::plain()
        .script([
            send("* OK ready\r\n"),
            expect("CAPABILITY"),
            reply("* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=LOGIN\r\n{tag} OK\r\n"),
            stall(),
        ])
        .start()
        .await;
    let summary = place(server.port(), &authority, "client_credentials").sync();
    assert!(summary.errors().concat().contains("takes no access tokens"), "{summary:?}");
    assert!(!server.transcript().contains("AUTHENTICATE"), "{}", server.transcript());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_well_is_asked_again() {
    let (server, authority) = (open().start().await, Authority::start().await);
    let place = place(server.port(), &authority, "client_credentials");
    let port = authority.address.port();
    for (status, body) in [
        (500, "{}".to_owned()),
        (503, "<html>canary</html>".into()),
        (429, String::new()),
        (302, String::new()),
        (200, "canary".into()),
        (200, r#"{"access_token": 5}"#.into()),
        (200, r#"{"access_token": "a\u0001auth=x"}"#.into()),
        (404, "x".repeat(1000)),
        (200, format!("{{\"access_token\": \"{}\"}}", "x".repeat(100_000))),
        (400, r#"{"error":"temporarily_unavailable"}"#.into()),
    ] {
        authority.known().instead.push_back((status, body));
        let summary = place.sync();
        let error = summary.errors().concat();
        assert_eq!(summary.code, Some(69), "{status}: {error}");
        assert!(error.contains(&format!("cannot reach 127.0.0.1:{port}: ")) && error.len() < 500, "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
    assert_eq!(server.connections(), 0, "without a token nobody knocks");
    place.sync().assert_clean();
    // And nobody at all.
    let nobody =
        Place::plain(server.port(), &authority.table("client_credentials").replace(&port.to_string(), "1"));
    assert_eq!(nobody.sync().code, Some(69));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_revoked_is_an_alarm_until_somebody_logs_in_again() {
    let (server, authority) = (open().start().await, Authority::start().await);
    let place = place(server.port(), &authority, "refresh_token");
    let summary = place.sync();
    let error = summary.errors().concat();
    assert_eq!(summary.code, Some(77), "{error}");
    assert!(error.contains("nobody has logged in yet; run `vigie-ingest login a`"), "{error}");
    log_in(&place, &authority);
    authority.known().refresh = None;
    let before = server.connections();
    let (mut run, address) = start(&place, &[]).await;
    let told = alarm(address, "token-refused").await;
    assert_eq!(told["subject"], "a");
    let text = told["text"].as_str().unwrap();
    for said in ["127.0.0.1 refused (invalid_grant: expired or revoked)", "run `vigie-ingest login a`"] {
        assert!(text.contains(said), "{text}");
    }
    let (_, metrics) = get(address, "/metrics", "").await;
    for line in [
        "vigie_ingest_token_refresh_total{account=\"a\",result=\"refused\"} 1",
        "vigie_imap_connection_state{account=\"a\",state=\"refused\"} 1",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}\n{metrics}");
    }
    assert_eq!(server.connections(), before);
    log_in(&place, &authority);
    run.wait_for("trying again");
    server.wait_for(before + 2, "IDLE").await;
    assert_eq!(readyz(address).await["alarms"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_password_file_is_tried_at_once() {
    let server = Server::plain()
        .script([
            send("* OK ready\r\n"),
            vigie_testkit::server::routine().until("LOGIN"),
            reply("{tag} NO [AUTHENTICATIONFAILED] wrong\r\n"),
            stall(),
        ])
        .script([send("* OK ready\r\n"), vigie_testkit::server::routine().until("LOGOUT")])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let mut run = Running::start(place.command(&["run"]), false);
    run.wait_for("stands still");
    std::fs::write(place.path("password"), "corrected\n").unwrap();
    run.wait_for("trying again");
    server.wait_for(2, "IDLE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_mail_server_is_not_corrected_by_our_own_renewal() {
    let authority = Authority::start().await;
    let no = [
        send("* OK ready\r\n"),
        mailbox().until("AUTHENTICATE"),
        reply("{tag} NO [AUTHENTICATIONFAILED] no\r\n"),
        close(),
    ];
    let server = open().script(no).start().await;
    let place = place(server.port(), &authority, "refresh_token");
    log_in(&place, &authority);
    let (mut run, address) = start(&place, &[]).await;
    alarm(address, "credentials-refused").await;
    run.wait_for("stands still");
    // A change by somebody else is: the file is looked at.
    let file = place.path("tokens/a.json");
    std::fs::write(&file, std::fs::read(&file).unwrap()).unwrap();
    run.wait_for("trying again");
    run.wait_for("stands still");
    assert_eq!(authority.asked_by("refresh_token"), 3, "login, and one try each");
    assert_eq!(run.seen.iter().filter(|line| line.contains("trying again")).count(), 1, "{:#?}", run.seen);
}
