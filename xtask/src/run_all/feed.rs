//! Records of the archive as lines for a person: each new document one line, a flood of them a count.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::terminal::{inert, thousands};

/// Lines of mail that was there before, then only its number.
const BACKFILL: u32 = 5;
/// Lines of new mail in one second, then only its number.
const LIVE: u32 = 20;

pub(super) struct Feed {
    /// What the paths of documents are relative to.
    archive: PathBuf,
    backfill_shown: u32,
    live_shown: u32,
    documents: u64,
    /// Documents since the last count that had no line of their own.
    silent: u64,
}

impl Feed {
    pub(super) fn new(archive: PathBuf) -> Self {
        Self { archive, backfill_shown: 0, live_shown: 0, documents: 0, silent: 0 }
    }

    /// What to show for a line of `follow`.
    pub(super) fn record(&mut self, line: &str) -> Option<String> {
        let record: Value = match serde_json::from_str(line) {
            Ok(record) => record,
            Err(_) => return Some(format!("not a record: {}", inert(line, 200))),
        };
        match (record.get("entry"), record.get("event")) {
            (Some(entry), _) => self.entry(entry),
            (None, Some(event)) => self.event(event),
            (None, None) => Some(format!("not a record: {}", inert(line, 200))),
        }
    }

    fn entry(&mut self, entry: &Value) -> Option<String> {
        self.documents += 1;
        let live = entry.get("mode").and_then(Value::as_str) == Some("live");
        let (shown, most) =
            if live { (&mut self.live_shown, LIVE) } else { (&mut self.backfill_shown, BACKFILL) };
        if *shown >= most {
            self.silent += 1;
            return None;
        }
        *shown += 1;
        let text = |key: &str, width: usize| field(entry, key, width);
        let path = self.archive.join(Path::new(&text("path", 500)));
        Some(format!(
            "{:19}  {:12}  {:28}  {:44}  {}",
            when(entry, "receivedAt"),
            text("mailbox", 24),
            text("from", 28),
            text("subject", 44),
            path.display()
        ))
    }

    fn event(&mut self, event: &Value) -> Option<String> {
        let kind = field(event, "kind", 20);
        if kind == "flags" || self.live_shown >= LIVE {
            return None;
        }
        self.live_shown += 1;
        Some(format!(
            "{:19}  {:12}  {kind}  {}",
            when(event, "at"),
            field(event, "mailbox", 24),
            field(event, "detail", 200)
        ))
    }

    /// What to show once a second.
    pub(super) fn second(&mut self) -> Option<String> {
        self.live_shown = 0;
        let silent = std::mem::take(&mut self.silent);
        (silent > 0).then(|| format!("{:19}  {} documents", "...", thousands(self.documents)))
    }
}

fn field(record: &Value, key: &str, width: usize) -> String {
    inert(record.get(key).and_then(Value::as_str).unwrap_or("-"), width)
}

/// An instant of a record, to the second.
fn when(record: &Value, key: &str) -> String {
    field(record, key, 100).chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(mode: &str, subject: &str) -> String {
        json!({ "seq": 1, "entry": {
            "mode": mode, "mailbox": "INBOX", "from": "ada@example.org", "subject": subject,
            "receivedAt": "2026-07-01T12:00:09Z", "path": "messages/demo/2026/07/01/120009-x.json",
        }})
        .to_string()
    }

    #[test]
    fn a_document_is_one_line() {
        let mut feed = Feed::new("archive".into());
        let line = feed.record(&entry("live", "Hello\r\n\u{1b}[2J")).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "2026-07-01",
                "12:00:09",
                "INBOX",
                "ada@example.org",
                "Hello\u{fffd}\u{fffd}\u{fffd}[2J",
                "archive/messages/demo/2026/07/01/120009-x.json",
            ]
        );
    }

    #[test]
    fn backfill_becomes_a_count() {
        let mut feed = Feed::new(PathBuf::new());
        let shown = (0..2_000).filter(|_| feed.record(&entry("backfill", "old")).is_some()).count();
        assert_eq!(shown, 5);
        assert!(feed.second().unwrap().ends_with(" 2,000 documents"));
        assert_eq!(feed.second(), None);
        assert!(feed.record(&entry("live", "new")).is_some());
        assert_eq!(feed.second(), None);
    }

    #[test]
    fn a_flood_of_new_mail_becomes_a_count_too() {
        let mut feed = Feed::new(PathBuf::new());
        let shown = (0..50).filter(|_| feed.record(&entry("live", "new")).is_some()).count();
        assert_eq!(shown, 20);
        assert!(feed.second().unwrap().ends_with(" 50 documents"));
        assert!(feed.record(&entry("live", "new")).is_some());
    }

    #[test]
    fn events_are_told_and_flags_are_not() {
        let mut feed = Feed::new(PathBuf::new());
        let event = |kind: &str| {
            json!({ "event": { "kind": kind, "at": "2026-07-01T12:00:09Z", "mailbox": "INBOX", "detail": "too big" } })
                .to_string()
        };
        assert!(feed.record(&event("quarantined")).unwrap().ends_with("INBOX         quarantined  too big"));
        assert_eq!(feed.record(&event("flags")), None);
        assert!(feed.record("nonsense").unwrap().starts_with("not a record"));
    }
}
