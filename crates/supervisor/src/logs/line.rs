//! Bytes to lines (pure).

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use vigie_common::text::inert;

/// Longer lines are cut into several.
pub const LONGEST: usize = 16 << 10;

/// Which output of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A line that a service printed. Its text is hostile: [`LogLine::shown`], and its form as JSON, make it inert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When it was read.
    pub at: Timestamp,
    /// Where it was printed.
    pub stream: Stream,
    /// As printed; what is not UTF-8 is replaced.
    #[serde(serialize_with = "as_shown")]
    pub text: Arc<str>,
}

impl LogLine {
    /// The text for a page, a terminal or a file.
    #[must_use]
    pub fn shown(&self) -> String {
        inert(&self.text, usize::MAX)
    }

    /// What it takes in memory, about.
    pub(super) fn size(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }
}

fn as_shown<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&inert(text, usize::MAX))
}

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub(super) struct Cutter(Vec<u8>);

impl Cutter {
    /// Takes in `bytes`, and gives every line that is complete or too long.
    pub(super) fn push(&mut self, bytes: &[u8], mut give: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                // The usual case: a line that came in one piece.
                Some(line) if self.0.is_empty() => chunks(line, &mut give),
                Some(line) => {
                    self.0.extend_from_slice(line);
                    chunks(&self.0, &mut give);
                    self.0.clear();
                }
                None => self.0.extend_from_slice(piece),
            }
            while self.0.len() >= LONGEST {
                let rest = self.0.split_off(LONGEST);
                give(&self.0);
                self.0 = rest;
            }
        }
    }

    /// Gives what stands behind the last line end.
    pub(super) fn finish(&mut self, mut give: impl FnMut(&[u8])) {
        if !self.0.is_empty() {
            chunks(&self.0, &mut give);
            self.0.clear();
        }
    }
}

fn chunks(line: &[u8], give: &mut impl FnMut(&[u8])) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() <= LONGEST { give(line) } else { line.chunks(LONGEST).for_each(give) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut cutter, mut lines) = (Cutter::default(), Vec::new());
        for piece in pieces {
            cutter.push(piece, |line| lines.push(line.to_vec()));
        }
        cutter.finish(|line| lines.push(line.to_vec()));
        lines
    }

    #[test]
    fn lines_come_whole_from_any_pieces() {
        assert_eq!(cut(&[b"a\nb", b"c\r\n", b"\n", b"d"]), [&b"a"[..], b"bc", b"", b"d"]);
        let long = vec![b'x'; LONGEST + 5];
        assert_eq!(cut(&[&long, b"\ny\n"]).iter().map(Vec::len).collect::<Vec<_>>(), [LONGEST, 5, 1]);
    }

    #[test]
    fn what_is_shown_is_inert() {
        let line = LogLine { at: Timestamp::UNIX_EPOCH, stream: Stream::Stderr, text: "\u{1b}[2J<b>".into() };
        let expected = r#"{"at":"1970-01-01T00:00:00Z","stream":"stderr","text":"\\u{1b}[2J<b>"}"#;
        assert_eq!(serde_json::to_string(&line).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn no_byte_but_line_ends_is_lost(pieces in prop::collection::vec(prop::collection::vec(prop::sample::select(b"ab\n".to_vec()), 0..9), 0..9)) {
            let whole = pieces.concat();
            let lines = cut(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let mut expected: Vec<Vec<u8>> = whole.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
            if expected.last().is_some_and(Vec::is_empty) { expected.pop(); }
            prop_assert_eq!(lines, expected);
        }
    }
}
