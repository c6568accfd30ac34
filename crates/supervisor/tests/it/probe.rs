//! A port that listens is not yet life: the service is asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vigie_supervisor::service::numbers::Numbers;
use vigie_supervisor::service::words::{Health, State};
use vigie_supervisor::settings::{Kind, Service};

use crate::place::*;

/// Answers every request by a status; 0 for no answer at all.
async fn page(status: Arc<AtomicU16>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /healthz HTTP/1.1\r\n"));
            match status.load(Ordering::Relaxed) {
                0 => silent.push(stream),
                code => {
                    let answer = format!("HTTP/1.1 {code} As told\r\ncontent-length: 0\r\n\r\n");
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        }
    });
    address
}

#[tokio::test]
async fn three_bad_answers_restart_metrics_and_only_show_on_ingest() {
    let status = Arc::new(AtomicU16::new(200));
    let address = page(Arc::clone(&status)).await;
    let numbers = Numbers {
        probe_every: Duration::from_millis(20),
        probe_answer: Duration::from_millis(500),
        ..quick()
    };
    let probed =
        |id: &str, kind| Service { kind, probe: Some(address), ..notifying(id, &["ready", "forever"]) };
    let services = vec![probed("metrics", Kind::Metrics), probed("ingest", Kind::Ingest)];
    let rig = Rig::start(services, numbers).await;
    for id in ["metrics", "ingest"] {
        rig.until(id, |view| view.health == Health::Healthy).await;
    }
    for bad in [503, 0] {
        let before = rig.view("metrics").restarts;
        status.store(bad, Ordering::Relaxed);
        let view = rig.until("metrics", |view| view.restarts > before).await;
        let reason = view.last_exit.unwrap().reason;
        assert!(reason.starts_with("3 probes in a row failed"), "{reason}");
        let view = rig.until("ingest", |view| view.health == Health::Unhealthy).await;
        assert_eq!((view.state, view.restarts), (State::Running, 0));
        status.store(200, Ordering::Relaxed);
        rig.until("ingest", |view| view.health == Health::Healthy).await;
        rig.until("metrics", |view| view.health == Health::Healthy).await;
    }
    rig.finish().await;
}
