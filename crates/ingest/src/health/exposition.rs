//! `/metrics`: what is known of the accounts in the Prometheus text format 0.0.4. Pure. Accounts are named by their
//! id; nothing of a sender, an address or a subject is told.

use std::fmt::{Display, Write};

use jiff::Timestamp;
use vigie_archive::MailboxState;

use crate::board::{AccountFacts, Known, MailboxFacts};

/// Of the text.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The whole page.
pub(super) fn text(known: &Known, now: Timestamp) -> String {
    let mut page = Page::default();
    page.family("vigie_build_info", "gauge", "Always 1; the labels say which version runs.");
    page.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);

    page.family("vigie_ingest_messages_total", "counter", "Messages stored, and tries that left one open.");
    for (id, account) in &known.accounts {
        page.sample(&[("account", id), ("result", "stored")], account.stored);
        page.sample(&[("account", id), ("result", "failed")], account.failed);
    }
    page.family("vigie_ingest_bytes_total", "counter", "Octets of the messages stored.");
    for (id, account) in &known.accounts {
        page.sample(&[("account", id)], account.bytes);
    }
    page.family(
        "vigie_imap_connection_state",
        "gauge",
        "1 for each state that a mailbox of the account is in, or while none is known, the account.",
    );
    for (id, account) in &known.accounts {
        for state in MailboxState::ALL {
            page.sample(&[("account", id), ("state", state.as_str())], u8::from(account.stands(state)));
        }
    }
    page.family(
        "vigie_imap_reconnects_total",
        "counter",
        "Connections that ended in trouble or were not made.",
    );
    for (id, account) in &known.accounts {
        for (reason, times) in &account.reconnects {
            page.sample(&[("account", id), ("reason", reason)], times);
        }
    }
    tokens(&mut page, known);
    costs(&mut page, known, now);
    lives(&mut page, known, now);
    page.family(
        "vigie_mailbox_messages",
        "gauge",
        "Messages on the server, and those stored (also of messages gone from there), at the last pass.",
    );
    for (id, account) in &known.accounts {
        mailboxes(&mut page, id, account);
    }
    page.family(
        "vigie_mailbox_keywords_timestamp_seconds",
        "gauge",
        "When flags were last compared with the server's: all where it counts changes, else those of the last 30 days.",
    );
    for (id, account) in &known.accounts {
        for (shown, mailbox) in &account.mailboxes {
            let Some(at) = mailbox.keywords_at else { continue };
            page.sample(&[("account", id), ("mailbox", shown)], at.as_second());
        }
    }
    page.family("vigie_mailbox_quarantined", "gauge", "Messages that could not be taken and were given up.");
    for (id, account) in &known.accounts {
        for (shown, mailbox) in &account.mailboxes {
            let count = mailbox.quarantined.as_ref().map_or(0, |(_, count, _)| *count);
            page.sample(&[("account", id), ("mailbox", shown)], count);
        }
    }
    page.text
}

/// Of the accounts that log in by access tokens.
fn tokens(page: &mut Page, known: &Known) {
    let all =
        || known.accounts.iter().filter_map(|(id, account)| Some((id.as_str(), account.token.as_ref()?)));
    if all().next().is_none() {
        return;
    }
    page.family("vigie_ingest_token_refresh_total", "counter", "Access tokens asked for.");
    for (id, token) in all() {
        for (result, times) in [("ok", token.granted), ("refused", token.refused), ("failed", token.failed)] {
            page.sample(&[("account", id), ("result", result)], times);
        }
    }
    page.family(
        "vigie_ingest_login_timestamp_seconds",
        "gauge",
        "Of the login that access tokens are got by: when it was made, last used, and ends as far as is known.",
    );
    for (id, token) in all() {
        let Some((made, used, ends)) = token.kept else { continue };
        for (event, at) in [("made", Some(made)), ("used", Some(used)), ("ends", ends)] {
            if let Some(at) = at {
                page.sample(&[("account", id), ("event", event)], at.as_second());
            }
        }
    }
}

/// What the accounts cost their providers, and what these made of it.
fn costs(page: &mut Page, known: &Known, now: Timestamp) {
    page.family("vigie_imap_received_bytes_total", "counter", "Octets that came from the servers.");
    for (id, account) in &known.accounts {
        page.sample(&[("account", id)], account.budget.total());
    }
    page.family("vigie_account_budget_remaining_bytes", "gauge", "Octets left of daily_bytes.");
    for (id, account) in &known.accounts {
        if let Some(left) = account.budget.remaining(now) {
            page.sample(&[("account", id)], left);
        }
    }
    page.family(
        "vigie_imap_throttle_seconds_total",
        "counter",
        "Time that accounts were to rest because their provider asked for less.",
    );
    for (id, account) in &known.accounts {
        page.sample(&[("account", id)], account.rested.as_secs());
    }
    page.family(
        "vigie_imap_command_longest_seconds",
        "gauge",
        "The longest from a command to the end of its answer since the start.",
    );
    for (id, account) in &known.accounts {
        for (command, took) in &account.longest {
            page.sample(&[("account", id), ("command", command)], took.as_secs_f64());
        }
    }
}

/// How the mailboxes stand.
fn lives(page: &mut Page, known: &Known, now: Timestamp) {
    let mut each = |name: &'static str, help: &str, value: &dyn Fn(&MailboxFacts) -> i64| {
        page.family(name, "gauge", help);
        for (id, account) in &known.accounts {
            for (shown, mailbox) in &account.mailboxes {
                page.sample(&[("account", id), ("mailbox", shown)], value(mailbox));
            }
        }
    };
    each("vigie_mailbox_silence_seconds", "Time since the last proof of life.", &|mailbox| {
        now.duration_since(mailbox.alive).as_secs().max(0)
    });
    each(
        "vigie_mailbox_lag_messages",
        "Messages on the server that are not dealt with, at the last pass.",
        &|mailbox| i64::try_from(mailbox.lag).unwrap_or(i64::MAX),
    );
    each("vigie_mailbox_open_messages", "Messages that stay open after several tries.", &|mailbox| {
        mailbox.open.as_ref().map_or(0, |(_, count, _)| i64::try_from(*count).unwrap_or(i64::MAX))
    });
}

fn mailboxes(page: &mut Page, id: &str, account: &AccountFacts) {
    for (shown, mailbox) in &account.mailboxes {
        let Some((server, stored)) = mailbox.messages else { continue };
        let sides: [(&str, &dyn Display); 2] = [("server", &server), ("stored", &stored)];
        for (side, messages) in sides {
            page.sample(&[("account", id), ("mailbox", shown), ("side", side)], messages);
        }
    }
}

#[derive(Default)]
struct Page {
    text: String,
    /// The metric that was begun last.
    name: &'static str,
}

impl Page {
    /// Begins a metric.
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A value of the metric that was begun last.
    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let _ = writeln!(self.text, "{}{{{}}} {value}", self.name, labels.join(","));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Board;

    #[test]
    fn a_page() {
        let board = Board::default();
        board.account("a", |account| {
            account.watch("Say \"hi\" \\ there".into(), Timestamp::UNIX_EPOCH);
            account.stored(3, 4_000);
            account.reconnects.insert("lost", 2);
        });
        board.mailbox("a", "Say \"hi\" \\ there", |mailbox| {
            (mailbox.state, mailbox.messages, mailbox.lag) = (MailboxState::Idle, Some((4, 3)), 1);
            mailbox.keywords_at = Timestamp::from_second(1_800_000_000).ok();
        });
        board.account("a", |account| {
            account.budget.recall(Some(1000), []);
            account.budget.add(400, Timestamp::UNIX_EPOCH);
            account.rested = std::time::Duration::from_secs(300);
            account.longest.insert("UID FETCH", std::time::Duration::from_millis(1500));
        });
        let text = board.read(|known| text(known, Timestamp::from_second(7).unwrap()));
        for line in [
            concat!("vigie_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "# TYPE vigie_ingest_messages_total counter",
            "vigie_ingest_messages_total{account=\"a\",result=\"stored\"} 3",
            "vigie_ingest_messages_total{account=\"a\",result=\"failed\"} 0",
            "vigie_ingest_bytes_total{account=\"a\"} 4000",
            "vigie_imap_connection_state{account=\"a\",state=\"idle\"} 1",
            "vigie_imap_connection_state{account=\"a\",state=\"polling\"} 0",
            "vigie_imap_reconnects_total{account=\"a\",reason=\"lost\"} 2",
            r#"vigie_mailbox_messages{account="a",mailbox="Say \"hi\" \\ there",side="server"} 4"#,
            r#"vigie_mailbox_keywords_timestamp_seconds{account="a",mailbox="Say \"hi\" \\ there"} 1800000000"#,
            r#"vigie_mailbox_quarantined{account="a",mailbox="Say \"hi\" \\ there"} 0"#,
            r#"vigie_mailbox_lag_messages{account="a",mailbox="Say \"hi\" \\ there"} 1"#,
            r#"vigie_mailbox_silence_seconds{account="a",mailbox="Say \"hi\" \\ there"} 7"#,
            "vigie_account_budget_remaining_bytes{account=\"a\"} 600",
            "vigie_imap_received_bytes_total{account=\"a\"} 400",
            "vigie_imap_throttle_seconds_total{account=\"a\"} 300",
            "vigie_imap_command_longest_seconds{account=\"a\",command=\"UID FETCH\"} 1.5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
