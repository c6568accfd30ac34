//! What a script expects of a line: how it begins, with `*` for anything in between.

/// A pattern for a client's command or line. The line has to begin with it, whatever the case of
/// the letters; `*` stands for any run of characters (and so also for itself), and what follows the
/// pattern does not matter: `UID FETCH *BODY.PEEK[]`.
#[derive(Clone, Debug)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern from its text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_ascii_uppercase())
    }

    /// Whether a text fits.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_ascii_uppercase();
        let mut pieces = self.0.split('*');
        let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
        for piece in pieces {
            match rest.split_once(piece) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }

    /// Whether a line fits, as it is or without its tag.
    #[must_use]
    pub fn matches_line(&self, line: &str) -> bool {
        self.matches(line) || line.split_once(' ').is_some_and(|(_, command)| self.matches(command))
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn begins_with_and_star() {
        assert!(Pattern::new("login").matches("LOGIN a b"));
        assert!(!Pattern::new("FETCH").matches("UID FETCH 1:*"));
        assert!(Pattern::new("UID FETCH 1:* (UID").matches("uid fetch 1:* (UID FLAGS)"));
        assert!(Pattern::new("UID FETCH *BODY.PEEK[]").matches("UID FETCH 7 (UID BODY.PEEK[]<0.5>)"));
        assert!(!Pattern::new("UID FETCH *BODY.PEEK[]").matches("UID FETCH 7 (UID FLAGS)"));
        assert!(Pattern::new("*").matches(""));
        assert!(Pattern::new("NOOP").matches_line("a1 NOOP"));
        assert!(Pattern::new("DONE").matches_line("DONE"));
    }
}
