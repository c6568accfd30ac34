//! Certificates: a client takes the good one and refuses the others.

use std::os::unix::fs::PermissionsExt;

use vigie_testkit::server::{Server, send};
use vigie_testkit::tls::{Authority, Identity, Kind};

use crate::client::Client;

#[tokio::test]
async fn a_client_takes_only_the_good_certificate() {
    let authority = Authority::new().unwrap();
    for kind in [Kind::Valid, Kind::Expired, Kind::NotYetValid, Kind::WrongHost, Kind::SelfSigned] {
        let identity = authority.identity(kind).unwrap();
        let server = Server::implicit(&identity).script([send("* OK\r\n")]).start().await;
        let client = Client::connect(server.port()).await.secure(authority.pem()).await;
        match kind {
            Kind::Valid => assert_eq!(client.ok().unwrap().line().await, "* OK"),
            _ => assert!(client.is_err(), "{kind:?} was taken"),
        }
        server.finish().await;
    }
}

#[test]
fn files_are_written_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("server.pem"), dir.path().join("server.key"));
    let authority = Authority::new().unwrap();
    authority.write(&dir.path().join("ca.pem")).unwrap();
    authority.identity(Kind::Valid).unwrap().write(&certificate, &key).unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&certificate), mode(&key)), (0o644, 0o600));
    Identity::read(&certificate, &key).unwrap().acceptor().unwrap();
    assert!(Identity::read(&key, &dir.path().join("none")).is_err());
}
