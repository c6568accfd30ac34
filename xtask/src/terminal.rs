//! What is shown to a person.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::{Context, Result};

/// Prints one line; fails when nobody reads any more.
pub(crate) fn say(line: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to stdout")
}

/// Text from a message, made harmless: without anything that could steer the terminal or reorder
/// the line, and at most `width` characters long.
pub(crate) fn inert(text: &str, width: usize) -> String {
    let mut shown: String =
        text.chars().take(width).map(|c| if steers(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(width).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// `12345` as `12,345`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(
            inert("a\u{1b}[31mb\r\n\u{9b}\u{202e}c", 80),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}\u{fffd}c"
        );
        assert_eq!(inert("Zoé 李雷", 80), "Zoé 李雷");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(inert("abcdef", 6), "abcdef");
        assert_eq!(inert("abcdefg", 6), "abcde…");
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(["0", "999", "1,000", "1,234,567"], [0, 999, 1_000, 1_234_567].map(thousands).as_slice());
    }
}
