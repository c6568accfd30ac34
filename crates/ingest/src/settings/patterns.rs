//! Patterns of mailboxes. Pure.

/// Which mailboxes of an account are watched: the last pattern that matches a name decides.
///
/// Patterns and names are UTF-8 with `/` for the server's delimiter; `*` stands for anything, `%` for
/// anything within one level, a leading `!` excludes. INBOX is the same in any case (RFC 3501 section 5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    includes: bool,
    text: String,
}

impl Patterns {
    /// Reads the patterns.
    ///
    /// # Errors
    /// There is none, or none that includes anything.
    pub fn parse(patterns: &[String]) -> Result<Self, String> {
        let parsed: Vec<Pattern> = patterns
            .iter()
            .map(|text| match text.strip_prefix('!') {
                Some(rest) => Pattern { includes: false, text: canonical(rest) },
                None => Pattern { includes: true, text: canonical(text) },
            })
            .collect();
        if !parsed.iter().any(|p| p.includes) {
            return Err(
                "mailboxes includes nothing; the default is [\"INBOX\"], everything is [\"*\"]".into()
            );
        }
        if parsed.iter().any(|p| p.text.is_empty()) {
            return Err("mailboxes holds an empty pattern".into());
        }
        Ok(Self(parsed))
    }

    /// Whether the mailbox of this name is watched.
    #[must_use]
    pub fn includes(&self, name: &str) -> bool {
        let name = canonical(name);
        self.0.iter().rev().find(|p| matches(p.text.as_bytes(), name.as_bytes())).is_some_and(|p| p.includes)
    }

    /// The patterns that name one mailbox each, and so should match something.
    pub fn literal_names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|p| p.includes && !p.text.contains(['*', '%'])).map(|p| p.text.as_str())
    }
}

/// INBOX in capitals, also as the first level of a longer name.
fn canonical(name: &str) -> String {
    let (first, rest) = name.split_once('/').map_or((name, None), |(f, r)| (f, Some(r)));
    if !first.eq_ignore_ascii_case("INBOX") {
        return name.to_owned();
    }
    rest.map_or_else(|| "INBOX".to_owned(), |rest| format!("INBOX/{rest}"))
}

/// Glob matching in time proportional to the product of the lengths at worst: one position to come back to.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on if what follows the last wildcard does not match: the last `*`, and the last `%` after it.
    let mut star: Option<(usize, usize)> = None;
    let mut level: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), name.get(n)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                star = Some((p + 1, n));
                level = None;
                p += 1;
                continue;
            }
            (Some(b'%'), _) => {
                level = Some((p + 1, n));
                p += 1;
                continue;
            }
            (Some(a), Some(b)) if a == b => {
                p += 1;
                n += 1;
                continue;
            }
            _ => {}
        }
        if let Some((after, from)) = level.filter(|&(_, from)| name.get(from).is_some_and(|&b| b != b'/')) {
            level = Some((after, from + 1));
            (p, n) = (after, from + 1);
        } else if let Some((after, from)) = star.filter(|&(_, from)| from < name.len()) {
            star = Some((after, from + 1));
            level = None;
            (p, n) = (after, from + 1);
        } else {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(list: &[&str]) -> Patterns {
        Patterns::parse(&list.iter().map(|&p| p.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_last_match_wins() {
        let p = patterns(&["*", "!Junk", "!Archive/*", "Archive/2026"]);
        for (name, watched) in [
            ("INBOX", true),
            ("Junk", false),
            ("Junk/x", true),
            ("Archive", true),
            ("Archive/2025", false),
            ("Archive/2026", true),
        ] {
            assert_eq!(p.includes(name), watched, "{name}");
        }
    }

    #[test]
    fn wildcards() {
        assert!(patterns(&["Archive/%"]).includes("Archive/2026"));
        assert!(!patterns(&["Archive/%"]).includes("Archive/2026/01"));
        assert!(patterns(&["Archive/*"]).includes("Archive/2026/01"));
        assert!(patterns(&["*/%/c"]).includes("a/b/b/c"));
        assert!(patterns(&["inbox"]).includes("INBOX"));
        assert!(patterns(&["INBOX/%"]).includes("inbox/x"));
        assert!(!patterns(&["Inbox2"]).includes("INBOX2"));
    }

    #[test]
    fn nothing_to_watch_is_refused() {
        assert!(Patterns::parse(&[]).is_err());
        assert!(Patterns::parse(&["!Junk".into()]).is_err());
        assert!(Patterns::parse(&[String::new()]).is_err());
    }

    /// By trying every way to cut the name: slow, but plainly right.
    fn plainly(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|cut| plainly(rest, &name[cut..])),
            Some((b'%', rest)) => {
                let reach = name.iter().position(|&b| b == b'/').unwrap_or(name.len());
                (0..=reach).any(|cut| plainly(rest, &name[cut..]))
            }
            Some((byte, rest)) => name.first() == Some(byte) && plainly(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn it_matches_what_it_plainly_should(pattern in "[ab/*%]{0,7}", name in "[ab/]{0,8}") {
            prop_assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), plainly(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
