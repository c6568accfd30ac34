//! What an authorisation server answers (RFC 6749 sections 5.1 and 5.2). Pure.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

/// Where nothing is said of how long a token lasts.
const UNSAID: Duration = Duration::from_hours(1);
/// No lifetime is longer.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);
/// A token has no more octets.
const TOKEN: usize = 16 << 10;

/// What an authorisation server answers.
#[derive(Debug)]
pub(super) enum Answer {
    /// A token.
    Granted(Grant),
    /// None, until a person acts.
    Refused(Refusal),
    /// Neither: it is not well, or it is not an authorisation server. With what is wrong.
    Unclear(String),
}

/// A token.
#[derive(Debug)]
pub struct Grant {
    /// What the mail server is shown.
    pub access: SecretString,
    /// How long it lasts.
    pub lifetime: Duration,
    /// What the next one is got by, where that is new.
    pub refresh: Option<SecretString>,
    /// How long that lasts, where it was said.
    pub refresh_lifetime: Option<Duration>,
    /// What it is good for, where it was said.
    pub scope: Option<String>,
}

/// The server's reason; its own words, and hostile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) error: String,
    pub(super) description: String,
}

#[derive(Deserialize)]
struct Raw {
    access_token: Option<SecretString>,
    token_type: Option<String>,
    expires_in: Option<Value>,
    refresh_token: Option<SecretString>,
    refresh_token_expires_in: Option<Value>,
    scope: Option<String>,
    error: Option<Value>,
    error_description: Option<String>,
}

/// Reads the answer of a status and a body.
pub(super) fn read(status: u16, body: &[u8]) -> Answer {
    // What serde says of a fault may hold what stood there: it is not repeated.
    let raw: Option<Raw> = serde_json::from_slice(body).ok();
    match (status, raw) {
        (300..=399, _) => {
            Answer::Unclear("it sends us elsewhere, and secrets do not follow; correct the address".into())
        }
        (429 | 500.., _) => Answer::Unclear(format!("it answered with status {status}")),
        (200, Some(raw)) if raw.error.is_none() => granted(raw).unwrap_or_else(Answer::Unclear),
        // There are servers that tell a refusal by 200.
        (200 | 400..=499, Some(Raw { error: Some(error), error_description, .. })) => {
            refused(status, &error, error_description)
        }
        _ => Answer::Unclear(format!(
            "it answered with status {status} and not as an authorisation server does; is the address right?"
        )),
    }
}

/// What a token command prints: a token, or JSON as an authorisation server gives it.
pub(super) fn printed(text: &str) -> Result<Grant, String> {
    let text = text.trim();
    if text.starts_with('{') {
        return match read(200, text.as_bytes()) {
            Answer::Granted(grant) => Ok(grant),
            _ => Err("what it printed is JSON without a usable access_token".into()),
        };
    }
    let first = text.lines().next().unwrap_or_default();
    let access = usable(first.into()).ok_or("what it printed is no access token")?;
    // Without a word about its end it is got anew each time.
    Ok(Grant { access, lifetime: Duration::ZERO, refresh: None, refresh_lifetime: None, scope: None })
}

fn granted(raw: Raw) -> Result<Answer, String> {
    if raw.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err("it gave a token of a kind that is not for IMAP".into());
    }
    let access = raw.access_token.and_then(usable).ok_or("it gave no usable access token")?;
    Ok(Answer::Granted(Grant {
        access,
        lifetime: raw.expires_in.as_ref().and_then(seconds).unwrap_or(UNSAID),
        refresh: raw.refresh_token.filter(|token| (1..=TOKEN).contains(&token.expose_secret().len())),
        refresh_lifetime: raw.refresh_token_expires_in.as_ref().and_then(seconds).filter(|l| !l.is_zero()),
        scope: raw.scope,
    }))
}

fn refused(status: u16, error: &Value, description: Option<String>) -> Answer {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let (error, within) = match error {
        Value::Object(fields) => (fields.get("status").and_then(word), fields.get("message").and_then(word)),
        other => (word(other), None),
    };
    let error = error.unwrap_or_else(|| "no reason".into());
    if matches!(error.as_str(), "temporarily_unavailable" | "server_error") {
        return Answer::Unclear(format!("it answered with status {status} and {error}"));
    }
    Answer::Refused(Refusal { error, description: description.or(within).unwrap_or_default() })
}

/// A token that can be put into a SASL response: visible ASCII, no separators.
fn usable(token: SecretString) -> Option<SecretString> {
    let text = token.expose_secret();
    ((1..=TOKEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())).then_some(token)
}

/// A number of seconds; some servers write it as text.
pub(super) fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    let length = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST);
    Some(length.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unclear(status: u16, body: &str) -> String {
        match read(status, body.as_bytes()) {
            Answer::Unclear(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_and_how_long_it_lasts() {
        for (expires, lifetime) in [
            ("3599", 3599),
            ("\"3599\"", 3599),
            ("3599.0", 3599),
            ("null", 3600),
            ("-5", 0),
            ("\"soon\"", 3600),
        ] {
            let body = format!(
                r#"{{"token_type":"bearer","access_token":"abc","expires_in":{expires},"refresh_token":"r","scope":"s","refresh_token_expires_in":604799}}"#
            );
            let Answer::Granted(grant) = read(200, body.as_bytes()) else { panic!("{body}") };
            assert_eq!(grant.lifetime, Duration::from_secs(lifetime), "{expires}");
            assert_eq!(grant.refresh.unwrap().expose_secret(), "r");
            assert_eq!(grant.refresh_lifetime, Some(Duration::from_secs(604_799)));
        }
        let Answer::Granted(grant) = read(200, br#"{"access_token":"a","expires_in":1e300}"#) else {
            panic!()
        };
        assert_eq!(grant.lifetime, LONGEST);
    }

    #[test]
    fn a_refusal_is_told_from_trouble() {
        let refused = |status, body: &str| match read(status, body.as_bytes()) {
            Answer::Refused(refusal) => (refusal.error, refusal.description),
            other => panic!("{other:?}"),
        };
        let body = r#"{"error":"invalid_grant","error_description":"AADSTS700082: expired"}"#;
        let told = ("invalid_grant".to_owned(), "AADSTS700082: expired".to_owned());
        for status in [200, 400, 401, 403] {
            assert_eq!(refused(status, body), told);
        }
        let google = r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}"#;
        assert_eq!(refused(403, google), ("PERMISSION_DENIED".into(), "no".into()));
        assert!(unclear(503, body).contains("503"));
        assert!(unclear(429, "").contains("429"));
        assert!(unclear(400, r#"{"error":"temporarily_unavailable"}"#).contains("temporarily"));
        assert!(unclear(302, "").contains("elsewhere"));
        for junk in ["", "<html>", "{", "[]", "null", r#"{"access_token":5}"#] {
            assert!(unclear(200, junk).contains("is the address right"), "{junk}");
        }
    }

    #[test]
    fn a_token_that_would_break_the_protocol_is_none() {
        for token in ["", "a b", "a\\u0001auth=x", "a\\r\\nb", "\\u00e9"] {
            let body = format!(r#"{{"access_token":"{token}"}}"#);
            assert_eq!(unclear(200, &body), "it gave no usable access token", "{token}");
        }
        assert!(unclear(200, r#"{"access_token":"a","token_type":"mac"}"#).contains("kind"));
    }

    #[test]
    fn a_command_prints_a_token_or_json() {
        assert_eq!(printed("canary\nmore\n").unwrap().access.expose_secret(), "canary");
        assert_eq!(printed("canary").unwrap().lifetime, Duration::ZERO);
        let json = "{\n  \"access_token\": \"canary\",\n  \"expires_in\": 60\n}\n";
        assert_eq!(printed(json).unwrap().lifetime, Duration::from_secs(60));
        for bad in ["", "\n", "two words", "{}", "{\"error\":\"canary\"}", "{\"access_token\":\"canary\""] {
            let error = printed(bad).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(status in any::<u16>(), body in "\\PC*") {
            read(status, body.as_bytes());
        }
    }
}
