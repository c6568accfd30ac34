//! What is found, in which order, and what is not believed.

use super::*;

fn address() -> Address {
    "Ada@Example.ORG".parse().unwrap()
}

fn srv(priority: u16, host: &str, port: u16) -> Record {
    Record::Srv { priority, weight: 0, port, host: host.into() }
}

async fn found(
    dns: impl Fn(&str) -> Vec<Record> + Send + Sync + Clone + 'static,
    web: impl Fn(&str, &str) -> String + Send + Sync + Clone + 'static,
) -> (Vec<String>, Vec<String>) {
    let sources = Sources { dns: dns::tests::server(dns, false).await, web: web::tests::server(web).await };
    let (candidates, in_vain) = discover(&sources, &address()).await;
    let line = |c: &Candidate| {
        let provider = c.provider.map_or("", |p| p.name);
        format!("{}:{} {:?} {} {provider} ({})", c.host, c.port, c.tls, c.user, c.from)
    };
    (candidates.iter().map(line).collect(), in_vain)
}

fn nothing(_: &str, _: &str) -> String {
    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into()
}

const GUESSES: [&str; 3] = [
    "imap.example.org:993 Implicit Ada@example.org  (guessed)",
    "mail.example.org:993 Implicit Ada@example.org  (guessed)",
    "imap.example.org:143 Starttls Ada@example.org  (guessed)",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_known_domain_asks_nobody() {
    // Nobody is there to be asked.
    let sources = Sources { dns: Dns::of_system(), web: Web::default() };
    let (candidates, in_vain) = discover(&sources, &"ada@free.fr".parse().unwrap()).await;
    assert_eq!((candidates.len(), in_vain.len()), (1, 0));
    let candidate = candidates.first().unwrap();
    assert_eq!((candidate.host.as_str(), candidate.user.as_str()), ("imap.free.fr", "ada"));
    assert_eq!(candidate.from, Origin::Domain);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_what_is_left() {
    let (candidates, in_vain) = found(|_| vec![], nothing).await;
    assert_eq!(candidates, GUESSES);
    assert_eq!(
        in_vain,
        [
            "https://autoconfig.example.org/mail/config-v1.1.xml: HTTP status 404",
            "https://example.org/.well-known/autoconfig/mail/config-v1.1.xml: HTTP status 404",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_go_before_records_and_records_before_guesses() {
    let dns = |name: &str| match name {
        "_imaps._tcp.example.org" => vec![srv(20, "b.example.org", 993), srv(10, "a.example.org", 993)],
        "_imap._tcp.example.org" => vec![srv(0, "", 0)],
        "example.org" => vec![
            Record::Mx { preference: 20, host: "spool.mail.gandi.net".into() },
            Record::Mx { preference: 10, host: "mx.example.org".into() },
        ],
        _ => panic!("{name}"),
    };
    let web = |host: &str, path: &str| {
        assert!(path.ends_with("?emailaddress=Ada%40example.org"), "{path}");
        if host != "autoconfig.example.org" {
            return nothing(host, path);
        }
        web::tests::ok(
            "<clientConfig><emailProvider><incomingServer type=\"imap\"><hostname>mail.example.net</hostname><port>993</port><socketType>SSL</socketType><username>%EMAILLOCALPART%</username></incomingServer></emailProvider></clientConfig>",
        )
    };
    let (candidates, _) = found(dns, web).await;
    let expected = [
        "mail.example.net:993 Implicit Ada  (named by https://autoconfig.example.org/mail/config-v1.1.xml)",
        "a.example.org:993 Implicit Ada@example.org  (named by the SRV record _imaps._tcp.example.org)",
        "b.example.org:993 Implicit Ada@example.org  (named by the SRV record _imaps._tcp.example.org)",
        "mail.gandi.net:993 Implicit Ada@example.org gandi (the domain's mail goes to spool.mail.gandi.net)",
    ];
    assert_eq!(candidates[..4], expected);
    assert_eq!(candidates[4..], GUESSES);
}

/// Whoever forges DNS gets no password: such a server comes last, and is marked.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_server_that_dns_alone_names_is_not_believed() {
    let dns = |name: &str| match name {
        "_imaps._tcp.example.org" => {
            vec![srv(0, "imap.example.com", 993), srv(1, "imap.fastmail.com", 993), srv(2, "127.0.0.1", 993)]
        }
        "example.org" => vec![Record::Mx { preference: 1, host: "google.com.example.net".into() }],
        _ => vec![],
    };
    let (candidates, _) = found(dns, nothing).await;
    assert_eq!(
        candidates[0],
        "imap.fastmail.com:993 Implicit Ada@example.org fastmail (named by the SRV record _imaps._tcp.example.org)"
    );
    assert_eq!(candidates[1..4], GUESSES);
    assert_eq!(candidates.len(), 5);
    assert!(candidates[4].starts_with("imap.example.com:993 "), "{candidates:?}");
}

/// A provider's records and the guess may name the same server: the better origin stays.
#[tokio::test(flavor = "multi_thread")]
async fn no_server_twice() {
    let dns = |name: &str| match name {
        "_imaps._tcp.example.org" => vec![srv(0, "imap.example.org", 993)],
        _ => vec![],
    };
    let (candidates, _) = found(dns, nothing).await;
    assert_eq!(candidates.len(), 3);
    assert!(candidates[0].contains("SRV"), "{candidates:?}");
}

#[test]
fn addresses_and_host_names() {
    assert_eq!(address().to_string(), "Ada@example.org");
    assert_eq!("\"a@b\"@x.org".parse::<Address>().ok(), None);
    for bad in [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@localhost",
        "a b@example.org",
        "ada@exa mple.org",
        "ada@127.0.0.1",
        "a\n@x.org",
    ] {
        assert!(bad.parse::<Address>().is_err(), "{bad:?}");
    }
    assert_eq!(host_name("IMAP.example.org."), Some("imap.example.org".into()));
    for bad in ["", "localhost", "..", "a..b", "-a.b", "a.b/", "a.b:1", "1.2.3.4", "[::1]", "é.org"] {
        assert_eq!(host_name(bad), None, "{bad}");
    }
}
