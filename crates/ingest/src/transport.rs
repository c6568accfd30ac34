//! TCP and TLS: from a host name to a stream of bytes that can be trusted.

mod certificate;
mod deflate;
mod pin;
mod proxy;
mod tcp;
mod tls;

use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

pub use self::pin::Pin;
pub use self::proxy::Proxy;
use self::tls::{Encrypted, Trust};
use crate::error::{Error, Result};
use crate::guard::{Guard, Limits, Violation};
use crate::oauth::Tokens;
use crate::settings::Account;

/// Handshakes at the same time: each costs some 40 ms of one core to read the system's authorities.
const HANDSHAKES: usize = 8;

/// A stream of bytes, encrypted or not.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Transport for T {}

/// What the IMAP layer reads from and writes to: async-imap writes a command in four pieces, hence the buffer.
pub type Wire = Guard<BufWriter<Box<dyn Transport>>>;

/// Puts the guard before a stream.
#[must_use]
pub fn guarded(stream: Box<dyn Transport>) -> Wire {
    Guard::new(BufWriter::new(stream), Limits::default())
}

/// From here on what goes through `wire` is compressed (RFC 4978), below the guard.
///
/// # Errors
/// [`Violation::Injected`]: more than the answer to COMPRESS has come already.
pub fn compress(wire: &mut Wire) -> std::result::Result<(), Violation> {
    let nothing: Box<dyn Transport> = Box::new(tokio::io::empty());
    let stream = wire.replace(BufWriter::new(nothing))?.into_inner();
    wire.replace(BufWriter::new(Box::new(deflate::Deflated::new(stream))))?;
    Ok(())
}

/// Makes connections, few handshakes at a time.
#[derive(Debug, Clone)]
pub struct Dialer {
    handshakes: Arc<Semaphore>,
    /// By which accounts without a password log in.
    pub tokens: Tokens,
}

impl Default for Dialer {
    fn default() -> Self {
        Self::new(Tokens::default())
    }
}

impl Dialer {
    /// For accounts that log in by `tokens`.
    #[must_use]
    pub fn new(tokens: Tokens) -> Self {
        Self { handshakes: Arc::new(Semaphore::new(HANDSHAKES)), tokens }
    }

    /// A TCP connection to the account's host, through its proxy if it has one.
    ///
    /// # Errors
    /// [`Error::Unreachable`]: unknown host, refused, or no answer in time.
    pub async fn tcp(&self, account: &Account) -> Result<TcpStream> {
        let (host, port) = (account.host.as_str(), account.port);
        let stream = match &account.proxy {
            Some(proxy) => proxy.connect(host, port).await,
            None => tcp::connect(host, port).await,
        };
        stream.map_err(|cause| Error::Unreachable { host: host.to_owned(), port, cause })
    }

    /// TLS over `stream`, with the account's host verified against the system's authorities, the account's own, or
    /// its pinned certificates.
    ///
    /// # Errors
    /// [`Error::Tls`], in words for the person who has to act.
    pub async fn tls(&self, account: &Account, stream: Box<dyn Transport>) -> Result<Box<dyn Transport>> {
        let (stream, _) = self.handshake(account, Trust::Account, stream).await?;
        Ok(Box::new(stream))
    }

    /// The fingerprint of the certificate that the host presents, whoever vouches for it; the connection is of no other
    /// use.
    ///
    /// # Errors
    /// [`Error::Tls`].
    pub async fn presented(&self, account: &Account, stream: Box<dyn Transport>) -> Result<Pin> {
        Ok(self.handshake(account, Trust::Anybody, stream).await?.1)
    }

    /// Not on a thread that others wait for, and few at a time.
    async fn handshake(
        &self,
        account: &Account,
        trust: Trust,
        stream: Box<dyn Transport>,
    ) -> Result<(Encrypted, Pin)> {
        let _turn = self.handshakes.acquire().await.map_err(|e| Error::Internal(e.to_string()))?;
        let shared = account.clone();
        tokio::task::spawn_blocking(move || tls::handshake(&shared, trust, stream))
            .await
            .map_err(|e| Error::Internal(e.to_string()))?
            .map_err(|cause| Error::Tls { host: account.host.clone(), port: account.port, cause })
    }
}

/// The other end of [`compress`].
#[cfg(test)]
pub(crate) fn deflated<S: Transport + 'static>(stream: S) -> impl Transport {
    deflate::Deflated::new(stream)
}
