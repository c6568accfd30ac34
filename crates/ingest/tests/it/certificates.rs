//! Real handshakes: which certificates are taken, and what is said of the others.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use vigie_ingest::transport::Pin;
use vigie_testkit::mailbox_server::{Account, MailboxServer, Security, Service};
use vigie_testkit::server::{Server, cut, routine, send, serve, stall};
use vigie_testkit::tls::{Authority, Identity, Kind};

use crate::messages::small;
use crate::place::Place;

fn service() -> Service {
    let account = Account::new("me", "secret");
    account.mailbox("INBOX").append(small(1));
    Service::new([account])
}

fn pin(identity: &Identity) -> Pin {
    Pin::of(&identity.der().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_certificate_has_its_own_words_and_no_password_is_sent() {
    let authority = Authority::new().unwrap();
    let other = Authority::new().unwrap();
    let own = "ca_file = \"ca.pem\"";
    for (identity, account, said) in [
        (authority.identity(Kind::Expired), own, "has expired"),
        (authority.identity(Kind::NotYetValid), own, "is not valid yet"),
        (authority.identity(Kind::WrongHost), own, "is for another name"),
        (authority.identity(Kind::SelfSigned), own, "is signed by itself"),
        (authority.identity(Kind::SelfSigned), "", "is signed by itself"),
        (other.identity(Kind::Valid), own, "not issued by an authority of `ca_file`"),
        (other.identity(Kind::Valid), "", "not issued by an authority that this machine trusts"),
    ] {
        let server = Server::implicit(&identity.unwrap()).script([stall()]).start().await;
        let mut place = Place::new();
        authority.write(&place.path("ca.pem")).unwrap();
        place.account("a", server.port(), account);
        let summary = place.sync();
        assert_eq!(summary.code, Some(69));
        assert!(summary.errors().concat().contains(said), "{said}: {:?}", summary.errors());
        assert!(server.lines(1).is_empty(), "{}", server.transcript());
    }
}

/// Self-signed, for another name, expired: the pin is the trust.
#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_certificate_is_taken_whoever_signed_it() {
    let authority = Authority::new().unwrap();
    for (kind, starttls) in [
        (Kind::SelfSigned, false),
        (Kind::WrongHost, false),
        (Kind::Expired, false),
        (Kind::SelfSigned, true),
    ] {
        let identity = authority.identity(kind).unwrap();
        let acceptor = identity.acceptor().unwrap();
        let security = if starttls { Security::Starttls(acceptor) } else { Security::Implicit(acceptor) };
        let server = MailboxServer::start(&service(), security).await.unwrap();
        let next = pin(&authority.identity(Kind::SelfSigned).unwrap());
        let tls = if starttls { "starttls" } else { "implicit" };
        let mut place = Place::new();
        let account = format!("tls = \"{tls}\"\npin = [\"{next}\", \"{}\"]", pin(&identity));
        place.account("a", server.port(), &account);
        let summary = place.sync();
        summary.assert_clean();
        assert_eq!(summary.stored(), 1, "{kind:?}");
    }
}

/// Not even one that an authority vouches for; and before anything of IMAP is read or sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_the_pinned_one_is_not_taken() {
    let authority = Authority::new().unwrap();
    let identity = authority.identity(Kind::Valid).unwrap();
    let server = Server::implicit(&identity).script([send("* OK hi\r\n"), stall()]).start().await;
    let mut place = Place::new();
    let other = pin(&authority.identity(Kind::Valid).unwrap());
    place.account("a", server.port(), &format!("pin = \"{other}\""));
    let summary = place.sync();
    assert_eq!(summary.code, Some(69));
    let told = summary.errors().concat();
    assert!(told.contains(&format!("not the one of `pin`, but {}", pin(&identity))), "{told}");
    assert!(server.lines(1).is_empty(), "{}", server.transcript());
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_the_fingerprint_to_pin_and_sends_no_password() {
    let authority = Authority::new().unwrap();
    let identity = authority.identity(Kind::SelfSigned).unwrap();
    let implicit = Server::implicit(&identity).script([stall()]).start().await;
    let begins = || [send("* OK hi\r\n"), vigie_testkit::server::starttls(), stall()];
    let starttls = Server::starttls(&identity).script(begins()).start().await;
    for (server, tls) in [(implicit, "implicit"), (starttls, "starttls")] {
        let mut place = Place::new();
        place.account("a", server.port(), &format!("tls = \"{tls}\""));
        let output = place.run(&["check"]);
        assert_eq!(output.status.code(), Some(69));
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(told.contains(&format!("by pin = \"{}\"", pin(&identity))), "{told}");
        for connection in 1..=server.connections() {
            let lines = server.lines(connection);
            assert!(lines.iter().all(|line| line.ends_with("STARTTLS")), "{lines:?}");
        }
        // What it tells is what works.
        let server = Server::implicit(&identity).script([serve(&service())]).start().await;
        let mut place = Place::new();
        place.account("a", server.port(), &format!("pin = \"{}\"", pin(&identity)));
        place.sync().assert_clean();
    }
}

/// Gmail closes so. It is the end of a stream, not corruption, and the next connection goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_closed_without_close_notify_has_ended() {
    let authority = Authority::new().unwrap();
    let identity = authority.identity(Kind::Valid).unwrap();
    let server = Server::implicit(&identity)
        .script([send("* OK hi\r\n"), routine().until("EXAMINE"), cut()])
        .script([send("* OK hi\r\n"), routine().until("EXAMINE"), send("* 1 EX"), cut()])
        .script([serve(&service())])
        .start()
        .await;
    let mut place = Place::new();
    authority.write(&place.path("ca.pem")).unwrap();
    place.account("a", server.port(), "ca_file = \"ca.pem\"");
    for _ in 0..2 {
        let summary = place.sync();
        let told = summary.errors().concat();
        if summary.code == Some(0) {
            break;
        }
        assert!(told.contains("the server closed the connection"), "{told}");
    }
    place.sync().assert_clean();
    place.assert_whole(1);
}

/// OpenSSL's own server, for what no library of ours would make.
struct SServer(Child, u16, Lines<BufReader<ChildStdout>>);

impl SServer {
    fn start(certificate: &Path, key: &Path, more: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cipher", "DEFAULT@SECLEVEL=0"])
            .args(["-cert".as_ref(), certificate.as_os_str(), "-key".as_ref(), key.as_os_str()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok());
        Self(child, port.unwrap(), lines)
    }
}

impl Drop for SServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn weak_keys_and_old_protocols_are_refused() {
    let mut place = Place::new();
    let (weak, key) = (place.path("weak.pem"), place.path("weak.key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:1024", "-nodes", "-days", "3650", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-out".as_ref(), weak.as_os_str(), "-keyout".as_ref(), key.as_os_str()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let weak = SServer::start(&weak, &key, &[]);

    let authority = Authority::new().unwrap();
    authority.write(&place.path("ca.pem")).unwrap();
    let (good, key) = (place.path("good.pem"), place.path("good.key"));
    authority.identity(Kind::Valid).unwrap().write(&good, &key).unwrap();
    let old = SServer::start(&good, &key, &["-tls1_1"]);

    place.account("weak", weak.1, "ca_file = \"weak.pem\"");
    place.account("old", old.1, "ca_file = \"ca.pem\"");
    let summary = place.sync();
    assert_eq!(summary.code, Some(69));
    let told = summary.errors().join("\n");
    assert!(told.contains("is too weak to be trusted"), "{told}");
    assert!(told.contains("it offers no TLS 1.2 or newer"), "{told}");
}

#[test]
fn a_server_that_asks_who_we_are_is_shown_a_certificate() {
    let authority = Authority::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    authority.write(&path("ca.pem")).unwrap();
    authority.identity(Kind::Valid).unwrap().write(&path("server.pem"), &path("server.key")).unwrap();
    let asks = || {
        let ca = path("ca.pem");
        let more = ["-CAfile", ca.to_str().unwrap(), "-Verify", "1", "-verify_return_error", "-tls1_3"];
        let mut server = SServer::start(&path("server.pem"), &path("server.key"), &more);
        server.0.stdin.as_mut().unwrap().write_all(b"* OK hi\r\n").unwrap();
        server
    };
    let ours = "client_certificate = \"client.pem\"\nclient_key = \"client.key\"";
    let stranger = authority.identity(Kind::SelfSigned).unwrap();
    for (more, said) in [
        ("", "set client_certificate and client_key"),
        (ours, "does not take the certificate of client_certificate"),
    ] {
        let server = asks();
        let mut place = Place::new();
        authority.write(&place.path("ca.pem")).unwrap();
        stranger.write(&place.path("client.pem"), &place.path("client.key")).unwrap();
        place.account("a", server.1, &format!("ca_file = \"ca.pem\"\n{more}"));
        let summary = place.sync();
        assert!(summary.errors().concat().contains(said), "{said}: {summary:?}");
    }

    let mut server = asks();
    let mut place = Place::new();
    authority.write(&place.path("ca.pem")).unwrap();
    let known = authority.identity(Kind::Client).unwrap();
    known.write(&place.path("client.pem"), &place.path("client.key")).unwrap();
    place.account("a", server.1, &format!("ca_file = \"ca.pem\"\n{ours}"));
    let check = crate::place::Running::start(place.command(&["check"]), true);
    // Nothing is said to those who are not known.
    let heard = server.2.by_ref().map_while(Result::ok).find(|line| line.contains("CAPABILITY"));
    assert!(heard.is_some());
    drop(server);
    assert_eq!(check.end(), Some(69));
}
