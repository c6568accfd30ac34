//! Listening: bad clients, Unix sockets, the end.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use vigie_common::shutdown::Shutdown;
use vigie_web::{Access, Listener, Visitor, serve};

use crate::face::{Face, loaded};

const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let face = Face::start("127.0.0.1:2812", "").await;
    let headers = format!("Origin: http://{}\r\n", face.host());
    let answer = face.ask("POST /", &headers, &"x".repeat(70_000)).await;
    assert_eq!(answer.status, 413);
    let answer = face.get("/", &format!("X: {}\r\n", "x".repeat(100_000))).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems() {
    let face = Face::start("127.0.0.1:2812", "").await;
    let answer = face.get("/nowhere", "").await;
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")));
    let page = face.get("/", "").await;
    let token = page.body.rsplit(' ').next().unwrap();
    let answer = face.post("/healthz", &page.cookie(), &format!("csrf={token}")).await;
    assert_eq!((answer.status, answer.header("content-type")), (405, Some("application/problem+json")));
}

#[tokio::test]
async fn the_owner_of_the_unix_socket_is_an_operator() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let access = Access::open(&loaded(folder.path(), ""), "127.0.0.1:1".parse().unwrap()).unwrap();
    let who = |visitor: Visitor| async move { visitor.role().as_str() };
    let router = access.guard(Router::new().route("/", get(who).post(who)));
    let shutdown = Shutdown::new();
    let listener = Listener::bind_unix(&path).unwrap();
    let served = tokio::spawn(serve(listener, router, shutdown.clone()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("operator"), "{answer}");
    shutdown.cancel();
    timeout(DEADLINE, served).await.unwrap().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_in_the_place_of_the_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.toml");
    std::fs::write(&path, "precious").unwrap();
    let error = Listener::bind_unix(&path).unwrap_err().to_string();
    assert!(error.contains("no socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn an_address_that_is_taken_is_told() {
    let first = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = first.address().unwrap();
    let error = Listener::bind(address).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
}

#[tokio::test]
async fn what_is_for_this_machine_alone_takes_no_other_host() {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;
    let router = vigie_web::local_only(Router::new().route("/", get(|| async { "ours" })));
    for (host, status) in [
        (Some("localhost:2814"), 200),
        (Some("[::1]"), 200),
        (Some("127.0.0.1:2814"), 200),
        (Some("evil.example"), 421),
        (Some("192.0.2.1:2814"), 421),
        (Some(""), 421),
        (None, 421),
    ] {
        let request = host.into_iter().fold(Request::builder().uri("/"), |r, host| r.header("host", host));
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{host:?}");
    }
}
