//! Which Host and Origin a request may have. Pure.
//!
//! A page of a stranger can make a browser send requests here, under the stranger's Origin, or under a name of
//! the stranger's that resolves to our address (DNS rebinding): the first is told by Origin, the second by Host.

use std::net::{IpAddr, SocketAddr};

use crate::host::{address, host_of, is_loopback};

/// Where a face listens and what people type.
#[derive(Debug, Clone)]
pub(super) struct Place {
    listen: SocketAddr,
    /// Where the door to all faces listens, which hands the Host of its requests on.
    door: Option<SocketAddr>,
    origin: Option<Origin>,
}

/// `https://mail.example.org`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    whole: String,
    https: bool,
    host: String,
}

impl Origin {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "`{text}` is no origin: write scheme and host, and the port unless it is the usual one, as in https://mail.example.org"
            )
        };
        let (scheme, authority) = text.split_once("://").ok_or_else(bad)?;
        let https = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(bad()),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(fits) {
            return Err(bad());
        }
        let whole = text.to_ascii_lowercase();
        Ok(Self { whole, https, host: host_of(authority).to_ascii_lowercase() })
    }
}

impl Place {
    pub(super) fn new(listen: SocketAddr, door: Option<SocketAddr>, origin: Option<Origin>) -> Self {
        Self { listen, door, origin }
    }

    /// Whether cookies may travel encrypted connections alone.
    pub(super) fn is_https(&self) -> bool {
        self.origin.as_ref().is_some_and(|o| o.https)
    }

    /// Whether only this machine can reach it, as far as the configuration tells.
    pub(super) fn is_local(&self) -> bool {
        self.listen.ip().is_loopback() && self.origin.as_ref().is_none_or(|o| is_loopback(&o.host))
    }

    /// Whether a Host is one of ours: a loopback name, the origin's, and where the face or the door listens beyond
    /// loopback without an origin, any address (rebinding needs a name).
    pub(super) fn takes_host(&self, host: &str) -> bool {
        let host = host_of(host).to_ascii_lowercase();
        if is_loopback(&host) || self.origin.as_ref().is_some_and(|o| o.host == host) {
            return true;
        }
        let Some(ip) = address(&host) else { return false };
        let takes = |listen: IpAddr| ip == listen || (!listen.is_loopback() && self.origin.is_none());
        takes(self.listen.ip()) || self.door.is_some_and(|door| takes(door.ip()))
    }

    /// Whether a change may come from a page of this Origin, being sent to this Host.
    pub(super) fn takes_origin(&self, origin: &str, host: &str) -> bool {
        if let Some(ours) = &self.origin
            && origin.eq_ignore_ascii_case(&ours.whole)
        {
            return true;
        }
        // A page of the same address as it was sent to. Which scheme the browser used is not known here.
        origin.split_once("://").is_some_and(|(scheme, authority)| {
            matches!(scheme, "http" | "https") && authority.eq_ignore_ascii_case(host)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(listen: &str, origin: Option<&str>) -> Place {
        Place::new(listen.parse().unwrap(), None, origin.map(|o| Origin::parse(o).unwrap()))
    }

    #[test]
    fn hosts() {
        let table = [
            ("127.0.0.1:2812", None, "127.0.0.1:2812", true),
            ("127.0.0.1:2812", None, "localhost:9999", true),
            ("127.0.0.1:2812", None, "[::1]:2812", true),
            ("127.0.0.1:2812", None, "evil.example:2812", false),
            ("127.0.0.1:2812", None, "localhost.evil.example", false),
            ("127.0.0.1:2812", None, "127.0.0.1.evil.example", false),
            ("127.0.0.1:2812", None, "192.0.2.1:2812", false),
            ("127.0.0.1:2812", Some("https://mail.example.org"), "MAIL.example.org", true),
            ("0.0.0.0:2812", None, "192.0.2.1:2812", true),
            ("[::]:2812", None, "[2001:db8::1]:2812", true),
            ("0.0.0.0:2812", None, "evil.example", false),
            ("0.0.0.0:2812", Some("https://mail.example.org"), "192.0.2.1:2812", false),
            ("192.0.2.1:2812", Some("https://mail.example.org"), "192.0.2.1:2812", true),
            ("127.0.0.1:2812", None, "", false),
        ];
        for (listen, origin, host, takes) in table {
            assert_eq!(place(listen, origin).takes_host(host), takes, "{listen} {origin:?} {host}");
        }
    }

    #[test]
    fn origins() {
        let table = [
            (None, "http://127.0.0.1:2812", "127.0.0.1:2812", true),
            (None, "http://127.0.0.1:8080", "127.0.0.1:2812", false),
            (None, "http://evil.example", "127.0.0.1:2812", false),
            (None, "null", "127.0.0.1:2812", false),
            (None, "", "", false),
            (Some("https://mail.example.org"), "https://mail.example.org", "127.0.0.1:2812", true),
            (Some("https://mail.example.org"), "https://evil.example.org", "mail.example.org", false),
        ];
        for (ours, origin, host, takes) in table {
            assert_eq!(place("127.0.0.1:2812", ours).takes_origin(origin, host), takes, "{ours:?} {origin}");
        }
    }

    #[test]
    fn only_loopback_is_local() {
        assert!(place("127.0.0.1:1", None).is_local());
        assert!(place("[::1]:1", Some("http://localhost:1")).is_local());
        assert!(!place("127.0.0.1:1", Some("https://mail.example.org")).is_local());
        assert!(!place("0.0.0.0:1", None).is_local());
    }

    #[test]
    fn an_origin_has_a_scheme_and_no_path() {
        for bad in ["mail.example.org", "ftp://a", "https://a/", "https://a b", "https://"] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
