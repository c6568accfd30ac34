//! Encoded words (RFC 2047, with the language suffix of RFC 2231) in header text.
//!
//! Lenient where senders are careless: words may touch text, may hold raw bytes and spaces, and a
//! character may be split over adjacent words of one charset. One pass, linear in the input.

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::{charsets, transfer};

/// The longest name of a charset that is looked at, with its language.
const LONGEST_CHARSET: usize = 80;

/// What was not as it should be in one header field.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flaws {
    /// An encoded word could not be decoded, and stands as it was written.
    pub(crate) word: bool,
    /// A charset is unknown, or is not what the bytes are.
    pub(crate) charset: bool,
    /// Bytes above 127 that are not UTF-8 stand outside encoded words.
    pub(crate) raw: bool,
}

/// Decodes the unfolded text of a header field.
pub(crate) fn decode<'a>(text: &'a [u8], flaws: &mut Flaws) -> Cow<'a, str> {
    let mut words = Words { text, end: Some(0) };
    let mut out = String::new();
    let mut open = Run::default();
    // Text from `written` on is not in `out` yet, the search goes on at `at`.
    let (mut written, mut at) = (0, 0);
    while let Some(start) = find(text, at, b"=?") {
        let Some(word) = words.at(start, flaws) else {
            at = start + 2;
            continue;
        };
        at = word.end;
        let Some(bytes) = word.bytes() else {
            flaws.word = true;
            continue;
        };
        let before = text.get(written..start).unwrap_or_default();
        // White space between two words belongs to neither.
        if !(open.is_open && before.iter().all(u8::is_ascii_whitespace)) {
            open.flush(&mut out, flaws);
            out.push_str(&outside(before, flaws));
        }
        open.push(word.charset, bytes, &mut out, flaws);
        written = word.end;
    }
    if written == 0 {
        return outside(text, flaws);
    }
    open.flush(&mut out, flaws);
    out.push_str(&outside(text.get(written..).unwrap_or_default(), flaws));
    Cow::Owned(out)
}

/// Text that stands outside encoded words.
fn outside<'a>(text: &'a [u8], flaws: &mut Flaws) -> Cow<'a, str> {
    let (text, raw) = charsets::undeclared(text);
    flaws.raw |= raw;
    text
}

fn find(text: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    memmem::find(text.get(from..)?, needle).map(|found| from + found)
}

/// The encoded words of one text, asked for from left to right.
struct Words<'a> {
    text: &'a [u8],
    /// The last `?=` that was found; none once there is no further one. Kept, so that many beginnings
    /// before one end cost one search.
    end: Option<usize>,
}

/// One encoded word, cut into its fields.
struct Word<'a> {
    charset: &'a [u8],
    base64: bool,
    payload: &'a [u8],
    end: usize,
}

impl<'a> Words<'a> {
    /// The word that begins at `start`, where `=?` stands.
    fn at(&mut self, start: usize, flaws: &mut Flaws) -> Option<Word<'a>> {
        let rest = self.text.get(start + 2..)?;
        let near = rest.get(..LONGEST_CHARSET).unwrap_or(rest);
        let mark = memchr(b'?', near)?;
        let (charset, rest) = rest.split_at_checked(mark)?;
        if charset.iter().any(|b| b.is_ascii_whitespace() || *b == b'=') {
            return None;
        }
        let [b'?', encoding, b'?', ..] = *rest else { return None };
        let base64 = match encoding {
            b'B' | b'b' => true,
            b'Q' | b'q' => false,
            _ => {
                flaws.word = true;
                return None;
            }
        };
        let begin = start + 2 + mark + 3;
        if self.end.is_some_and(|end| end < begin) {
            self.end = find(self.text, begin, b"?=");
        }
        let word = self.end.and_then(|end| {
            let payload = self.text.get(begin..end)?;
            // Another beginning inside: this one was never ended.
            let whole = memmem::find(payload, b"=?").is_none();
            whole.then_some(Word { charset, base64, payload, end: end + 2 })
        });
        flaws.word |= word.is_none();
        word
    }
}

impl Word<'_> {
    fn bytes(&self) -> Option<Vec<u8>> {
        if !self.base64 {
            return Some(transfer::decode_q(self.payload));
        }
        let (bytes, _) = transfer::base64(self.payload);
        (!bytes.is_empty() || self.payload.is_empty()).then(|| bytes.into_owned())
    }
}

/// Adjacent words of one charset: their bytes are decoded together.
#[derive(Default)]
struct Run<'a> {
    is_open: bool,
    charset: &'a [u8],
    bytes: Vec<u8>,
}

impl<'a> Run<'a> {
    fn push(&mut self, charset: &'a [u8], bytes: Vec<u8>, out: &mut String, flaws: &mut Flaws) {
        let charset = charset.split(|b| *b == b'*').next().unwrap_or_default();
        if !self.charset.eq_ignore_ascii_case(charset) || charsets::has_states(charset) {
            self.flush(out, flaws);
        }
        (self.is_open, self.charset) = (true, charset);
        self.bytes.extend(bytes);
    }

    fn flush(&mut self, out: &mut String, flaws: &mut Flaws) {
        if self.is_open {
            let label = String::from_utf8_lossy(self.charset);
            let decoded = charsets::decode(&label, &self.bytes);
            flaws.charset |= decoded.problem.is_some();
            // Controls were encoded to get past somebody; RFC 8621 drops them, too.
            let shown = |c: char| if c.is_whitespace() { Some(' ') } else { (!c.is_control()).then_some(c) };
            if decoded.text.contains(char::is_control) {
                out.extend(decoded.text.chars().filter_map(shown));
            } else {
                out.push_str(&decoded.text);
            }
            self.bytes.clear();
            self.is_open = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &[u8], expected: &str) {
        assert_eq!(decode(text, &mut Flaws::default()), expected);
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(decode(b"Hello =? there", &mut Flaws::default()), Cow::Borrowed("Hello =? there")));
    }

    #[test]
    fn words_and_the_space_between_them() {
        reads(b"=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus?= =?utf-8?B?S8O2bG4=?=", "Grüße ausKöln");
        reads(b"a =?utf-8?Q?b?= c", "a b c");
        reads(b"a=?utf-8?q?b?=c", "abc");
        reads(b"=?utf-8?q?a?==?utf-8?q?b?=", "ab");
        reads(b"=?iso-8859-1*de?q?=FC?=", "ü");
        reads(b"=?utf-8?q??= x", " x");
        reads(b"=?utf-8?q?a=0D=0AEvil:=00=1B[1m?=", "a  Evil:[1m");
    }

    #[test]
    fn a_character_split_over_two_words() {
        reads(b"=?utf-8?Q?=E2=82?= =?UTF-8?Q?=AC?=", "€");
        reads(b"=?utf-8?B?4oI=?=\t =?UTF-8?B?rA==?=", "€");
        reads(b"=?iso-2022-jp?B?GyRCJDMbKEI=?= =?iso-2022-jp?B?GyRCJHMbKEI=?=", "こん");
    }

    #[test]
    fn raw_bytes_beside_words() {
        reads("né =?utf-8?q?=C3=A9?=".as_bytes(), "né é");
        let mut flaws = Flaws::default();
        assert_eq!(decode(b"n\xe9 =?utf-8?q?=C3=A9?=", &mut flaws), "né é");
        assert_eq!(flaws, Flaws { raw: true, ..Flaws::default() });
    }

    #[test]
    fn what_is_no_word_stays() {
        for text in
            ["=?utf-8?Q?never ended", "=?utf-8?X?abc?=", "=?a b?q?c?=", "=?utf-8?B?***?=", "=??=", "=?="]
        {
            reads(text.as_bytes(), text);
        }
        reads(b"=?utf-8?Q?lost =?utf-8?Q?found?=", "=?utf-8?Q?lost found");
        let mut flaws = Flaws::default();
        decode(b"=?nobody-8?q?=E9?=", &mut flaws);
        assert!(flaws.charset);
    }
}
