//! A small resolver for MX and SRV records, which the system's resolver does not give: one question to the servers of
//! `/etc/resolv.conf` over UDP, over TCP where the answer is long. No cache, no recursion, no DNSSEC: what comes from
//! here is a hint, and is proved by TLS or by the person who reads it.

mod message;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use self::message::{Answer, Fault};
pub(super) use self::message::{Kind, Record};

/// A server is waited for so long, each of so many times.
const WAIT: Duration = Duration::from_secs(2);
const ROUNDS: usize = 2;
/// So many servers are asked.
const SERVERS: usize = 3;

/// The servers that are asked.
#[derive(Debug, Clone)]
pub struct Dns {
    servers: Vec<SocketAddr>,
}

impl Dns {
    /// The servers of this machine; one on the machine itself where none is named (resolv.conf(5)).
    #[must_use]
    pub fn of_system() -> Self {
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        Self { servers: servers(&text) }
    }

    #[cfg(test)]
    pub(super) fn at(server: SocketAddr) -> Self {
        Self { servers: vec![server] }
    }

    /// The records of `name`; none when there are none.
    ///
    /// # Errors
    /// In words: nobody answers, or only nonsense.
    pub(super) async fn records(&self, name: &str, kind: Kind) -> Result<Vec<Record>, String> {
        let Some(question) = message::question(rand::random(), name, kind) else { return Ok(Vec::new()) };
        let mut fault = "no name server".to_owned();
        for _ in 0..ROUNDS {
            for &server in &self.servers {
                match ask(server, &question).await {
                    Ok(records) => return Ok(records),
                    Err(error) => fault = format!("name server {}: {error}", server.ip()),
                }
            }
        }
        Err(fault)
    }
}

fn servers(resolv_conf: &str) -> Vec<SocketAddr> {
    let named = resolv_conf.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next())?
    });
    let mut servers: Vec<_> = named
        .filter_map(|address| address.parse::<IpAddr>().ok())
        .take(SERVERS)
        .map(|address| SocketAddr::new(address, 53))
        .collect();
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, 53).into());
    }
    servers
}

async fn ask(server: SocketAddr, question: &[u8]) -> Result<Vec<Record>, String> {
    let from: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let words = |error: std::io::Error| error.to_string();
    // A port by chance, and connected: an answer of anybody else does not even arrive.
    let socket = UdpSocket::bind((from, 0)).await.map_err(words)?;
    socket.connect(server).await.map_err(words)?;
    socket.send(question).await.map_err(words)?;
    let until = Instant::now() + WAIT;
    let mut bytes = vec![0; 4096];
    loop {
        let received =
            timeout_at(until, socket.recv(&mut bytes)).await.map_err(|_| "no answer".to_owned())?;
        let length = received.map_err(words)?;
        match message::answer(question, bytes.get(..length).unwrap_or_default()) {
            Ok(Answer::Records(records)) => return Ok(records),
            Ok(Answer::Truncated) => {
                return timeout(WAIT, at_length(server, question))
                    .await
                    .map_err(|_| "no answer".to_owned())?;
            }
            Err(Fault::Foreign) => {}
            Err(Fault::Refused(code)) => return Err(format!("it refused by code {code}")),
            Err(Fault::Malformed) => return Err("its answer cannot be read".into()),
        }
    }
}

/// Over TCP, where each message has its length before it.
async fn at_length(server: SocketAddr, question: &[u8]) -> Result<Vec<Record>, String> {
    let words = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(server).await.map_err(words)?;
    let length = u16::try_from(question.len()).unwrap_or_default();
    stream.write_all(&[&length.to_be_bytes()[..], question].concat()).await.map_err(words)?;
    let length = stream.read_u16().await.map_err(words)?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await.map_err(words)?;
    match message::answer(question, &bytes) {
        Ok(Answer::Records(records)) => Ok(records),
        _ => Err("its answer cannot be read".into()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::net::TcpListener;

    use super::message::tests::answered;
    use super::*;

    /// A name server that gives each question what `answer` says of its name and kind; `long` ones over TCP alone.
    pub(in crate::discover) async fn server(
        answer: impl Fn(&str) -> Vec<Record> + Send + Sync + Clone + 'static,
        long: bool,
    ) -> Dns {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = udp.local_addr().unwrap();
        let tcp = TcpListener::bind(address).await.unwrap();
        let reply = move |question: &[u8]| answered(question, 0, &answer(&asked(question)));
        let by_tcp = reply.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let length = stream.read_u16().await.unwrap();
                let mut question = vec![0; length.into()];
                stream.read_exact(&mut question).await.unwrap();
                let bytes = by_tcp(&question);
                stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
                stream.write_all(&bytes).await.unwrap();
            }
        });
        tokio::spawn(async move {
            let mut question = vec![0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut question).await {
                let mut bytes = reply(&question[..length]);
                if long {
                    bytes[2] |= 2;
                }
                udp.send_to(b"nonsense", from).await.unwrap();
                udp.send_to(&bytes, from).await.unwrap();
            }
        });
        Dns::at(address)
    }

    /// The name in a question.
    fn asked(question: &[u8]) -> String {
        let mut labels = Vec::new();
        let mut at = 12;
        while question[at] > 0 {
            let end = at + 1 + usize::from(question[at]);
            labels.push(String::from_utf8(question[at + 1..end].to_vec()).unwrap());
            at = end;
        }
        labels.join(".")
    }

    #[tokio::test]
    async fn records_come_by_udp_and_by_tcp() {
        for long in [false, true] {
            let dns =
                server(|name| vec![Record::Mx { preference: 1, host: format!("mx.{name}") }], long).await;
            let records = dns.records("example.org", Kind::Mx).await.unwrap();
            assert_eq!(records, [Record::Mx { preference: 1, host: "mx.example.org".into() }]);
        }
    }

    #[tokio::test]
    async fn nobody_there_is_told() {
        let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = Dns::at(gone).records("example.org", Kind::Mx).await.unwrap_err();
        assert!(error.starts_with("name server 127.0.0.1: "), "{error}");
    }

    #[test]
    fn servers_are_those_of_the_file() {
        let found =
            servers("# x\nsearch example.org\nnameserver 192.0.2.1\nnameserver ::1\nnameserver bad\n");
        assert_eq!(found, ["192.0.2.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!(servers(""), ["127.0.0.1:53".parse().unwrap()]);
    }
}
