//! Sessions: what a cookie says, signed. Pure: key, time and randomness come in as arguments.
//!
//! Nothing is kept on the server: a session is valid at both faces, survives their restarts, and ends with
//! its time, with the user, or with the user's password.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::token::same;

/// A session is valid for so long.
pub(super) const LIFETIME: SignedDuration = SignedDuration::from_hours(12);

/// Signs sessions.
pub(super) struct Key(pub(super) [u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// What a cookie says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// Who logged in; a guest has none, and a token for forms all the same.
    pub(super) user: Option<String>,
    /// Issued and ends, in seconds since 1970.
    issued: i64,
    ends: i64,
    /// Tells this session's token from another's.
    nonce: u64,
    /// Keyed fingerprint of the password hash: another password ends the session.
    password: Option<String>,
}

impl Session {
    pub(super) fn guest(now: Timestamp, nonce: u64) -> Self {
        let issued = now.as_second();
        Self { user: None, issued, ends: issued + LIFETIME.as_secs(), nonce, password: None }
    }

    pub(super) fn of(name: &str, password_hash: &str, key: &Key, now: Timestamp, nonce: u64) -> Self {
        Self {
            user: Some(name.to_owned()),
            password: Some(key.fingerprint(password_hash)),
            ..Self::guest(now, nonce)
        }
    }

    /// Whether the password is still the one that was given.
    pub(super) fn knows(&self, password_hash: &str, key: &Key) -> bool {
        let now = key.fingerprint(password_hash);
        self.password.as_ref().is_some_and(|then| same(then, &now))
    }

    /// The cookie's value.
    pub(super) fn sealed(&self, key: &Key) -> String {
        let said = BASE64URL_NOPAD.encode(&serde_json::to_vec(self).unwrap_or_default());
        let seal = key.sign("session", &said);
        format!("{said}.{seal}")
    }

    /// Reads a cookie's value; `None` when it is not ours, or its time is over.
    pub(super) fn open(value: &str, key: &Key, now: Timestamp) -> Option<Self> {
        let (said, seal) = value.split_once('.')?;
        if !same(&key.sign("session", said), seal) {
            return None;
        }
        let session: Self = serde_json::from_slice(&BASE64URL_NOPAD.decode(said.as_bytes()).ok()?).ok()?;
        let now = now.as_second();
        // One from the future: the clock was set back, by an hour at most.
        (now < session.ends && session.issued <= now + 3600).then_some(session)
    }

    /// The token that each change must carry.
    pub(super) fn csrf(&self, key: &Key) -> String {
        key.sign("csrf", &self.sealed(key))
    }
}

impl Key {
    fn sign(&self, purpose: &str, text: &str) -> String {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.0) {
            Ok(mac) => mac,
            // HMAC takes keys of any length.
            Err(_) => return String::new(),
        };
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        BASE64URL_NOPAD.encode(&mac.finalize().into_bytes())
    }

    fn fingerprint(&self, password_hash: &str) -> String {
        self.sign("password", password_hash).chars().take(22).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: Key = Key([7; 32]);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_session_reads_back_until_its_end() {
        let session = Session::of("ada", "$hash", &KEY, at(1000), 1);
        let cookie = session.sealed(&KEY);
        let end = 1000 + LIFETIME.as_secs();
        assert_eq!(Session::open(&cookie, &KEY, at(end - 1)), Some(session.clone()));
        assert_eq!(Session::open(&cookie, &KEY, at(end)), None);
        assert_eq!(Session::open(&cookie, &Key([8; 32]), at(1000)), None);
        assert!(session.knows("$hash", &KEY) && !session.knows("$other", &KEY));
    }

    #[test]
    fn tokens_differ_by_session_and_are_no_seal() {
        let (a, b) = (Session::guest(at(0), 1), Session::guest(at(0), 2));
        assert_ne!(a.csrf(&KEY), b.csrf(&KEY));
        assert!(!a.sealed(&KEY).contains(&a.csrf(&KEY)));
        assert!(!a.knows("", &KEY));
    }

    proptest! {
        #[test]
        fn a_changed_cookie_is_none(at_ in 0usize..200, byte: u8) {
            let session = Session::of("ada", "$hash", &KEY, at(1000), 1);
            let mut cookie = session.sealed(&KEY).into_bytes();
            let place = at_ % cookie.len();
            prop_assume!(cookie[place] != byte);
            cookie[place] = byte;
            let opened = Session::open(&String::from_utf8_lossy(&cookie), &KEY, at(1000));
            prop_assert_eq!(opened, None);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            prop_assert_eq!(Session::open(&text, &KEY, at(0)), None);
        }
    }
}
