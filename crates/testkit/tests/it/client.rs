//! A client that speaks in raw lines.

use std::time::Duration;

use native_tls::Certificate;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection of the client; every wait has a deadline.
pub(crate) struct Client(BufReader<Box<dyn Duplex>>);

impl Client {
    pub(crate) async fn connect(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self(BufReader::new(Box::new(socket)))
    }

    /// TLS on what has been plain so far, trusting this authority.
    pub(crate) async fn secure(self, authority: &str) -> async_native_tls::Result<Self> {
        let certificate = Certificate::from_pem(authority.as_bytes()).unwrap();
        let mut connector = native_tls::TlsConnector::builder();
        connector.disable_built_in_roots(true).add_root_certificate(certificate);
        let connector = async_native_tls::TlsConnector::from(connector);
        let stream = connector.connect("localhost", self.0.into_inner()).await?;
        Ok(Self(BufReader::new(Box::new(stream))))
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The next line without its end; empty at the end of the stream.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = Vec::new();
        within(self.0.read_until(b'\n', &mut line)).await.unwrap();
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    pub(crate) async fn exactly(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        within(self.0.read_exact(&mut bytes)).await.unwrap();
        bytes
    }

    /// What comes until the end of the stream, and whether that was an end in order.
    pub(crate) async fn rest(&mut self) -> (Vec<u8>, std::io::Result<()>) {
        let mut bytes = Vec::new();
        let result = within(self.0.read_to_end(&mut bytes)).await.map(drop);
        (bytes, result)
    }

    /// Sends a command and gives the lines of its answer, the tagged one last.
    pub(crate) async fn ask(&mut self, command: &str) -> Vec<String> {
        self.send(&format!("t {command}\r\n")).await;
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            let done = line.starts_with("t ") || line.is_empty();
            lines.push(line);
            if done {
                return lines;
            }
        }
    }
}

pub(crate) async fn within<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("no answer in time")
}
