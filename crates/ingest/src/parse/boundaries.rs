//! Boundary lines of the multiparts that are open, found in one pass over the body.
//!
//! A boundary counts only as a whole line (blanks may follow), so that one which begins with another is
//! not taken for it. A line of an outer multipart ends all inner ones.

use memchr::{memchr, memmem};

/// A boundary line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delimiter {
    /// Which of the open multiparts it belongs to, counted from the outermost.
    pub(crate) level: usize,
    /// Whether it is the closing one.
    pub(crate) closing: bool,
    /// Where the line begins.
    pub(crate) start: usize,
    /// Where the next line begins.
    pub(crate) next: usize,
}

/// Finds lines that begin with two dashes.
pub(crate) struct Finder(memmem::Finder<'static>);

impl Finder {
    pub(crate) fn new() -> Self {
        Self(memmem::Finder::new(b"\n--"))
    }

    /// The first boundary line of one of `open` at or after `from`, where a line begins.
    pub(crate) fn next(&self, raw: &[u8], from: usize, open: &[impl AsRef<[u8]>]) -> Option<Delimiter> {
        let mut start = from;
        if !raw.get(start..)?.starts_with(b"--") {
            start += self.0.find(raw.get(start..)?)? + 1;
        }
        loop {
            let rest = raw.get(start..)?;
            if let Some((level, closing)) = which(rest, open) {
                let next = memchr(b'\n', rest).map_or(raw.len(), |end| start + end + 1);
                return Some(Delimiter { level, closing, start, next });
            }
            start += self.0.find(rest)? + 1;
        }
    }
}

/// The multipart that the line at the beginning of `rest` belongs to, the innermost first.
pub(crate) fn which(rest: &[u8], open: &[impl AsRef<[u8]>]) -> Option<(usize, bool)> {
    let text = rest.strip_prefix(b"--")?;
    open.iter().enumerate().rev().find_map(|(level, boundary)| {
        let after = text.strip_prefix(boundary.as_ref())?;
        if ends(after) {
            return Some((level, false));
        }
        after.strip_prefix(b"--").is_some_and(ends).then_some((level, true))
    })
}

/// Whether only blanks follow on the line.
fn ends(after: &[u8]) -> bool {
    let after = after.iter().find(|b| !matches!(b, b' ' | b'\t' | b'\r'));
    after.is_none_or(|b| *b == b'\n')
}

/// Where content ends that the delimiter at `start` follows: its line break belongs to the delimiter.
pub(crate) fn content_end(raw: &[u8], begin: usize, start: usize) -> usize {
    let content = raw.get(begin..start).unwrap_or_default();
    let content = content.strip_suffix(b"\n").map_or(content, |c| c.strip_suffix(b"\r").unwrap_or(c));
    begin + content.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn finds(raw: &str, open: &[&str], expected: Option<(usize, bool, &str)>) {
        let found = Finder::new().next(raw.as_bytes(), 0, open);
        let line = |d: Delimiter| (d.level, d.closing, raw.get(d.start..d.next).unwrap());
        assert_eq!(found.map(line), expected, "{raw:?}");
    }

    #[test]
    fn whole_lines_only() {
        finds("a\r\n--b\r\nc", &["b"], Some((0, false, "--b\r\n")));
        finds("--b", &["b"], Some((0, false, "--b")));
        finds("x --b\n--bc\n--b-\n--b \t\n", &["b"], Some((0, false, "--b \t\n")));
        finds("\n--b--  \n", &["b"], Some((0, true, "--b--  \n")));
        finds("\n--b--x\n-- b\n", &["b"], None);
        finds("", &["b"], None);
    }

    #[test]
    fn boundaries_that_begin_with_another() {
        finds("\n--bb\n", &["b", "bb"], Some((1, false, "--bb\n")));
        finds("\n--b\n", &["b", "bb"], Some((0, false, "--b\n")));
        finds("\n--b--\n", &["b", "b--"], Some((1, false, "--b--\n")));
        finds("\n--b\n", &["b", "b"], Some((1, false, "--b\n")));
    }

    #[test]
    fn the_last_line_break_is_not_content() {
        assert_eq!(content_end(b"ab\r\n--", 0, 4), 2);
        assert_eq!(content_end(b"ab\n--", 0, 3), 2);
        assert_eq!(content_end(b"\n--", 1, 1), 1);
    }
}
