//! One GET over https, of a short text. Nothing else of HTTP is needed here.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, LOCATION, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::host_name;

/// The whole of it, redirections included.
const WAIT: Duration = Duration::from_secs(10);
/// Redirections that are followed.
const REDIRECTIONS: usize = 3;

/// How pages are reached.
#[derive(Debug, Clone, Default)]
pub struct Web {
    /// Where every host is, and who vouches for it: for tests.
    elsewhere: Option<(SocketAddr, Vec<u8>)>,
}

impl Web {
    #[cfg(test)]
    pub(super) fn at(address: SocketAddr, authority: &str) -> Self {
        Self { elsewhere: Some((address, authority.as_bytes().to_vec())) }
    }

    /// The text at `url`, of at most `most` octets.
    ///
    /// # Errors
    /// In words: not there, not by https, too long, too slow.
    pub(super) async fn text(&self, url: &str, most: usize) -> Result<String, String> {
        let slow = |_| format!("no answer within {} s", WAIT.as_secs());
        let bytes = timeout(WAIT, self.follow(url, most)).await.map_err(slow)??;
        String::from_utf8(bytes).map_err(|_| "it is not UTF-8".into())
    }

    async fn follow(&self, url: &str, most: usize) -> Result<Vec<u8>, String> {
        let mut uri: Uri = url.parse().map_err(|_| "no address".to_owned())?;
        for _ in 0..=REDIRECTIONS {
            match self.get(&uri, most).await? {
                Got::Body(bytes) => return Ok(bytes),
                Got::Elsewhere(to) => {
                    let to = match (to.starts_with('/') && !to.starts_with("//"), uri.authority()) {
                        (true, Some(authority)) => format!("https://{authority}{to}"),
                        _ => to,
                    };
                    uri = to.parse().map_err(|_| "it redirects to what is no address".to_owned())?;
                }
            }
        }
        Err("it redirects again and again".into())
    }

    async fn get(&self, uri: &Uri, most: usize) -> Result<Got, String> {
        if uri.scheme_str() != Some("https") {
            return Err("not by https".into());
        }
        // Names alone: no address of a network behind us is asked because a stranger says so.
        let host = uri.host().and_then(host_name).ok_or("its host is no host name")?;
        let port = uri.port_u16().unwrap_or(443);
        let mut builder = native_tls::TlsConnector::builder();
        builder.min_protocol_version(Some(native_tls::Protocol::Tlsv12));
        let stream = match &self.elsewhere {
            None => TcpStream::connect((host.as_str(), port)).await,
            Some((address, authority)) => {
                let authority = native_tls::Certificate::from_pem(authority).map_err(|e| e.to_string())?;
                builder.add_root_certificate(authority).disable_built_in_roots(true);
                TcpStream::connect(address).await
            }
        };
        let stream = stream.map_err(|e| e.to_string())?;
        let connector = async_native_tls::TlsConnector::from(builder);
        let stream = connector.connect(host.as_str(), stream).await.map_err(|e| format!("no TLS: {e}"))?;
        let broken = |e: hyper::Error| format!("no HTTP: {e}");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(HOST, uri.authority().map_or(host.as_str(), |a| a.as_str()))
            .header(USER_AGENT, concat!("vigie/", env!("CARGO_PKG_VERSION")))
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|e| e.to_string())?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let got = if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            Got::Elsewhere(to.ok_or("it redirects to nowhere")?.to_owned())
        } else if status.is_success() {
            let body = Limited::new(response.into_body(), most).collect().await;
            Got::Body(body.map_err(|e| format!("no whole answer: {e}"))?.to_bytes().to_vec())
        } else {
            return Err(format!("HTTP status {}", status.as_u16()));
        };
        connection.abort();
        Ok(got)
    }
}

enum Got {
    Body(Vec<u8>),
    Elsewhere(String),
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;
    use vigie_testkit::tls::{Authority, Kind};

    use super::*;

    /// A server of https for example.org and below that answers each request line and host by `answer`.
    pub(in crate::discover) async fn server(
        answer: impl Fn(&str, &str) -> String + Send + Sync + Clone + 'static,
    ) -> Web {
        let authority = Authority::new().unwrap();
        let acceptor = authority.identity(Kind::Domain).unwrap().acceptor().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let web = Web::at(listener.local_addr().unwrap(), authority.pem());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answer) = (acceptor.clone(), answer.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let mut lines = BufReader::new(stream).lines();
                    let first = lines.next_line().await.unwrap().unwrap();
                    let mut host = String::new();
                    while let Some(line) = lines.next_line().await.unwrap().filter(|l| !l.is_empty()) {
                        if let Some(value) = line.strip_prefix("host: ") {
                            host = value.to_owned();
                        }
                    }
                    let path = first.split(' ').nth(1).unwrap();
                    let mut stream = lines.into_inner().into_inner();
                    let _ = stream.write_all(answer(&host, path).as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        web
    }

    pub(in crate::discover) fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn texts_and_what_is_none() {
        let web = server(|host, path| match path {
            "/text" => ok(&format!("{host} says so")),
            "/moved" => "HTTP/1.1 302 Found\r\nlocation: /text\r\ncontent-length: 0\r\n\r\n".into(),
            "/away" => {
                "HTTP/1.1 301 Moved\r\nlocation: https://other.example.org/text\r\ncontent-length: 0\r\n\r\n"
                    .into()
            }
            "/clear" => {
                "HTTP/1.1 301 Moved\r\nlocation: http://www.example.org/text\r\ncontent-length: 0\r\n\r\n"
                    .into()
            }
            "/inside" => {
                "HTTP/1.1 301 Moved\r\nlocation: https://127.0.0.1/text\r\ncontent-length: 0\r\n\r\n".into()
            }
            "/round" => "HTTP/1.1 301 Moved\r\nlocation: /round\r\ncontent-length: 0\r\n\r\n".into(),
            "/long" => ok(&"x".repeat(101)),
            "/endless" => format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1 << 20)),
            "/none" => "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nx".into(),
            "/garbage" => "hello\r\n\r\n".into(),
            _ => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".into(),
        })
        .await;
        let get = async |path: &str| web.text(&format!("https://www.example.org{path}"), 100).await;
        assert_eq!(get("/text").await.unwrap(), "www.example.org says so");
        assert_eq!(get("/moved").await.unwrap(), "www.example.org says so");
        assert_eq!(get("/away").await.unwrap(), "other.example.org says so");
        for (path, fault) in [
            ("/clear", "not by https"),
            ("/inside", "its host is no host name"),
            ("/round", "again and again"),
            ("/long", "no whole answer"),
            ("/endless", "no whole answer"),
            ("/none", "no whole answer"),
            ("/garbage", "no HTTP"),
            ("/404", "HTTP status 404"),
        ] {
            let error = get(path).await.unwrap_err();
            assert!(error.contains(fault), "{path}: {error}");
        }
        assert!(web.text("http://www.example.org/text", 100).await.is_err());
    }
}
