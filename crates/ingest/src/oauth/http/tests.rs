//! Answers that are slow, endless or junk.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

fn url() -> Uri {
    Uri::from_static("https://login.example/token?x=1")
}

/// What comes of it when the server says `head` and then `filler` until nobody listens, or closes.
async fn answered(head: &str, filler: Option<u8>) -> std::result::Result<(u16, Bytes), String> {
    let (near, far) = duplex(4096);
    let form = vec![("code", SecretString::from("canary-secret-code"))];
    let url = url();
    let (done, ()) = tokio::join!(
        bounded(EXCHANGE, exchange(&url, &form, Box::new(near))),
        server(far, head.to_owned(), filler)
    );
    done
}

async fn server(mut far: DuplexStream, head: String, filler: Option<u8>) {
    let mut asked = vec![0; 4096];
    let length = far.read(&mut asked).await.unwrap();
    let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
    assert!(asked.starts_with("POST /token?x=1 HTTP/1.1\r\nhost: login.example\r\n"), "{asked}");
    far.write_all(head.as_bytes()).await.unwrap();
    while let Some(byte) = filler {
        if far.write_all(&[byte; 1024]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn an_answer_is_read_whole() {
    let (status, body) = answered("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", None).await.unwrap();
    assert_eq!((status, body.as_ref()), (200, b"{}".as_ref()));
    let (status, body) =
        answered("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", None).await.unwrap();
    assert_eq!((status, body.as_ref()), (302, b"".as_ref()), "nothing is followed");
}

#[tokio::test]
async fn what_has_no_end_or_is_no_http_is_a_fault() {
    for (head, filler) in [
        ("HTTP/1.1 200 OK\r\n\r\n", Some(b'x')),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", Some(b'{')),
        ("HTTP/1.1 200 OK\r\nX: ", Some(b'x')),
        ("* OK IMAP4rev1 ready\r\n", None),
        ("", None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", None),
    ] {
        let fault = answered(head, filler).await.unwrap_err();
        assert!(!fault.contains("canary"), "{fault}");
    }
}

#[tokio::test]
async fn silence_is_not_waited_for_without_end() {
    let (near, _far) = duplex(4096);
    let fault = bounded(Duration::from_millis(1), exchange(&url(), &Form::new(), Box::new(near))).await;
    assert_eq!(fault.unwrap_err(), "no answer within 0 s");
}
