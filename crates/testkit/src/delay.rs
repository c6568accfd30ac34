//! A long line before a server near by: what comes in on one side goes out on the other after a fixed time, at any
//! rate and in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// How much is read at once.
const PIECE: usize = 64 * 1024;
/// So much may be under way in one direction, as the windows of TCP would allow: at 20 ms, 800 MiB a second.
const UNDER_WAY: usize = 16 << 20;

/// A listening proxy; it and its connections end when this is dropped.
pub struct Delay {
    address: SocketAddr,
    stop: CancellationToken,
}

impl Delay {
    /// Listens on a free port of 127.0.0.1 and connects whoever comes to `server`, `each_way` away.
    pub async fn start(server: SocketAddr, each_way: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let (accepting, ended) = (accept(listener, server, each_way, stop.clone()), stop.clone());
        tokio::spawn(async move { ended.run_until_cancelled(accepting).await });
        Ok(Self { address, stop })
    }

    /// The port at which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, each_way: Duration, stop: CancellationToken) {
    loop {
        let Ok((near, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let stop = stop.clone();
        tokio::spawn(async move {
            if let Some(Err(error)) = stop.run_until_cancelled(connect(near, server, each_way)).await {
                debug!(%error, "a connection broke");
            }
        });
    }
}

async fn connect(near: TcpStream, server: SocketAddr, each_way: Duration) -> io::Result<()> {
    let far = TcpStream::connect(server).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_reader, near_writer) = near.into_split();
    let (far_reader, far_writer) = far.into_split();
    tokio::try_join!(carry(near_reader, far_writer, each_way), carry(far_reader, near_writer, each_way))?;
    Ok(())
}

/// Carries one direction to its end.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    each_way: Duration,
) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(UNDER_WAY));
    let (sender, mut pieces) = mpsc::unbounded_channel::<(Instant, Bytes)>();
    let reading = {
        let room = Arc::clone(&room);
        async move {
            let mut buffer = BytesMut::new();
            loop {
                buffer.reserve(PIECE);
                let size = from.read_buf(&mut buffer).await?;
                let taken = u32::try_from(size).unwrap_or(u32::MAX);
                if size == 0 || sender.send((Instant::now() + each_way, buffer.split().freeze())).is_err() {
                    return Ok::<_, io::Error>(());
                }
                if let Ok(permit) = room.acquire_many(taken).await {
                    permit.forget();
                }
            }
        }
    };
    let writing = async {
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            to.write_all(&piece).await?;
            room.add_permits(piece.len());
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox_server::{Account, MailboxServer, Security, Service};

    #[tokio::test]
    async fn an_answer_takes_two_ways() {
        let service = Service::new([Account::new("me", "secret")]);
        let server = MailboxServer::start(&service, Security::None).await.unwrap();
        let each_way = Duration::from_millis(20);
        let delay = Delay::start(server.address(), each_way).await.unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", delay.port())).await.unwrap();
        let mut greeting = [0; 4];
        client.read_exact(&mut greeting).await.unwrap();
        let asked = Instant::now();
        client.write_all(b"a LOGOUT\r\n").await.unwrap();
        let mut rest = String::new();
        client.read_to_string(&mut rest).await.unwrap();
        assert!(asked.elapsed() >= 2 * each_way);
        assert!(rest.ends_with("a OK done\r\n"), "{rest}");
    }
}
