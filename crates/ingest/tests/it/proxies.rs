//! Through a proxy: it is told the name, it carries TLS as it is, and what it refuses is said.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use vigie_testkit::mailbox_server::{Account, MailboxServer, Security, Service};
use vigie_testkit::tls::{Authority, Kind};

use crate::messages::small;
use crate::place::Place;

/// What it was asked to connect to, and its port.
struct Proxy(Arc<Mutex<Vec<String>>>, u16);

impl Proxy {
    async fn start(socks: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, socks, Arc::clone(&seen)));
            }
        });
        Self(asked, port)
    }
}

async fn carry(mut stream: TcpStream, socks: bool, seen: Arc<Mutex<Vec<String>>>) {
    let (host, port) =
        if socks { asked_by_socks(&mut stream).await } else { asked_by_http(&mut stream).await };
    seen.lock().unwrap().push(host.clone());
    // Only the proxy knows this name.
    let found = if host == "mail.behind.invalid" { "localhost" } else { &host };
    let Ok(mut server) = TcpStream::connect((found, port)).await else {
        let refused =
            if socks { &b"\x05\x05\x00\x01\0\0\0\0\0\0"[..] } else { b"HTTP/1.1 502 Bad Gateway\r\n\r\n" };
        stream.write_all(refused).await.unwrap();
        return;
    };
    let begun =
        if socks { &b"\x05\x00\x00\x01\0\0\0\0\0\0"[..] } else { b"HTTP/1.1 200 OK\r\nVia: us\r\n\r\n" };
    stream.write_all(begun).await.unwrap();
    let _ = copy_bidirectional(&mut stream, &mut server).await;
}

async fn asked_by_socks(stream: &mut TcpStream) -> (String, u16) {
    let mut hello = [0; 3];
    stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(hello, [5, 1, 0]);
    stream.write_all(&[5, 0]).await.unwrap();
    let mut request = [0; 4];
    stream.read_exact(&mut request).await.unwrap();
    assert_eq!(request, [5, 1, 0, 3], "the name is for the proxy to look up");
    let mut name = vec![0; usize::from(stream.read_u8().await.unwrap())];
    stream.read_exact(&mut name).await.unwrap();
    (String::from_utf8(name).unwrap(), stream.read_u16().await.unwrap())
}

async fn asked_by_http(stream: &mut TcpStream) -> (String, u16) {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    while !lines.next_line().await.unwrap().unwrap().is_empty() {}
    let authority = first.strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix(" HTTP/1.1")).unwrap();
    let (host, port) = authority.rsplit_once(':').unwrap();
    (host.to_owned(), port.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_comes_through_a_proxy_that_knows_the_name() {
    let authority = Authority::new().unwrap();
    let identity = authority.identity(Kind::Valid).unwrap();
    let account = Account::new("me", "secret");
    account.mailbox("INBOX").append(small(1));
    let service = Service::new([account]);
    let security = Security::Implicit(identity.acceptor().unwrap());
    let server = MailboxServer::start(&service, security).await.unwrap();
    for (socks, scheme) in [(true, "socks5"), (false, "http")] {
        let proxy = Proxy::start(socks).await;
        let through = format!("proxy = \"{scheme}://127.0.0.1:{}\"", proxy.1);
        let mut place = Place::new();
        authority.write(&place.path("ca.pem")).unwrap();
        place.account("a", server.port(), &format!("ca_file = \"ca.pem\"\n{through}"));
        let summary = place.sync();
        summary.assert_clean();
        assert_eq!(summary.stored(), 1);
        assert!(proxy.0.lock().unwrap().iter().all(|host| host == "localhost"));

        // A name that this machine does not know.
        let mut place = Place::new();
        let pin = vigie_ingest::transport::Pin::of(&identity.der().unwrap());
        place.append(&format!(
            "[[account]]\nid = \"a\"\nhost = \"mail.behind.invalid\"\nport = {}\nuser = \"me\"\npassword_file = \"password\"\npin = \"{pin}\"\n{through}\n",
            server.port()
        ));
        std::fs::write(place.path("password"), "secret").unwrap();
        place.sync().assert_clean();

        // Nothing listens where it is to connect, and then no proxy does.
        let mut place = Place::new();
        place.account("a", 1, &through);
        let error = place.sync().errors().concat();
        assert!(
            error.contains("through") && error.contains("the proxy does not connect to localhost:1"),
            "{error}"
        );
        let mut place = Place::new();
        place.account("a", 1, &format!("proxy = \"{scheme}://127.0.0.1:1\""));
        let error = place.sync().errors().concat();
        assert!(error.contains("the proxy cannot be reached"), "{error}");

        // Access tokens are asked for on the same way.
        let mut place = Place::new();
        place.account("a", 1, &format!("{through}\n[account.oauth2]\nprovider = \"custom\"\nflow = \"client_credentials\"\nclient_id = \"c\"\nclient_secret = \"s\"\ntoken_url = \"https://token.behind.invalid:1/t\"\n"));
        let error = place.sync().errors().concat();
        assert!(error.contains("the proxy does not connect to token.behind.invalid:1"), "{error}");
    }
}
