//! Cuts a header block into fields, whatever its line ends and however it breaks off.

use std::borrow::Cow;

use mailparse::MailHeader;
use memchr::{memchr, memchr2};

use super::{charsets, limits};

/// One field as it stands in the message.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    header: MailHeader<'a>,
    /// Whether the field is longer than its cap, and cut there.
    pub(crate) cut: bool,
}

/// The header block of a message or part.
#[derive(Debug, Default)]
pub(crate) struct Block<'a> {
    /// The fields in their order.
    pub(crate) fields: Vec<Field<'a>>,
    /// Where the body begins.
    pub(crate) body: usize,
    /// The first line that is no field.
    pub(crate) stray: Option<&'a [u8]>,
    /// Whether there were more fields or bytes than the caps allow.
    pub(crate) too_many: bool,
}

/// Reads the header block that begins at `start`. It ends at an empty line, or before a line for which
/// `stop` says so: a boundary.
pub(crate) fn split<'a>(raw: &'a [u8], start: usize, stop: impl Fn(&[u8]) -> bool) -> Block<'a> {
    let mut block = Block::default();
    let mut open: Option<(usize, usize)> = None;
    let mut at = start;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let length = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let line = without_line_end(rest.get(..length).unwrap_or(rest));
        if line.is_empty() {
            at += length;
            break;
        }
        if line.starts_with(b"--") && stop(line) {
            break;
        }
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        match &mut open {
            Some((_, end)) if folded => *end = at + length,
            _ => {
                block.close(raw, open.take());
                if folded || !is_field(line) {
                    block.stray.get_or_insert(line);
                } else if block.fields.len() >= limits::FIELDS || at - start > limits::BLOCK {
                    block.too_many = true;
                } else {
                    open = Some((at, at + length));
                }
            }
        }
        at += length;
    }
    block.close(raw, open);
    // Nothing of it was a header: all of it is the body.
    block.body = if block.fields.is_empty() && block.stray.is_some() { start } else { at.min(raw.len()) };
    block
}

impl<'a> Block<'a> {
    fn close(&mut self, raw: &'a [u8], open: Option<(usize, usize)>) {
        let Some(text) = open.and_then(|(start, end)| raw.get(start..end)) else { return };
        let short = text.get(..limits::FIELD).unwrap_or(text);
        if let Ok((header, _)) = mailparse::parse_header(short) {
            self.fields.push(Field { header, cut: short.len() < text.len() });
        }
    }

    /// The first field of that name.
    pub(crate) fn first(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.is(name))
    }
}

impl Field<'_> {
    /// The name, without blanks around it.
    pub(crate) fn name(&self) -> &[u8] {
        self.header.get_key_raw().trim_ascii()
    }

    /// Whether that is its name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value with its folds undone, without white space around it.
    pub(crate) fn value(&self) -> Cow<'_, [u8]> {
        unfold(self.header.get_value_raw().trim_ascii())
    }

    /// The value as text, not decoded; and whether it has bytes above 127 that are not UTF-8.
    pub(crate) fn text(&self) -> (String, bool) {
        match self.value() {
            Cow::Borrowed(value) => {
                let (text, raw) = charsets::undeclared(value);
                (text.into_owned(), raw)
            }
            Cow::Owned(value) => String::from_utf8(value).map_or_else(
                |error| (charsets::undeclared(error.as_bytes()).0.into_owned(), true),
                |text| (text, false),
            ),
        }
    }
}

/// A line without what ends it.
pub(crate) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a line begins a field: a name of visible ASCII, blanks perhaps, a colon.
fn is_field(line: &[u8]) -> bool {
    let near = line.get(..limits::LABEL).unwrap_or(line);
    let Some(name) = memchr(b':', near).and_then(|colon| near.get(..colon)) else { return false };
    let name = name.trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

/// Takes out line ends; the white space of the folds stays.
fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr2(b'\n', b'\r', value) else { return Cow::Borrowed(value) };
    let mut out = Vec::with_capacity(value.len());
    let (mut rest, mut end) = (value, first);
    loop {
        out.extend_from_slice(rest.get(..end).unwrap_or(rest));
        rest = rest.get(end + 1..).unwrap_or_default();
        match memchr2(b'\n', b'\r', rest) {
            Some(next) => end = next,
            None => break,
        }
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn fields(raw: &str) -> (Vec<(String, String)>, String) {
        let block = split(raw.as_bytes(), 0, |line| line == b"--b");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = block.fields.iter().map(|f| (text(f.name()), f.text().0)).collect();
        (fields, raw.get(block.body..).unwrap().to_owned())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn folds_and_line_ends() {
        let expected = vec![pair("A", "1 2"), pair("B", ""), pair("c", "x:y")];
        assert_eq!(fields("A: 1\r\n 2\r\nB:\r\nc :x:y\r\n\r\nbody"), (expected.clone(), "body".into()));
        assert_eq!(fields("A: 1\n 2\nB:\nc :x:y\n\nbody"), (expected.clone(), "body".into()));
        assert_eq!(fields("A: 1\n 2\nB:\nc :x:y").0, expected);
    }

    #[test]
    fn what_is_no_field_is_left_out() {
        assert_eq!(
            fields(" folded\nA: 1\nno field\n of two lines\nB: 2\n\nx").0,
            [pair("A", "1"), pair("B", "2")]
        );
        assert_eq!(fields("just text\n\nmore"), (vec![], "just text\n\nmore".into()));
        assert_eq!(fields("\nbody"), (vec![], "body".into()));
        assert_eq!(fields(""), (vec![], String::new()));
    }

    #[test]
    fn a_boundary_ends_the_block() {
        assert_eq!(fields("A: 1\n--b\nB: 2"), (vec![pair("A", "1")], "--b\nB: 2".into()));
    }

    #[test]
    fn caps() {
        let block = "To: x\n".repeat(limits::FIELDS + 1);
        let block = split(block.as_bytes(), 0, |_| false);
        assert!(block.too_many && block.fields.len() == limits::FIELDS);
        let long = format!("A: {}\nB: 2\n\n", "x".repeat(limits::FIELD));
        let block = split(long.as_bytes(), 0, |_| false);
        assert_eq!(block.fields.iter().map(|f| f.cut).collect::<Vec<_>>(), [true, false]);
    }
}
