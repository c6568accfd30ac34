//! The health page, the alarms and the watchdog's pings.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use vigie_archive::{Archive, Change, Note, RawPolicy, Round, Settings, quarantine};
use vigie_common::clock;
use vigie_common::id::Id;
use vigie_testkit::mailbox_server::{Account, MailboxServer, Security, Service};

use crate::messages::server;
use crate::place::{DEADLINE, Place, Running};

/// `run` with a health page on a free port, and where that is; it is ready.
pub(crate) async fn start(place: &Place, variables: &[(&str, &str)]) -> (Running, SocketAddr) {
    let mut command = place.command(&["run"]);
    command.env("VIGIE_INGEST__LISTEN", "127.0.0.1:0").env("VIGIE_PROBE_TOKEN", "canary");
    command.envs(variables.iter().copied());
    let mut run = Running::start(command, false);
    let line = run.wait_for("health page");
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    let address = address.parse().unwrap();
    let until = Instant::now() + DEADLINE;
    while get(address, "/readyz", "").await.0 != 200 {
        assert!(Instant::now() < until, "never ready");
    }
    (run, address)
}

/// Status and body of a GET.
pub(crate) async fn get(address: SocketAddr, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let host = if headers.contains("Host: ") { "" } else { "Host: localhost\r\n" };
    let request = format!("GET {path} HTTP/1.1\r\n{host}Connection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// What `/readyz` tells the supervisor's probe.
pub(crate) async fn readyz(address: SocketAddr) -> Value {
    let (status, body) = get(address, "/readyz", "Authorization: Bearer canary\r\n").await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Asks until there is an alarm of this code.
pub(crate) async fn alarm(address: SocketAddr, code: &str) -> Value {
    let until = Instant::now() + DEADLINE;
    loop {
        let told = readyz(address).await;
        if let Some(alarm) = told["alarms"].as_array().unwrap().iter().find(|a| a["code"] == code) {
            return alarm.clone();
        }
        assert!(Instant::now() < until, "no {code}: {told:#}");
    }
}

async fn assert_told_to_the_probe_alone(address: SocketAddr) {
    for headers in ["", "Authorization: Bearer other\r\n", "Authorization: canary\r\n"] {
        assert_eq!(get(address, "/readyz", headers).await, (200, r#"{"ready":true}"#.into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_tells_how_it_goes_and_does_not_delay_the_end() {
    let (server, _, _) = server(3).await;
    let place = Place::plain(server.port(), "");
    let (run, address) = start(&place, &[]).await;
    server.service().wait_for_command("IDLE", 1).await;
    let (status, body) = get(address, "/healthz", "").await;
    assert_eq!((status, body.contains(env!("CARGO_PKG_VERSION"))), (200, true), "{body}");
    assert_told_to_the_probe_alone(address).await;
    assert_eq!(readyz(address).await["alarms"], Value::Array(vec![]));
    let (_, metrics) = get(address, "/metrics", "").await;
    for line in [
        r#"vigie_ingest_messages_total{account="a",result="stored"} 3"#,
        r#"vigie_imap_connection_state{account="a",state="idle"} 1"#,
        r#"vigie_mailbox_messages{account="a",mailbox="INBOX",side="server"} 3"#,
        r#"vigie_mailbox_messages{account="a",mailbox="INBOX",side="stored"} 3"#,
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}\n{metrics}");
    }
    assert_eq!(get(address, "/", "").await.0, 404);
    // One client that stays connected, one that never ends its request.
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    idle.read_u8().await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHo").await.unwrap();
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_a_stranger_is_turned_away() {
    let place = Place::new();
    let (_run, address) = start(&place, &[]).await;
    for (host, status) in [
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.1", 421),
        ("LOCALHOST:1", 200),
        ("[::1]:2814", 200),
        ("127.9.9.9", 200),
    ] {
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(get(address, path, &format!("Host: {host}\r\n")).await.0, status, "{host} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_told_before_any_server_is_asked() {
    let (server, _, _) = server(1).await;
    let place = Place::plain(server.port(), "");
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = place.command(&["run"]).env("VIGIE_INGEST__LISTEN", &address).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert_eq!(server.service().connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_others_could_reach_is_refused() {
    for (listen, fault) in [("0.0.0.0:2814", "others than this machine"), ("2814", "is no address")] {
        let output = Place::new().command(&["check"]).env("VIGIE_INGEST__LISTEN", listen).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains("[ingest] listen: ") && said.contains(fault), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_an_alarm() {
    let service = Service::new([Account::new("me", "another")]);
    let server = MailboxServer::start(&service, Security::None).await.unwrap();
    let place = Place::plain(server.port(), "");
    let (_run, address) = start(&place, &[]).await;
    let alarm = alarm(address, "credentials-refused").await;
    assert_eq!(alarm["subject"], "a");
    let text = alarm["text"].as_str().unwrap();
    assert!(text.contains("correct what it logs in by") && !text.contains("secret"), "{text}");
    assert_told_to_the_probe_alone(address).await;
    let (_, metrics) = get(address, "/metrics", "").await;
    for line in [
        r#"vigie_imap_reconnects_total{account="a",reason="credentials"} 1"#,
        r#"vigie_imap_connection_state{account="a",state="refused"} 1"#,
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line}\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_is_an_alarm_until_it_is_back() {
    let (server, _, _) = server(1).await;
    let port = server.port();
    let service = server.service().clone();
    let place = Place::plain(port, "");
    let (mut run, address) = start(&place, &[]).await;
    service.wait_for_command("IDLE", 1).await;
    drop(server);
    for _ in 0..2 {
        run.wait_for("trying again later");
    }
    let told = alarm(address, "account-unreachable").await;
    assert_eq!(told["subject"], "a");
    assert!(told["text"].as_str().unwrap().contains(&port.to_string()), "{told:#}");
    let _server = MailboxServer::start_on(&service, Security::None, ("127.0.0.1", port)).await.unwrap();
    service.wait_for_command("IDLE", 2).await;
    assert_eq!(readyz(address).await["alarms"], Value::Array(vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantined_messages_are_an_alarm() {
    let (server, _, _) = server(1).await;
    let place = Place::plain(server.port(), "");
    place.sync().assert_clean();
    let settings = Settings { root: place.archive(), raw: RawPolicy::Always, min_free: 1 };
    let mut archive = Archive::open(&settings, "1").unwrap();
    let mailbox = archive.mailboxes("a").unwrap()[0];
    let view = archive.view(mailbox).unwrap();
    let selected = view.selected.unwrap();
    let quarantined = |uid| {
        let mut note = Note {
            schema: quarantine::SCHEMA.into(),
            id: Id::of_mailbox("", ""),
            account: "a".into(),
            mailbox: view.mailbox.clone(),
            uidvalidity: selected.uidvalidity,
            generation: selected.generation,
            uid,
            size: None,
            internal_date: None,
            reason: "no \u{1b}[2J".into(),
            attempts: 3,
            at: clock::now(),
            bytes: 0,
            transcript: Vec::new(),
        };
        note.id = note.instance().id();
        Change::Quarantined { mailbox, note: Box::new(note), bytes: Vec::new() }
    };
    let round = Round { changes: vec![quarantined(97), quarantined(98)], ..Round::default() };
    archive.commit(&round, clock::now()).unwrap();
    drop(archive);
    let (_run, address) = start(&place, &[]).await;
    server.service().wait_for_command("IDLE", 1).await;
    let alarm = alarm(address, "quarantine").await;
    assert_eq!(alarm["subject"], "a/INBOX");
    let text = alarm["text"].as_str().unwrap();
    assert!(text.starts_with("2 messages ") && text.contains("UID 97: no \\u{1b}[2J"), "{text}");
    let (_, metrics) = get(address, "/metrics", "").await;
    let line = r#"vigie_mailbox_quarantined{account="a",mailbox="INBOX"} 2"#;
    assert!(metrics.lines().any(|l| l == line), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_with_too_little_room_is_an_alarm() {
    let place = Place::new();
    let (_run, address) = start(&place, &[("VIGIE_ARCHIVE__MIN_FREE", "1000000TiB")]).await;
    assert_eq!(alarm(address, "disk-low").await["subject"], "archive");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watchdog_hears_of_an_idle_ingest_also_after_it_was_stopped() {
    let (server, _, _) = server(1).await;
    let place = Place::plain(server.port(), "");
    let socket = UnixDatagram::bind(place.path("notify.sock")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let path = place.path("notify.sock");
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")];
    let (run, _) = start(&place, &variables).await;
    server.service().wait_for_command("IDLE", 1).await;
    let pings = || {
        let mut buffer = [0; 512];
        let mut heard = 0;
        while heard < 3 {
            let length = socket.recv(&mut buffer).unwrap();
            heard += u32::from(buffer[..length].starts_with(b"WATCHDOG=1"));
        }
    };
    pings();
    run.signal("STOP");
    run.signal("CONT");
    pings();
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
}
