//! The device flow (RFC 8628): a person types a code into a page, on any machine.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use vigie_common::text::inert;

use super::answer::{Answer, Grant, Refusal, read, seconds};
use super::client::{Client, Told};
use super::http;
use crate::error::{Error, Result};

/// How long a code is good for, at least and at most.
const GOOD: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(30));
/// Time between two questions, at least and at most.
const BETWEEN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Where it is not said (RFC 8628 section 3.2).
const USUAL: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Begun {
    device_code: secrecy::SecretString,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    expires_in: Option<Value>,
    interval: Option<Value>,
}

/// Shows a person what to do by `show`, and waits until it is done.
///
/// # Errors
/// [`Error::Token`]: said no, or not in time. Others: the server is not to be reached or no such server.
pub async fn by_device(client: &Client, show: impl Fn(&str)) -> Result<Grant> {
    let settings = client.settings();
    let url = settings.device_url.as_ref().ok_or_else(|| Error::Internal("no device_url".into()))?;
    let (status, body, secrets) = client.post(url, vec![("scope", settings.scope.as_str().into())]).await?;
    let Ok(begun) = serde_json::from_slice::<Begun>(&body) else {
        return Err(match read(status, &body) {
            Answer::Refused(refusal) => client.refused(&refusal, &secrets),
            Answer::Unclear(cause) => http::unreachable(url, cause),
            Answer::Granted(_) => http::unreachable(url, "it gave no code".into()),
        });
    };
    let good = begun.expires_in.as_ref().and_then(seconds).unwrap_or(GOOD.1).clamp(GOOD.0, GOOD.1);
    show(&format!(
        "Open {} on any machine and type the code {} (good for {} minutes).",
        inert(&begun.verification_uri, 200),
        inert(&begun.user_code, 40),
        good.as_secs() / 60
    ));
    let until = Instant::now() + good;
    let mut wait = begun.interval.as_ref().and_then(seconds).unwrap_or(USUAL).clamp(BETWEEN.0, BETWEEN.1);
    loop {
        sleep(wait).await;
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let form = vec![("grant_type", grant.into()), ("device_code", begun.device_code.clone())];
        let next = match client.ask(form).await {
            Ok(Told::Granted(grant)) => return Ok(grant),
            Ok(Told::Refused(refusal, error)) => next(wait, &refusal).ok_or(error)?,
            Err(error @ Error::Unreachable { .. }) => {
                tracing::debug!(%error, "asking again");
                (wait * 2).min(BETWEEN.1)
            }
            Err(error) => return Err(error),
        };
        wait = next;
        if Instant::now() >= until {
            let refusal = Refusal { error: "expired_token".into(), description: String::new() };
            return Err(client.refused(&refusal, &[]));
        }
    }
}

/// When to ask again, if at all.
fn next(wait: Duration, refusal: &Refusal) -> Option<Duration> {
    match refusal.error.as_str() {
        "authorization_pending" => Some(wait),
        "slow_down" => Some((wait + USUAL).min(BETWEEN.1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_as_slowly_as_it_is_told() {
        let told = |error: &str| {
            next(Duration::from_secs(5), &Refusal { error: error.into(), description: String::new() })
        };
        assert_eq!(told("authorization_pending"), Some(Duration::from_secs(5)));
        assert_eq!(told("slow_down"), Some(Duration::from_secs(10)));
        assert_eq!(told("access_denied"), None);
    }
}
