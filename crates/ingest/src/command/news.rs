//! What a server tells of the selected mailbox by itself, in whatever answer: arrivals, flags, and what is gone. Pure.

use std::collections::{BTreeMap, BTreeSet};

use async_imap::imap_proto::{AttributeValue, MailboxDatum, Response};
use vigie_archive::UidSet;

/// Flags of a message that are kept at most, and characters of one.
const FLAGS: usize = 64;
const FLAG: usize = 100;
/// Octets of flags that are kept between two looks.
const ROOM: usize = 4 << 20;
/// Messages whose flags are asked for because they were told without a UID.
const NUMBERS: usize = 500;

/// What is new of the selected mailbox.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Messages in it, as last told.
    pub(super) exists: u32,
    /// There are more than before, and nobody has looked yet.
    pub(super) grown: bool,
    changes: Changes,
    /// Octets of `changes.flags`.
    kept: usize,
}

/// What changed of messages that were there.
#[derive(Debug, Default)]
pub struct Changes {
    /// Flags as they are now, by UID.
    pub flags: BTreeMap<u32, Vec<String>>,
    /// Numbers of messages whose flags changed, told without their UID.
    pub numbers: BTreeSet<u32>,
    /// UIDs that are gone. There may be some that never were.
    pub vanished: UidSet,
    /// More was told than is kept here.
    pub cut: bool,
}

impl Changes {
    /// Whether there is anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.numbers.is_empty() && self.vanished.is_empty()
    }
}

impl News {
    /// Another mailbox is about to be selected: what was told of the last one says nothing of it.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(super) fn note(&mut self, response: &Response<'_>) {
        match response {
            // Only what differs is news: there are servers that repeat themselves with each answer.
            Response::MailboxData(MailboxDatum::Exists(n)) => {
                self.grown |= *n > self.exists;
                self.exists = *n;
            }
            Response::Expunge(number) => {
                self.exists = self.exists.saturating_sub(1);
                // Those behind it move up.
                let behind = self.changes.numbers.split_off(number);
                self.changes.numbers.extend(behind.into_iter().filter(|n| n > number).map(|n| n - 1));
            }
            Response::Vanished { earlier, uids } => {
                let uids: UidSet = uids.iter().cloned().collect();
                if !earlier {
                    self.exists = self.exists.saturating_sub(u32::try_from(uids.len()).unwrap_or(u32::MAX));
                    self.changes.numbers.clear();
                }
                self.changes.vanished.union(&uids);
            }
            Response::Fetch(number, attributes) if attributes.iter().all(is_of_flags) => {
                self.note_flags(*number, attributes);
            }
            _ => {}
        }
    }

    fn note_flags(&mut self, number: u32, attributes: &[AttributeValue<'_>]) {
        if self.changes.cut {
            return;
        }
        let Some(flags) = flags_of(attributes) else { return };
        let uid = attributes.iter().find_map(|a| match a {
            AttributeValue::Uid(uid) => Some(*uid).filter(|&uid| uid > 0),
            _ => None,
        });
        let Some(uid) = uid else {
            if self.changes.numbers.len() < NUMBERS {
                self.changes.numbers.insert(number);
            }
            return;
        };
        let octets = |flags: &[String]| 64 + flags.iter().map(|flag| 24 + flag.len()).sum::<usize>();
        let before = self.changes.flags.get(&uid).map_or(0, |flags| octets(flags));
        let kept = self.kept - before + octets(&flags);
        if kept > ROOM {
            self.changes.cut = true;
        } else {
            self.kept = kept;
            self.changes.flags.insert(uid, flags);
        }
    }

    /// Whether flags changed or messages went that nobody has looked at.
    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    pub(super) fn take_changes(&mut self) -> Changes {
        self.kept = 0;
        std::mem::take(&mut self.changes)
    }
}

/// What an answer about flags is made of; listings and bodies have more, and are read by whoever asked for them.
fn is_of_flags(attribute: &AttributeValue<'_>) -> bool {
    matches!(attribute, AttributeValue::Uid(_) | AttributeValue::Flags(_) | AttributeValue::ModSeq(_))
}

/// FLAGS as sent, if they are among what was sent.
pub fn flags_of(attributes: &[AttributeValue<'_>]) -> Option<Vec<String>> {
    attributes.iter().find_map(|attribute| match attribute {
        AttributeValue::Flags(flags) => {
            Some(flags.iter().take(FLAGS).map(|flag| flag.chars().take(FLAG).collect()).collect())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> News {
        let mut news = News::default();
        for line in lines {
            let line = format!("* {line}\r\n");
            news.note(&Response::parse(line.as_bytes()).unwrap().1);
        }
        news
    }

    #[test]
    fn flags_with_and_without_uid() {
        let mut news = told(&[
            "9 EXISTS",
            "2 FETCH (FLAGS (\\Seen))",
            "5 FETCH (FLAGS ())",
            "7 FETCH (UID 70 MODSEQ (12) FLAGS (\\Seen x))",
            "8 FETCH (UID 80 FLAGS () INTERNALDATE \"01-Nov-2026 00:00:00 +0000\")",
            "2 EXPUNGE",
        ]);
        assert_eq!((news.exists, news.grown, news.has_changes()), (8, true, true));
        let changes = news.take_changes();
        assert_eq!(changes.flags, [(70, vec!["\\Seen".to_owned(), "x".to_owned()])].into());
        assert_eq!(changes.numbers, [4].into(), "the fifth is the fourth now, and the second is gone");
        assert!(!news.has_changes());
    }

    #[test]
    fn only_a_live_vanished_counts() {
        let news = told(&["9 EXISTS", "VANISHED (EARLIER) 1:100", "VANISHED 101,103:104"]);
        assert_eq!(news.exists, 6);
        assert_eq!(news.changes.vanished.to_string(), "1:101,103:104");
    }

    #[test]
    fn a_flood_of_flags_is_cut() {
        let flags = vec!["x".repeat(FLAG); FLAGS].join(" ");
        let lines: Vec<String> = (1..1000).map(|n| format!("{n} FETCH (UID {n} FLAGS ({flags}))")).collect();
        let changes = told(&lines.iter().map(String::as_str).collect::<Vec<_>>()).take_changes();
        assert!(changes.cut && changes.flags.len() < 600, "{}", changes.flags.len());
        // The same one again and again is one.
        let lines = vec!["7 FETCH (UID 7 FLAGS (\\Seen))"; 100_000];
        let changes = told(&lines).take_changes();
        assert!(!changes.cut && changes.flags.len() == 1);
    }
}
