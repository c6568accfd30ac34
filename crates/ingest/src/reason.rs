//! What the words of a refusal mean: NO, BAD and BYE of any command are judged here and nowhere else. Pure.
//!
//! Few servers send the codes of RFC 5530, and imap-proto leaves those in the text: so the words of Exchange, Gmail,
//! Yahoo, Dovecot and others are known as well.

use std::time::Duration;

use crate::error::Error;

/// No wait that a server suggests is believed beyond this.
const LONGEST: Duration = Duration::from_hours(24);

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Too much was asked for: nothing of this account for a while, as long as the server suggests, if it does.
    Throttled(Option<Duration>),
    /// Too many connections at once: fewer of them may do.
    Crowded,
    /// The server is not well, or the mailbox in use: the same may succeed later.
    Transient,
    /// The same may succeed later, but no code says so: at login these are also the words of a server that locks out whoever
    /// knocks too often.
    Later,
    /// The user is not known with this password, or not let in with it.
    Credentials,
    /// What was good for a while is over: connect again, with a new token where there is one.
    Expired,
    /// Nothing of the above is said.
    Other,
}

/// Words that come before any others: whatever else is said, the account must wait.
const THROTTLED: [&str; 12] = [
    "backoff time",
    "throttl",
    "[overquota]",
    "rate limit",
    "ratelimit",
    "bandwidth",
    "command limit",
    "too many requests",
    "too many commands",
    "too many login",
    "too many authentication",
    "too many failed",
];
const CROWDED: [&str; 6] = [
    "simultaneous",
    "too many connections",
    "concurrent connections",
    "maximum number of connections",
    "connection limit",
    "too many sessions",
];
/// Codes, and the one sentence of Exchange that has none: these say that the password is not at fault.
const TRANSIENT: [&str; 6] =
    ["[unavailable]", "[inuse]", "[serverbug]", "[limit]", "[corruption]", "not connected"];
const EXPIRED: [&str; 5] =
    ["accesstokenexpired", "token expired", "token has expired", "session expired", "session invalidated"];
const CREDENTIALS: [&str; 9] = [
    "[authenticationfailed]",
    "[authorizationfailed]",
    "[expired]",
    "invalid credentials",
    "invalid login",
    "login failed",
    "web login required",
    "password",
    "passwort",
];
/// Words that mean the same as the codes where nothing is said of credentials.
const UNWELL: [&str; 7] = [
    "temporar",
    "internal auth",
    "server error",
    "internal error",
    "system error",
    "server busy",
    "server is busy",
];
/// A server that is [unwell](UNWELL) says this, too, and one that is well may add that one should [try again](LATER).
const UNAUTHENTICATED: &str = "authentication fail";
const LATER: [&str; 2] = ["try again", "try later"];

impl Reason {
    /// Judges the text of a NO, BAD or BYE, its code included.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let says = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
        if says(&CROWDED) {
            Self::Crowded
        } else if says(&THROTTLED) {
            Self::Throttled(suggested(&text))
        } else if says(&TRANSIENT) {
            Self::Transient
        } else if says(&EXPIRED) {
            Self::Expired
        } else if says(&CREDENTIALS) {
            Self::Credentials
        } else if says(&UNWELL) {
            Self::Later
        } else if says(&[UNAUTHENTICATED]) {
            Self::Credentials
        } else if says(&LATER) {
            Self::Later
        } else {
            Self::Other
        }
    }

    /// The error for the account as a whole, where the words ask for less.
    #[must_use]
    pub fn throttled(text: &str) -> Option<Error> {
        let (wait, crowded) = match Self::of(text) {
            Self::Throttled(wait) => (wait, false),
            Self::Crowded => (None, true),
            _ => return None,
        };
        Some(Error::Throttled { wait, crowded, text: text.to_owned() })
    }

    /// A command was answered by NO or BAD.
    #[must_use]
    pub fn refusal(command: &'static str, text: String) -> Error {
        Self::throttled(&text).unwrap_or(Error::Refused { command, text })
    }

    /// A login was answered by NO, where `is_no`, or BAD. A NO means the credentials unless `text` says otherwise (RFC 5530);
    /// `shown` is what may be told of it, with `advice` for whoever corrects them.
    #[must_use]
    pub fn refused_login(user: &str, is_no: bool, text: &str, shown: String, advice: &str) -> Error {
        let throttled = |wait, crowded, text| Error::Throttled { wait, crowded, text };
        match Self::of(text) {
            Self::Throttled(wait) => throttled(wait, false, shown),
            Self::Crowded => throttled(None, true, shown),
            Self::Later => throttled(None, false, shown),
            Self::Credentials | Self::Expired | Self::Other if is_no => {
                Error::Credentials { user: user.to_owned(), text: format!("{shown}; {advice}") }
            }
            Self::Credentials | Self::Expired | Self::Other | Self::Transient => {
                Error::Refused { command: "login", text: shown }
            }
        }
    }

    /// The server ended the connection with these words.
    #[must_use]
    pub fn farewell(during: &'static str, text: &str) -> Error {
        Self::throttled(text).unwrap_or_else(|| {
            let cause = match text.trim() {
                "" => "the server said good-bye without a reason".into(),
                text => format!("the server said good-bye: {text}"),
            };
            Error::Lost { during, cause }
        })
    }
}

/// "Suggested Backoff Time: 299961 milliseconds".
fn suggested(text: &str) -> Option<Duration> {
    let (_, rest) = text.split_once("backoff time")?;
    let rest = rest.trim_start_matches([':', ' ', '=']);
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = rest.split_at_checked(digits)?;
    // More digits than fit are as good as the longest wait.
    let number = number.parse::<u64>().unwrap_or(u64::MAX);
    let wait = match unit.trim_start() {
        _ if digits == 0 => return None,
        unit if unit.starts_with('m') && !unit.starts_with("min") => Duration::from_millis(number),
        unit if unit.starts_with("min") => Duration::from_secs(number.saturating_mul(60)),
        _ => Duration::from_secs(number),
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_providers() {
        use Reason::{Credentials, Crowded, Expired, Later, Other, Throttled, Transient};
        let wait = |ms| Throttled(Some(Duration::from_millis(ms)));
        for (text, reason) in [
            ("Request is throttled. Suggested Backoff Time: 299961 milliseconds", wait(299_961)),
            ("[THROTTLED] slow down", Throttled(None)),
            ("[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", Throttled(None)),
            ("[LIMIT] FETCH Rate limit hit.", Throttled(None)),
            ("[ALERT] Too many simultaneous connections. (Failure)", Crowded),
            ("Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)", Crowded),
            ("User is authenticated but not connected.", Transient),
            ("[UNAVAILABLE] Temporary authentication failure.", Transient),
            ("[INUSE] Mailbox is locked by a POP server", Transient),
            ("UID FETCH Server error - Please try again later", Later),
            ("Temporary failure, try later", Later),
            ("Account temporarily locked", Later),
            ("Temporary authentication failure", Later),
            ("Internal authentication failure", Later),
            ("Authentication failed, please try again", Credentials),
            ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", Credentials),
            ("Invalid login or password, please try again", Credentials),
            ("Application-specific password required", Credentials),
            ("[ALERT] Please log in via your web browser: Web login required", Credentials),
            ("Session expired, please login again.", Expired),
            ("Session invalidated - AccessTokenExpired", Expired),
            ("LOGIN failed.", Credentials),
            ("AUTHENTICATE failed.", Other),
            ("", Other),
        ] {
            assert_eq!(Reason::of(text), reason, "{text}");
        }
    }

    #[test]
    fn waits_are_read_in_any_unit_and_not_believed_without_end() {
        let secs = Duration::from_secs;
        for (text, wait) in [
            ("Suggested Backoff Time: 1500 milliseconds", Some(Duration::from_millis(1500))),
            ("suggested backoff time 30 seconds", Some(secs(30))),
            ("Backoff Time: 2 minutes", Some(secs(120))),
            ("Backoff Time: 99999999999999999999999 milliseconds", Some(LONGEST)),
            ("Backoff Time: 999999999999 milliseconds", Some(LONGEST)),
            ("Backoff Time: -1 milliseconds", None),
            ("Backoff Time: soon", None),
            ("Backoff Time", None),
        ] {
            assert_eq!(Reason::of(text), Reason::Throttled(wait), "{text}");
        }
    }

    #[test]
    fn a_login_that_is_refused_is_not_tried_again_at_once() {
        let of = |is_no, text: &str| Reason::refused_login("u", is_no, text, text.into(), "look");
        for text in ["Account temporarily locked", "please try again later"] {
            let error = of(true, text);
            assert!(matches!(error, Error::Throttled { wait: None, crowded: false, .. }), "{error}");
        }
        for text in ["[AUTHENTICATIONFAILED] Token expired", "no", "Authentication failed, please try again"]
        {
            assert_eq!(of(true, text).to_string(), format!("the server refused user u: {text}; look"));
            assert_eq!(of(false, text).to_string(), format!("the server refused login: {text}"));
        }
        assert_eq!(of(true, "[UNAVAILABLE] x").to_string(), "the server refused login: [UNAVAILABLE] x");
    }

    #[test]
    fn a_refusal_that_asks_for_less_is_the_account_s() {
        let throttled = Reason::refusal("EXAMINE", "[THROTTLED] later".into());
        assert!(matches!(throttled, Error::Throttled { wait: None, crowded: false, .. }), "{throttled}");
        let refused = Reason::refusal("EXAMINE", "[NOPERM] not yours".into());
        assert_eq!(refused.to_string(), "the server refused EXAMINE: [NOPERM] not yours");
        let lost = Reason::farewell("IDLE", "Session expired");
        assert_eq!(
            lost.to_string(),
            "connection lost during IDLE: the server said good-bye: Session expired"
        );
        assert!(matches!(
            Reason::farewell("the greeting", "too many connections"),
            Error::Throttled { crowded: true, .. }
        ));
    }
}
