//! The one encoder for text of servers and senders on its way to a log line or a terminal, and
//! smaller aids for messages to people.

use std::fmt::Write;

/// `text` without anything that a terminal or a log reader would act upon: control characters (line ends
/// included), invisible and direction-changing characters become visible escapes (`\n`, `\u{1b}`); more
/// than `most` characters are cut, and an ellipsis says so.
#[must_use]
pub fn inert(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    for (count, c) in text.chars().enumerate() {
        if count == most {
            out.push('…');
            break;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_active(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Control characters (C0, DEL, C1), line and paragraph separators, bidirectional controls and others
/// without a shape of their own.
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The known name that `name` was probably meant to be.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .filter(|(distance, k)| *distance <= 1 + k.len().max(name.len()) / 4)
        .min()
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_become_visible() {
        assert_eq!(
            inert("a\r\nERROR \u{1b}[2J\u{9b}x\u{202e}", 99),
            "a\\r\\nERROR \\u{1b}[2J\\u{9b}x\\u{202e}"
        );
        assert_eq!(inert("été 日本", 99), "été 日本");
        assert_eq!(inert("abcdef", 3), "abc…");
    }

    #[test]
    fn a_near_name_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("hsot", ["host", "port"].into_iter()), Some("host"));
        assert_eq!(nearest("banana", ["host", "port"].into_iter()), None);
    }

    proptest! {
        #[test]
        fn nothing_active_comes_through(text in "\\PC*|.*") {
            prop_assert!(!inert(&text, 500).chars().any(is_active));
        }
    }
}
