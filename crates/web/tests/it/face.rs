//! A face on a free port, and a plain client.

use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vigie_common::config::Loaded;
use vigie_common::shutdown::Shutdown;
use vigie_web::{Access, Health, Listener, Problem, Visitor, health, serve};

pub(crate) struct Face {
    pub(crate) address: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
    shutdown: Shutdown,
}

impl Drop for Face {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The cookie that it sets, as a client sends it.
    pub(crate) fn cookie(&self) -> String {
        self.header("set-cookie").unwrap_or_default().split(';').next().unwrap_or_default().to_owned()
    }

    /// The token in its form.
    pub(crate) fn token(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

pub(crate) fn loaded(folder: &Path, config: &str) -> Loaded {
    Loaded::parse(&folder.join("vigie.toml"), config.into(), []).unwrap()
}

impl Face {
    /// On loopback; the access that `config` gives is that of `listen`.
    pub(crate) async fn start(listen: &str, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::open(&loaded(folder.path(), config), listen.parse().unwrap()).unwrap();
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.address().unwrap();
        let who = |visitor: Visitor| async move {
            format!("{} {} {}", visitor.name().unwrap_or("-"), visitor.role().as_str(), visitor.csrf())
        };
        let health = Health::new("1.2.3");
        // As a layer below the guard would make it of a problem.
        let compressed =
            async || ([(header::CONTENT_ENCODING, "gzip")], Problem::not_found("no such sender"));
        let router = Router::new()
            .route("/", get(who).post(who))
            .route("/compressed", get(compressed))
            .merge(health::routes(health));
        let shutdown = Shutdown::new();
        tokio::spawn(serve(listener, access.guard(vigie_web::problem::fallbacks(router)), shutdown.clone()));
        Self { address, folder, shutdown }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Sends a request with these header lines.
    pub(crate) async fn ask(&self, line: &str, headers: &str, body: &str) -> Answer {
        let host =
            if headers.contains("Host: ") { String::new() } else { format!("Host: {}\r\n", self.host()) };
        let form = if body.is_empty() { "" } else { "Content-Type: application/x-www-form-urlencoded\r\n" };
        let length = body.len();
        self.raw(&format!(
            "{line} HTTP/1.1\r\n{host}{form}Content-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
        ))
        .await
    }

    pub(crate) async fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await.unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str, headers: &str) -> Answer {
        self.ask(&format!("GET {path}"), headers, "").await
    }

    /// A form of a page of this face.
    pub(crate) async fn post(&self, path: &str, cookie: &str, body: &str) -> Answer {
        let headers = format!("Origin: http://{}\r\nCookie: {cookie}\r\n", self.host());
        self.ask(&format!("POST {path}"), &headers, body).await
    }
}
