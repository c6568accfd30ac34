//! Who may see what: accounts, addresses, subjects; sums included.

use axum::http::Request;
use vigie_common::document::Mode;
use vigie_web::access::hash_password;

use crate::place::{Face, Place, mail, refuse_inbox, store, watch_inbox};

async fn log_in(face: &Face, user: &str) -> String {
    let form = face.get("/login", "").await;
    let cookie = form.cookie.split(';').next().unwrap().to_owned();
    let (_, rest) = form.body.split_once("name=\"csrf\" value=\"").unwrap();
    let token = rest.split('"').next().unwrap();
    let request = Request::post("/login")
        .header("cookie", &cookie)
        .header("origin", "http://127.0.0.1:2813")
        .header("content-type", "application/x-www-form-urlencoded");
    let body = serde_urlencoded::to_string([
        ("name", user),
        ("user", user),
        ("password", "open sesame"),
        ("csrf", token),
    ]);
    let answer = face.send(request, body.unwrap()).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.cookie.split(';').next().unwrap().to_owned()
}

/// Configures users by name, role and accounts; they have one password.
fn users(all: &[(&str, &str, &str)]) -> String {
    let hash = hash_password("open sesame").unwrap();
    let user = |(name, role, accounts): &(&str, &str, &str)| {
        format!(
            "[[user]]\nname = \"{name}\"\npassword_hash = \"{hash}\"\nrole = \"{role}\"\naccounts = [\"{accounts}\"]\n"
        )
    };
    all.iter().map(user).collect()
}

#[tokio::test]
async fn what_a_server_says_is_for_readers() {
    let place = Place::new();
    let mut archive = place.archive();
    store(&mut archive, vec![mail("shop", 1, "2026-01-05T00:00:00Z")]);
    refuse_inbox(&mut archive, "shop");
    let face = Face::start(&place, &users(&[("ada", "reader", "shop"), ("bob", "charts", "shop")]));
    face.counted(1).await;
    face.look();
    let (ada, bob) = (log_in(&face, "ada").await, log_in(&face, "bob").await);
    face.app.health.set_alarms(face.app.alarms.borrow().iter().map(|found| found.alarm.clone()).collect());
    for user in [&ada, &bob] {
        let ready = face.get("/readyz", user).await.body;
        assert!(!ready.contains("alarms"), "{ready}");
    }
    for path in ["/api/v1/summary", "/api/v1/mailboxes"] {
        let (told, kept) = (face.get(path, &ada).await.body, face.get(path, &bob).await.body);
        assert!(told.contains("owner@shop.example"), "{path}: {told}");
        assert!(
            kept.contains("refused") && !kept.contains('@') && !kept.contains("no such"),
            "{path}: {kept}"
        );
    }
    let mut stream = face.stream("/api/v1/stream", &bob).await;
    for event in ["summary", "mailboxes"] {
        let kept = stream.event(event).await.to_string();
        assert!(kept.contains("refused") && !kept.contains('@'), "{event}: {kept}");
    }
}

#[tokio::test]
async fn a_user_sees_its_accounts_alone() {
    let place = Place::new();
    let mut archive = place.archive();
    let mut entries = vec![mail("demo", 1, "2026-01-05T00:00:00Z"), mail("shop", 2, "2026-01-06T00:00:00Z")];
    entries[1].mode = Mode::Live;
    store(&mut archive, entries);
    for account in ["demo", "shop"] {
        watch_inbox(&mut archive, account, "INBOX", 1);
    }
    let config = users(&[("ada", "reader", "demo"), ("bob", "charts", "*")]);
    let face = Face::start(&place, &config);
    face.counted(2).await;

    let nobody = face.get("/api/v1/summary", "").await;
    assert_eq!((nobody.status, nobody.kind.as_str()), (401, "application/problem+json"));
    let ready = face.get("/readyz", "").await;
    assert!(!ready.body.contains("alarms"), "{}", ready.body);

    let ada = log_in(&face, "ada").await;
    for path in
        ["summary", "mailboxes", "senders?from=now-9y", "series/messages?from=now-9y&group_by=account"]
    {
        let answer = face.get(&format!("/api/v1/{path}"), &ada).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(answer.body.contains("demo") || path.starts_with("senders"), "{path}: {}", answer.body);
        assert!(!answer.body.contains("shop") && !answer.body.contains("person0"), "{path}: {}", answer.body);
    }
    let summary: serde_json::Value =
        serde_json::from_str(&face.get("/api/v1/summary", &ada).await.body).unwrap();
    assert_eq!((&summary["messages"], &summary["bytes"]), (&1.into(), &1000.into()));
    assert_eq!((&summary["mailboxes"]["total"], &summary["index"]["last_seq"]), (&1.into(), &().into()));
    assert_eq!(face.get("/api/v1/series/messages?account=shop", &ada).await.status, 403);
    assert_eq!(face.get("/api/v1/series/messages?account=none", &ada).await.status, 403);
    assert_eq!(summary["index"]["records_behind"], serde_json::Value::Null);
    let metrics = face.get("/metrics", &ada).await.body;
    assert!(metrics.contains("demo") && !metrics.contains("shop"), "{metrics}");
    assert!(!metrics.contains("index_behind"), "{metrics}");

    let bob = log_in(&face, "bob").await;
    assert_eq!(face.get("/api/v1/senders?by=address", &bob).await.status, 403);
    let domains = face.get("/api/v1/senders?from=now-9y", &bob).await;
    assert!(domains.body.contains("\"by\":\"domain\"") && !domains.body.contains('@'), "{}", domains.body);
    let session = face.get("/api/v1/session", &bob).await;
    assert!(session.body.contains(r#"{"name":"bob","role":"charts"},"open":false"#), "{}", session.body);
}
