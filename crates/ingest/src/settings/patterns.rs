//! Patterns of mailboxes. Pure.

use vigie_common::document::MailboxSource;
use vigie_common::text::inert;

/// Which mailboxes of an account are watched: the last pattern that matches a mailbox decides.
///
/// Patterns and names are UTF-8 with `/` for the server's delimiter; `*` stands for anything, `%` for
/// anything within one level, a leading `!` excludes. INBOX is the same in any case (RFC 3501 section 5.1). `\Sent`
/// and the like stand for the mailbox of this special use (RFC 6154), whatever its name. Collections, which show
/// messages of other mailboxes once more (`\All`, `\Flagged`, `\Important`), are included by name or special use alone,
/// never by a wildcard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    includes: bool,
    /// As written, but for the `!` and the case of INBOX.
    text: String,
}

/// Special uses, as documents name them.
const USES: [&str; 8] = ["all", "archive", "drafts", "flagged", "important", "junk", "sent", "trash"];

/// Whether all messages of the mailbox are in other mailboxes too, or may be.
#[must_use]
pub fn is_collection(mailbox: &MailboxSource) -> bool {
    matches!(mailbox.special_use.as_deref(), Some("all" | "flagged" | "important"))
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
        if let Some(unknown) =
            parsed.iter().find(|p| p.special_use().is_some_and(|u| !USES.contains(&u.as_str())))
        {
            return Err(format!(
                "mailboxes: {} is no special use; these are \\{}",
                inert(&unknown.text, 40),
                USES.join(", \\")
            ));
        }
        Ok(Self(parsed))
    }

    /// Whether the mailbox is watched.
    #[must_use]
    pub fn includes(&self, mailbox: &MailboxSource) -> bool {
        let name = canonical(&mailbox.name);
        self.0.iter().rev().find(|p| p.matches(&name, mailbox)).is_some_and(|p| p.includes)
    }

    /// The patterns that mean one mailbox each, and should match one of `found`, but do not.
    pub fn unmatched(&self, found: &[MailboxSource]) -> impl Iterator<Item = &str> {
        let there = |pattern: &Pattern| {
            found.iter().any(|mailbox| pattern.matches(&canonical(&mailbox.name), mailbox))
        };
        self.0.iter().filter(move |p| p.includes && !p.has_wildcard() && !there(p)).map(|p| p.text.as_str())
    }

    /// Those of `found` that a wildcard would include, were they no collections: worth a word to the person.
    pub fn left_out<'a>(&self, found: &'a [MailboxSource]) -> impl Iterator<Item = &'a MailboxSource> {
        let ordinary = |mailbox: &MailboxSource| MailboxSource { special_use: None, ..mailbox.clone() };
        found.iter().filter(move |&m| is_collection(m) && !self.includes(m) && self.includes(&ordinary(m)))
    }
}

impl Pattern {
    fn has_wildcard(&self) -> bool {
        self.text.contains(['*', '%'])
    }

    /// The special use that it means, in lower case.
    fn special_use(&self) -> Option<String> {
        self.text.strip_prefix('\\').map(str::to_ascii_lowercase)
    }

    fn matches(&self, name: &str, mailbox: &MailboxSource) -> bool {
        match self.special_use() {
            Some(special) => mailbox.special_use.as_deref() == Some(special.as_str()),
            None if self.includes && self.has_wildcard() && is_collection(mailbox) => false,
            None => matches(self.text.as_bytes(), name.as_bytes()),
        }
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

    fn mailbox(name: &str, special_use: Option<&str>) -> MailboxSource {
        MailboxSource {
            name: name.into(),
            raw_name: name.into(),
            delimiter: Some("/".into()),
            special_use: special_use.map(Into::into),
        }
    }

    impl Patterns {
        fn has(&self, name: &str) -> bool {
            self.includes(&mailbox(name, None))
        }
    }

    /// Gmail shows each message in All Mail, and most in a second mailbox.
    #[test]
    fn everything_is_not_everything_twice() {
        let all = [
            mailbox("INBOX", None),
            mailbox("[Gmail]/Tous les messages", Some("all")),
            mailbox("[Gmail]/Messages suivis", Some("flagged")),
            mailbox("[Gmail]/Spam", Some("junk")),
        ];
        let watched = |list: &[&str]| {
            let p = patterns(list);
            all.iter().map(|m| p.includes(m)).collect::<Vec<_>>()
        };
        assert_eq!(watched(&["*"]), [true, false, false, true]);
        assert_eq!(watched(&["*", "!\\Junk"]), [true, false, false, false]);
        assert_eq!(watched(&["\\All"]), [false, true, false, false]);
        assert_eq!(watched(&["*", "\\all"]), [true, true, false, true]);
        assert_eq!(watched(&["[Gmail]/Tous les messages"]), [false, true, false, false]);
        assert_eq!(watched(&["\\All", "![Gmail]/*"]), [false, false, false, false]);
        let p = patterns(&["*", "\\All"]);
        assert_eq!(
            p.left_out(&all).map(|m| m.name.as_str()).collect::<Vec<_>>(),
            ["[Gmail]/Messages suivis"]
        );
        assert_eq!(
            patterns(&["INBOX", "\\Sent", "Old"]).unmatched(&all).collect::<Vec<_>>(),
            ["\\Sent", "Old"]
        );
        assert!(Patterns::parse(&["\\Spam".into()]).unwrap_err().contains("no special use"));
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
            assert_eq!(p.has(name), watched, "{name}");
        }
    }

    #[test]
    fn wildcards() {
        assert!(patterns(&["Archive/%"]).has("Archive/2026"));
        assert!(!patterns(&["Archive/%"]).has("Archive/2026/01"));
        assert!(patterns(&["Archive/*"]).has("Archive/2026/01"));
        assert!(patterns(&["*/%/c"]).has("a/b/b/c"));
        assert!(patterns(&["inbox"]).has("INBOX"));
        assert!(patterns(&["INBOX/%"]).has("inbox/x"));
        assert!(!patterns(&["Inbox2"]).has("INBOX2"));
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
