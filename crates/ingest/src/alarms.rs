//! What a person should look at. Pure: decided from what is known, in this one place. The codes are stable:
//!
//! | code | subject | when |
//! |---|---|---|
//! | `credentials-refused` | account | the server does not know the user with this password |
//! | `token-refused` | account | whoever gives out its access tokens gives none |
//! | `token-expiring` | account | the login by which it gets access tokens ends within three days |
//! | `throttled` | account | its provider has asked for less for more than an hour |
//! | `budget-used` | account | `daily_bytes` is used up, so that new mail waits as well |
//! | `account-unreachable` | account | a connection failed twice in a row |
//! | `mailbox-stale` | account/mailbox | watched, and no proof of life for 15 minutes |
//! | `uids-open` | account/mailbox | messages could not be stored for an hour, and are tried again |
//! | `quarantine` | account/mailbox | messages were given up after three tries |
//! | `disk-low` | archive | less than `min_free` is free, or the disk is full |
//! | `archive-failed` | archive | nothing can be stored for another reason |

use jiff::{SignedDuration, Timestamp};
use vigie_archive::{MailboxState, is_stale};
use vigie_common::config::Size;
use vigie_web::Alarm;

use crate::board::{AccountFacts, Known, Low, MailboxFacts, Trouble};
use crate::budget::Purpose;
use crate::error::Error;

/// A connection that is lost once is everyday: so many times in a row are trouble.
const TIMES: u32 = 2;
/// Messages that are open for so long should be known of.
const OPEN: SignedDuration = SignedDuration::from_hours(1);

/// A login that ends within this needs a person: over a weekend, too.
const EXPIRING: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Providers ask for less now and then: what lasts longer than this needs a person.
const LASTS: SignedDuration = SignedDuration::from_hours(1);

/// The alarms that hold now.
#[must_use]
pub fn alarms(known: &Known, now: Timestamp) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    alarms.extend(of_archive(known));
    for (id, account) in &known.accounts {
        alarms.extend(of_account(id, account, now));
        alarms.extend(expiring(id, account, now));
        alarms.extend(of_budget(id, account, now));
        for (shown, mailbox) in &account.mailboxes {
            let subject = format!("{id}/{shown}");
            alarms.extend(stale(&subject, mailbox, now));
            alarms.extend(open(&subject, mailbox, now));
            alarms.extend(quarantine(&subject, mailbox));
        }
    }
    alarms
}

/// One for the archive, whatever connections noticed it.
fn of_archive(known: &Known) -> Option<Alarm> {
    let noticed = || known.accounts.values().flat_map(|account| account.troubles.values());
    let noticed = noticed().filter(|trouble| matches!(trouble.error, Error::Archive(_)));
    let first = noticed.min_by_key(|trouble| trouble.since);
    let low = known.low.map(|Low { since, free, min_free }| {
        let (free, least) = (Size(free), Size(min_free));
        alarm("disk-low", "archive", since, format!("{free} are free and {least} are to stay free: ingest stores nothing until there is room; make room, or set [archive] min_free lower"))
    });
    low.or_else(|| {
        let Trouble { since, error, .. } = first?;
        let code = if error.is_full() { "disk-low" } else { "archive-failed" };
        let text = format!("{error}; ingest stores nothing until this is over, and goes on by itself then");
        Some(alarm(code, "archive", *since, text))
    })
}

/// One for the account: refused credentials before all else.
fn of_account(id: &str, account: &AccountFacts, now: Timestamp) -> Option<Alarm> {
    let troubles = account.troubles.values().filter(|t| !matches!(t.error, Error::Archive(_)));
    let refused = troubles.clone().find(|t| t.error.is_refusal());
    if let Some(Trouble { since, error, next_try, .. }) = refused {
        let code = match error {
            Error::Token { .. } => "token-refused",
            _ => "credentials-refused",
        };
        let text = format!(
            "{error}; correct what it logs in by: a changed file is tried at once, for anything else restart ingest or send it SIGHUP; by itself it tries again at {next_try:.0}"
        );
        return Some(alarm(code, id, *since, text));
    }
    let throttled = |t: &&Trouble| matches!(t.error, Error::Throttled { .. });
    let lasts = |t: &&Trouble| now.duration_since(t.since) > LASTS;
    if let Some(Trouble { since, error, next_try, .. }) = troubles.clone().filter(throttled).find(lasts) {
        let text = format!(
            "{error}; new mail waits on the server, it tries again by itself at {next_try:.0}; if this goes on, watch fewer mailboxes, set `daily_bytes`, or see what else uses the account"
        );
        return Some(alarm("throttled", id, *since, text));
    }
    let lasting = troubles.filter(|t| t.times >= TIMES && !throttled(t));
    let Trouble { since, times, error, next_try } = lasting.min_by_key(|trouble| trouble.since)?;
    let text = format!(
        "{error}; failed {times} times in a row, the next try is at {next_try:.0}; `vigie-ingest check` tries now"
    );
    Some(alarm("account-unreachable", id, *since, text))
}

/// A login that ends, as long as it is still good.
fn expiring(id: &str, account: &AccountFacts, now: Timestamp) -> Option<Alarm> {
    let (.., ends) = account.token.as_ref()?.kept?;
    let ends = ends?;
    let since = ends.checked_sub(EXPIRING).unwrap_or(Timestamp::MIN);
    let is_refused = account.troubles.values().any(|t| t.error.is_refusal());
    (now >= since && !is_refused).then(|| {
        let text = format!("the login by which access tokens are got ends at {ends:.0}; run `vigie-ingest login {id}` before, ingest goes on meanwhile");
        alarm("token-expiring", id, since, text)
    })
}

/// One for the account whose new mail waits because of its own budget.
fn of_budget(id: &str, account: &AccountFacts, now: Timestamp) -> Option<Alarm> {
    let until = account.budget.wait(Purpose::Arrival, 0, 0, now)?;
    let held = account.mailboxes.values().filter(|mailbox| mailbox.state == MailboxState::Throttled);
    let since = held.map(|mailbox| mailbox.since).min().unwrap_or(now);
    let (spent, limit) = (Size(account.budget.spent(now)), Size(account.budget.limit().unwrap_or(0)));
    let text = format!(
        "{spent} were received within 24 hours, and `daily_bytes` is {limit}: new mail waits on the server until {until:.0}; set it higher if the provider allows more"
    );
    Some(alarm("budget-used", id, since, text))
}

fn stale(subject: &str, mailbox: &MailboxFacts, now: Timestamp) -> Option<Alarm> {
    use MailboxState::{DiskLow, Refused, Stopped, Throttled};
    let since = mailbox.alive;
    // These have a word of their own, and an alarm of the account or the archive.
    let told = matches!(mailbox.state, DiskLow | Refused | Stopped | Throttled);
    (!told && is_stale(since, now)).then(|| {
        let why = mailbox.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let state = mailbox.state.as_str();
        alarm("mailbox-stale", subject, since, format!("the server has told nothing of this mailbox since {since:.0}, new mail may be waiting there; it is {state}{why}; `vigie-ingest check` tries the account now, the log has the rest"))
    })
}

fn open(subject: &str, mailbox: &MailboxFacts, now: Timestamp) -> Option<Alarm> {
    let (since, count, example) = mailbox.open.as_ref()?;
    let text = format!(
        "{count} messages could not be stored ({example}); each is tried three times before it is given up, a server that is not well as often as it takes"
    );
    (now.duration_since(*since) >= OPEN).then(|| alarm("uids-open", subject, *since, text))
}

fn quarantine(subject: &str, mailbox: &MailboxFacts) -> Option<Alarm> {
    let (since, count, example) = mailbox.quarantined.as_ref()?;
    let text = format!(
        "{count} messages could not be taken and were given up ({example}); `vigie-ingest quarantine list` shows them, `quarantine retry` asks for them again: look at them with another mail program, or delete them there"
    );
    Some(alarm("quarantine", subject, *since, text))
}

fn alarm(code: &str, subject: &str, since: Timestamp, text: String) -> Alarm {
    Alarm { code: code.into(), subject: subject.into(), since, text }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::board::{Board, TokenFacts};

    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    fn at(minute: i32) -> Timestamp {
        "2026-11-01T08:00:00Z".parse::<Timestamp>().unwrap() + MINUTE * minute
    }

    /// An account `a` whose INBOX was alive at minute 0.
    fn board() -> Board {
        let board = Board::default();
        board.account("a", |account| account.watch("INBOX".into(), at(0)).connection = 1);
        board
    }

    fn met(board: &Board, number: usize, error: &Error, minute: i32) {
        board.account("a", |account| account.met(number, error, Duration::from_secs(90), at(minute)));
    }

    /// Code, subject and beginning of each.
    fn told(board: &Board, minute: i32) -> Vec<(String, String, Timestamp)> {
        let alarms = board.read(|known| alarms(known, at(minute)));
        alarms.into_iter().map(|a| (a.code, a.subject, a.since)).collect()
    }

    fn one(code: &str, subject: &str, minute: i32) -> Vec<(String, String, Timestamp)> {
        vec![(code.into(), subject.into(), at(minute))]
    }

    fn lost() -> Error {
        Error::Lost { during: "IDLE", cause: "the server closed the connection".into() }
    }

    #[test]
    fn silence_makes_a_mailbox_stale_until_it_is_alive_again() {
        let board = board();
        assert_eq!(told(&board, 15), []);
        assert_eq!(told(&board, 16), one("mailbox-stale", "a/INBOX", 0));
        board.account("a", |account| account.alive("INBOX", at(17)));
        assert_eq!(told(&board, 30), []);
    }

    #[test]
    fn a_connection_lost_once_is_everyday() {
        let board = board();
        met(&board, 1, &lost(), 1);
        assert_eq!(told(&board, 1), []);
        met(&board, 1, &lost(), 2);
        assert_eq!(told(&board, 2), one("account-unreachable", "a", 1));
        let text = board.read(|known| alarms(known, at(2))).remove(0).text;
        for part in ["the server closed the connection", "2 times", "2026-11-01T08:03:30Z"] {
            assert!(text.contains(part), "{text}");
        }
        // Another connection of the account does not end it, its own does.
        board.account("a", |account| account.went_well(2));
        assert_eq!(told(&board, 2).len(), 1);
        board.account("a", |account| account.alive("INBOX", at(3)));
        assert_eq!(told(&board, 3), []);
    }

    #[test]
    fn refused_credentials_are_told_at_once_and_alone() {
        let board = board();
        met(&board, 1, &lost(), 1);
        met(&board, 1, &lost(), 2);
        met(&board, 0, &Error::Credentials { user: "me".into(), text: "no".into() }, 3);
        assert_eq!(told(&board, 3), one("credentials-refused", "a", 3));
    }

    #[test]
    fn a_login_that_ends_is_told_three_days_before_and_one_that_has_ended_instead() {
        let board = board();
        let ends = at(4 * 24 * 60);
        board.account("a", |account| {
            account.token =
                Some(TokenFacts { kept: Some((at(0), at(0), Some(ends))), ..TokenFacts::default() });
            account.alive("INBOX", at(24 * 60));
        });
        assert_eq!(told(&board, 24 * 60 - 1), []);
        assert_eq!(told(&board, 24 * 60), one("token-expiring", "a", 24 * 60));
        met(&board, 0, &Error::Token { user: "me".into(), text: "over".into() }, 24 * 60 + 1);
        assert_eq!(told(&board, 24 * 60 + 1), one("token-refused", "a", 24 * 60 + 1));
    }

    /// A fault of ours that comes back as soon as the server has let us in is told, and is not tried without pause.
    #[test]
    fn a_fault_that_being_let_in_does_not_cure_is_told() {
        let board = board();
        let fault = Error::Internal("no".into());
        board.account("a", |account| account.succeeded(1));
        for minute in 1..=2 {
            met(&board, 0, &fault, minute);
            board.account("a", |account| account.let_in());
            assert_eq!(board.of_account("a", |account| account.all_well), Some(false));
        }
        assert_eq!(told(&board, 2), one("account-unreachable", "a", 1));
        board.account("a", |account| account.succeeded(2));
        assert_eq!(board.of_account("a", |account| account.all_well), Some(true));
        assert_eq!(told(&board, 2), []);
    }

    #[test]
    fn a_provider_that_asks_for_less_is_told_when_it_lasts() {
        let board = board();
        let throttled = Error::Throttled { wait: None, crowded: false, text: "slowly".into() };
        met(&board, 0, &throttled, 1);
        board.account("a", |account| account.let_in());
        met(&board, 0, &throttled, 40);
        let stand = |mailbox: &mut MailboxFacts| mailbox.stand(MailboxState::Throttled, None, None, at(1));
        board.mailbox("a", "INBOX", stand);
        assert_eq!(told(&board, 61), []);
        assert_eq!(told(&board, 62), one("throttled", "a", 1));
        board.account("a", |account| account.succeeded(2));
        assert_eq!(told(&board, 62), []);
    }

    #[test]
    fn a_budget_that_is_used_up_is_told_when_new_mail_waits() {
        let board = board();
        board.account("a", |account| {
            account.budget.recall(Some(100), []);
            account.budget.add(99, at(1));
        });
        let stand = |mailbox: &mut MailboxFacts| mailbox.stand(MailboxState::Throttled, None, None, at(1));
        board.mailbox("a", "INBOX", stand);
        assert_eq!(told(&board, 2), []);
        board.account("a", |account| account.budget.add(1, at(2)));
        assert_eq!(told(&board, 2), one("budget-used", "a", 1));
    }

    #[test]
    fn a_full_disk_is_one_alarm_and_no_fault_of_the_account() {
        let board = board();
        let full = vigie_archive::Error::Full { what: vigie_archive::Shortage::Space, path: "x".into() };
        let full = Error::Archive(Arc::new(full));
        met(&board, 1, &full, 1);
        met(&board, 2, &full, 2);
        assert_eq!(told(&board, 2), one("disk-low", "archive", 1));
        board.room(5, 10, at(3));
        board.room(4, 10, at(4));
        assert_eq!(told(&board, 4), one("disk-low", "archive", 3));
        board.room(10, 10, at(5));
        board.account("a", |account| account.stored(1, 1));
        assert_eq!(told(&board, 5), []);
    }

    #[test]
    fn messages_that_stay_open_are_told() {
        let board = board();
        board.mailbox("a", "INBOX", |mailbox| {
            (mailbox.alive, mailbox.open) = (at(60), Some((at(1), 2, "UID 7: no".into())));
        });
        assert_eq!(told(&board, 60), []);
        assert_eq!(told(&board, 61), one("uids-open", "a/INBOX", 1));
        board.mailbox("a", "INBOX", |mailbox| {
            (mailbox.open, mailbox.quarantined) = (None, Some((at(2), 1, "UID 7: no".into())));
        });
        assert_eq!(told(&board, 61), one("quarantine", "a/INBOX", 2));
    }
}
