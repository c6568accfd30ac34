//! TCP: from a host name to a connection, by whichever of its addresses answers first (RFC 8305 in small).

use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// An answer of DNS, and of one address, is waited for so long.
const CONNECT: Duration = Duration::from_secs(20);
/// So many addresses of a host are tried.
const ADDRESSES: usize = 3;
/// An address that does not answer delays the next one by this.
const STAGGER: Duration = Duration::from_millis(300);

/// A connection that is quiet for so long is asked whether the other end is still there, so that no router forgets it.
const KEEPALIVE: Duration = Duration::from_secs(120);
/// An end that does not answer is asked again after this, so often.
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(30);
const KEEPALIVE_TRIES: u32 = 4;

/// A connection to `host`; else why there is none, and what to look at.
pub(super) async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let found = timeout(CONNECT, tokio::net::lookup_host((host, port)))
        .await
        .map_err(|_| "no answer from DNS".to_owned())?
        .map_err(|e| format!("the host name is not known here ({e}); check `host` and this machine's DNS"))?;
    let stream = race(in_turn(found.collect())).await?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    keep_alive(&stream).map_err(|e| e.to_string())?;
    Ok(stream)
}

fn keep_alive(stream: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_AGAIN)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_TRIES)
}

/// The addresses to try: those of both families by turns, for it is mostly one family as a whole that does not work.
fn in_turn(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first = found.first().is_some_and(SocketAddr::is_ipv6);
    let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|a| a.is_ipv6() == first);
    let (mut ours, mut others) = (ours.into_iter(), others.into_iter());
    let mut turns = Vec::new();
    while turns.len() < ADDRESSES {
        let before = turns.len();
        turns.extend(ours.next());
        turns.extend(others.next());
        if turns.len() == before {
            break;
        }
    }
    turns.truncate(ADDRESSES);
    turns
}

/// The first connection of several that are begun one after the other.
async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream, String> {
    let mut waiting = addresses.into_iter();
    let mut running = JoinSet::new();
    let mut faults = Vec::new();
    loop {
        if let Some(address) = waiting.next() {
            running.spawn(attempt(address));
        }
        tokio::select! {
            done = running.join_next() => match done {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(fault))) => faults.push(fault),
                Some(Err(error)) => faults.push(error.to_string()),
                None if faults.is_empty() => return Err("the host name has no address".into()),
                None => return Err(faults.join("; ")),
            },
            () = sleep(STAGGER), if waiting.len() > 0 => {}
        }
    }
}

async fn attempt(address: SocketAddr) -> Result<TcpStream, String> {
    match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(format!("nothing listens at {address}; check `host`, `port` and `tls`"))
        }
        Ok(Err(error)) => Err(format!("{address}: {error}")),
        Err(_) => Err(format!(
            "no answer from {address} within {} s; check `host`, `port` and firewalls",
            CONNECT.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn families_are_tried_by_turns() {
        let addresses = |text: &[&str]| text.iter().map(|t| t.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1", "127.0.0.2:1"]);
        assert_eq!(in_turn(found), addresses(&["[::1]:1", "127.0.0.1:1", "[::2]:1"]));
        assert_eq!(in_turn(addresses(&["127.0.0.1:1"])), addresses(&["127.0.0.1:1"]));
        assert_eq!(in_turn(Vec::new()), []);
    }

    /// An address behind which packets vanish does not cost the twenty seconds that it would alone.
    #[tokio::test]
    async fn a_dead_address_does_not_keep_the_next_one_waiting() {
        let dead = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = dead.local_addr().unwrap();
        // The kernel drops what knocks at a full house: one more than none may wait there.
        rustix::net::listen(&dead, 0).unwrap();
        let _guest = TcpStream::connect(address).await.unwrap();
        let good = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stream = race(vec![address, good.local_addr().unwrap()]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good.local_addr().unwrap());
    }

    #[tokio::test]
    async fn a_refusal_is_followed_by_the_next_address_and_all_of_them_are_told() {
        let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        let good = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        race(vec![gone, good.local_addr().unwrap()]).await.unwrap();
        let error = race(vec![gone, gone]).await.unwrap_err();
        assert_eq!(error.matches("nothing listens at").count(), 2, "{error}");
        assert_eq!(race(Vec::new()).await.unwrap_err(), "the host name has no address");
    }

    #[tokio::test]
    async fn a_quiet_connection_is_kept_alive() {
        let good = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stream = connect("127.0.0.1", good.local_addr().unwrap().port()).await.unwrap();
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), KEEPALIVE);
        assert!(stream.nodelay().unwrap());
    }
}
