//! One HTTP probe: GET /healthz, answered by a 2xx in time. A port that listens is not yet life.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Asks once; whatever goes wrong is a no.
pub(crate) async fn healthy(address: SocketAddr, within: Duration) -> bool {
    matches!(timeout(within, ask(address)).await, Ok(Some(true)))
}

async fn ask(address: SocketAddr) -> Option<bool> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get("/healthz")
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let mut answer = pin!(sender.send_request(request));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // The connection may be over in the moment in which the answer is there.
        _ = connection => answer.await,
    };
    // Its head is enough.
    Some(answer.ok()?.status().is_success())
}
