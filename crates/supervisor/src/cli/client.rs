//! Asking the running supervisor, over its Unix socket.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;
use vigie_common::cli::Failure;
use vigie_common::exit::Exit;
use vigie_common::text::inert;

use super::internal;

/// A supervisor that is alive answers at once, but for commands that it was asked to wait for.
const ANSWER: Duration = Duration::from_secs(90);

/// The way to the running supervisor.
#[derive(Debug)]
pub(super) struct Client {
    socket: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    pub(super) fn new(socket: PathBuf) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(internal)?;
        Ok(Self { socket, runtime })
    }

    /// Asks for something, and waits for the whole answer.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let (status, body) = self.ask(Method::GET, path)?;
        read(status, &body)
    }

    /// Has something done, and waits for the whole answer.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let (status, body) = self.ask(Method::POST, path)?;
        read(status, &body)
    }

    /// Asks, whatever the answer's status.
    pub(super) fn ask(&self, method: Method, path: &str) -> Result<(StatusCode, Vec<u8>), Failure> {
        self.runtime.block_on(async {
            let answer = timeout(ANSWER, async {
                let response = self.send(method, path).await?;
                let status = response.status();
                let body = response.into_body().collect().await.map_err(internal)?;
                Ok((status, body.to_bytes().to_vec()))
            });
            answer.await.unwrap_or_else(|_| {
                let seconds = ANSWER.as_secs();
                Err(Failure::new(
                    Exit::Unavailable,
                    format!("the supervisor does not answer within {seconds} s"),
                ))
            })
        })
    }

    /// Reads an event stream, giving each event's name and data to `take`, until the stream ends or `take` fails.
    pub(super) fn follow(
        &self,
        path: &str,
        mut take: impl FnMut(&str, &str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.runtime.block_on(async {
            let response = self.send(Method::GET, path).await?;
            let status = response.status();
            let mut body = response.into_body();
            if !status.is_success() {
                let body = body.collect().await.map_err(internal)?;
                return read::<serde_json::Value>(status, &body.to_bytes()).map(drop);
            }
            let mut text = String::new();
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return Ok(()) };
                if let Some(data) = frame.data_ref() {
                    text.push_str(&String::from_utf8_lossy(data));
                }
                while let Some((event, rest)) = text.split_once("\n\n") {
                    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                    if let (Some(name), Some(data)) = (field("event: "), field("data: ")) {
                        take(name, data)?;
                    }
                    text = rest.to_owned();
                }
            }
            Ok(())
        })
    }

    async fn send(&self, method: Method, path: &str) -> Result<Response<Incoming>, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(internal)?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_LENGTH, 0)
            .body(Body::empty())
            .map_err(internal)?;
        sender.send_request(request).await.map_err(internal)
    }

    fn unreachable(&self, error: &std::io::Error) -> Failure {
        let socket = self.socket.display();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Failure::new(
                Exit::Unavailable,
                format!(
                    "no supervisor runs at {socket}: start it by `vigie-supervisor run`, or name its configuration by --config"
                ),
            ),
            ErrorKind::PermissionDenied => Failure::new(
                Exit::Refused,
                format!("{socket}: {error}; only the user that the supervisor runs as, and root, may use it"),
            ),
            _ => Failure::new(Exit::Unavailable, format!("{socket}: {error}")),
        }
    }
}

fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, Failure> {
    if status.is_success() {
        return serde_json::from_slice(body)
            .map_err(|e| internal(format_args!("an answer cannot be read: {e}")));
    }
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let said = ["detail", "title"].iter().find_map(|key| problem.get(key)?.as_str());
    let said = inert(said.unwrap_or("the supervisor refused"), 500);
    Err(Failure::new(if status.is_client_error() { Exit::Usage } else { Exit::Internal }, said))
}
