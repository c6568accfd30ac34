//! STARTTLS under somebody in between, after "Why TLS Is Better Without STARTTLS" (USENIX Security 2021): whatever is said
//! in clear text, no credential follows, and nothing of it is believed once the connection is encrypted.

use vigie_testkit::server::{Server, Step, expect, handshake, reply, routine, send, stall, starttls};
use vigie_testkit::tls::{Authority, Kind};

use crate::place::{Place, Summary};

async fn sync(script: Vec<Step>) -> (Summary, Vec<String>) {
    let authority = Authority::new().unwrap();
    let identity = authority.identity(Kind::Valid).unwrap();
    let server = Server::starttls(&identity).script(script).start().await;
    let mut place = Place::new();
    authority.write(&place.path("ca.pem")).unwrap();
    place.account("a", server.port(), "tls = \"starttls\"\nca_file = \"ca.pem\"");
    (place.sync(), server.lines(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_is_sent_in_clear_text() {
    let hi = || send("* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi\r\n");
    let answered = |answer: &str| vec![hi(), expect("STARTTLS"), reply(answer), stall()];
    for (script, said) in [
        (answered("{tag} NO not today\r\n"), "does not begin encryption"),
        (answered("{tag} BAD what?\r\n"), "does not begin encryption"),
        (answered("* BYE see you\r\n{tag} NO\r\n"), ""),
        (answered("A9999 OK for somebody else\r\n{tag} NO no\r\n"), "interfering with the connection"),
        // The capability is stripped: it is asked for all the same.
        (
            vec![
                send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"),
                expect("STARTTLS"),
                reply("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} BAD unknown\r\n"),
                stall(),
            ],
            "does not begin encryption",
        ),
        // Logged in already, says somebody: then STARTTLS would not be allowed any more.
        (vec![send("* PREAUTH hi\r\n"), stall()], "PREAUTH"),
        (vec![send("* PREAUTH [CAPABILITY IMAP4rev1] hi\r\nA0001 OK\r\n"), stall()], "PREAUTH"),
        // It begins encryption, and goes on in clear text.
        (
            vec![
                hi(),
                expect("STARTTLS"),
                reply("{tag} OK go\r\n"),
                send("* CAPABILITY IMAP4rev1\r\n"),
                stall(),
            ],
            "",
        ),
    ] {
        let (summary, lines) = sync(script).await;
        assert_eq!(summary.code, Some(69), "{summary:?}");
        assert!(summary.errors().concat().contains(said), "{said}: {summary:?}");
        let (first, rest) =
            lines.split_first().map_or((None, &lines[..]), |(first, rest)| (Some(first), rest));
        assert!(first.is_none_or(|line| line.ends_with("STARTTLS")), "{lines:?}");
        // The beginning of a handshake is no text, and may hold line ends by chance.
        let told =
            |line: &String| ["LOGIN", "AUTHENTICATE", "PLAIN", "secret"].iter().any(|w| line.contains(w));
        assert!(!rest.iter().any(told), "{lines:?}");
    }
}

/// What comes in the same packet as the answer would be read as if it had been encrypted.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_ahead_of_the_handshake_ends_the_connection() {
    for injected in [
        "* CAPABILITY IMAP4rev1\r\nA0002 OK injected\r\n",
        "* PREAUTH hi\r\n",
        "A0002 OK\r\n",
        "* BYE\r\n",
        "x",
        "\r\n",
    ] {
        let answer = format!("{{tag}} OK go\r\n{injected}");
        let script = vec![send("* OK hi\r\n"), expect("STARTTLS"), reply(answer), handshake(), stall()];
        let (summary, lines) = sync(script).await;
        assert_eq!(summary.code, Some(69), "{injected}: {summary:?}");
        let error = summary.errors().concat();
        assert!(error.contains("after the answer that begins encryption"), "{injected}: {error}");
        assert!(lines.iter().all(|line| line.ends_with("STARTTLS")), "{lines:?}");
    }
}

/// Answers to commands that are yet to come, sent with the greeting: they are forgotten, or the connection ends.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_encryption_is_not_believed_after_it() {
    for early in [
        "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
        "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] more\r\n* 5 EXISTS\r\n",
        "A0001 OK begun\r\nA0002 OK\r\nA0003 OK logged in\r\n",
        "A0001 OK begun\r\n",
    ] {
        let greeting = format!("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n{early}");
        let script = vec![
            send(greeting),
            starttls(),
            routine()
                .answer("CAPABILITY", "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK\r\n")
                .until("LOGOUT"),
        ];
        let (summary, lines) = sync(script).await;
        assert_ne!(summary.code, Some(0), "{early}: {summary:?}");
        assert!(lines.iter().all(|l| !l.contains("LOGIN") && !l.contains("AUTH")), "{early}: {lines:?}");
    }
}
