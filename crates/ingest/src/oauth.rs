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

use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};

pub use self::client::Client;
pub use self::device::by_device;
pub use self::kept::{Kept, Stamp};
pub use self::loopback::by_loopback;
pub use self::tokens::{Access, Tokens};
use crate::error::quoted;

/// What somebody else says, fit for an error: cut, made inert, and without what it repeats of our `secrets`.
pub(crate) fn scrubbed(text: &str, secrets: &[&SecretString]) -> String {
    /// Nothing beyond is quoted.
    const LOOKED_AT: usize = 1000;
    let text: String = text.chars().take(LOOKED_AT).collect();
    quoted(&without(&text, secrets))
}

/// `text` without our `secrets`, however short, and without the words that repeat a piece of them.
fn without(text: &str, secrets: &[&SecretString]) -> String {
    /// Shorter pieces tell nothing, and are words.
    const PIECE: usize = 12;
    let repeats = |word: &str| {
        let mut pieces = word.as_bytes().windows(PIECE);
        pieces
            .any(|piece| secrets.iter().any(|s| memmem::find(s.expose_secret().as_bytes(), piece).is_some()))
    };
    let of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/');
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    // The last one has an end, too.
    for c in without_whole(text, secrets).chars().map(Some).chain([None]) {
        match c {
            Some(c) if of_word(c) => word.push(c),
            end => {
                out.push_str(if repeats(&word) { "[secret]" } else { &word });
                word.clear();
                out.extend(end);
            }
        }
    }
    out
}

/// `text` without our `secrets` where all of one stands there: the longest that does.
fn without_whole(text: &str, secrets: &[&SecretString]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let repeated = secrets.iter().map(|secret| secret.expose_secret());
        let after =
            repeated.filter(|secret| !secret.is_empty()).filter_map(|secret| rest.strip_prefix(secret));
        if let Some(after) = after.min_by_key(|after| after.len()) {
            out.push_str("[secret]");
            rest = after;
        } else {
            let mut chars = rest.chars();
            out.extend(chars.next());
            rest = chars.as_str();
        }
    }
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
            ("canary-token... and xcanary-token-01x", "[secret] and [secret]"),
            ("see https://example.org/help", "see https://example.org/help"),
        ] {
            assert_eq!(scrubbed(said, &[&secret]), told);
        }
        let short = SecretString::from("p w");
        assert_eq!(scrubbed("LOGIN me \"p w\"", &[&secret, &short]), "LOGIN me \"[secret]\"");
    }
}
