//! The checks that each request passes, in their order.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;
use vigie_common::clock;

use super::session::Session;
use super::{Access, Visitor, headers, login};
use crate::health::MaySeeAlarms;
use crate::host::misdirected;
use crate::token::same;
use crate::{Peer, Problem};

/// A request's body is complete within this, and no larger than that.
const BODY: (Duration, usize) = (Duration::from_secs(10), 64 * 1024);
/// What everybody may ask for.
const PUBLIC: [&str; 4] = ["/healthz", "/readyz", "/login", login::STYLE];
/// What is there before the first password is set.
const SETUP: [&str; 3] = ["/healthz", "/setup", login::STYLE];
/// Headers by which a proxy says that the visitor is somebody else than the peer.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];
const TOKEN: &str = "x-csrf-token";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Name of the cookie.
pub(super) fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-vigie" } else { "vigie" }
}

pub(super) async fn pass(State(access): State<Access>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let id = format!("{:016x}", rand::random::<u64>());
    let mut response = match checked(&access, request).await {
        Ok((request, cookie)) => {
            let mut response = next.run(request).await;
            if let Some(cookie) = cookie
                && !response.headers().contains_key(header::SET_COOKIE)
            {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(refused) => *refused,
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let kept = std::mem::take(response.headers_mut());
        response = problem.about(&path, &id).into_response();
        for (name, value) in &kept {
            // They were about the body that is gone, which may have been compressed on its way here.
            if !matches!(*name, header::CONTENT_TYPE | header::CONTENT_LENGTH | header::CONTENT_ENCODING) {
                response.headers_mut().insert(name, value.clone());
            }
        }
    }
    headers::complete(response.headers_mut());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The request as the router gets it, and the cookie of a session that has just begun; or the refusal.
async fn checked(access: &Access, request: Request) -> Result<(Request, Option<HeaderValue>), Box<Response>> {
    let refuse = |problem: Problem| Box::new(problem.into_response());
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let peer = parts.extensions.get::<Peer>().copied();
    let safe = matches!(parts.method, Method::GET | Method::HEAD);

    if matches!(peer, Some(Peer::Unix { .. })) {
        parts.extensions.insert(Visitor::local());
        parts.extensions.insert(MaySeeAlarms);
        return Ok((Request::from_parts(parts, body), None));
    }

    let host = text(&parts.headers, &header::HOST).unwrap_or_default().to_owned();
    if !access.0.place.takes_host(&host) {
        let problem = misdirected(
            "this address does not belong to this server: use the one that it listens on, or set [web] origin to the one that people type",
        );
        return Err(refuse(problem));
    }
    if access.needs_setup() && !SETUP.contains(&path.as_str()) {
        return Err(refuse(Problem::unavailable(
            "the first password is not set yet: open the link that the log of the supervisor's start shows",
        )));
    }

    let now = clock::now();
    let name = cookie_name(access.0.place.is_https());
    let mut session = cookie(&parts.headers, name).and_then(|value| Session::open(value, &access.0.key, now));
    let visitor = visitor(access, session.as_ref(), peer, &parts.headers);
    let open = visitor.as_ref().is_some_and(|v| v.name().is_none());

    if safe {
        let mut begun = None;
        if session.is_none() && (open || matches!(path.as_str(), "/login" | "/setup")) {
            let guest = Session::guest(now, rand::random());
            begin(access, &mut parts.headers, name, &guest);
            begun = login::cookie(access, &guest);
            session = Some(guest);
        }
        let csrf = session.map(|s| s.csrf(&access.0.key)).unwrap_or_default();
        let visitor = visitor.map(|v| v.with_csrf(&csrf));
        parts.extensions.insert(Token(csrf));
        let Some(visitor) = visitor else {
            if PUBLIC.contains(&path.as_str()) || path == "/setup" {
                return Ok((Request::from_parts(parts, Body::empty()), begun));
            }
            return Err(Box::new(unknown(access, &parts.headers, &parts.uri)));
        };
        if visitor.reads_everything() {
            parts.extensions.insert(MaySeeAlarms);
        }
        parts.extensions.insert(visitor);
        // A GET has no body that anybody here would read.
        return Ok((Request::from_parts(parts, Body::empty()), begun));
    }

    let origin = text(&parts.headers, &header::ORIGIN).unwrap_or_default();
    if !access.0.place.takes_origin(origin, &host) {
        return Err(refuse(Problem::forbidden(
            "changes are taken from pages of this server alone: the Origin of this request is another, or missing",
        )));
    }
    let body = whole(body).await.map_err(refuse)?;
    let csrf = session.map(|s| s.csrf(&access.0.key)).unwrap_or_default();
    if csrf.is_empty() || given(&parts.headers, &body).is_none_or(|token| !same(&token, &csrf)) {
        return Err(refuse(Problem::forbidden(
            "the token of the form is missing or of another session: load the page again, then repeat what you did",
        )));
    }
    match visitor {
        Some(visitor) => {
            parts.extensions.insert(visitor.with_csrf(&csrf));
        }
        None if matches!(path.as_str(), "/login" | "/setup" | "/logout") => {}
        None => return Err(refuse(Problem::unauthenticated())),
    }
    parts.extensions.insert(Token(csrf));
    Ok((Request::from_parts(parts, body.into()), None))
}

/// The token of the session, also where nobody is logged in: for the forms of `/login` and `/setup`. An extension of
/// each request that passes the guard.
#[derive(Debug, Clone)]
pub struct Token(pub String);

fn visitor(
    access: &Access,
    session: Option<&Session>,
    peer: Option<Peer>,
    headers: &HeaderMap,
) -> Option<Visitor> {
    if access.0.users.now().is_empty() {
        let near = matches!(peer, Some(Peer::Tcp(address)) if address.ip().to_canonical().is_loopback());
        let direct = !FORWARDED.iter().any(|name| headers.contains_key(*name));
        return (near && direct && access.0.place.is_local()).then(Visitor::local);
    }
    let session = session?;
    let user = access.user(session.user.as_deref()?)?;
    session.knows(&user.password_hash, &access.0.key).then(|| Visitor::of(&user))
}

/// Makes a request carry the session that it begins: a face behind this one must see the same.
fn begin(access: &Access, headers: &mut HeaderMap, name: &str, session: &Session) {
    let ours = format!("{name}={}", session.sealed(&access.0.key));
    let all = match text(headers, &header::COOKIE) {
        Some(others) => format!("{ours}; {others}"),
        None => ours,
    };
    if let Ok(value) = HeaderValue::from_str(&all) {
        headers.insert(header::COOKIE, value);
    }
}

/// Programs are told, people are led to the log-in page.
fn unknown(access: &Access, headers: &HeaderMap, uri: &axum::http::Uri) -> Response {
    if access.0.users.now().is_empty() {
        return Problem::forbidden("no user exists, so only this machine is served, directly")
            .into_response();
    }
    let page = text(headers, &header::ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    if !page || uri.path().starts_with("/api/") {
        return Problem::unauthenticated().into_response();
    }
    let wanted = uri.path_and_query().map_or("/", |p| p.as_str());
    let next = serde_urlencoded::to_string([("next", wanted)]).unwrap_or_default();
    Redirect::to(&format!("/login?{next}")).into_response()
}

async fn whole(body: Body) -> Result<Bytes, Problem> {
    let read = timeout(BODY.0, Limited::new(body, BODY.1).collect()).await;
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large");
            Err(problem.detail(format!("at most {} octets are taken", BODY.1)))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "a body was not read");
            let problem = Problem::new(StatusCode::BAD_REQUEST, "broken-body", "The body cannot be read");
            Err(problem)
        }
        Err(_) => {
            let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-body", "The body came too slowly");
            Err(problem)
        }
    }
}

/// The token that a request carries.
fn given(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    if let Some(token) = headers.get(TOKEN) {
        return token.to_str().ok().map(str::to_owned);
    }
    let form = text(headers, &header::CONTENT_TYPE)?.starts_with("application/x-www-form-urlencoded");
    if !form {
        return None;
    }
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(body).ok()?;
    fields.into_iter().find(|(name, _)| name == "csrf").map(|(_, token)| token)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}
