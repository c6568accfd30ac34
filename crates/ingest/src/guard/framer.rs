//! Cuts the server's bytes into responses as RFC 3501 section 2.2 frames them (lines, and literals inside
//! them), under limits. Pure: bytes in, bytes out.

use std::fmt;

use bytes::BytesMut;

use super::line::{self, Verdict};

/// What is let through at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a response outside its literals.
    pub line: usize,
    /// Octets of the literals of one response, beyond what is expected.
    pub literal: u64,
    /// Literals of one response: with each, all of it so far is tried again.
    pub literals: usize,
    /// Nesting of parentheses.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: 256 << 10, literal: 2 << 20, literals: 64, depth: 64 }
    }
}

/// What may come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Everything that the parser takes.
    #[default]
    Normal,
    /// During AUTHENTICATE: continuations, the tagged answer and BYE. All else was sent by somebody who wants to
    /// be believed before anybody was authenticated.
    Authenticating,
    /// While STARTTLS or COMPRESS is asked for: nothing past the tagged answer.
    Switching,
}

/// The server sent what cannot be let through; the connection is of no more use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A response of more than so many octets outside literals.
    LineTooLong(usize),
    /// A literal larger than what was expected.
    LiteralTooLarge {
        /// What the server announced.
        announced: u64,
        /// What would have been let through.
        most: u64,
    },
    /// A literal whose announcement is not a number that fits.
    BadLiteral,
    /// A response of more than so many literals.
    TooManyLiterals(usize),
    /// Parentheses nested deeper than so many.
    TooDeep(usize),
    /// A line that is neither an untagged response, nor a tagged one, nor a continuation.
    NotImap,
    /// More than the answer to STARTTLS or COMPRESS, in the same breath.
    Injected,
    /// More than so many octets of which nothing is let through.
    Nothing(usize),
    /// More than so many octets before the login.
    TooEarly(u64),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong(most) => write!(f, "the server sent a line of more than {most} bytes"),
            Self::LiteralTooLarge { announced, most } => {
                write!(f, "the server announced {announced} bytes where at most {most} were expected")
            }
            Self::BadLiteral => f.write_str("the server announced a literal of no readable length"),
            Self::TooManyLiterals(most) => {
                write!(f, "the server sent a response of more than {most} literals")
            }
            Self::TooDeep(most) => write!(f, "the server sent parentheses nested deeper than {most}"),
            Self::Nothing(most) => write!(f, "the server sent more than {most} bytes that say nothing"),
            Self::TooEarly(most) => write!(f, "the server sent more than {most} bytes before the login"),
            Self::NotImap => f.write_str("the server sent what is not IMAP; are `host` and `port` right?"),
            Self::Injected => f.write_str("the server sent plain text after the answer that begins encryption (or compression); somebody may be interfering with the connection"),
        }
    }
}

impl std::error::Error for Violation {}

/// Stands for a literal when a response is tried: the parser takes these three octets only if it sees a literal there. Where
/// it sees something else, what a sender wrote into a message could end the response.
const PROBE: &[u8] = b"{3}\r\n)\"(";

/// What becomes of the response that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// None has begun.
    New,
    /// Its first line was released, so all of it is.
    Release,
    /// Left out, literals and all.
    Drop,
}

#[derive(Debug)]
pub(super) struct Framer {
    limits: Limits,
    expected: u64,
    mode: Mode,
    /// The answer to STARTTLS or COMPRESS was released.
    answered: bool,
    line: Vec<u8>,
    /// The response so far with [`PROBE`] for its literals, where it has some: to be tried before more of it is
    /// released.
    skeleton: Vec<u8>,
    fate: Fate,
    depth: usize,
    /// Octets of this response outside literals, and in them; and how many these are.
    text: usize,
    data: u64,
    literals: usize,
    /// Octets of the present literal that are still to come.
    left: u64,
    /// It becomes a quoted string: see [`line::label_literal`].
    quoting: bool,
}

impl Framer {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            expected: 0,
            mode: Mode::Normal,
            answered: false,
            line: Vec::new(),
            skeleton: Vec::new(),
            fate: Fate::New,
            depth: 0,
            text: 0,
            data: 0,
            literals: 0,
            left: 0,
            quoting: false,
        }
    }

    pub(super) fn expect_literal(&mut self, bytes: u64) {
        self.expected = bytes;
    }

    pub(super) fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
        self.answered = false;
    }

    pub(super) fn is_between_responses(&self) -> bool {
        self.fate == Fate::New && self.line.is_empty() && self.left == 0
    }

    /// Octets that go to the parser as they come, when inside a literal that is let through.
    pub(super) fn passing(&self) -> Option<usize> {
        (self.left > 0 && self.fate == Fate::Release)
            .then(|| usize::try_from(self.left).unwrap_or(usize::MAX))
    }

    pub(super) fn passed(&mut self, length: usize) {
        self.left = self.left.saturating_sub(length as u64);
    }

    pub(super) fn push(&mut self, mut block: &[u8], out: &mut BytesMut) -> Result<(), Violation> {
        while !block.is_empty() {
            if self.answered {
                return Err(Violation::Injected);
            }
            if self.left > 0 {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(block.len());
                let (literal, rest) = block.split_at(length);
                if self.quoting {
                    line::quote(literal, &mut self.line);
                } else if self.fate == Fate::Release {
                    out.extend_from_slice(literal);
                }
                self.passed(length);
                self.end_quote();
                block = rest;
                continue;
            }
            let end = memchr::memchr(b'\n', block).map(|at| at + 1);
            let (text, rest) = block.split_at(end.unwrap_or(block.len()));
            self.text += text.len();
            if self.text > self.limits.line {
                return Err(Violation::LineTooLong(self.limits.line));
            }
            block = rest;
            if end.is_none() {
                self.line.extend_from_slice(text);
                continue;
            }
            if self.line.is_empty() && !text.ends_with(b"}\r\n") {
                self.take_line(text, out)?;
                continue;
            }
            self.line.extend_from_slice(text);
            let mut line = std::mem::take(&mut self.line);
            match line::label_literal(&line).filter(|_| self.fate == Fate::New) {
                Some(length) => {
                    self.count_literal()?;
                    line.truncate(line::before_literal(&line).len());
                    line.push(b'"');
                    self.text += usize::try_from(length).unwrap_or(usize::MAX);
                    (self.left, self.quoting) = (length, true);
                    self.line = line;
                    self.end_quote();
                }
                None => {
                    self.take_line(&line, out)?;
                    line.clear();
                    self.line = line;
                }
            }
        }
        Ok(())
    }

    fn count_literal(&mut self) -> Result<(), Violation> {
        self.literals += 1;
        if self.literals > self.limits.literals {
            return Err(Violation::TooManyLiterals(self.limits.literals));
        }
        Ok(())
    }

    /// After the last octet of a literal that becomes a quoted string.
    fn end_quote(&mut self) {
        if self.quoting && self.left == 0 {
            self.line.push(b'"');
            self.quoting = false;
        }
    }

    /// One line of a response: all of it, or up to (or from) a literal.
    fn take_line(&mut self, line: &[u8], out: &mut BytesMut) -> Result<(), Violation> {
        let first = self.fate == Fate::New;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Before anything is decided by what stands between them.
        let line = &*line::without_controls(line);
        let has_structure = !first || line::has_structure(line);
        let literal = if has_structure { self.scan(line)? } else { None };
        if let Some(announced) = literal {
            let most = self.expected.saturating_add(self.limits.literal);
            self.data = self.data.saturating_add(announced);
            if self.data > most {
                return Err(Violation::LiteralTooLarge { announced, most });
            }
            self.count_literal()?;
            self.left = announced;
        }
        if first {
            self.fate = if self.admits(line) && (literal.is_none() || line::may_hold_literals(line)) {
                Fate::Release
            } else {
                Fate::Drop
            };
        }
        if self.fate == Fate::Release {
            if first && literal.is_none() {
                match line::normalise(line, has_structure) {
                    Verdict::Release(bytes) => release(&bytes, out),
                    Verdict::Drop => {}
                    Verdict::Refuse => return Err(Violation::NotImap),
                }
            } else {
                self.take_piece(line, first, literal.is_some(), out)?;
            }
        }
        if literal.is_none() {
            self.answered = self.mode == Mode::Switching && line::is_tagged(line);
            self.fate = Fate::New;
            self.depth = 0;
            self.text = 0;
            self.data = 0;
            self.literals = 0;
            self.skeleton.clear();
        }
        Ok(())
    }

    /// A line before, between or behind literals. What the parser would not take is left out from its first line on; what
    /// turns bad behind a literal that was released ends the connection.
    fn take_piece(
        &mut self,
        line: &[u8],
        first: bool,
        literal: bool,
        out: &mut BytesMut,
    ) -> Result<(), Violation> {
        let clean = line::structured(line);
        self.skeleton.extend_from_slice(if literal { line::before_literal(&clean) } else { &clean });
        let mut closed = self.skeleton.clone();
        if literal {
            self.skeleton.extend_from_slice(PROBE);
            closed.extend_from_slice(PROBE);
            closed.extend(std::iter::repeat_n(b')', self.depth));
        }
        if line::parses(&closed) {
            release(&clean, out);
            return Ok(());
        }
        if !first {
            return Err(Violation::NotImap);
        }
        self.fate = Fate::Drop;
        if let Some(salvaged) = line::salvage(line) {
            release(&salvaged, out);
        }
        Ok(())
    }

    fn admits(&self, line: &[u8]) -> bool {
        match self.mode {
            Mode::Normal | Mode::Switching => true,
            Mode::Authenticating => line::is_tagged(line) || line.starts_with(b"+") || line::is_bye(line),
        }
    }

    /// Follows quotes and parentheses through `line`; the length of the literal that it announces at its end. A quote that is
    /// still open there hides no literal: no string goes past its line, and what follows is a message's bytes rather than
    /// responses.
    fn scan(&mut self, line: &[u8]) -> Result<Option<u64>, Violation> {
        let mut quoted = false;
        let mut escaped = false;
        for &byte in line {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'(' if !quoted => self.depth += 1,
                b')' if !quoted => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.depth > self.limits.depth {
                return Err(Violation::TooDeep(self.limits.depth));
            }
        }
        line::literal_length(line)
    }
}

fn release(line: &[u8], out: &mut BytesMut) {
    out.extend_from_slice(line);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
