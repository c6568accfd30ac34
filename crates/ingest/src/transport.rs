//! TCP and TLS: from a host name to a stream of bytes that can be trusted.

mod certificate;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufWriter};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::{Error, Result, quoted};
use crate::guard::{Guard, Limits};
use crate::settings::Account;

/// One address of a host is tried for so long.
const CONNECT: Duration = Duration::from_secs(20);
/// So many addresses of a host are tried.
const ADDRESSES: usize = 3;
/// A TLS handshake ends within this.
const HANDSHAKE: Duration = Duration::from_secs(20);
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

/// Makes connections, few handshakes at a time.
#[derive(Debug, Clone)]
pub struct Dialer {
    handshakes: Arc<Semaphore>,
}

impl Default for Dialer {
    fn default() -> Self {
        Self { handshakes: Arc::new(Semaphore::new(HANDSHAKES)) }
    }
}

impl Dialer {
    /// A TCP connection to the account's host.
    ///
    /// # Errors
    /// [`Error::Unreachable`]: unknown host, refused, or no answer in time.
    pub async fn tcp(&self, account: &Account) -> Result<TcpStream> {
        let unreachable =
            |cause: String| Error::Unreachable { host: account.host.clone(), port: account.port, cause };
        let found = timeout(CONNECT, tokio::net::lookup_host((account.host.as_str(), account.port))).await;
        let addresses: Vec<SocketAddr> = match found {
            Ok(Ok(found)) => found.take(ADDRESSES).collect(),
            Ok(Err(error)) => {
                return Err(unreachable(format!(
                    "the host name is not known here ({error}); check `host` and this machine's DNS"
                )));
            }
            Err(_) => return Err(unreachable("no answer from DNS".into())),
        };
        let mut cause = "the host name has no address".to_owned();
        for address in addresses {
            cause = match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(|e| unreachable(e.to_string()))?;
                    return Ok(stream);
                }
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    format!("nothing listens at {address}; check `host`, `port` and `tls`")
                }
                Ok(Err(error)) => format!("{address}: {error}"),
                Err(_) => format!(
                    "no answer from {address} within {} s; check `host`, `port` and firewalls",
                    CONNECT.as_secs()
                ),
            };
        }
        Err(unreachable(cause))
    }

    /// TLS over `stream`, with the account's host verified against the system's authorities or the account's own.
    ///
    /// # Errors
    /// [`Error::Tls`], in words for the person who has to act.
    pub async fn tls(&self, account: &Account, stream: Box<dyn Transport>) -> Result<Box<dyn Transport>> {
        let fault = |cause: String| Error::Tls { host: account.host.clone(), port: account.port, cause };
        let mut builder = native_tls::TlsConnector::builder();
        builder.min_protocol_version(Some(native_tls::Protocol::Tlsv12));
        if let Some(file) = &account.ca_file {
            for authority in authorities(file).map_err(fault)? {
                builder.add_root_certificate(authority);
            }
            builder.disable_built_in_roots(true);
        }
        let _turn = self.handshakes.acquire().await.map_err(|e| Error::Internal(e.to_string()))?;
        let host = account.host.clone();
        // Reading the authorities blocks for some 40 ms: not on a thread that others wait for.
        let handshake = tokio::task::spawn_blocking(move || {
            let connector = async_native_tls::TlsConnector::from(builder);
            tokio::runtime::Handle::current()
                .block_on(timeout(HANDSHAKE, connector.connect(host.as_str(), stream)))
        });
        match handshake.await {
            Ok(Ok(Ok(stream))) => Ok(Box::new(stream)),
            Ok(Ok(Err(error))) => {
                Err(fault(certificate::explain(&error.to_string(), &account.host, account.ca_file.is_some())))
            }
            Ok(Err(_)) => Err(fault(format!(
                "no end of the handshake within {} s; is `tls` right for this port?",
                HANDSHAKE.as_secs()
            ))),
            Err(error) => Err(Error::Internal(error.to_string())),
        }
    }
}

/// The certificates in a PEM file.
fn authorities(file: &Path) -> std::result::Result<Vec<native_tls::Certificate>, String> {
    let at = |fault: String| format!("ca_file {}: {fault}", file.display());
    let pem = std::fs::read(file).map_err(|e| at(e.to_string()))?;
    let found = native_tls::Certificate::stack_from_pem(&pem)
        .map_err(|e| at(format!("no PEM certificates ({})", quoted(&e.to_string()))))?;
    if found.is_empty() { Err(at("there is no certificate in it".into())) } else { Ok(found) }
}
