//! Access tokens instead of passwords (RFC 6749): where they come from, and where what is needed to get new ones is
//! kept. Access tokens live in memory alone; refresh tokens in one file an account.

mod answer;
mod assertion;
mod client;
mod device;
mod http;
mod kept;
mod loopback;
mod tokens;
mod words;

use secrecy::{ExposeSecret, SecretString};

pub use self::client::Client;
pub use self::device::by_device;
pub use self::kept::{Kept, Stamp};
pub use self::loopback::by_loopback;
pub use self::tokens::{Access, Tokens};
use crate::error::quoted;

/// What somebody else says, fit for an error: cut, made inert, and without what it repeats of our `secrets`.
pub(crate) fn scrubbed(text: &str, secrets: &[&SecretString]) -> String {
    quoted(&without(text, secrets))
}

/// `text` without what it repeats of our `secrets`.
pub(crate) fn without(text: &str, secrets: &[&SecretString]) -> String {
    /// Shorter pieces of a secret tell nothing, and are words.
    const PIECE: usize = 12;
    let is_part = |word: &str| {
        word.len() >= PIECE && secrets.iter().any(|secret| secret.expose_secret().contains(word))
    };
    let of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/');
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    // The end flushes the last word.
    for c in text.chars().chain(std::iter::once('\n')) {
        if of_token(c) {
            word.push(c);
            continue;
        }
        out.push_str(if is_part(&word) { "[secret]" } else { &word });
        word.clear();
        out.push(c);
    }
    out.truncate(out.len().saturating_sub(1));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_of_a_secret_is_left_out() {
        let secret = SecretString::from("ya29.canary-token-0123456789");
        for (said, told) in [
            ("unknown token ya29.canary-token-0123456789, sorry", "unknown token [secret], sorry"),
            ("bad: \"ya29.canary-token\"\u{1b}[2J", "bad: \"[secret]\"\\u{1b}[2J"),
            ("see https://example.org/help", "see https://example.org/help"),
        ] {
            assert_eq!(scrubbed(said, &[&secret]), told);
        }
    }
}
