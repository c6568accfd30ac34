//! `/login` and `/logout`: plain forms, which work without script.

use std::net::{IpAddr, Ipv4Addr};

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Router};
use serde::Deserialize;
use vigie_common::clock;
use vigie_common::text::inert;

use super::guard::{Token, cookie_name};
use super::session::{LIFETIME, Session};
use super::{Access, Visitor, password};
use crate::{Peer, Problem};

/// Where the style of the pages that the server renders lies.
pub(super) const STYLE: &str = "/login/style.css";
/// Longer passwords are none: Argon2 would take its time over them.
const LONGEST: usize = 1024;

pub(super) fn routes(access: Access) -> Router {
    Router::new()
        .route("/login", get(form).post(log_in))
        .route("/logout", post(log_out))
        .route(STYLE, get(style))
        .with_state(access)
}

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'a> {
    csrf: &'a str,
    next: &'a str,
    name: &'a str,
    fault: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

async fn form(
    State(access): State<Access>,
    Query(wanted): Query<Wanted>,
    Extension(Token(csrf)): Extension<Token>,
    visitor: Option<Extension<Visitor>>,
) -> Response {
    let next = local(&wanted.next);
    if visitor.is_some() || access.is_open() {
        return Redirect::to(next).into_response();
    }
    page(StatusCode::OK, &Page { csrf: &csrf, next, name: "", fault: None })
}

async fn log_in(
    State(access): State<Access>,
    peer: Option<Extension<Peer>>,
    Extension(Token(csrf)): Extension<Token>,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Response {
    let address = counted_as(peer.map(|Extension(peer)| peer), &headers);
    let next = local(&given.next);
    let again = |status, fault: &str| {
        page(status, &Page { csrf: &csrf, next, name: &given.name, fault: Some(fault) })
    };
    // One at a time, counted before the next one is compared: many at once do not get around the count.
    let Ok(_turn) = access.0.hashing.acquire().await else {
        return Problem::unavailable("ending").into_response();
    };
    let may = access.0.attempts.lock().map_or(Ok(()), |mut attempts| attempts.may(address, clock::now()));
    if let Err(wait) = may {
        let seconds = wait.as_secs().max(1);
        let mut response =
            again(StatusCode::TOO_MANY_REQUESTS, &format!("Too many failures. Try again in {seconds} s."));
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.unsigned_abs()));
        return response;
    }
    let user = access.user(&given.name);
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let given_password = given.password.clone();
    let right = given_password.len() <= LONGEST
        && tokio::task::spawn_blocking(move || password::verify(&given_password, hash.as_deref()))
            .await
            .unwrap_or(false);
    let Some(user) = user.filter(|_| right) else {
        if let Ok(mut attempts) = access.0.attempts.lock() {
            attempts.failed(address, clock::now());
        }
        tracing::warn!(user = inert(&given.name, 40), peer = %address, "log-in refused");
        return again(StatusCode::FORBIDDEN, "This name and password do not belong together.");
    };
    tracing::info!(user = user.name, peer = %address, "logged in");
    let session = Session::of(&user.name, &user.password_hash, &access.0.key, clock::now(), rand::random());
    let mut response = Redirect::to(next).into_response();
    if let Some(cookie) = cookie(&access, &session) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Whose failures these are. Behind a proxy of this machine it is who the proxy says, in what it has added last: else
/// one stranger's guesses would lock everybody out.
fn counted_as(peer: Option<Peer>, headers: &HeaderMap) -> IpAddr {
    let Some(Peer::Tcp(address)) = peer else { return Ipv4Addr::UNSPECIFIED.into() };
    let near = address.ip().to_canonical();
    let told = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    let told = told.and_then(|all| all.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    if near.is_loopback() { told.map_or(near, |told| told.to_canonical()) } else { near }
}

async fn log_out(State(access): State<Access>) -> Response {
    let mut headers = HeaderMap::new();
    if let Ok(gone) = HeaderValue::from_str(&set_cookie(&access, "", 0)) {
        headers.insert(header::SET_COOKIE, gone);
    }
    (headers, Redirect::to("/login")).into_response()
}

async fn style() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, include_str!("../../assets/style.css")).into_response()
}

/// The header that gives a browser a session.
pub(super) fn cookie(access: &Access, session: &Session) -> Option<HeaderValue> {
    let cookie = set_cookie(access, &session.sealed(&access.0.key), LIFETIME.as_secs());
    HeaderValue::from_str(&cookie).ok()
}

fn set_cookie(access: &Access, value: &str, seconds: i64) -> String {
    let https = access.0.place.is_https();
    let secure = if https { "; Secure" } else { "" };
    let name = cookie_name(https);
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

fn page(status: StatusCode, page: &Page<'_>) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// Where to go on, if that is a place of this server; else its beginning.
fn local(next: &str) -> &str {
    let plain = next.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'\\');
    if next.starts_with('/') && !next.starts_with("//") && plain { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_proxy_each_has_failures_of_their_own() {
        let mut headers = HeaderMap::new();
        let counted = |peer: &str, headers: &HeaderMap| {
            counted_as(Some(Peer::Tcp(peer.parse().unwrap())), headers).to_string()
        };
        assert_eq!(counted("127.0.0.1:1", &headers), "127.0.0.1");
        headers.insert("x-forwarded-for", HeaderValue::from_static("203.0.113.9, 192.0.2.1"));
        assert_eq!(counted("127.0.0.1:1", &headers), "192.0.2.1");
        // A client that is not our proxy says what it likes.
        assert_eq!(counted("198.51.100.7:1", &headers), "198.51.100.7");
    }

    #[test]
    fn nobody_is_led_elsewhere() {
        assert_eq!(local("/services?x=1"), "/services?x=1");
        for elsewhere in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a\r\nb", "/\t/evil"]
        {
            assert_eq!(local(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
