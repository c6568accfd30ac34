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
const LATER: [&str; 8] = [
    "try again",
    "try later",
    "temporar",
    "server error",
    "internal error",
    "system error",
    "server busy",
    "server is busy",
];

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
        } else if says(&LATER) {
            Self::Transient
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
        use Reason::{Credentials, Crowded, Expired, Other, Throttled, Transient};
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
            ("UID FETCH Server error - Please try again later", Transient),
            ("Temporary failure, try later", Transient),
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
