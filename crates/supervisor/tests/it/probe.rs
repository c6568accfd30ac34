//! A port that listens is not yet life: the service is asked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vigie_supervisor::service::numbers::Numbers;
use vigie_supervisor::service::words::{Health, State, Verb};
use vigie_supervisor::settings::{Kind, Service};

use crate::place::*;

/// Answers every /healthz by a status, 0 for no answer at all; every /readyz by a 404.
async fn page(status: Arc<AtomicU16>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            let status = if request[..length].starts_with(b"GET /readyz HTTP/1.1\r\n") {
                404
            } else {
                assert!(request[..length].starts_with(b"GET /healthz HTTP/1.1\r\n"));
                status.load(Ordering::Relaxed)
            };
            match status {
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

/// Answers /healthz by 200, and whoever shows the token of `environment` by `alarms`.
async fn alarmed(environment: PathBuf, alarms: Arc<Mutex<String>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            let token = std::fs::read_to_string(&environment).unwrap();
            let known = request.contains(&format!("authorization: bearer {}\r\n", token.trim()));
            let (code, body) = match request.starts_with("get /readyz ") {
                true if known && !token.trim().is_empty() => (503, alarms.lock().unwrap().clone()),
                true => (500, "{\"alarms\": []}".to_owned()),
                false => (200, String::new()),
            };
            let head = format!("HTTP/1.1 {code} As told\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    address
}

fn alarm(text: &str) -> String {
    format!(
        r#"{{"code": "mailbox-stale", "subject": "support/INBOX", "since": "2026-01-01T00:00:00Z", "text": "{text}"}}"#
    )
}

#[tokio::test]
async fn alarms_of_a_service_reach_its_view_and_restart_nothing() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().to_owned();
    let alarms =
        Arc::new(Mutex::new(format!(r#"{{"ready": false, "alarms": [{}]}}"#, alarm("over\\u001b[2J"))));
    let address = alarmed(data.join("token"), Arc::clone(&alarms)).await;
    let numbers = Numbers { probe_every: Duration::from_millis(20), ..quick() };
    let script = "printenv VIGIE_PROBE_TOKEN > token";
    let shell = |id: &str, kind, probe, file: &str| {
        let mut service = Service::program(id, &["sh", "-c", &format!("{script}{file}; exec sleep 1000")]);
        (service.kind, service.probe) = (kind, probe);
        service
    };
    let services = vec![
        shell("metrics", Kind::Metrics, Some(address), ""),
        shell("other", Kind::Service, None, "-other"),
    ];
    let rig = Rig::with(place, settings(&data, services, numbers)).await;

    let view = rig.until("metrics", |view| !view.alarms.is_empty()).await;
    assert_eq!(view.alarms.len(), 1);
    assert_eq!(view.alarms[0].code, "mailbox-stale");
    assert_eq!(view.alarms[0].text, "over\\u{1b}[2J");
    assert_eq!((view.health, view.restarts), (Health::Healthy, 0));
    eventually("the other one is told no token", || data.join("token-other").exists()).await;
    assert_eq!(std::fs::read_to_string(data.join("token-other")).unwrap(), "");

    let many = vec![alarm("again"); 150].join(",");
    *alarms.lock().unwrap() = format!(r#"{{"ready": true, "alarms": [{many}]}}"#);
    rig.until("metrics", |view| view.alarms.len() == 100).await;
    *alarms.lock().unwrap() = r#"{"ready": true, "alarms": []}"#.into();
    let view = rig.until("metrics", |view| view.alarms.is_empty()).await;
    assert_eq!((view.state, view.restarts), (State::Running, 0));
    *alarms.lock().unwrap() = format!(r#"{{"alarms": [{}]}}"#, alarm("last"));
    rig.until("metrics", |view| view.alarms.len() == 1).await;
    rig.command("metrics", Verb::Stop).await;
    rig.until("metrics", |view| view.state == State::Stopped && view.alarms.is_empty()).await;
    rig.finish().await;
}
