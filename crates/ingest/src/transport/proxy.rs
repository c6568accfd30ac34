//! A connection through a proxy: SOCKS5 (RFC 1928) or HTTP CONNECT (RFC 9110 section 9.3.6). The proxy looks the host up.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use vigie_common::text::inert;

use super::tcp;
use crate::error::quoted;

/// The proxy has connected within this.
const CONNECT: Duration = Duration::from_secs(30);
/// More than this is no answer to CONNECT.
const HEAD: usize = 8 * 1024;

/// Which proxy, and what it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: Kind,
    host: String,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Socks5,
    Http,
}

impl Proxy {
    /// Reads `socks5://host:port` or `http://host:port`.
    ///
    /// # Errors
    /// What is wrong, for the person who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            // Before an @ there is a password.
            let shown = if text.contains('@') { "...".to_owned() } else { inert(text, 100) };
            format!(
                "proxy = \"{shown}\": write \"socks5://host:port\" or \"http://host:port\"; one that asks for a password cannot be used"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let kind = match scheme {
            "socks5" => Kind::Socks5,
            "http" => Kind::Http,
            _ => return Err(wrong()),
        };
        let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|&port| port > 0).ok_or_else(wrong)?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['@', '/', '[', ']']) || host.contains(char::is_whitespace) {
            return Err(wrong());
        }
        Ok(Self { kind, host: host.to_owned(), port })
    }

    /// Where it is.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// A connection to `host` behind the proxy; else why there is none.
    pub(crate) async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let through = |cause: String| format!("through {self}: {cause}");
        let mut stream = tcp::connect(&self.host, self.port)
            .await
            .map_err(|cause| through(format!("the proxy cannot be reached: {cause}")))?;
        match timeout(CONNECT, self.ask(&mut stream, host, port)).await {
            Ok(Ok(())) => Ok(stream),
            Ok(Err(cause)) => Err(through(cause)),
            Err(_) => Err(through(format!("no answer of the proxy within {} s", CONNECT.as_secs()))),
        }
    }

    /// Nothing is read past the proxy's answer: what follows is the server's.
    async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        host: &str,
        port: u16,
    ) -> Result<(), String> {
        match self.kind {
            Kind::Socks5 => socks5(stream, host, port).await,
            Kind::Http => http(stream, host, port).await,
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Socks5 => "socks5",
            Kind::Http => "http",
        };
        write!(f, "{scheme}://{}", authority(&self.host, self.port))
    }
}

/// `host:port`, an IPv6 address in brackets.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

async fn socks5<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    host: &str,
    port: u16,
) -> Result<(), String> {
    const WITHOUT_PASSWORD: u8 = 0;
    let lost = |e: std::io::Error| format!("the proxy broke off: {e}");
    stream.write_all(&[5, 1, WITHOUT_PASSWORD]).await.map_err(lost)?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await.map_err(lost)?;
    match chosen {
        [5, WITHOUT_PASSWORD] => {}
        [5, _] => return Err("the proxy asks for a password, which is not supported".into()),
        _ => return Err("what answers there is no SOCKS5 proxy".into()),
    }
    let mut request = vec![5, 1, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
        Err(_) => {
            let length = u8::try_from(host.len()).map_err(|_| "the host name is too long".to_owned())?;
            request.extend([3, length]);
            request.extend(host.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request).await.map_err(lost)?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.map_err(lost)?;
    let [version, code, _, kind] = answer;
    if version != 5 {
        return Err("what answers there is no SOCKS5 proxy".into());
    }
    if code != 0 {
        let why = match code {
            2 => "it is not allowed by its rules",
            3 => "the network cannot be reached from there",
            4 => "the host is not known or cannot be reached from there",
            5 => "nothing listens there",
            6 => "no answer from there",
            _ => "it does not say why",
        };
        return Err(format!("the proxy does not connect to {}: {why}", authority(host, port)));
    }
    // From where it connected: of no interest, but in the way.
    let address = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await.map_err(lost)?),
        _ => return Err("what answers there is no SOCKS5 proxy".into()),
    };
    let mut rest = vec![0; address + 2];
    stream.read_exact(&mut rest).await.map(|_| ()).map_err(lost)
}

async fn http<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    host: &str,
    port: u16,
) -> Result<(), String> {
    let lost = |e: std::io::Error| format!("the proxy broke off: {e}");
    let to = authority(host, port);
    let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(lost)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == HEAD {
            return Err("what answers there is no HTTP proxy".into());
        }
        head.push(stream.read_u8().await.map_err(lost)?);
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.lines().next().unwrap_or_default();
    let mut words = status.splitn(3, ' ');
    match (words.next(), words.next()) {
        (Some("HTTP/1.1" | "HTTP/1.0"), Some(code)) if code.starts_with('2') => Ok(()),
        (Some("HTTP/1.1" | "HTTP/1.0"), Some("407")) => {
            Err("the proxy asks for a password, which is not supported".into())
        }
        (Some("HTTP/1.1" | "HTTP/1.0"), Some(_)) => {
            Err(format!("the proxy does not connect to {to}: {}", quoted(status)))
        }
        _ => Err("what answers there is no HTTP proxy".into()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[test]
    fn a_proxy_is_read_as_it_is_shown() {
        for text in ["socks5://127.0.0.1:1080", "http://proxy.example.org:3128", "socks5://[::1]:1080"] {
            assert_eq!(Proxy::parse(text).unwrap().to_string(), text);
        }
        assert!(Proxy::parse("http://proxy:3128/").is_ok());
        for wrong in [
            "",
            "proxy:1080",
            "https://proxy:1080",
            "socks5://proxy",
            "socks5://:1080",
            "socks5://proxy:0",
            "http://me:secret@proxy:3128",
            "http://proxy:3128/x",
            "socks5://a b:1",
        ] {
            let error = Proxy::parse(wrong).unwrap_err();
            assert!(error.contains("socks5://host:port") && !error.contains("secret"), "{error}");
        }
    }

    /// What a proxy answers, and what becomes of it. The octet after its answer is the server's.
    async fn asked(proxy: &str, answer: &[u8]) -> Result<u8, String> {
        let (mut near, mut far) = duplex(1 << 10);
        far.write_all(answer).await.unwrap();
        far.write_all(b"*").await.unwrap();
        far.shutdown().await.unwrap();
        Proxy::parse(proxy).unwrap().ask(&mut near, "imap.example.org", 993).await?;
        near.read_u8().await.map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn nothing_of_the_server_is_lost_behind_the_answer() {
        let socks = "socks5://p:1";
        assert_eq!(asked(socks, b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x10\x00").await, Ok(b'*'));
        assert_eq!(asked(socks, b"\x05\x00\x05\x00\x00\x03\x02ab\x10\x00").await, Ok(b'*'));
        let http = "http://p:1";
        assert_eq!(asked(http, b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n").await, Ok(b'*'));
        assert_eq!(asked(http, b"HTTP/1.0 200\r\n\r\n").await, Ok(b'*'));
    }

    #[tokio::test]
    async fn each_refusal_has_its_own_words() {
        for (proxy, answer, said) in [
            ("socks5://p:1", &b"\x05\xff"[..], "asks for a password"),
            ("socks5://p:1", b"HTTP/1.1 400 Bad Request\r\n\r\n", "no SOCKS5 proxy"),
            ("socks5://p:1", b"\x05\x00\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", "nothing listens there"),
            ("socks5://p:1", b"\x05\x00\x05\x63\x00\x01\x00\x00\x00\x00\x00\x00", "does not say why"),
            ("socks5://p:1", b"\x05", "broke off"),
            ("http://p:1", b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "asks for a password"),
            ("http://p:1", b"HTTP/1.1 403 \x1b[2JNo\r\n\r\n", "imap.example.org:993: HTTP/1.1 403"),
            ("http://p:1", b"* OK ready\r\n\r\n", "no HTTP proxy"),
            ("http://p:1", b"HTTP/1.1", "broke off"),
            ("http://p:1", &[b'x'; HEAD + 1], "no HTTP proxy"),
        ] {
            let (mut near, mut far) = duplex(16 << 10);
            far.write_all(answer).await.unwrap();
            far.shutdown().await.unwrap();
            let asked = Proxy::parse(proxy).unwrap().ask(&mut near, "imap.example.org", 993).await;
            let error = asked.unwrap_err();
            assert!(error.contains(said) && !error.contains('\u{1b}'), "{said}: {error}");
        }
    }
}
