//! TLS 1.2 or newer: whom to trust, and what the end of an encrypted stream means.

use std::io;
use std::path::Path;
use std::pin::Pin as Pinned;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_native_tls::TlsStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::certificate::{explain, not_pinned, refusal};
use super::{Pin, Transport};
use crate::error::quoted;
use crate::settings::{Account, ClientCertificate};

/// A handshake ends within this.
const HANDSHAKE: Duration = Duration::from_secs(20);

/// Whose certificates are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Those that the account trusts.
    Account,
    /// Anybody's: to look at them, and to say nothing.
    Anybody,
}

/// A handshake with the account's host over `stream`. It blocks: reading the authorities takes some 40 ms.
pub(super) fn handshake(
    account: &Account,
    trust: Trust,
    stream: Box<dyn Transport>,
) -> Result<(Encrypted, Pin), String> {
    let mut builder = native_tls::TlsConnector::builder();
    builder.min_protocol_version(Some(native_tls::Protocol::Tlsv12));
    if let Some(file) = &account.ca_file {
        for authority in authorities(file)? {
            builder.add_root_certificate(authority);
        }
        builder.disable_built_in_roots(true);
    }
    if let Some(client) = &account.client {
        builder.identity(identity(client)?);
    }
    if trust == Trust::Anybody || !account.pins.is_empty() {
        // The pin is compared below, before a byte of IMAP: it is stronger than an authority's word and a name.
        builder.danger_accept_invalid_certs(true).danger_accept_invalid_hostnames(true);
    }
    let connector = async_native_tls::TlsConnector::from(builder);
    let done = tokio::runtime::Handle::current()
        .block_on(timeout(HANDSHAKE, connector.connect(account.host.as_str(), stream)));
    let stream = match done {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            return Err(explain(&error.to_string(), &account.host, account.ca_file.is_some()));
        }
        Err(_) => {
            return Err(format!(
                "no end of the handshake within {} s; is `tls` right for this port?",
                HANDSHAKE.as_secs()
            ));
        }
    };
    let certificate = stream.peer_certificate().ok().flatten();
    let der = certificate.and_then(|certificate| certificate.to_der().ok());
    let presented = Pin::of(&der.ok_or("it presents no certificate")?);
    if trust == Trust::Account && !account.pins.is_empty() && !account.pins.contains(&presented) {
        return Err(not_pinned(&presented));
    }
    Ok((Encrypted(stream), presented))
}

/// The certificates in a PEM file.
fn authorities(file: &Path) -> Result<Vec<native_tls::Certificate>, String> {
    let at = |fault: String| format!("ca_file {}: {fault}", file.display());
    let pem = std::fs::read(file).map_err(|e| at(e.to_string()))?;
    let found = native_tls::Certificate::stack_from_pem(&pem)
        .map_err(|e| at(format!("no PEM certificates ({})", quoted(&e.to_string()))))?;
    if found.is_empty() { Err(at("there is no certificate in it".into())) } else { Ok(found) }
}

/// What shows a server who we are.
fn identity(client: &ClientCertificate) -> Result<native_tls::Identity, String> {
    let read =
        |what: &str, file: &Path| std::fs::read(file).map_err(|e| format!("{what} {}: {e}", file.display()));
    let certificate = read("client_certificate", &client.certificate)?;
    let key = read("client_key", &client.key)?;
    native_tls::Identity::from_pkcs8(&certificate, &key).map_err(|e| {
        format!(
            "client_certificate {} and client_key {}: {}; a PEM certificate and its key as PKCS#8 (\"BEGIN PRIVATE KEY\") are needed",
            client.certificate.display(),
            client.key.display(),
            quoted(&e.to_string())
        )
    })
}

/// An encrypted stream. One that ends without TLS's good-bye has ended and is not corrupt: large providers end theirs so,
/// and what was cut off is known by IMAP, which says how much must come.
#[derive(Debug)]
pub(super) struct Encrypted(TlsStream<Box<dyn Transport>>);

impl AsyncRead for Encrypted {
    fn poll_read(
        self: Pinned<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(Pinned::new(&mut self.get_mut().0).poll_read(cx, buf)) {
            // The library's own faults have no kind; the network's do.
            Err(error) if error.kind() == io::ErrorKind::Other => {
                let text = error.to_string();
                if text.contains("unexpected eof") {
                    return Poll::Ready(Ok(()));
                }
                let said = refusal(&text).map_or_else(
                    || format!("the encrypted connection broke: {}", quoted(&text)),
                    ToOwned::to_owned,
                );
                Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, said)))
            }
            done => Poll::Ready(done),
        }
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(self: Pinned<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pinned::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pinned<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pinned::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pinned<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pinned::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
