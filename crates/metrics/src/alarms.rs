//! What a person should look at. Pure.

use jiff::{SignedDuration, Timestamp};
use vigie_archive::MailboxState;
use vigie_common::config::{Role, Size};
use vigie_common::text::inert;
use vigie_web::{Alarm, Visitor};

use crate::standing::{Condition, Standing, State};

/// Being behind for less than this is usual.
const BEHIND: SignedDuration = SignedDuration::from_mins(1);

/// An alarm, and the account that it is about, if it is about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whoever may not see this account does not see the alarm.
    pub account: Option<String>,
    /// What to look at.
    pub alarm: Alarm,
    /// The text for those who may not read all of it: without words of servers, which may name addresses, and
    /// without what concerns other accounts, too.
    pub plain: Option<String>,
}

impl Found {
    /// What a visitor is told of it.
    #[must_use]
    pub fn told_to(&self, visitor: &Visitor) -> Option<Alarm> {
        let all = match &self.account {
            Some(account) if !visitor.sees(account) => return None,
            Some(_) => visitor.role() >= Role::Reader,
            None => visitor.accounts().is_none(),
        };
        let plain = self.plain.clone().filter(|_| !all);
        Some(Alarm { text: plain.unwrap_or_else(|| self.alarm.text.clone()), ..self.alarm.clone() })
    }
}

/// Octets of the archive's file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free for us.
    pub free: u64,
    /// Ingest pauses below.
    pub min_free: u64,
}

/// All that there is to look at.
#[must_use]
pub fn find(standing: &Standing, room: Option<Room>, now: Timestamp) -> Vec<Found> {
    let mut found = Vec::new();
    // `detail` is not for everybody.
    let mut add =
        |account: Option<&str>, code: &str, subject: &str, since, text: &str, detail: Option<&str>| {
            let whole = detail.map_or_else(|| text.to_owned(), |detail| format!("{text}: {detail}"));
            let alarm = Alarm { code: code.into(), subject: subject.into(), since, text: whole };
            let plain = detail.map(|_| text.to_owned());
            found.push(Found { account: account.map(str::to_owned), alarm, plain });
        };
    if standing.state == State::Error {
        let text = "records cannot be counted, it is tried again and again";
        add(None, "index-failed", "metrics", now, text, standing.detail.as_deref());
    }
    if let Some(since) = standing.behind_since.filter(|since| now.duration_since(*since) >= BEHIND) {
        let text = "some records are stored and not counted yet: charts are incomplete until they are";
        let count = format!("{} of them", standing.behind());
        add(None, "index-behind", "metrics", since, text, Some(&count));
    }
    if let Some(room) = room.filter(|room| room.free < room.min_free) {
        let text = format!(
            "{} free, ingest pauses below {} ([archive] min_free): make room",
            Size(room.free),
            Size(room.min_free)
        );
        add(None, "disk-low", "archive", now, &text, None);
    }
    let Some(archive) = &standing.archive else { return found };
    let running = archive.is_running(now);
    if !running {
        let last = archive.writer.as_ref().map(|writer| writer.heartbeat);
        let text = match last {
            Some(_) => "ingest gives no sign of life: mail is not fetched",
            None => "ingest is not running: mail is not fetched",
        };
        add(None, "ingest-not-running", "ingest", last.unwrap_or(now), text, None);
        return found;
    }
    for mailbox in &archive.mailboxes {
        let subject = format!("{}/{}", mailbox.account, inert(&mailbox.mailbox.name, 100));
        let said = mailbox.standing.as_ref();
        let since = said.map_or(now, |standing| standing.since);
        let why = said.and_then(|standing| standing.reason.as_deref()).map(|why| inert(why, 200));
        let account = Some(mailbox.account.as_str());
        match Condition::of(mailbox, running, now) {
            Condition::Stale => {
                let since = mailbox.proof_of_life.unwrap_or(since);
                let text = "no proof of life for too long, new mail may be waiting there";
                add(account, "mailbox-stale", &subject, since, text, why.as_deref());
            }
            Condition::Said(MailboxState::Refused) => {
                let text = "the credentials were refused, correct them and restart ingest";
                add(account, "mailbox-refused", &subject, since, text, why.as_deref());
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use vigie_archive::{MailboxStatus, Standing as Said, Writer};
    use vigie_common::document::MailboxSource;

    use super::*;
    use crate::standing::Archive;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn mailbox(state: MailboxState, proof_of_life: Option<Timestamp>) -> MailboxStatus {
        MailboxStatus {
            account: "demo".into(),
            mailbox: MailboxSource {
                name: "IN\u{1b}BOX".into(),
                raw_name: "INBOX".into(),
                delimiter: None,
                special_use: None,
            },
            selected: None,
            stored: 0,
            bytes: 0,
            last_stored: None,
            covered: 0,
            skipped: 0,
            present: 0,
            open: 0,
            quarantined: 0,
            difference: None,
            proof_of_life,
            keywords_at: None,
            standing: Some(Said { state, since: at(-2000), reason: Some("no\nway".into()), next_step: None }),
        }
    }

    fn standing(mailboxes: Vec<MailboxStatus>, heartbeat: i64) -> Standing {
        let writer = Writer { pid: 1, version: "1".into(), since: at(-5000), heartbeat: at(heartbeat) };
        let archive = Archive { as_of: at(0), writer: Some(writer), mailboxes };
        Standing { state: State::Ok, archive: Some(archive), ..Standing::default() }
    }

    fn codes(standing: &Standing, free: u64) -> Vec<String> {
        let room = Room { free, min_free: 1000 };
        find(standing, Some(room), at(0))
            .into_iter()
            .map(|f| format!("{} {}", f.alarm.code, f.alarm.subject))
            .collect()
    }

    #[test]
    fn where_all_is_well_there_is_nothing() {
        let well = standing(vec![mailbox(MailboxState::Idle, Some(at(-10)))], -5);
        assert!(codes(&well, 2000).is_empty());
        assert!(find(&Standing::default(), None, at(0)).is_empty());
    }

    #[test]
    fn each_trouble_has_its_alarm() {
        let mut ill = standing(
            vec![
                mailbox(MailboxState::Idle, Some(at(-1000))),
                mailbox(MailboxState::Connecting, None),
                mailbox(MailboxState::Refused, None),
                mailbox(MailboxState::BackingOff, Some(at(-100))),
            ],
            -5,
        );
        ill.behind_since = Some(at(-70));
        assert_eq!(
            codes(&ill, 500),
            [
                "index-behind metrics",
                "disk-low archive",
                "mailbox-stale demo/IN\\u{1b}BOX",
                "mailbox-stale demo/IN\\u{1b}BOX",
                "mailbox-refused demo/IN\\u{1b}BOX",
            ]
        );
        for Found { alarm, .. } in find(&ill, None, at(0)) {
            assert!(!alarm.text.contains("2027-"), "it has a time of its own: {}", alarm.text);
        }
        let refused = find(&ill, None, at(0)).pop().unwrap();
        assert_eq!(refused.account.as_deref(), Some("demo"));
        assert!(refused.alarm.text.contains("no\\nway"), "{}", refused.alarm.text);
        assert!(refused.plain.is_some_and(|text| text.contains("refused") && !text.contains("way")));
    }

    #[test]
    fn without_ingest_its_mailboxes_are_not_told_one_by_one() {
        let silent = standing(vec![mailbox(MailboxState::Refused, None)], -31);
        assert_eq!(codes(&silent, 2000), ["ingest-not-running ingest"]);
        assert!(!find(&silent, None, at(0))[0].alarm.text.contains("2027-"));
    }
}
