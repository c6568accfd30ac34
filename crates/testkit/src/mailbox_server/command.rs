//! A client's command: its tag, its name, and arguments to be taken one by one.
//!
//! A literal is put into the line as a quoted string, so that there is one kind of argument to read.

/// A command as it was given.
pub(super) struct Command {
    pub(super) tag: String,
    /// In upper case; `UID` with the command that it goes with.
    pub(super) name: String,
    pub(super) arguments: Arguments,
}

impl Command {
    /// Takes a whole line apart; the error is the tag to be answered.
    pub(super) fn parse(line: &[u8]) -> Result<Self, String> {
        let mut arguments = Arguments(line.to_vec());
        let tag = arguments.atom().filter(|tag| !tag.contains(['+', '*', '{', '"'])).ok_or("*")?;
        let mut name = arguments.atom().ok_or_else(|| tag.clone())?.to_ascii_uppercase();
        if name == "UID" {
            let second = arguments.atom().ok_or_else(|| tag.clone())?;
            name = format!("UID {}", second.to_ascii_uppercase());
        }
        Ok(Self { tag, name, arguments })
    }
}

/// What follows the name of a command.
pub(super) struct Arguments(Vec<u8>);

impl Arguments {
    /// The next word up to a space.
    pub(super) fn atom(&mut self) -> Option<String> {
        self.skip_spaces();
        let end = self.0.iter().position(|byte| *byte == b' ').unwrap_or(self.0.len());
        self.take(end)
    }

    /// The next word, or quoted string, or literal.
    pub(super) fn astring(&mut self) -> Option<String> {
        self.skip_spaces();
        if self.0.first() != Some(&b'"') {
            return self.atom();
        }
        let mut value = Vec::new();
        let mut bytes = self.0.iter().copied().enumerate().skip(1);
        let end = loop {
            match bytes.next()? {
                (at, b'"') => break at + 1,
                (_, b'\\') => value.push(bytes.next()?.1),
                (_, byte) => value.push(byte),
            }
        };
        self.0.drain(..end);
        String::from_utf8(value).ok()
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> Option<String> {
        self.skip_spaces();
        self.take(self.0.len())
    }

    pub(super) fn is_empty(&mut self) -> bool {
        self.skip_spaces();
        self.0.is_empty()
    }

    fn skip_spaces(&mut self) {
        let spaces = self.0.iter().take_while(|byte| **byte == b' ').count();
        self.0.drain(..spaces);
    }

    fn take(&mut self, end: usize) -> Option<String> {
        let taken: Vec<u8> = self.0.drain(..end).collect();
        String::from_utf8(taken).ok().filter(|word| !word.is_empty())
    }
}

/// The size of the literal that a line announces at its end, and whether the client waits for a
/// go-ahead.
pub(crate) fn announced(line: &[u8]) -> Option<(usize, bool)> {
    let inner = line.strip_suffix(b"}")?;
    let at = inner.iter().rposition(|byte| *byte == b'{')?;
    let number = std::str::from_utf8(inner.get(at + 1..)?).ok()?;
    let (number, waits) = number.strip_suffix('+').map_or((number, true), |number| (number, false));
    Some((number.parse().ok()?, waits))
}

/// Puts a literal in the place of its announcement.
pub(super) fn embed(line: &mut Vec<u8>, literal: &[u8]) {
    let announcement = line.iter().rposition(|byte| *byte == b'{').unwrap_or(line.len());
    line.truncate(announcement);
    line.push(b'"');
    for byte in literal {
        if matches!(byte, b'"' | b'\\') {
            line.push(b'\\');
        }
        line.push(*byte);
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::{Command, announced, embed};

    #[test]
    fn arguments_are_words_quoted_strings_and_literals() {
        let mut line = b"a1 login \"a \\\"b\\\\\" {6}".to_vec();
        assert_eq!(announced(&line), Some((6, true)));
        embed(&mut line, b"x\" \\\r\n");
        let mut command = Command::parse(&line).unwrap();
        assert_eq!((command.tag.as_str(), command.name.as_str()), ("a1", "LOGIN"));
        assert_eq!(command.arguments.astring().unwrap(), "a \"b\\");
        assert_eq!(command.arguments.astring().unwrap(), "x\" \\\r\n");
        assert!(command.arguments.is_empty());
        assert_eq!(announced(b"a {3+}"), Some((3, false)));
        assert_eq!(announced(b"a {x}"), None);
    }

    #[test]
    fn garbage_is_no_command() {
        assert_eq!(Command::parse(b"").err().unwrap(), "*");
        assert_eq!(Command::parse(b"a1").err().unwrap(), "a1");
        assert_eq!(Command::parse(b"a1 UID").err().unwrap(), "a1");
        assert_eq!(Command::parse(b"a1 uid fetch 1 UID").unwrap().name, "UID FETCH");
    }
}
