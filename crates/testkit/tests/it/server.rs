//! The scripted server: each kind of step, as a client sees it.

use std::io::ErrorKind;

use vigie_testkit::mailbox_server::{Account, Service};
use vigie_testkit::server::{
    Server, close, cut, drip, expect, expect_line, gate, huge, reply, reset, routine, send, serve, serve_cut,
    stall, starttls,
};
use vigie_testkit::tls::{Authority, Kind};

use crate::client::{Client, within};

#[tokio::test]
async fn a_script_answers_with_the_clients_tag() {
    let server = Server::plain()
        .script([
            send("* OK hi\r\n"),
            expect("LOGIN"),
            reply("* CAPABILITY X\r\n{tag} OK {tag}\r\n"),
            expect("IDLE"),
            send("+ idling\r\n"),
            expect_line("DONE"),
            reply("{tag} OK\r\n"),
        ])
        .start()
        .await;
    let mut client = Client::connect(server.port()).await;
    assert_eq!(client.line().await, "* OK hi");
    client.send("a7 login x y\r\n").await;
    assert_eq!(client.line().await, "* CAPABILITY X");
    assert_eq!(client.line().await, "a7 OK a7");
    client.send("a8 IDLE\r\nDONE\r\n").await;
    assert_eq!(client.line().await, "+ idling");
    assert_eq!(client.line().await, "a8 OK");
    assert!(client.rest().await.1.is_ok());
    assert_eq!(server.wait_for(1, "IDLE").await, "a8 IDLE");
    assert_eq!(server.lines(1), ["a7 login x y", "a8 IDLE", "DONE"]);
    server.finish().await;
}

#[tokio::test]
async fn an_unmet_expectation_fails_with_what_came() {
    let server = Server::plain().script([expect("LOGIN")]).start().await;
    let mut client = Client::connect(server.port()).await;
    client.send("a1 NOOP\r\n").await;
    let _ = client.rest().await;
    let failure = tokio::spawn(server.finish()).await.unwrap_err().into_panic();
    let text = failure.downcast_ref::<String>().unwrap();
    assert!(text.contains("expected \"LOGIN\", got \"a1 NOOP\""), "{text}");
}

#[tokio::test]
async fn connections_get_their_scripts_and_the_last_repeats() {
    let server = Server::plain().script([send("one")]).script([send("two")]).start().await;
    for wanted in ["one", "two", "two"] {
        let (bytes, _) = Client::connect(server.port()).await.rest().await;
        assert_eq!(bytes, wanted.as_bytes());
    }
    server.wait_for_connections(3).await;
    server.wait_for_end(3).await;
    server.finish().await;
}

#[tokio::test]
async fn a_reset_is_not_a_close() {
    let server = Server::plain()
        .script([send("* OK"), gate("seen"), reset()])
        .script([send("* OK"), cut()])
        .start()
        .await;
    let mut client = Client::connect(server.port()).await;
    assert_eq!(client.exactly(4).await, b"* OK");
    server.open("seen");
    let (_, end) = client.rest().await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let (bytes, end) = Client::connect(server.port()).await.rest().await;
    assert!(bytes == b"* OK" && end.is_ok());
}

#[tokio::test]
async fn a_gate_holds_and_lines_are_seen_meanwhile() {
    let server = Server::plain().script([gate("go"), send("now\r\n"), stall()]).start().await;
    let mut client = Client::connect(server.port()).await;
    client.send("a1 NOOP\r\na2 NOOP\r\n").await;
    assert_eq!(server.wait_for_nth(1, "NOOP", 2).await, "a2 NOOP");
    server.open("go");
    assert_eq!(client.line().await, "now");
    client.send("a3 LOGOUT\r\n").await;
    server.wait_for(1, "LOGOUT").await;
    server.finish().await;
}

#[tokio::test]
async fn drips_and_giant_literals() {
    let server = Server::plain()
        .script([drip("* 1 FETCH (BODY[] ", 1), huge("99999999999999999999", b'x', 3_000_000), close()])
        .start()
        .await;
    let (bytes, _) = Client::connect(server.port()).await.rest().await;
    let head = b"* 1 FETCH (BODY[] {99999999999999999999}\r\n";
    assert!(bytes.starts_with(head));
    assert_eq!(bytes.len(), head.len() + 3_000_000);
    assert!(bytes[head.len()..].iter().all(|byte| *byte == b'x'));
}

#[tokio::test]
async fn a_routine_answers_until_its_end() {
    let server = Server::plain()
        .script([
            send("* OK\r\n"),
            routine().answer("EXAMINE", "* 3 EXISTS\r\n{tag} OK\r\n").until("UID FETCH"),
            reply("{tag} BAD\r\n"),
        ])
        .start()
        .await;
    let mut client = Client::connect(server.port()).await;
    client.line().await;
    client.send("t LOGIN {1}\r\n").await;
    assert_eq!(client.line().await, "+ go on");
    client.send("x {1}\r\n").await;
    assert_eq!(client.line().await, "+ go on");
    client.send("y\r\n").await;
    assert_eq!(client.line().await, "t OK done");
    assert_eq!(client.ask("AUTHENTICATE PLAIN AGEAYg==").await, ["t OK done"]);
    assert_eq!(client.ask("EXAMINE INBOX").await, ["* 3 EXISTS", "t OK"]);
    client.send("t IDLE\r\nDONE\r\n").await;
    assert_eq!(client.line().await, "+ idling");
    assert_eq!(client.line().await, "t OK done");
    assert_eq!(client.ask("UID FETCH 1 (UID)").await, ["t BAD"]);
    server.finish().await;
}

#[tokio::test]
async fn starttls_secures_and_refuses_early_commands() {
    let authority = Authority::new().unwrap();
    let script = || [send("* OK\r\n"), starttls(), expect("NOOP"), reply("{tag} OK safe\r\n")];
    let server = Server::starttls(&authority.identity(Kind::Valid).unwrap()).script(script()).start().await;
    let mut client = Client::connect(server.port()).await;
    client.line().await;
    assert_eq!(client.ask("STARTTLS").await, ["t OK begin"]);
    let mut client = client.secure(authority.pem()).await.unwrap();
    assert_eq!(client.ask("NOOP").await, ["t OK safe"]);
    server.finish().await;

    let server = Server::starttls(&authority.identity(Kind::Valid).unwrap()).script(script()).start().await;
    let mut client = Client::connect(server.port()).await;
    client.send("t STARTTLS\r\nt NOOP\r\n").await;
    let _ = client.rest().await;
    assert!(server.transcript().contains("did not wait for the answer to STARTTLS"));
    tokio::spawn(server.finish()).await.unwrap_err();
}

#[tokio::test]
async fn an_honest_server_can_be_cut_at_any_byte() {
    let account = Account::new("me", "secret");
    account.mailbox("INBOX").append("Subject: x\r\n\r\nhello\r\n");
    let service = Service::new([account]);
    let talk = "t LOGIN me secret\r\nt EXAMINE INBOX\r\nt UID FETCH 1 BODY.PEEK[]\r\nt LOGOUT\r\n";

    let server = Server::plain().script([serve(&service)]).start().await;
    let mut client = Client::connect(server.port()).await;
    client.send(talk).await;
    let (whole, _) = client.rest().await;
    assert!(whole.ends_with(b"t OK done\r\n"));
    server.finish().await;

    for limit in 1..whole.len() {
        let server = Server::plain().script([serve_cut(&service, limit as u64), cut()]).start().await;
        let mut client = Client::connect(server.port()).await;
        client.send(talk).await;
        let (part, _) = client.rest().await;
        assert!(part.len() <= limit && whole.starts_with(&part), "{limit}");
        server.finish().await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_script_without_failing_it() {
    let server = Server::plain().script([send("* OK\r\n"), expect("LOGIN")]).start().await;
    drop(Client::connect(server.port()).await);
    within(server.wait_for_end(1)).await;
    assert!(server.transcript().contains("closed where \"LOGIN\" was expected"), "{}", server.transcript());
}
