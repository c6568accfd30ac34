//! Accounts that log in by access tokens: every flow, every way in which it goes wrong, and that no token is told.

mod authority;
mod keeping;
mod secrets;
mod trouble;

use data_encoding::BASE64;
use serde_json::{Value, json};
use vigie_testkit::server::{Builder, Routine, Server, expect, expect_line, reply, routine, send};

use self::authority::{Authority, access};
use crate::place::{Place, Running};

/// A server with one empty mailbox that lets in whoever shows any token.
fn mailbox() -> Routine {
    routine()
        .answer(
            "CAPABILITY",
            "* CAPABILITY IMAP4rev1 IDLE SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER\r\n{tag} OK\r\n",
        )
        .answer("AUTHENTICATE XOAUTH2 *", "{tag} OK in\r\n")
}

/// A connection that is served to its end.
fn open() -> Builder {
    Server::plain().script([send("* OK ready\r\n"), mailbox().until("LOGOUT")])
}

/// An account `a` that asks `authority`, at the server of `port`.
fn place(port: u16, authority: &Authority, flow: &str) -> Place {
    Place::plain(port, &authority.table(flow))
}

/// What was shown on this connection, the n-th time.
async fn shown(server: &Server, connection: usize, n: usize) -> String {
    let line = server.wait_for_nth(connection, "AUTHENTICATE", n).await;
    String::from_utf8(BASE64.decode(line.rsplit(' ').next().unwrap().as_bytes()).unwrap()).unwrap()
}

fn xoauth2(n: u32) -> String {
    format!("user=me\u{1}auth=Bearer {}\u{1}\u{1}", access(n))
}

/// What is kept of the login.
fn kept(place: &Place) -> Value {
    serde_json::from_slice(&std::fs::read(place.path("tokens/a.json")).unwrap()).unwrap()
}

/// `login` by a refresh token of the authority's.
fn log_in(place: &Place, authority: &Authority) {
    authority.known().refresh = Some("canary-refresh-token-0000".into());
    let token = place.path("token");
    std::fs::write(&token, "canary-refresh-token-0000\n").unwrap();
    let mut login = place.command(&["login", "a"]);
    let output = login.stdin(std::fs::File::open(token).unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_typed_elsewhere() {
    let (server, authority) = (open().start().await, Authority::start().await);
    let place = place(server.port(), &authority, "device");
    let mut login = Running::start(place.command(&["login", "a"]), true);
    let line = login.wait_for("ABCD-EFGH");
    assert!(line.contains("https://login.example/device\\u{1b}[2J"), "{line}");
    login.wait_for("logged in; kept in ");
    login.wait_for("account a: good; 127.0.0.1 let me in");
    assert_eq!(login.end(), Some(0));
    // The login is tried as ingest uses it: by its refresh token.
    assert_eq!(shown(&server, 1, 1).await, xoauth2(2));
    assert_eq!(kept(&place)["refreshToken"], "canary-refresh-token-0002");
    assert_eq!(kept(&place)["scope"], "imap");
    let path = place.path("tokens/a.json");
    let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let token = place.run(&["token", "a"]);
    let said = String::from_utf8(token.stdout).unwrap();
    assert_eq!(token.status.code(), Some(0));
    assert!(said.contains("logged in") && said.contains("not known") && !said.contains("canary"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_or_a_person_brings_the_code_back() {
    for paste in [false, true] {
        let (server, authority) = (open().start().await, Authority::start().await);
        let place = place(server.port(), &authority, "loopback");
        let mut login = Running::start(place.command(&["login", "a"]), true);
        let page = login.wait_for("/authorize?");
        let query = page.split_once('?').unwrap().1;
        let fields: authority::Form = serde_urlencoded::from_str(query).unwrap();
        assert_eq!((fields["code_challenge_method"].as_str(), fields["scope"].as_str()), ("S256", "imap"));
        authority.known().challenge = Some(fields["code_challenge"].clone());
        let redirect = &fields["redirect_uri"];
        let (host, state) = (redirect.strip_prefix("http://").unwrap(), &fields["state"]);
        // Somebody else's answer is not taken.
        let port = host.parse().unwrap();
        assert_eq!(crate::health::get(port, "/?code=evil&state=other", "").await.0, 404);
        let answer = format!("/?state={state}&code=canary-code-0001");
        if paste {
            use std::io::Write as _;
            writeln!(login.stdin.as_mut().unwrap(), "{redirect}{answer}").unwrap();
        } else {
            let (status, body) = crate::health::get(port, &answer, "").await;
            assert_eq!((status, body.contains("Logged in")), (200, true), "{body}");
        }
        login.wait_for("good; 127.0.0.1 let me in");
        assert_eq!(login.end(), Some(0));
        assert_eq!(kept(&place)["refreshToken"], "canary-refresh-token-0002");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_says_no() {
    let authority = Authority::start().await;
    let place = place(1, &authority, "device");
    authority
        .known()
        .instead
        .extend([authority::begun(), authority::refused("access_denied", "the person said \u{1b}[2Jno")]);
    let output = place.run(&["login", "a"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(77), "{said}");
    assert!(said.contains("somebody said no") && said.contains("\\u{1b}[2Jno"), "{said}");
    assert!(!place.path("tokens/a.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_renewal_keeps_the_token_that_was_put_in_place() {
    let (server, authority) = (open().start().await, Authority::start().await);
    let place = place(server.port(), &authority, "refresh_token");
    log_in(&place, &authority);
    for n in 2..4 {
        place.sync().assert_clean();
        assert_eq!(kept(&place)["refreshToken"], format!("canary-refresh-token-{n:04}"));
    }
    assert_eq!(authority.asked_by("refresh_token"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_itself_logs_in() {
    let (server, authority) = (open().start().await, Authority::start().await);
    let place = place(server.port(), &authority, "client_credentials");
    place.sync().assert_clean();
    assert_eq!(shown(&server, 1, 1).await, xoauth2(1));
    let (_, form) = authority.known().asked.remove(0);
    assert_eq!((form["client_id"].as_str(), form["scope"].as_str()), ("vigie", "imap"));
    assert!(!place.path("tokens").exists());
    let said = String::from_utf8(place.run(&["token", "a"]).stdout).unwrap();
    assert!(said.contains("needs no login"), "{said}");
    let login = place.run(&["login", "a"]);
    assert_eq!(login.status.code(), Some(0), "{login:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_states_for_whom_it_asks() {
    let (server, authority) = (open().start().await, Authority::start().await);
    let at = format!("http://{}/token", authority.address);
    let table =
        format!("[account.oauth2]\nprovider = \"google\"\nkey_file = \"key.json\"\ntoken_url = \"{at}\"\n");
    let place = Place::plain(server.port(), &table);
    let pem = openssl::rsa::Rsa::generate(2048).unwrap();
    let pem = String::from_utf8(pem.private_key_to_pem().unwrap()).unwrap();
    let key = json!({ "client_email": "robot@p.example", "private_key": pem });
    std::fs::write(place.path("key.json"), key.to_string()).unwrap();
    place.sync().assert_clean();
    let (_, form) = authority.known().asked.remove(0);
    let claims = form["assertion"].split('.').nth(1).unwrap().as_bytes().to_vec();
    let claims: Value =
        serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(&claims).unwrap()).unwrap();
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("me"), &json!(at)));
    assert_eq!(claims["scope"], "https://mail.google.com/");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_has_the_token() {
    for script in [
        "echo canary-access-token-0007",
        "printf '{\\n\"access_token\":\"canary-access-token-0007\",\\n\"expires_in\":9}'",
    ] {
        let server = open().start().await;
        let script = script.replace('\\', "\\\\").replace('"', "\\\"");
        let place = Place::plain(server.port(), &format!("token_command = [\"sh\", \"-c\", \"{script}\"]\n"));
        place.sync().assert_clean();
        assert_eq!(shown(&server, 1, 1).await, xoauth2(7));
    }
    let place = Place::plain(1, "token_command = [\"sh\", \"-c\", \"echo canary; exit 3\"]\n");
    let summary = place.sync();
    let error = summary.errors().concat();
    assert_eq!(summary.code, Some(77), "{error}");
    assert!(
        error.contains("token command sh: it ended with exit status: 3") && !error.contains("canary"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_the_standard_is_known_it_is_used_and_without_sasl_ir_the_server_speaks_first() {
    let authority = Authority::start().await;
    for (capabilities, response) in [
        ("AUTH=OAUTHBEARER", "n,a=me,\u{1}host=127.0.0.1\u{1}port={port}\u{1}auth=Bearer {token}\u{1}\u{1}"),
        ("AUTH=XOAUTH2", "user=me\u{1}auth=Bearer {token}\u{1}\u{1}"),
    ] {
        let server = Server::plain()
            .script([
                send("* OK ready\r\n"),
                expect("CAPABILITY"),
                reply(format!("* CAPABILITY IMAP4rev1 {capabilities}\r\n{{tag}} OK\r\n")),
                expect("AUTHENTICATE"),
                send("+ \r\n"),
                expect_line("*"),
                reply("{tag} OK in\r\n"),
                mailbox().until("LOGOUT"),
            ])
            .start()
            .await;
        let place = place(server.port(), &authority, "client_credentials");
        place.sync().assert_clean();
        let line = server.lines(1).remove(2);
        let said = String::from_utf8(BASE64.decode(line.as_bytes()).unwrap()).unwrap();
        let token = access(authority.known().granted);
        let expected = response.replace("{port}", &server.port().to_string()).replace("{token}", &token);
        assert_eq!(said, expected);
    }
}
