//! The flow of programs on a person's machine (RFC 8252): the browser brings the answer to an address of this machine; where
//! it cannot, the person pastes the address that it ended at. With PKCE (RFC 7636), so that the answer is of use to us
//! alone.

use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use openssl::sha::sha256;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use vigie_common::config::Provider;

use super::answer::{Grant, Refusal};
use super::client::Client;
use crate::error::{Error, Result};

/// A person takes no longer.
const PERSON: Duration = Duration::from_mins(15);

/// What the provider's page sends the browser back with.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Returned {
    #[serde(default)]
    code: String,
    state: Option<String>,
    error: Option<String>,
    #[serde(default)]
    error_description: String,
}

/// Shows a person what to do by `show`, and waits for the browser, or a line in `pasted`.
///
/// # Errors
/// [`Error::Token`]: said no, or not in time. Others: the server is not to be reached, or no port of this machine is free.
pub async fn by_loopback(
    client: &Client,
    show: impl Fn(&str),
    mut pasted: mpsc::Receiver<String>,
) -> Result<Grant> {
    let no_port = |e: std::io::Error| Error::Internal(format!("no port of this machine is free: {e}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(no_port)?;
    let port = listener.local_addr().map_err(no_port)?.port();
    let name = match client.settings().provider {
        // Microsoft lets the port be any for this name alone.
        Provider::Microsoft => "localhost",
        _ => "127.0.0.1",
    };
    let redirect = format!("http://{name}:{port}");
    let (state, verifier) = (random(), random());
    let url = page(client, &redirect, &state, &verifier)?;
    show(&format!("Open this address in a browser, log in as {}, and agree:\n\n{url}\n", client.user()));
    show(
        "Where the browser is on another machine, it ends at an address that it cannot open: paste that address here.",
    );
    let (sender, mut browser) = mpsc::channel(1);
    let mut server = JoinSet::new();
    let expected = state.clone();
    let router = Router::new().fallback(move |uri: Uri| answered(uri, expected.clone(), sender.clone()));
    server.spawn(async move { axum::serve(listener, router).await });
    let returned = timeout(PERSON, async {
        let mut open = true;
        loop {
            tokio::select! {
                Some(returned) = browser.recv() => return returned,
                line = pasted.recv(), if open => match line.as_deref().map(|line| typed(line, &state)) {
                    None => open = false,
                    Some(Some(returned)) => return returned,
                    Some(None) => show("That is neither the address of this login nor a code; paste the whole address."),
                },
            }
        }
    });
    let late = Refusal { error: "expired_token".into(), description: "nobody agreed in time".into() };
    let returned = returned.await.map_err(|_| client.refused(&late, &[]))?;
    if let Some(error) = returned.error {
        return Err(client.refused(&Refusal { error, description: returned.error_description }, &[]));
    }
    client
        .token(vec![
            ("grant_type", "authorization_code".into()),
            ("code", returned.code.into()),
            ("redirect_uri", redirect.into()),
            ("code_verifier", verifier.into()),
        ])
        .await
}

/// The page where a person agrees.
fn page(client: &Client, redirect: &str, state: &str, verifier: &str) -> Result<String> {
    let settings = client.settings();
    let challenge = BASE64URL_NOPAD.encode(&sha256(verifier.as_bytes()));
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", &settings.client_id),
        ("redirect_uri", redirect),
        ("scope", &settings.scope),
        ("state", state),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("login_hint", client.user()),
    ];
    if settings.provider == Provider::Google {
        // Else Google gives a refresh token the first time alone.
        fields.extend([("access_type", "offline"), ("prompt", "consent")]);
    }
    let query = serde_urlencoded::to_string(fields).map_err(|e| Error::Internal(e.to_string()))?;
    let url = settings.auth_url.as_ref().map(ToString::to_string).unwrap_or_default();
    Ok(format!("{url}{}{query}", if url.contains('?') { '&' } else { '?' }))
}

/// 256 bits.
fn random() -> String {
    BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>())
}

/// A request to our address: the browser's answer, or nobody's business.
async fn answered(uri: Uri, state: String, sender: mpsc::Sender<Returned>) -> Response<String> {
    let returned = uri.query().and_then(|query| of_query(query, &state));
    let (status, words) = match returned {
        None => (StatusCode::NOT_FOUND, "This is not the end of the login that is going on."),
        Some(returned) => {
            let words = if returned.error.is_some() { "The login was refused." } else { "Logged in." };
            // A second answer is of no interest.
            let _ = sender.try_send(returned);
            (StatusCode::OK, words)
        }
    };
    let mut response =
        Response::new(format!("{words} You can close this page; the terminal tells the rest.\n"));
    *response.status_mut() = status;
    let plain = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// What a person pasted: the address that the browser ended at, or the code that a page showed.
fn typed(line: &str, state: &str) -> Option<Returned> {
    let line = line.trim();
    if let Some((_, query)) = line.split_once('?') {
        return of_query(query, state);
    }
    let is_code = !line.is_empty() && line.bytes().all(|b| b.is_ascii_graphic()) && !line.contains("://");
    is_code.then(|| Returned {
        code: line.to_owned(),
        state: None,
        error: None,
        error_description: String::new(),
    })
}

/// The fields of an answer, if it is that of this login.
fn of_query(query: &str, state: &str) -> Option<Returned> {
    let query = query.split('#').next().unwrap_or_default();
    let returned: Returned = serde_urlencoded::from_str(query).ok()?;
    let ours =
        returned.state.as_deref() == Some(state) && (!returned.code.is_empty() || returned.error.is_some());
    ours.then_some(returned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_only_with_the_state_of_this_login() {
        let code = |returned: Option<Returned>| returned.map(|r| r.code);
        for (line, told) in [
            ("http://127.0.0.1:1/?state=s&code=4%2F0A&scope=x", Some("4/0A")),
            (" http://127.0.0.1:1/?code=c&state=s#_ \n", Some("c")),
            ("4/0AbCd-e_f", Some("4/0AbCd-e_f")),
            ("http://127.0.0.1:1/?code=c&state=other", None),
            ("http://127.0.0.1:1/?code=c", None),
            ("http://127.0.0.1:1/?state=s", None),
            ("http://127.0.0.1:1/", None),
            ("", None),
            ("two words", None),
        ] {
            assert_eq!(code(typed(line, "s")).as_deref(), told, "{line}");
        }
        let refused = of_query("error=access_denied&state=s", "s").unwrap();
        assert_eq!(refused.error.as_deref(), Some("access_denied"));
    }
}
