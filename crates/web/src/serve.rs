//! Listening: TCP or a Unix socket, HTTP/1.1, with what keeps a slow or greedy client from harming the others.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;
use vigie_common::shutdown::Shutdown;

/// A request's header must be complete within this; an idle connection is closed after it.
const HEADER: Duration = Duration::from_secs(15);
/// Connections at the same time; further ones wait to be accepted.
const CONNECTIONS: usize = 1024;
/// After the end was asked for, answers on their way may still be sent for so long.
const GRACE: Duration = Duration::from_secs(2);
/// When nothing can be accepted (no file descriptors), the next try is this much later.
const PAUSE: Duration = Duration::from_millis(250);
/// Octets of a request's header.
const HEADER_OCTETS: usize = 64 * 1024;

/// Who sent a request: an extension of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// From this address.
    Tcp(SocketAddr),
    /// Over the Unix socket, as this user of the system.
    Unix {
        /// User id.
        uid: u32,
    },
}

/// A bound address.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, PathBuf),
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {place}: {cause}; end what listens there, or set another address")]
pub struct BindError {
    place: String,
    cause: io::Error,
}

/// The address that a `listen` of the configuration means.
///
/// # Errors
/// It is none; says what one looks like.
pub fn address(listen: &str) -> Result<SocketAddr, String> {
    let text = listen.replace("localhost:", "127.0.0.1:");
    text.parse().map_err(|_| format!("`{listen}` is no address: write one like 127.0.0.1:2812 or [::]:2812"))
}

impl Listener {
    /// Listens on a TCP address; port 0 is any free one.
    ///
    /// # Errors
    /// It is taken, or not ours.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let failed = |cause| BindError { place: address.to_string(), cause };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self(Kind::Tcp(listener, address)))
    }

    /// Listens on a Unix socket that only its owner (and root) may use. What an earlier process left there is
    /// replaced: whoever calls this must hold a lock that says that there is no other.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn bind_unix(path: &Path) -> Result<Self, BindError> {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt};
        let failed = |cause| BindError { place: path.display().to_string(), cause };
        match std::fs::symlink_metadata(path) {
            Ok(there) if there.file_type().is_socket() => std::fs::remove_file(path).map_err(failed)?,
            Ok(_) => return Err(failed(io::Error::other("something that is no socket is there"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self(Kind::Unix(listener, path.to_owned())))
    }

    /// The TCP address; `None` for a Unix socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(_, address) => Some(*address),
            Kind::Unix(..) => None,
        }
    }
}

/// Serves `router` until the shutdown, then for as long as answers on their way need, two seconds at most.
pub async fn serve(listener: Listener, router: Router, shutdown: Shutdown) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER).max_header_size(HEADER_OCTETS).keep_alive(true);
    loop {
        let room = Arc::clone(&room);
        let next = async {
            // A semaphore that is never closed always gives a permit.
            let permit = room.acquire_owned().await.ok();
            (permit, accept(&listener.0).await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = shutdown.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(PAUSE).await;
                continue;
            }
        };
        let router = router.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            let router = router.clone();
            async move { router.oneshot(request).await.map_err(|never: Infallible| never) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), answer));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    if let Kind::Unix(_, path) = &listener.0 {
        // Whoever comes next replaces it anyway.
        let _ = std::fs::remove_file(path);
    }
    drop(listener);
    if timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::debug!("connections that did not end in time are cut");
    }
}

/// What a connection is read from and written to.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn accept(listener: &Kind) -> io::Result<(Box<dyn Stream>, Peer)> {
    match listener {
        Kind::Tcp(listener, _) => {
            let (stream, address) = listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream), Peer::Tcp(address)))
        }
        Kind::Unix(listener, _) => {
            let (stream, _) = listener.accept().await?;
            let uid = stream.peer_cred()?.uid();
            Ok((Box::new(stream), Peer::Unix { uid }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_has_a_port() {
        assert_eq!(address("localhost:2812").unwrap().to_string(), "127.0.0.1:2812");
        assert_eq!(address("[::]:2812").unwrap().to_string(), "[::]:2812");
        assert!(address("127.0.0.1").unwrap_err().contains("127.0.0.1:2812"));
    }
}
