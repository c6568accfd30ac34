//! HTTP probes. `GET /healthz`, answered by a 2xx in time: a port that listens is not yet life. `GET /readyz` with our
//! token: what a person should look at, which restarts nothing.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use vigie_common::text::inert;
use vigie_web::Alarm;

/// Octets of an answer with alarms at most.
const LONGEST: usize = 64 << 10;
/// Alarms of a service at most.
const MOST: usize = 100;

/// Asks once; whatever goes wrong is a no.
pub(crate) async fn healthy(address: SocketAddr, within: Duration) -> bool {
    // The head of the answer is enough.
    let asked = ask(address, "/healthz", None, async |answer| answer.status().is_success());
    matches!(timeout(within, asked).await, Ok(Some(true)))
}

/// The alarms of a service, inert; None: it does not tell.
pub(crate) async fn alarms(address: SocketAddr, token: &str, within: Duration) -> Option<Vec<Alarm>> {
    let read = async |answer: Response<Incoming>| {
        Some(Limited::new(answer.into_body(), LONGEST).collect().await.ok()?.to_bytes())
    };
    let body = timeout(within, ask(address, "/readyz", Some(token), read)).await.ok()???;
    // An answer without alarms is not for us: a token that it does not know, or another program.
    let told: Told = serde_json::from_slice(&body).ok()?;
    Some(told.alarms.into_iter().take(MOST).map(tame).collect())
}

#[derive(Deserialize)]
struct Told {
    alarms: Vec<Alarm>,
}

fn tame(alarm: Alarm) -> Alarm {
    Alarm {
        code: inert(&alarm.code, 40),
        subject: inert(&alarm.subject, 200),
        since: alarm.since,
        text: inert(&alarm.text, 500),
    }
}

async fn ask<T>(
    address: SocketAddr,
    path: &str,
    token: Option<&str>,
    read: impl AsyncFnOnce(Response<Incoming>) -> T,
) -> Option<T> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let mut request =
        Request::get(path).header(header::HOST, address.to_string()).header(header::CONNECTION, "close");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Empty::<Bytes>::new()).ok()?;
    let mut answer = pin!(async { Some(read(sender.send_request(request).await.ok()?).await) });
    tokio::select! {
        answer = &mut answer => answer,
        // The connection may be over in the moment in which the answer is there.
        _ = connection => answer.await,
    }
}
