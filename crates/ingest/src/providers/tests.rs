//! The table as a golden file, and that nothing in it contradicts itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::*;

#[test]
fn the_table() {
    let mut text = String::new();
    for p in &table::ALL {
        let _ = writeln!(text, "{} ({}), port {}, {:?}, user {:?}", p.name, p.title, p.port, p.tls, p.user);
        for server in p.servers {
            let _ = writeln!(text, "  {} {:?} mx {:?}", server.host, server.domains, server.mx);
        }
        let _ = writeln!(text, "  {:?}", p.sign_in);
        let _ = writeln!(text, "  {:?}", p.quirks);
    }
    insta::assert_snapshot!(text);
}

#[test]
fn nothing_is_said_twice() {
    let (mut names, mut hosts, mut domains, mut ends) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for provider in &table::ALL {
        assert!(names.insert(provider.name));
        assert!(!provider.servers.is_empty() && !provider.sign_in.is_empty());
        for server in provider.servers {
            assert!(hosts.insert(server.host), "{}", server.host);
            assert!(server.domains.iter().all(|d| domains.insert(d)), "{}", server.host);
            assert!(server.mx.iter().all(|mx| ends.insert(mx)), "{}", server.host);
            let all = server.domains.iter().chain(server.mx).chain(std::iter::once(&server.host));
            assert!(all.clone().all(|name| *name == name.to_ascii_lowercase()), "{}", server.host);
        }
        let quirks = provider.quirks;
        assert!(quirks.connections > 0 && quirks.idle <= USUAL.idle && quirks.poll <= USUAL.poll);
    }
}

#[test]
fn addresses_find_their_server() {
    let host = |address: &str| {
        let (provider, server) = by_domain(address.rsplit_once('@').unwrap().1).unwrap();
        assert_eq!(provider.host_for(address), Some(server.host));
        (server.host, provider.user_for(address))
    };
    assert_eq!(host("a.b@Gmail.com"), ("imap.gmail.com", "a.b@Gmail.com".into()));
    assert_eq!(host("ada@free.fr"), ("imap.free.fr", "ada".into()));
    assert_eq!(host("ada@gmx.fr"), ("imap.gmx.com", "ada@gmx.fr".into()));
    assert_eq!(host("ada@gmx.de"), ("imap.gmx.net", "ada@gmx.de".into()));
    assert!(by_domain("example.org").is_none() && by_domain("notgmail.com").is_none());
    // Somebody with a domain of their own at iCloud signs in by the whole address.
    assert_eq!(by_name("icloud").unwrap().user_for("ada@example.org"), "ada@example.org");
}

#[test]
fn mail_exchangers_find_their_server() {
    for (mx, host) in [
        ("ASPMX.L.GOOGLE.COM.", "imap.gmail.com"),
        ("aspmx2.googlemail.com", "imap.gmail.com"),
        ("example-org.mail.protection.outlook.com", "outlook.office365.com"),
        ("eur.olc.protection.outlook.com", "outlook.office365.com"),
        ("mx1.mail.ovh.net", "ssl0.ovh.net"),
        ("spool.mail.gandi.net", "mail.gandi.net"),
        ("mta-gw.infomaniak.ch", "mail.infomaniak.com"),
        ("mx00.kundenserver.de", "imap.ionos.de"),
        ("mx01.ionos.fr", "imap.ionos.fr"),
        ("in1-smtp.messagingengine.com", "imap.fastmail.com"),
        ("mx.zoho.eu", "imappro.zoho.eu"),
        ("mx.zoho.com.au", "imappro.zoho.com.au"),
        ("mail.protonmail.ch", "127.0.0.1"),
        ("mx01.mail.icloud.com", "imap.mail.me.com"),
    ] {
        assert_eq!(by_mx(mx).map(|(_, server)| server.host), Some(host), "{mx}");
    }
    for mx in
        ["mx.example.org", "notgoogle.com", "google.com.example.org", "mx-aol.mail.gm0.yahoodns.net", ""]
    {
        assert_eq!(by_mx(mx), None, "{mx}");
    }
}

#[test]
fn hosts_find_their_provider() {
    assert_eq!(by_host("IMAP.gmail.com").map(|p| p.name), Some("gmail"));
    assert_eq!(by_host("imappro.zoho.eu").map(|p| p.name), Some("zoho"));
    assert_eq!(by_host("127.0.0.1"), None);
    assert_eq!(by_host("imap.example.org"), None);
}
