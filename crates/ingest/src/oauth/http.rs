//! One POST of a form, and its answer: over TLS (or to this machine), nowhere else than asked, in bounded time and
//! memory.

use std::time::Duration;

use axum::http::{Method, Request, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::{Error, Result, quoted};
use crate::transport::{Proxy, Transport};

/// From nothing to the end of the answer.
const EXCHANGE: Duration = Duration::from_secs(30);
/// Handshakes at once: each takes a thread to itself, as long as the other side likes.
static HANDSHAKES: Semaphore = Semaphore::const_new(8);
/// Octets of an answer's head, and of its body.
const ANSWER: usize = 64 << 10;

/// A form: secrets among its values.
pub(super) type Form = Vec<(&'static str, SecretString)>;

/// Sends `form` to `url`, through `proxy` if there is one and the way is encrypted; status and body of the answer. Redirects
/// are not followed.
///
/// # Errors
/// [`Error::Unreachable`]: try again later.
pub(super) async fn post(url: &Uri, form: &Form, proxy: Option<&Proxy>) -> Result<(u16, Bytes)> {
    let secure = url.scheme_str() == Some("https");
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let exchange = async {
        let tcp = match proxy {
            Some(proxy) if secure => proxy.connect(host, port).await?,
            _ => TcpStream::connect((host, port)).await.map_err(|e| e.to_string())?,
        };
        let stream: Box<dyn Transport> = if secure { tls(host, tcp).await? } else { Box::new(tcp) };
        exchange(url, form, stream).await
    };
    bounded(EXCHANGE, exchange).await.map_err(|cause| unreachable(url, cause))
}

async fn bounded<T>(
    most: Duration,
    exchange: impl Future<Output = std::result::Result<T, String>>,
) -> std::result::Result<T, String> {
    let done = timeout(most, exchange).await;
    done.unwrap_or_else(|_| Err(format!("no answer within {} s", most.as_secs())))
}

/// Nothing of use comes from `url`.
pub(super) fn unreachable(url: &Uri, cause: String) -> Error {
    let secure = url.scheme_str() == Some("https");
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    Error::Unreachable { host: url.host().unwrap_or_default().to_owned(), port, cause }
}

async fn exchange(
    url: &Uri,
    form: &Form,
    stream: Box<dyn Transport>,
) -> std::result::Result<(u16, Bytes), String> {
    let request = request(url, form)?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(ANSWER);
    let (mut sender, connection) =
        builder.handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    // It ends with this function, whatever becomes of it.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await.map_err(|e| quoted(&e.to_string()))?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER).collect().await;
    let body = body.map_err(|e| quoted(&e.to_string()))?.to_bytes();
    Ok((status, body))
}

fn request(url: &Uri, form: &Form) -> std::result::Result<Request<Full<Bytes>>, String> {
    let fields: Vec<_> = form.iter().map(|(name, value)| (name, value.expose_secret())).collect();
    let body = serde_urlencoded::to_string(fields).map_err(|_| "the form cannot be written")?;
    let host = url.authority().map(ToString::to_string).unwrap_or_default();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, concat!("vigie-ingest/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(body.into()))
        .map_err(|e| e.to_string())
}

/// TLS 1.2 or newer, with the host verified against the system's authorities.
async fn tls(host: &str, tcp: TcpStream) -> std::result::Result<Box<dyn Transport>, String> {
    let host = host.to_owned();
    let turn = HANDSHAKES.acquire().await.map_err(|e| e.to_string())?;
    // Reading the authorities blocks for some 40 ms: not on a thread that others wait for.
    let handshake = tokio::task::spawn_blocking(move || {
        // Until this ends, also where nobody waits for it any more.
        let _turn = turn;
        let mut builder = native_tls::TlsConnector::builder();
        builder.min_protocol_version(Some(native_tls::Protocol::Tlsv12));
        let connector = async_native_tls::TlsConnector::from(builder);
        tokio::runtime::Handle::current().block_on(timeout(EXCHANGE, connector.connect(host.as_str(), tcp)))
    });
    match handshake.await {
        Ok(Ok(Ok(stream))) => Ok(Box::new(stream)),
        Ok(Ok(Err(error))) => Err(format!("no TLS: {}", quoted(&error.to_string()))),
        Ok(Err(_)) => Err("no end of the TLS handshake".into()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
