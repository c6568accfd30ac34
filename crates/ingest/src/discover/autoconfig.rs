//! Mozilla's autoconfig documents, which a domain publishes about its own servers. Pure; they are hostile.

use roxmltree::{Document, Node, ParsingOptions};
use vigie_common::config::Tls;

use super::{Address, host_name};

/// A document is no longer than this.
pub(super) const LONGEST: usize = 64 << 10;
/// Servers that are looked at.
const SERVERS: usize = 8;

/// An IMAP server that a document names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) user: String,
}

/// Where the documents of a domain are, the better place first.
pub(super) fn places(address: &Address) -> [String; 2] {
    let domain = &address.domain;
    // Some domains answer by address; the mailbox is theirs, so they learn nothing new.
    let query: String = address
        .to_string()
        .bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect();
    [
        format!("https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={query}"),
        format!("https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress={query}"),
    ]
}

/// The encrypted IMAP servers in a document, in its order.
pub(super) fn servers(text: &str, address: &Address) -> Result<Vec<Server>, String> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: 10_000, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(text, options).map_err(|e| format!("no readable XML ({e})"))?;
    let root = document.root_element();
    if !root.has_tag_name("clientConfig") {
        return Err("no autoconfig document".into());
    }
    let incoming = root
        .children()
        .filter(|node| node.has_tag_name("emailProvider"))
        .flat_map(|provider| provider.children())
        .filter(|node| node.has_tag_name("incomingServer") && node.attribute("type") == Some("imap"));
    Ok(incoming.take(SERVERS).filter_map(|node| server(node, address)).collect())
}

fn server(node: Node<'_, '_>, address: &Address) -> Option<Server> {
    let text = |name: &str| node.children().find(|child| child.has_tag_name(name))?.text().map(str::trim);
    let tls = match text("socketType")? {
        "SSL" => Tls::Implicit,
        "STARTTLS" => Tls::Starttls,
        // "plain" and whatever else: no password goes that way.
        _ => return None,
    };
    let user = filled(text("username").unwrap_or("%EMAILADDRESS%"), address);
    Some(Server {
        host: host_name(&filled(text("hostname")?, address))?,
        port: text("port")?.parse().ok().filter(|&port| port > 0)?,
        tls,
        user: Some(user).filter(|u| !u.is_empty() && u.len() <= 320 && !u.chars().any(char::is_control))?,
    })
}

fn filled(template: &str, address: &Address) -> String {
    template
        .replace("%EMAILADDRESS%", &address.to_string())
        .replace("%EMAILLOCALPART%", &address.local)
        .replace("%EMAILDOMAIN%", &address.domain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ada() -> Address {
        "ada+x@example.org".parse().unwrap()
    }

    fn config(servers: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<clientConfig version=\"1.1\"><emailProvider id=\"x\"><domain>example.org</domain>{servers}</emailProvider></clientConfig>"
        )
    }

    fn imap(host: &str, port: &str, socket: &str, user: &str) -> String {
        format!(
            "<incomingServer type=\"imap\"><hostname>{host}</hostname><port>{port}</port><socketType>{socket}</socketType><username>{user}</username></incomingServer>"
        )
    }

    #[test]
    fn encrypted_imap_servers_in_order() {
        let text = config(
            &[
                imap("pop.example.org", "995", "SSL", "x").replace("\"imap\"", "\"pop3\""),
                imap("clear.example.org", "143", "plain", "x"),
                imap("imap.%EMAILDOMAIN%", " 993 ", "SSL", "%EMAILLOCALPART%"),
                imap("IMAP2.example.org", "143", "STARTTLS", "%EMAILADDRESS%"),
            ]
            .concat(),
        );
        let server =
            |host: &str, port, tls, user: &str| Server { host: host.into(), port, tls, user: user.into() };
        assert_eq!(
            servers(&text, &ada()).unwrap(),
            [
                server("imap.example.org", 993, Tls::Implicit, "ada+x"),
                server("imap2.example.org", 143, Tls::Starttls, "ada+x@example.org"),
            ]
        );
    }

    #[test]
    fn what_is_no_server_is_left_out() {
        for bad in [
            imap("../etc", "993", "SSL", "x"),
            imap("127.0.0.1", "993", "SSL", "x"),
            imap("localhost", "993", "SSL", "x"),
            imap("imap.example.org", "0", "SSL", "x"),
            imap("imap.example.org", "99999", "SSL", "x"),
            imap("imap.example.org", "993", "SSL", "a&#10;b"),
            imap("imap.example.org", "993", "SSL", &"x".repeat(400)),
            "<incomingServer type=\"imap\"/>".into(),
        ] {
            assert_eq!(servers(&config(&bad), &ada()), Ok(vec![]), "{bad}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for bad in [
            "",
            "<html><body>not found</body></html>",
            "<clientConfig>",
            "<!DOCTYPE x [<!ENTITY a \"b\"><!ENTITY c \"&a;&a;\">]><clientConfig>&c;</clientConfig>",
            &"<a>".repeat(LONGEST / 3),
            &format!("<clientConfig>{}</clientConfig>", "<a/>".repeat(11_000)),
            &format!("{}{}", "<a>".repeat(9_000), "</a>".repeat(9_000)),
        ] {
            assert!(servers(bad, &ada()).is_err(), "{}", bad.get(..60).unwrap_or(bad));
        }
    }

    #[test]
    fn places_are_of_the_domain() {
        assert_eq!(
            places(&ada()),
            [
                "https://autoconfig.example.org/mail/config-v1.1.xml?emailaddress=ada%2Bx%40example.org",
                "https://example.org/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=ada%2Bx%40example.org",
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}", cut in 0_usize..300) {
            let whole = config(&imap("imap.example.org", "993", "SSL", &text));
            let _ = servers(&whole, &ada());
            let _ = servers(&whole.chars().take(cut).collect::<String>(), &ada());
        }
    }
}
