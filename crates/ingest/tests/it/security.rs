//! Encryption, credentials, and what people are told when they are wrong.

use vigie_testkit::mailbox_server::{Account, MailboxServer, Security, Service};
use vigie_testkit::server::{Server, expect, expect_line, reply, routine, send, serve, stall, starttls};
use vigie_testkit::tls::{Authority, Kind};

use crate::messages::{server, small};
use crate::place::Place;

fn service() -> Service {
    let account = Account::new("me", "secret");
    account.mailbox("INBOX").append(small(1));
    Service::new([account])
}

#[tokio::test(flavor = "multi_thread")]
async fn implicit_tls_and_starttls_with_an_authority_of_ones_own() {
    let authority = Authority::new().unwrap();
    for (kind, mode) in [("implicit", true), ("starttls", false)] {
        let identity = authority.identity(Kind::Valid).unwrap();
        let acceptor = identity.acceptor().unwrap();
        let security = if mode { Security::Implicit(acceptor) } else { Security::Starttls(acceptor) };
        let server = MailboxServer::start(&service(), security).await.unwrap();
        let mut place = Place::new();
        authority.write(&place.path("ca.pem")).unwrap();
        place.account("a", server.port(), &format!("tls = \"{kind}\"\nca_file = \"ca.pem\""));
        let summary = place.sync();
        summary.assert_clean();
        assert_eq!(summary.stored(), 1, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_ends_with_77_and_the_other_account_goes_on() {
    let (bad, _, _) = server(1).await;
    let (good, _, _) = server(3).await;
    let mut place = Place::new();
    std::fs::write(place.path("wrong"), "canary-7f3a\n").unwrap();
    place.account("bad", bad.port(), "tls = \"none\"\npassword_file = \"wrong\"");
    place.account("good", good.port(), "tls = \"none\"");
    let summary = place.sync();
    assert_eq!(summary.code, Some(77));
    assert_eq!(summary.stored(), 3);
    let error = summary.errors().concat();
    assert!(
        error.contains("refused user me") && error.contains("check `user` and the password file"),
        "{error}"
    );
    assert!(!error.contains("canary") && !summary.said.contains("canary"));
    let check = place.run(&["check"]);
    assert_eq!(check.status.code(), Some(77));
    assert!(String::from_utf8_lossy(&check.stdout).contains("account good: good; watched: INBOX"));
}

/// At no log level, in no file: the password, and what the server was sent. No log holds what is in a message.
#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_nowhere_and_mail_in_no_log() {
    let account = Account::new("me", "canary-7f3a");
    account.mailbox("INBOX").append("From: a@example.org\r\nSubject: canary-subject\r\n\r\ncanary-body\r\n");
    let server = MailboxServer::start(&Service::new([account]), Security::None).await.unwrap();
    for capability in ["", "AUTH=PLAIN"] {
        server.service().forgo(capability);
        let mut place = Place::new();
        place.account("a", server.port(), "tls = \"none\"\npassword_env = \"CANARY\"");
        let output = place
            .command(&[
                "sync",
                "--log-level",
                "trace,async_imap=trace,async_imap::imap_stream=trace,imap_proto=trace",
            ])
            .env("CANARY", "canary-7f3a")
            .output()
            .unwrap();
        assert!(output.status.success());
        let said = [output.stdout, output.stderr].concat();
        for secret in ["canary-7f3a", "Y2FuYXJ5LTdmM2", "canary-subject", "canary-body"] {
            assert!(!String::from_utf8_lossy(&said).contains(secret), "{}", String::from_utf8_lossy(&said));
        }
        let mut files = Vec::new();
        crate::place::collect(&place.archive(), &mut files);
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            assert!(!bytes.windows(11).any(|w| w == b"canary-7f3a"), "{}", file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_repeats_the_login_is_quoted_without_the_password() {
    let plain = data_encoding::BASE64.encode(b"\0me\0canary\"9");
    let login = "LOGIN \"me\" \"canary\\\"9\"";
    for (capability, told, code) in [
        ("", format!("BAD {login}"), 69),
        ("", format!("NO {login}"), 77),
        ("", format!("NO [THROTTLED] {login}"), 69),
        (" AUTH=PLAIN", format!("BAD what is {plain}"), 69),
    ] {
        let capabilities = format!("* CAPABILITY IMAP4rev1{capability}\r\n{{tag}} OK\r\n");
        let known = routine().answer("CAPABILITY", capabilities);
        let mut script = vec![send("* OK hi\r\n")];
        if capability.is_empty() {
            script.push(known.until("LOGIN"));
        } else {
            script.extend([known.until("AUTHENTICATE"), send("+ \r\n"), expect_line("*")]);
        }
        script.extend([reply(format!("{{tag}} {told}\r\n")), stall()]);
        let server = Server::plain().script(script).start().await;
        let place = Place::plain(server.port(), "");
        std::fs::write(place.path("password"), "canary\"9\n").unwrap();
        let summary = place.sync();
        let error = summary.errors().concat();
        assert_eq!(summary.code, Some(code), "{error}");
        assert!(error.contains("[secret]") && !error.contains(&plain), "{error}");
        assert!(!error.contains("canary") && !summary.said.contains("canary"), "{error}");
    }
}

/// async-imap quotes its whole buffer when it cannot read an answer.
#[tokio::test(flavor = "multi_thread")]
async fn mail_in_an_answer_that_cannot_be_read_is_in_no_log() {
    let account = Account::new("me", "secret");
    account.mailbox("INBOX").append(small(1));
    let service = Service::new([account]);
    for after in [" \u{0}\u{1}((\r\n", ")\r\n* ]]\r\nwhat?\r\n", " FLAGS BODY[] {99999999999}\r\n"] {
        let answer = format!("* 1 FETCH (UID 1 BODY[] {{13}}\r\ncanary-body\r\n{after}");
        let server = Server::plain()
            .script([send("* OK hi\r\n"), serve_cut_before_bodies(), send(answer), stall()])
            .script([serve(&service)])
            .start()
            .await;
        let place = Place::plain(server.port(), "");
        let output = place.run(&["sync", "--log-level", "trace"]);
        let said = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains("canary"), "{}", String::from_utf8_lossy(&said));
        assert!(server.lines(1).iter().any(|line| line.contains("BODY.PEEK")), "{}", server.transcript());
    }
}

/// A mailbox of one message, up to where its bytes are asked for.
fn serve_cut_before_bodies() -> vigie_testkit::server::Step {
    routine()
        .answer("EXAMINE", "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 2] x\r\n{tag} OK\r\n")
        .answer("UID FETCH", "* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 13)\r\n{tag} OK\r\n")
        .until("UID FETCH 1 (UID BODY.PEEK[])")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_greeting_that_is_wrong_is_answered_by_credentials() {
    for greeting in [
        "* PREAUTH welcome\r\n",
        "* BYE busy\r\n",
        "hello\r\n",
        "* NO\r\n",
        "A1 OK x\r\n",
        "\r\n\r\n* BAD x\r\n",
        "* 5 EXISTS\r\n",
        "+ go on\r\n",
        &format!("* OK {}\r\n", "x".repeat(1 << 20)),
    ] {
        let server = Server::plain().script([send(greeting), stall()]).start().await;
        let place = Place::plain(server.port(), "");
        let greeting = greeting.get(..20).unwrap_or(greeting);
        assert_eq!(place.sync().code, Some(69), "{greeting}");
        assert!(server.lines(1).is_empty(), "{greeting}: {}", server.transcript());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_where_it_is_disabled() {
    let server = Server::plain()
        .script([
            send("* OK hi\r\n"),
            expect("CAPABILITY"),
            reply("* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK\r\n"),
            stall(),
        ])
        .start()
        .await;
    let place = Place::plain(server.port(), "");
    let summary = place.sync();
    assert!(summary.errors().concat().contains("LOGINDISABLED"), "{summary:?}");
    assert!(!server.lines(1).join("\n").contains("LOGIN "), "{}", server.transcript());
}

#[tokio::test(flavor = "multi_thread")]
async fn capabilities_are_asked_again_after_tls_and_after_login() {
    let authority = Authority::new().unwrap();
    let identity = authority.identity(Kind::Valid).unwrap();
    let server = Server::starttls(&identity)
        .script([
            send("* OK hi\r\n"),
            starttls(),
            routine()
                .answer("CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK\r\n")
                .until("AUTHENTICATE PLAIN"),
            send("+ \r\n"),
            expect_line("*"),
            reply("A0002 OK in\r\n"),
            expect("CAPABILITY"),
            reply("* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"),
            stall(),
        ])
        .start()
        .await;
    let mut place = Place::new();
    authority.write(&place.path("ca.pem")).unwrap();
    place.account("a", server.port(), "tls = \"starttls\"\nca_file = \"ca.pem\"");
    let mut check = crate::place::Running::start(place.command(&["check"]), true);
    server.wait_for_nth(1, "CAPABILITY", 2).await;
    server.wait_for(1, "LIST").await;
    check.child.kill().unwrap();
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_its_code() {
    let mut place = Place::new();
    place.append("[archive2]\n");
    let output = place.run(&["run"]);
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("vigie.toml:5: unknown key `archive2`: did you mean `archive`?"), "{said}");

    let mut place = Place::new();
    place.account("a", 1, "tls = \"none\"");
    let summary = place.sync();
    assert_eq!(summary.code, Some(69));
    assert!(summary.errors().concat().contains("nothing listens at 127.0.0.1:1"), "{summary:?}");

    let mut place = Place::new();
    place.append(
        "[[account]]\nid = \"a\"\nhost = \"no-such-host.invalid\"\nuser = \"me\"\npassword_env = \"HOME\"\n",
    );
    let summary = place.sync();
    assert_eq!(summary.code, Some(69));
    assert!(
        summary.errors().concat().contains("no-such-host.invalid:993: the host name is not known here"),
        "{summary:?}"
    );

    let mut place = Place::new();
    place.account("a", 1, "tls = \"none\"\npassword_file = \"none\"");
    let summary = place.sync();
    assert_eq!(summary.code, Some(77));
    assert!(summary.errors().concat().contains("cannot log in: password file"), "{summary:?}");

    // A folder that cannot be made: a file is in its way.
    let place = Place::new();
    std::fs::write(place.archive(), "in the way").unwrap();
    let output = place.run(&["sync"]);
    assert_eq!(output.status.code(), Some(73), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("archive"), "{output:?}");

    let output = place.run(&["no-such-command"]);
    assert_eq!(output.status.code(), Some(64));
}

/// A server that speaks through TLS faults only after it was trusted.
#[tokio::test(flavor = "multi_thread")]
async fn an_honest_server_behind_the_script_is_served() {
    let service = service();
    let server = Server::plain().script([serve(&service)]).start().await;
    let place = Place::plain(server.port(), "");
    assert_eq!(place.sync().stored(), 1);
}
