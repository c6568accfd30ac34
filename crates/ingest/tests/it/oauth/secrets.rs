//! Secrets go where they belong, and nowhere else.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vigie_testkit::server::{reply, send, stall};
use vigie_testkit::tls;

use super::authority::{Authority, access, refused};
use super::{log_in, mailbox, open, place, shown, xoauth2};
use crate::place::{Place, Running};

/// Over TLS, by an authority that is trusted; to another nothing is sent.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_go_to_a_server_that_is_who_it_says() {
    let (server, trusted) = (open().start().await, tls::Authority::new().unwrap());
    let token = trusted_server(&trusted).await;
    let table = format!(
        "[account.oauth2]\nprovider = \"custom\"\nflow = \"client_credentials\"\nclient_id = \"vigie\"\nclient_secret = \"canary\"\ntoken_url = \"https://localhost:{}/token\"\n",
        token.address.port()
    );
    let place = Place::plain(server.port(), &table);
    trusted.write(&place.path("ca.pem")).unwrap();
    let error = place.sync().errors().concat();
    assert!(error.contains("cannot reach localhost:") && error.contains("no TLS"), "{error}");
    assert_eq!(*token.asked.lock().unwrap(), Vec::<String>::new());
    let mut sync = place.command(&["sync", "--json"]);
    let output = sync.env("SSL_CERT_FILE", place.path("ca.pem")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(shown(&server, 1, 1).await, xoauth2(1));
    assert!(token.asked.lock().unwrap()[0].contains("client_secret=canary"));
}

struct TlsServer {
    address: std::net::SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn trusted_server(authority: &tls::Authority) -> TlsServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let acceptor = authority.identity(tls::Kind::Valid).unwrap().acceptor().unwrap();
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(tcp).await else { continue };
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("client_secret=") {
                if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            seen.lock().unwrap().push(String::from_utf8(request).unwrap());
            let body = format!("{{\"access_token\":\"{}\"}}", access(1));
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    TlsServer { address, asked }
}

/// At no log level, in no error, on no page: tokens, secrets, codes, and what the servers repeat of them.
#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_told() {
    let authority = Authority::start().await;
    let echo = |n: u32| format!("{{tag}} NO [AUTHENTICATIONFAILED] {} is bad\r\n", access(n));
    let server = open()
        .script([send("* OK ready\r\n"), mailbox().until("LOGOUT")])
        .script([send("* OK ready\r\n"), mailbox().until("AUTHENTICATE"), reply(echo(3)), stall()])
        .start()
        .await;
    let place = place(server.port(), &authority, "refresh_token");
    log_in(&place, &authority);
    let trace =
        ["--log-level", "trace,async_imap=trace,imap_proto=trace,hyper=trace,hyper_util=trace,axum=trace"];
    let mut said = String::new();
    for command in ["sync", "check"] {
        let output = place.command(&[command]).args(trace).output().unwrap();
        said.push_str(&String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    }
    assert!(said.contains("[secret] is bad"), "{said}");
    // The provider repeats the refresh token, and part of it.
    let echo = "token canary-refresh-token-0003 (canary-refresh-tok...) is unknown";
    authority.known().instead.push_back(refused("invalid_grant", echo));
    let mut command = place.command(&["run"]);
    command.args(trace).env("VIGIE_INGEST__LISTEN", "127.0.0.1:0").env("VIGIE_PROBE_TOKEN", "probe");
    let mut run = Running::start(command, false);
    let line = run.wait_for("stands still");
    assert!(line.contains("token [secret] ([secret]) is unknown"), "{line}");
    said.push_str(&run.seen.join("\n"));
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    for command in [["token", "a"].as_slice(), &["status", "--json"], &["status"]] {
        let output = place.run(command);
        said.push_str(&String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    }
    let mut secrets = vec!["canary-".to_owned()];
    for connection in 1..=3 {
        let line = server.wait_for(connection, "AUTHENTICATE").await;
        secrets.push(line.rsplit(' ').next().unwrap().to_owned());
    }
    for secret in secrets {
        let told: Vec<_> = said.lines().filter(|line| line.contains(&secret)).collect();
        assert_eq!(told, Vec::<&str>::new(), "{secret}");
    }
    let mut files = Vec::new();
    crate::place::collect(&place.archive(), &mut files);
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(7).any(|w| w == b"canary-"), "{}", file.display());
    }
}
