//! The dashboard's front end, embedded and compressed when this crate was built (see `build.rs` and `ui/`).
//!
//! Files under `/assets/` carry a hash of their content in their name and may be kept for ever; `/` names them and is
//! asked for each time, which costs no more than a 304.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

/// A built file in its three forms.
#[derive(Debug)]
struct File {
    /// Below the root, without the first slash.
    path: &'static str,
    /// Its `ETag`.
    tag: &'static str,
    plain: &'static [u8],
    brotli: &'static [u8],
    gzip: &'static [u8],
}

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/front_end.rs"));

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// `/` and `/assets/**`. When no front end was built in, `/` is `without_script`.
pub fn routes<S>(without_script: MethodRouter<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    match file("index.html") {
        Some(index) => Router::new()
            .route("/", get(async move |request: HeaderMap| answer(index, &request, ASK_AGAIN)))
            .route("/assets/{*name}", get(asset)),
        None => Router::new().route("/", without_script),
    }
}

async fn asset(Path(name): Path<String>, request: HeaderMap) -> Response {
    match file(&format!("assets/{name}")) {
        Some(file) => answer(file, &request, FOR_EVER),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

/// The file in the smallest form that the client takes, or that the client has it already.
fn answer(file: &File, request: &HeaderMap, cache: &'static str) -> Response {
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| names(known, file.tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        encoded(file, request)
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::ETAG, HeaderValue::from_static(file.tag));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}

fn encoded(file: &File, request: &HeaderMap) -> Response {
    let (bytes, encoding) = if accepts(request, "br") {
        (file.brotli, Some("br"))
    } else if accepts(request, "gzip") {
        (file.gzip, Some("gzip"))
    } else {
        (file.plain, None)
    };
    let mut response = Response::new(Body::from(Bytes::from_static(bytes)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(file.path)));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// Whether an `If-None-Match` names this tag; proxies may have made it weak or strong.
fn names(known: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.split(',').any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
}

/// Whether `Accept-Encoding` names the coding and does not refuse it by `q=0`.
fn accepts(request: &HeaderMap, coding: &str) -> bool {
    let offered = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).any(|offer| {
        let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
        let refused =
            weight.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case(coding) && !refused
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, Request};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    const SCRIPT: File =
        File { path: "assets/a.js", tag: "W/\"1\"", plain: b"plain", brotli: b"brotli", gzip: b"gzip" };

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    async fn body(response: Response) -> Bytes {
        response.into_body().collect().await.unwrap().to_bytes()
    }

    async fn ask(method: Method, path: &str, accept: &'static str) -> Response {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT_ENCODING, accept)
            .body(Body::empty());
        routes(get(async || "without script")).oneshot(request.unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_client_gets_the_smallest_form_that_it_takes() {
        for (accept, encoding, bytes) in [
            ("gzip, deflate, br, zstd", Some("br"), "brotli"),
            ("gzip, br;q=0", Some("gzip"), "gzip"),
            ("gzip;q=0.000, BR ; q=0.5", Some("br"), "brotli"),
            ("identity", None, "plain"),
        ] {
            let response = answer(&SCRIPT, &headers(&[(header::ACCEPT_ENCODING, accept)]), FOR_EVER);
            let sent = response.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap());
            assert_eq!(sent, encoding, "{accept}");
            assert_eq!(response.headers()[header::VARY], "accept-encoding");
            assert_eq!(body(response).await, bytes, "{accept}");
        }
    }

    #[tokio::test]
    async fn what_a_client_has_is_not_sent_again() {
        for (known, status) in [("\"0\", W/\"1\"", 304), ("\"1\"", 304), ("*", 304), ("W/\"2\"", 200)] {
            let response = answer(&SCRIPT, &headers(&[(header::IF_NONE_MATCH, known)]), ASK_AGAIN);
            assert_eq!(response.status(), status, "{known}");
            assert_eq!(response.headers()[header::ETAG], "W/\"1\"");
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
            assert_eq!(body(response).await.is_empty(), status == 304);
        }
    }

    #[tokio::test]
    async fn the_page_and_all_that_it_names_are_served() {
        let page = ask(Method::GET, "/", "identity").await;
        assert_eq!(page.status(), StatusCode::OK);
        if FILES.is_empty() {
            assert_eq!(body(page).await, "without script");
            return;
        }
        assert_eq!(page.headers()[header::CACHE_CONTROL], ASK_AGAIN);
        assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let text = String::from_utf8(body(page).await.to_vec()).unwrap();
        let named: Vec<&str> = text.split('"').filter(|word| word.starts_with("/assets/")).collect();
        assert!(
            named.iter().any(|name| name.ends_with(".js")) && named.iter().any(|name| name.ends_with(".css"))
        );
        for name in named {
            let asset = ask(Method::GET, name, "br").await;
            assert_eq!(asset.status(), StatusCode::OK, "{name}");
            assert_eq!(asset.headers()[header::CACHE_CONTROL], FOR_EVER);
            assert_eq!(asset.headers()[header::CONTENT_ENCODING], "br");
            assert!(!body(asset).await.is_empty());
            let head = ask(Method::HEAD, name, "identity").await;
            assert_eq!(head.status(), StatusCode::OK);
            assert!(body(head).await.is_empty());
        }
        assert_eq!(ask(Method::GET, "/assets/../index.html", "br").await.status(), StatusCode::NOT_FOUND);
        assert_eq!(ask(Method::POST, "/", "br").await.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn the_first_view_is_small() {
        // Design 11: at most 350 kB compressed. All files count, although not all are needed at once.
        for (form, size) in [
            ("brotli", FILES.iter().map(|file| file.brotli.len()).sum::<usize>()),
            ("gzip", FILES.iter().map(|file| file.gzip.len()).sum()),
        ] {
            assert!(size <= 350_000, "{form}: {size} bytes");
        }
    }
}
