//! Structured header values: `value; name=text; name*0*=...` (RFC 2045, RFC 2231).
//!
//! Comments are stripped, the extended form of a parameter wins over the plain one, continuations are
//! put together in their order, and encoded words, which do not belong here, are decoded all the same.

use std::borrow::Cow;

use super::words::{self, Flaws};
use super::{charsets, limits, transfer};

/// A header value and its parameters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Structured {
    /// What stands before the first `;`, in lower case.
    pub(crate) value: String,
    parameters: Vec<Parameter>,
}

/// One parameter as it was written, or one piece of it.
#[derive(Debug, PartialEq, Eq)]
struct Parameter {
    /// Lower case, without the marks of RFC 2231.
    name: String,
    /// Place among the continuations; none where the parameter is in one piece.
    place: Option<u32>,
    /// Whether the text is of the extended form, percent-encoded.
    extended: bool,
    text: Vec<u8>,
}

impl Structured {
    /// Reads an unfolded header value.
    pub(crate) fn read(text: &[u8]) -> Self {
        let mut scanner = Scanner::new(text);
        let (value, mut end) = scanner.token(b";");
        let mut parameters = Vec::new();
        while end.is_some() && parameters.len() < limits::PARAMETERS {
            let (name, mark) = scanner.token(b"=;");
            end = mark;
            if mark == Some(b'=') {
                let (text, mark) = scanner.token(b";");
                end = mark;
                parameters.extend(Parameter::new(&name, text));
            }
        }
        let value = String::from_utf8_lossy(&value).trim().to_ascii_lowercase();
        Self { value, parameters }
    }

    /// The decoded value of a parameter: of the extended form where it stands in both.
    pub(crate) fn get(&self, name: &str, flaws: &mut Flaws) -> Option<String> {
        let mut pieces: Vec<&Parameter> = self.parameters.iter().filter(|p| p.name == name).collect();
        let whole = |extended| pieces.iter().find(|p| p.place.is_none() && p.extended == extended);
        if let Some(extended) = whole(true) {
            return Some(unpercent(&[extended], flaws));
        }
        if pieces.iter().any(|p| p.place.is_some()) {
            pieces.retain(|p| p.place.is_some());
            pieces.sort_by_key(|p| p.place);
            pieces.dedup_by_key(|p| p.place);
            return Some(unpercent(&pieces, flaws));
        }
        whole(false).map(|plain| words::decode(&plain.text, flaws).into_owned())
    }
}

impl Parameter {
    /// `None` where there is no name.
    fn new(name: &[u8], text: Vec<u8>) -> Option<Self> {
        let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
        let (name, extended) = name.strip_suffix('*').map_or((&*name, false), |name| (name, true));
        let (name, place) = match name.rsplit_once('*') {
            Some((base, place)) => (base, Some(place.parse().ok()?)),
            None => (name, None),
        };
        (!name.is_empty()).then(|| Self { name: name.to_owned(), place, extended, text })
    }
}

/// Puts the pieces of an extended parameter together: `charset'language'text` in the first one.
fn unpercent(pieces: &[&Parameter], flaws: &mut Flaws) -> String {
    let mut charset = Cow::Borrowed("");
    let mut bytes = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        let mut text = piece.text.as_slice();
        if !piece.extended {
            bytes.extend_from_slice(text);
            continue;
        }
        let mut fields = text.splitn(3, |b| *b == b'\'');
        if number == 0
            && let (Some(label), Some(_language), Some(rest)) = (fields.next(), fields.next(), fields.next())
        {
            charset = String::from_utf8_lossy(label);
            text = rest;
        }
        while let Some((first, following)) = text.split_first() {
            match (first, transfer::hex(text)) {
                (b'%', Some((byte, after))) => {
                    bytes.push(byte);
                    text = after;
                }
                _ => {
                    bytes.push(*first);
                    text = following;
                }
            }
        }
    }
    if charset.is_empty() {
        // Some senders cut an encoded word into continuations.
        return words::decode(&bytes, flaws).into_owned();
    }
    let decoded = charsets::decode(&charset, &bytes);
    flaws.charset |= decoded.problem.is_some();
    decoded.text.into_owned()
}

/// Strips the comments of a header value that has no parameters.
pub(crate) fn without_comments(text: &[u8]) -> Vec<u8> {
    Scanner { touching: true, ..Scanner::new(text) }.token(b"").0
}

struct Scanner<'a> {
    rest: &'a [u8],
    /// Whether a comment may touch what stands before it: in a file name, brackets are letters.
    touching: bool,
    /// Bytes that follow the last `)`: with no more than these left, no comment begins any more.
    open_end: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a [u8]) -> Self {
        let open_end = memchr::memrchr(b')', text).map_or(text.len(), |at| text.len() - at - 1);
        Self { rest: text, touching: false, open_end }
    }

    /// Reads to one of `ends` outside quotes and comments; returns the text, unquoted and trimmed, and that end.
    fn token(&mut self, ends: &[u8]) -> (Vec<u8>, Option<u8>) {
        let mut out: Vec<u8> = Vec::new();
        let mut depth = 0u32;
        // Spaces inside quotes are meant: only what stands after them is trimmed.
        let mut keep = 0;
        while let Some((byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            match byte {
                b'\\' if depth > 0 => self.rest = rest.get(1..).unwrap_or_default(),
                b'(' if depth > 0 || self.is_comment(&out) => depth += 1,
                b')' if depth > 0 => depth -= 1,
                _ if depth > 0 => {}
                b'"' => {
                    self.quoted(&mut out);
                    keep = out.len();
                }
                _ if ends.contains(byte) => return (trimmed(out, keep), Some(*byte)),
                _ if out.is_empty() && byte.is_ascii_whitespace() => {}
                _ => out.push(*byte),
            }
        }
        (trimmed(out, keep), None)
    }

    /// A comment begins a value or follows white space, and is closed: `report(1).pdf` has none.
    fn is_comment(&self, before: &[u8]) -> bool {
        let apart = self.touching || before.last().is_none_or(u8::is_ascii_whitespace);
        apart && self.rest.len() > self.open_end + 1
    }

    /// Reads to the closing quote. A backslash escapes a quote or itself; elsewhere it is a letter of a path.
    fn quoted(&mut self, out: &mut Vec<u8>) {
        while let Some((byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            match (byte, rest.first()) {
                (b'"', _) => return,
                (b'\\', Some(escaped @ (b'"' | b'\\'))) => {
                    out.push(*escaped);
                    self.rest = rest.get(1..).unwrap_or_default();
                }
                _ => out.push(*byte),
            }
        }
    }
}

fn trimmed(mut text: Vec<u8>, keep: usize) -> Vec<u8> {
    let end = text.trim_ascii_end().len();
    text.truncate(end.max(keep));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn get(text: &str, name: &str) -> Option<String> {
        Structured::read(text.as_bytes()).get(name, &mut Flaws::default())
    }

    #[test]
    fn value_and_comments() {
        let read = Structured::read(b" Text/HTML (it is) ; charset = \"utf-8\" (yes); x");
        assert_eq!(read.value, "text/html");
        assert_eq!(read.get("charset", &mut Flaws::default()).as_deref(), Some("utf-8"));
        assert_eq!(without_comments(b"base64 (x (y) z)"), b"base64");
        assert_eq!(without_comments(b"09(comment): 55"), b"09: 55");
    }

    #[test]
    fn quotes_and_backslashes() {
        assert_eq!(get(r#"a; name="C:\dir\f;1.txt""#, "name").unwrap(), r"C:\dir\f;1.txt");
        assert_eq!(get(r#"a; name="say \"x\" \\ now ""#, "name").unwrap(), r#"say "x" \ now "#);
        assert_eq!(get("a; name=report(1).pdf; size=3", "name").unwrap(), "report(1).pdf");
        assert_eq!(get("a; name=two words.pdf ; size=3", "name").unwrap(), "two words.pdf");
        assert_eq!(get("a; name=\"not ended; size=3", "name").unwrap(), "not ended; size=3");
        assert_eq!(get("a;;; =x; name", "name"), None);
    }

    #[test]
    fn rfc_2231() {
        assert_eq!(get("a; name=plain; name*=utf-8'de'gr%C3%BCn", "name").unwrap(), "grün");
        assert_eq!(get("a; name*1=b; name*0=a; name*2*=%63", "name").unwrap(), "abc");
        assert_eq!(get("a; name*0*=utf-8''%E2%82; name*1*=%AC.txt", "name").unwrap(), "€.txt");
        assert_eq!(get("a; name*=no-quotes%20here", "name").unwrap(), "no-quotes here");
        assert_eq!(get("a; name*=iso-8859-1''50%", "name").unwrap(), "50%");
    }

    #[test]
    fn encoded_words_in_parameters() {
        assert_eq!(get(r#"a; name="=?utf-8?Q?gr=C3=BCn?=.txt""#, "name").unwrap(), "grün.txt");
        assert_eq!(get("a; name==?utf-8?B?ZmlsZQ==?=", "name").unwrap(), "file");
        assert_eq!(get("a; name*0=\"=?utf-8?Q?gr=C3\"; name*1=\"=BCn?=\"", "name").unwrap(), "grün");
    }
}
