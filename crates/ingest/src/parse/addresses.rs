//! Address fields, element by element: one that is no address costs only itself.
//!
//! Groups are flattened, comments after a bare address are its name, obsolete routes are dropped, and
//! what has no domain (`MAILER-DAEMON`) is kept as it is. One pass over the bytes, no recursion.

use memchr::memrchr;
use vigie_common::document::Address;

use super::limits;
use super::words::{self, Flaws};

/// The addresses of one field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// All that were read, at most [`limits::ADDRESSES`].
    pub(crate) list: Vec<Address>,
    /// Texts that are no address; they are in `list` as names.
    pub(crate) bad: Vec<String>,
    /// Whether there were more.
    pub(crate) too_many: bool,
}

/// Reads an unfolded address field.
pub(crate) fn read(text: &[u8], flaws: &mut Flaws) -> Addresses {
    let mut out = Addresses::default();
    let mut element = Element::default();
    let mut rest = text;
    // Bytes after the last quote: a quote that is never closed is none.
    let unquoted = memrchr(b'"', text).map_or(text.len(), |at| text.len() - at - 1);
    while let Some((byte, following)) = rest.split_first() {
        rest = following;
        match byte {
            b'"' if rest.len() > unquoted => rest = element.quoted(rest),
            b'"' => {}
            b'(' => rest = element.commented(rest),
            b'<' => rest = element.angle(rest),
            b'[' => rest = element.literal(rest),
            b',' | b';' => out.push(&mut element, flaws),
            b':' if element.is_group_name() => element = Element::default(),
            b'\\' => {
                if let Some((escaped, following)) = rest.split_first() {
                    element.letter(*escaped);
                    rest = following;
                }
            }
            _ => element.letter(*byte),
        }
        if out.too_many {
            return out;
        }
    }
    out.push(&mut element, flaws);
    out
}

impl Addresses {
    fn push(&mut self, element: &mut Element, flaws: &mut Flaws) {
        let element = std::mem::take(element);
        if element.is_empty() {
            return;
        }
        if self.list.len() >= limits::ADDRESSES {
            self.too_many = true;
            return;
        }
        let address = element.finish(flaws);
        if address.email.is_none() {
            self.bad.push(address.name.clone().unwrap_or_else(|| "<>".to_owned()));
        }
        if address.email.is_some() || address.name.is_some() {
            self.list.push(address);
        }
    }
}

/// What was read of one element so far.
#[derive(Default)]
struct Element {
    /// Text outside angle brackets and comments, quotes undone.
    phrase: Vec<u8>,
    /// The same with its quotes, kept once there are any.
    quoted: Option<Vec<u8>>,
    comment: Vec<u8>,
    angle: Option<Vec<u8>>,
}

impl Element {
    fn is_empty(&self) -> bool {
        self.angle.is_none() && self.quoted.is_none() && self.phrase.trim_ascii().is_empty()
    }

    /// A colon after a name begins a group; in an address it is part of a literal or of a route.
    fn is_group_name(&self) -> bool {
        self.angle.is_none() && !self.phrase.contains(&b'@')
    }

    fn letter(&mut self, byte: u8) {
        self.phrase.push(byte);
        if let Some(quoted) = &mut self.quoted {
            quoted.push(byte);
        }
    }

    fn quoted<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let quoted = self.quoted.get_or_insert_with(|| self.phrase.clone());
        quoted.push(b'"');
        let rest = until(text, b'"', |byte, escaped| {
            self.phrase.push(byte);
            if escaped {
                quoted.push(b'\\');
            }
            quoted.push(byte);
        });
        quoted.push(b'"');
        rest
    }

    /// Comments nest; their depth is counted, not followed.
    fn commented<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let mut depth = 1u32;
        let mut rest = text;
        if !self.comment.is_empty() {
            self.comment.push(b' ');
        }
        while let Some((byte, following)) = rest.split_first() {
            rest = following;
            match byte {
                b'\\' => {
                    if let Some((escaped, following)) = rest.split_first() {
                        self.comment.push(*escaped);
                        rest = following;
                    }
                    continue;
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            self.comment.push(*byte);
        }
        rest
    }

    /// The first pair of brackets is the address; a further one is text.
    fn angle<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        let mut inside = Vec::new();
        let mut in_quotes = false;
        let mut rest = text;
        while let Some((byte, following)) = rest.split_first() {
            rest = following;
            match byte {
                b'"' => in_quotes = !in_quotes,
                b'>' if !in_quotes => break,
                b'<' if !in_quotes => continue,
                _ => {}
            }
            inside.push(*byte);
        }
        // `<a@b>>`
        while let [b'>', following @ ..] = rest {
            rest = following;
        }
        match &self.angle {
            Some(first) if !first.is_empty() => inside.into_iter().for_each(|byte| self.letter(byte)),
            _ => self.angle = Some(inside),
        }
        rest
    }

    /// A domain in brackets may hold colons and commas.
    fn literal<'a>(&mut self, text: &'a [u8]) -> &'a [u8] {
        self.letter(b'[');
        if self.phrase.iter().rev().nth(1) != Some(&b'@') {
            return text;
        }
        let rest = until(text, b']', |byte, _| self.letter(byte));
        self.letter(b']');
        rest
    }

    fn finish(self, flaws: &mut Flaws) -> Address {
        let comment = text(&self.comment, flaws);
        if let Some(angle) = &self.angle {
            let name = text(&self.phrase, flaws).or(comment);
            return Address { name, email: bare(angle, flaws) };
        }
        let written = self.quoted.as_deref().unwrap_or(&self.phrase).trim_ascii();
        if let Some(email) = address(written, flaws) {
            return Address { name: comment, email: Some(email) };
        }
        // `Some Body a@b.example`: the one word with an @ in it is the address.
        let mut words = self.phrase.split(u8::is_ascii_whitespace).filter(|word| word.contains(&b'@'));
        if let (Some(word), None) = (words.next(), words.next())
            && let Some(email) = address(word, flaws)
        {
            let others: Vec<&[u8]> = self
                .phrase
                .split(u8::is_ascii_whitespace)
                .filter(|other| !other.is_empty() && !other.contains(&b'@'))
                .collect();
            return Address { name: text(&others.join(&b' '), flaws).or(comment), email: Some(email) };
        }
        Address { name: text(&self.phrase, flaws).or(comment), email: None }
    }
}

/// Passes the bytes up to `end` on, escapes undone, and returns what follows.
fn until(text: &[u8], end: u8, mut take: impl FnMut(u8, bool)) -> &[u8] {
    let mut rest = text;
    while let Some((byte, following)) = rest.split_first() {
        rest = following;
        if *byte == end {
            break;
        }
        match (byte, rest.split_first()) {
            (b'\\', Some((escaped, following))) => {
                take(*escaped, true);
                rest = following;
            }
            _ => take(*byte, false),
        }
    }
    rest
}

/// Decoded text, white space run together; none where it is empty.
fn text(bytes: &[u8], flaws: &mut Flaws) -> Option<String> {
    let text = words::decode(bytes.trim_ascii(), flaws);
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c == '\0').filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    (!out.is_empty()).then_some(out)
}

/// What stands between angle brackets, whatever it is, without route, comments and blanks.
fn bare(angle: &[u8], flaws: &mut Flaws) -> Option<String> {
    let angle = angle.trim_ascii();
    let angle = match memrchr(b':', angle) {
        Some(colon) if angle.starts_with(b"@") => angle.get(colon + 1..).unwrap_or_default(),
        _ => angle,
    };
    let angle = angle.strip_prefix(b"mailto:").unwrap_or(angle);
    let text = text(angle, flaws)?;
    if text.starts_with('"') {
        return Some(text);
    }
    let mut depth = 0u32;
    let text: String = text
        .chars()
        .filter(|c| {
            depth += u32::from(*c == '(');
            let keep = depth == 0 && !c.is_whitespace();
            depth = depth.saturating_sub(u32::from(*c == ')'));
            keep
        })
        .collect();
    (!text.is_empty()).then_some(text)
}

/// Text that is an address by itself: one word, or words held together by dots and an @.
fn address(written: &[u8], flaws: &mut Flaws) -> Option<String> {
    // Quoted words alone are a name, unless they are what stands before the @.
    let end = memrchr(b'"', written).and_then(|end| written.get(end + 1..));
    if end.is_some_and(|end| !end.trim_ascii_start().starts_with(b"@")) {
        return None;
    }
    let mut joined: Vec<u8> = Vec::with_capacity(written.len());
    let (mut in_quotes, mut blank) = (false, false);
    for &byte in written {
        in_quotes ^= byte == b'"';
        if byte.is_ascii_whitespace() && !in_quotes {
            blank = true;
            continue;
        }
        let glue = |byte: Option<&u8>| matches!(byte, Some(b'.' | b'@'));
        if blank && !glue(joined.last()) && !glue(Some(&byte)) {
            return None;
        }
        blank = false;
        joined.push(byte);
    }
    text(&joined, flaws).filter(|text| !text.contains("=?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(field: &str, expected: &[(&str, &str)]) {
        let read = read(field.as_bytes(), &mut Flaws::default());
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let list: Vec<_> = read.list.iter().map(|a| (text(&a.name), text(&a.email))).collect();
        let expected: Vec<_> = expected.iter().map(|(n, e)| (n.to_string(), e.to_string())).collect();
        assert_eq!(list, expected, "{field}");
    }

    #[test]
    fn plain_addresses() {
        reads("a@b.example", &[("", "a@b.example")]);
        reads(
            "Ann <a@b.example>, \"B, C\" <c@d.example>",
            &[("Ann", "a@b.example"), ("B, C", "c@d.example")],
        );
        reads("a@b.example (Ann (the one))", &[("Ann (the one)", "a@b.example")]);
        reads("=?utf-8?Q?J=C3=BCrgen?= <j@b.example>", &[("Jürgen", "j@b.example")]);
        reads("\"=?utf-8?Q?J=C3=BCrgen?=\" <j@b.example>", &[("Jürgen", "j@b.example")]);
        reads("\"john doe\"@b.example", &[("", "\"john doe\"@b.example")]);
        reads("a@[IPv6:::1], b@[1.2,3]", &[("", "a@[IPv6:::1]"), ("", "b@[1.2,3]")]);
    }

    #[test]
    fn groups_are_flattened() {
        reads("undisclosed-recipients:;", &[]);
        reads("grp: a@b, Ann <c@d>;, g@h", &[("", "a@b"), ("Ann", "c@d"), ("", "g@h")]);
        reads("\"a, b\": c@d;", &[("", "c@d")]);
        reads("(none) hidden :(nobody (that I know)) ; (the end)", &[]);
    }

    #[test]
    fn each_element_stands_alone() {
        reads(
            "MAILER-DAEMON, a@b,, <>, not an address, c@d",
            &[("", "MAILER-DAEMON"), ("", "a@b"), ("not an address", ""), ("", "c@d")],
        );
        reads("x <a@b> y", &[("x y", "a@b")]);
        reads("\"never ended <a@b>, c@d", &[("never ended", "a@b"), ("", "c@d")]);
        reads("\"a@b\", \"c d\"", &[("", "a@b"), ("c d", "")]);
        reads("Some Body a@b.example", &[("Some Body", "a@b.example")]);
        reads("<@relay,@other:a@b>", &[("", "a@b")]);
        reads("a . b @ c . d", &[("", "a.b@c.d")]);
        reads("Ann <a@b", &[("Ann", "a@b")]);
        reads("<<a@b>>", &[("", "a@b")]);
    }

    #[test]
    fn no_more_than_the_cap() {
        let read = read("a@b,".repeat(limits::ADDRESSES + 5).as_bytes(), &mut Flaws::default());
        assert!(read.too_many && read.list.len() == limits::ADDRESSES);
    }
}
