//! An authorisation server in the test's own process: honest, strict about rotation, and told what else to answer.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use openssl::sha::sha256;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::place::DEADLINE;

/// The fields of a form.
pub(crate) type Form = BTreeMap<String, String>;

pub(crate) struct Authority {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    known: Mutex<Known>,
    changed: watch::Sender<()>,
}

pub(crate) struct Known {
    /// What was asked for, in order.
    pub(crate) asked: Vec<(String, Form)>,
    /// Answered before all else.
    pub(crate) instead: VecDeque<(u16, String)>,
    /// Given out so far.
    pub(crate) granted: u32,
    /// The one refresh token that is good.
    pub(crate) refresh: Option<String>,
    /// The page was seen with this challenge; the code of it is `canary-code-0001`.
    pub(crate) challenge: Option<String>,
    /// Seconds that an access token lasts.
    pub(crate) lifetime: u64,
    /// Seconds that a refresh token lasts, if that is said.
    pub(crate) refresh_lifetime: Option<u64>,
    /// Questions of the device flow that are answered by "not yet".
    pub(crate) pending: u32,
    /// Nothing is answered any more, though all is done.
    pub(crate) mute: bool,
}

impl Authority {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let known = Known {
            asked: Vec::new(),
            instead: VecDeque::new(),
            granted: 0,
            refresh: None,
            challenge: None,
            lifetime: 3600,
            refresh_lifetime: None,
            pending: 1,
            mute: false,
        };
        let inner = Arc::new(Inner { known: Mutex::new(known), changed: watch::Sender::new(()) });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, inner }
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.inner.known.lock().unwrap()
    }

    /// How often a token was asked for in this way.
    pub(crate) fn asked_by(&self, grant: &str) -> usize {
        let known = self.known();
        known.asked.iter().filter(|(_, form)| form.get("grant_type").is_some_and(|g| g == grant)).count()
    }

    pub(crate) async fn wait_for(&self, grant: &str, times: usize) {
        let mut changed = self.inner.changed.subscribe();
        let waited = timeout(DEADLINE, async {
            while self.asked_by(grant) < times {
                changed.changed().await.unwrap();
            }
        });
        waited.await.unwrap_or_else(|_| panic!("never asked {times} times by {grant}"));
    }

    /// The table of an account that asks here.
    pub(crate) fn table(&self, flow: &str) -> String {
        let at = format!("http://{}", self.address);
        format!(
            "[account.oauth2]\nprovider = \"custom\"\nflow = \"{flow}\"\nclient_id = \"vigie\"\nclient_secret = \"canary-client-secret\"\ntoken_url = \"{at}/token\"\ndevice_url = \"{at}/device\"\nauth_url = \"{at}/authorize\"\nscope = \"imap\"\n"
        )
    }
}

async fn answer(State(inner): State<Arc<Inner>>, uri: Uri, body: String) -> Response {
    let form: Form = serde_urlencoded::from_str(&body).unwrap();
    let (status, body, mute) = {
        let mut known = inner.known.lock().unwrap();
        known.asked.push((uri.path().to_owned(), form.clone()));
        let (status, body) = match known.instead.pop_front() {
            Some(answer) => answer,
            None => known.honest(uri.path(), &form),
        };
        (status, body, known.mute)
    };
    inner.changed.send_replace(());
    if mute {
        std::future::pending::<()>().await;
    }
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "application/json")], body)
        .into_response()
}

pub(crate) fn refused(error: &str, description: &str) -> (u16, String) {
    (400, json!({ "error": error, "error_description": description }).to_string())
}

/// The beginning of the device flow.
pub(crate) fn begun() -> (u16, String) {
    let begun = json!({
        "device_code": "canary-device-code-0001", "user_code": "ABCD-EFGH",
        "verification_uri": "https://login.example/device\u{1b}[2J", "expires_in": 900, "interval": 1,
    });
    (200, begun.to_string())
}

impl Known {
    fn honest(&mut self, path: &str, form: &Form) -> (u16, String) {
        let is = |name: &str, value: &str| form.get(name).is_some_and(|v| v == value);
        if form.get("client_secret").is_some_and(|s| s != "canary-client-secret") {
            return refused("invalid_client", "");
        }
        if path == "/device" {
            return begun();
        }
        match form.get("grant_type").map(String::as_str).unwrap_or_default() {
            "refresh_token"
                if self.refresh.is_some() && form.get("refresh_token") == self.refresh.as_ref() =>
            {
                self.grant(true)
            }
            "urn:ietf:params:oauth:grant-type:device_code"
                if is("device_code", "canary-device-code-0001") =>
            {
                if self.pending > 0 {
                    self.pending -= 1;
                    return refused("authorization_pending", "");
                }
                self.grant(true)
            }
            "authorization_code" if is("code", "canary-code-0001") => {
                let verifier = form.get("code_verifier").unwrap();
                let challenge = BASE64URL_NOPAD.encode(&sha256(verifier.as_bytes()));
                assert_eq!(Some(challenge), self.challenge);
                self.grant(true)
            }
            "client_credentials" => self.grant(false),
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => self.grant(false),
            _ => refused("invalid_grant", "expired or revoked"),
        }
    }

    fn grant(&mut self, refresh: bool) -> (u16, String) {
        self.granted += 1;
        let mut grant = json!({
            "token_type": "Bearer", "access_token": access(self.granted), "expires_in": self.lifetime, "scope": "imap",
        });
        if refresh {
            let token = format!("canary-refresh-token-{:04}", self.granted);
            grant["refresh_token"] = json!(token);
            self.refresh = Some(token);
            if let Some(lifetime) = self.refresh_lifetime {
                grant["refresh_token_expires_in"] = json!(lifetime);
            }
        }
        (200, grant.to_string())
    }
}

/// The n-th access token given out.
pub(crate) fn access(n: u32) -> String {
    format!("canary-access-token-{n:04}")
}
