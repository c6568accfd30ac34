//! Every answer, as it is.

use insta::assert_json_snapshot;
use vigie_common::document::Mode;
use vigie_metrics::standing::State;

use crate::place::{Face, Place, mail, store, watch_inbox};

async fn face(place: &Place) -> Face {
    let mut archive = place.archive();
    let mut entries = vec![
        mail("demo", 1, "2024-10-26T22:30:00Z"),
        mail("demo", 2, "2024-10-27T00:30:00Z"),
        mail("demo", 3, "2024-10-27T01:30:00Z"),
        mail("shop", 4, "2024-10-27T23:30:00Z"),
        mail("shop", 5, ""),
    ];
    entries[2].from = None;
    entries[2].domain = None;
    store(&mut archive, entries);
    watch_inbox(&mut archive, "demo", "Posteingang", 5);
    // Its writer lives on.
    std::mem::forget(archive);
    let face = Face::start(place, "");
    face.counted(5).await;
    face
}

const RANGE: &str = "from=2024-10-26T22:00:00Z&to=2024-10-28T23:00:00Z&tz=Europe/Paris";

#[tokio::test]
async fn series() {
    let place = Place::new();
    let face = face(&place).await;
    for (name, path) in [
        ("messages", format!("messages?{RANGE}&bucket=1d")),
        ("messages_by_account", format!("messages?{RANGE}&bucket=1w&group_by=account")),
        ("messages_by_mailbox", format!("messages?{RANGE}&bucket=1mo&group_by=mailbox&limit=1")),
        ("messages_by_domain", format!("messages?{RANGE}&bucket=1d&group_by=domain")),
        ("bytes_of_account", format!("bytes?{RANGE}&bucket=1d&account=demo")),
        ("senders", format!("senders?{RANGE}&bucket=1d")),
        ("delay", format!("delay?{RANGE}&bucket=1d")),
        ("sizes", format!("sizes?{RANGE}")),
        ("host_memory", format!("host_memory?{RANGE}&bucket=1d")),
    ] {
        assert_json_snapshot!(name, face.json(&format!("/api/v1/series/{path}")).await);
    }
    let hours = face.json(&format!("/api/v1/series/hours?{RANGE}")).await;
    let points = hours["series"][0]["points"].as_array().unwrap();
    assert_eq!(points.len(), 168);
    let counted: Vec<_> = points.iter().filter(|point| point[2] != 0).collect();
    // 2:30 was there twice that Sunday.
    assert_eq!(serde_json::to_string(&counted).unwrap(), "[[1,0,1],[7,0,1],[7,2,2]]");
}

#[tokio::test]
async fn the_rest() {
    let place = Place::new();
    let face = face(&place).await;
    assert_json_snapshot!("session", face.json("/api/v1/session").await);
    let mut summary = face.json("/api/v1/summary?tz=Europe/Paris").await;
    // The clock is not ours.
    for day in ["today", "yesterday", "last_24_hours"] {
        assert!(summary[day]["messages"].is_u64());
        summary[day] = "[amount]".into();
    }
    assert_json_snapshot!("summary", summary);
    assert_json_snapshot!("mailboxes", face.json("/api/v1/mailboxes").await);
    assert_json_snapshot!("senders_by_address", face.json(&format!("/api/v1/senders?{RANGE}")).await);
    assert_json_snapshot!(
        "senders_by_domain",
        face.json(&format!("/api/v1/senders?{RANGE}&by=domain&limit=1")).await
    );
    let host = face.get("/api/v1/host", "").await;
    assert_eq!((host.status, host.kind.as_str()), (503, "application/problem+json"));
}

#[tokio::test]
async fn tables_and_drawings() {
    let place = Place::new();
    let face = face(&place).await;
    let csv = face.get(&format!("/api/v1/series/messages.csv?{RANGE}&bucket=1d&group_by=account"), "").await;
    assert_eq!(csv.kind, "text/csv; charset=utf-8");
    insta::assert_snapshot!("messages_csv", csv.body);
    let csv = face.get(&format!("/api/v1/series/sizes.csv?{RANGE}"), "").await;
    insta::assert_snapshot!("sizes_csv", csv.body);
    for metric in ["messages", "bytes", "senders", "delay", "sizes", "hours", "host_cpu", "host_network"] {
        let drawn = face.get(&format!("/api/v1/series/{metric}.svg?{RANGE}&width=500"), "").await;
        assert_eq!((drawn.status, drawn.kind.as_str()), (200, "image/svg+xml"), "{metric}: {}", drawn.body);
        let whole = drawn.body.starts_with("<svg width=\"500\"") && drawn.body.trim_end().ends_with("</svg>");
        assert!(whole, "{metric}: {}", drawn.body);
        assert!(metric == "sizes" || drawn.body.contains("Europe/Paris"), "{metric}");
    }
    let page = face.get("/", "").await;
    assert!(page.body.contains("/api/v1/series/messages.svg"), "{}", page.body);
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let place = Place::new();
    let face = Face::start(&place, "");
    for (path, status, said) in [
        ("series/mesages", 404, "did you mean `messages`?"),
        ("series/messages?form=now", 400, "did you mean `from`?"),
        ("series/messages?width=9", 400, "unknown parameter"),
        ("series/messages?tz=Mars", 400, "Europe/Paris"),
        ("series/messages?from=now&to=now-1d", 400, "before `to`"),
        ("series/messages?bucket=2d", 400, "1mo"),
        ("series/messages?group_by=sender", 400, "domain"),
        ("series/delay?group_by=account", 400, "only messages and bytes"),
        ("series/messages?limit=51", 400, "from 1 to 50"),
        ("series/host_cpu?account=demo", 400, "not of an account"),
        ("senders?by=name", 400, "address or domain"),
        ("summary?tz=Europe/Pari", 400, "unknown time zone"),
        ("mailboxes?limit=1", 400, "none is known here"),
        ("nothing", 404, "nothing at this address"),
    ] {
        let answer = face.get(&format!("/api/v1/{path}"), "").await;
        assert_eq!((answer.status, answer.kind.as_str()), (status, "application/problem+json"), "{path}");
        assert!(answer.body.contains(said), "{path}: {}", answer.body);
    }
    let wrong = face.get("/api/v1/series/messages?tz=Mars", "").await;
    assert_json_snapshot!("problem", crate::place::steady(serde_json::from_str(&wrong.body).unwrap()));
}

#[tokio::test]
async fn without_an_archive_there_are_zeros() {
    let place = Place::new();
    let face = Face::start(&place, "");
    face.state(State::Waiting).await;
    let summary = face.json("/api/v1/summary").await;
    assert_eq!((&summary["messages"], &summary["index"]["state"]), (&0.into(), &"waiting".into()));
    let series = face.json("/api/v1/series/messages?from=now-2d&bucket=1d").await;
    assert_eq!((&series["series"][0]["total"], &series["complete"]), (&0.into(), &false.into()));
    assert_eq!(series["series"][0]["points"][0][1], 0);
    let ahead = face.json("/api/v1/series/messages?from=now&to=now%2B3d&bucket=1d").await;
    assert_eq!(ahead["series"][0]["points"][2][1], serde_json::Value::Null, "nobody knows the future");
    assert_eq!(face.json("/api/v1/mailboxes").await["items"], serde_json::json!([]));
}

#[tokio::test]
async fn prometheus_reads_both_formats() {
    let place = Place::new();
    let face = face(&place).await;
    let text = face.get("/metrics", "").await;
    assert!(text.kind.starts_with("text/plain; version=0.0.4"), "{}", text.kind);
    for line in [
        "vigie_build_info{version=",
        "vigie_mailbox_messages{account=\"demo\",mailbox=\"Posteingang\",side=\"server\"} 5",
        "vigie_store_bytes{account=\"shop\"} 9000",
        "vigie_index_behind_events 0",
        "vigie_ingest_up 1",
        "vigie_ingest_lag_seconds{account=\"demo\"}",
    ] {
        assert!(text.body.contains(line), "{line} in {}", text.body);
    }
    let again = face.get("/metrics", "").await;
    let counted = "vigie_http_requests_total{route=\"/metrics\",method=\"GET\",status=\"200\"} 1";
    assert!(again.body.contains(counted), "{}", again.body);
    let accept = axum::http::Request::get("/metrics").header("accept", "application/openmetrics-text");
    let open = face.send(accept, String::new()).await;
    assert!(open.kind.starts_with("application/openmetrics-text") && open.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_stream_tells_what_changes() {
    let place = Place::new();
    let mut archive = place.archive();
    store(&mut archive, vec![mail("demo", 1, "2024-10-26T22:30:00Z")]);
    let face = Face::start(&place, "");
    face.counted(1).await;
    assert_eq!(face.get("/api/v1/stream?tz=Mars", "").await.status, 400);
    let mut stream = face.stream("/api/v1/stream?tz=Europe/Paris", "").await;
    let first = stream.event("summary").await;
    assert_eq!((&first["messages"], &first["tz"]), (&1.into(), &"Europe/Paris".into()));
    assert!(stream.event("mailboxes").await["items"].is_array());
    let mut live = mail("demo", 2, "2024-10-26T22:30:00Z");
    live.mode = Mode::Live;
    store(&mut archive, vec![live]);
    let told = stream.event("messages").await;
    assert_eq!((&told["new"], &told["latest"][0]["subject"]), (&1.into(), &"a secret plan".into()));
    assert_eq!(stream.event("summary").await["messages"], 2);
    face.stop();
    assert!(stream.ends().await, "the stream ends with the program");
}
