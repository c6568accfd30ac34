//! A small honest IMAP server in memory: what a good server says, about mailboxes that a test or a
//! demonstration changes through their handles.
//!
//! It does what a reading client needs (LOGIN, AUTHENTICATE PLAIN, LIST, STATUS, EXAMINE, FETCH,
//! SEARCH, IDLE and their like), nothing that changes a mailbox but the `\Seen` of a `BODY[]`.
//! Messages may be made when they are asked for, and an answer of any length is written a message
//! at a time. An [`Account`] has its [`Mailbox`]es, a [`Service`] speaks for its accounts on any
//! stream, and a [`MailboxServer`] accepts connections for it.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use vigie_testkit::mailbox_server::{Account, MailboxServer, Security, Service};
//!
//! let account = Account::new("me@example.org", "secret");
//! let inbox = account.mailbox("INBOX");
//! inbox.append("Subject: hello\r\n\r\nHello\r\n");
//! let server = MailboxServer::start(&Service::new([account]), Security::None).await?;
//! // ... the client connects to server.port() ...
//! server.service().wait_for_command("IDLE", 1).await;
//! inbox.append("Subject: more\r\n\r\nMore\r\n");
//! # Ok(())
//! # }
//! ```

mod command;
mod fetch;
mod list;
mod message;
mod search;
mod service;
mod session;
mod set;
mod store;
mod view;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_native_tls::TlsAcceptor;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio_util::sync::CancellationToken;
use tracing::debug;

pub(crate) use command::announced;
pub use message::Draft;
pub use service::Service;
pub use store::{Account, Mailbox};

use crate::wire::Wire;
use session::Channel;

/// How a server protects its connections.
#[derive(Clone)]
pub enum Security {
    /// Not at all: LOGIN in the clear is taken.
    None,
    /// TLS from the first byte.
    Implicit(TlsAcceptor),
    /// STARTTLS is offered, and without it nobody logs in.
    Starttls(TlsAcceptor),
}

/// A listening server; it and its connections end when this is dropped.
pub struct MailboxServer {
    service: Service,
    address: SocketAddr,
    stop: CancellationToken,
    connections: Arc<Mutex<CancellationToken>>,
}

impl MailboxServer {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start(service: &Service, security: Security) -> io::Result<Self> {
        Self::start_on(service, security, ("127.0.0.1", 0)).await
    }

    /// Listens on a given address.
    pub async fn start_on(
        service: &Service,
        security: Security,
        address: impl ToSocketAddrs,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let connections = Arc::new(Mutex::new(stop.child_token()));
        let accepting = accept(listener, service.clone(), security, Arc::clone(&connections));
        let ended = stop.clone();
        tokio::spawn(async move { ended.run_until_cancelled(accepting).await });
        Ok(Self { service: service.clone(), address, stop, connections })
    }

    /// For whom it accepts connections.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port at which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Drops all present connections without a word, as a restarted server does; new ones are accepted.
    pub fn disconnect_all(&self) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *connections, self.stop.child_token()).cancel();
    }
}

impl Drop for MailboxServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(
    listener: TcpListener,
    service: Service,
    security: Security,
    connections: Arc<Mutex<CancellationToken>>,
) {
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                debug!(%error, "cannot accept a connection");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let stop = connections.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (service, security) = (service.clone(), security.clone());
        tokio::spawn(async move {
            if let Some(Err(error)) = stop.run_until_cancelled(speak(socket, &service, &security)).await {
                debug!(%error, "a connection broke");
            }
        });
    }
}

async fn speak(socket: TcpStream, service: &Service, security: &Security) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let wire = Wire::Plain(socket);
    match security {
        Security::None => session::greet(service, wire, Channel::Open).await.map(drop),
        Security::Implicit(acceptor) => {
            let wire = wire.secure(acceptor).await?;
            session::greet(service, wire, Channel::Secure).await.map(drop)
        }
        Security::Starttls(acceptor) => match session::greet(service, wire, Channel::Securable).await? {
            Some(wire) => session::resume(service, wire.secure(acceptor).await?).await,
            None => Ok(()),
        },
    }
}
