//! `status`: how each mailbox stands, from the catalog; ingest need not run.

use jiff::Timestamp;
use serde::Serialize;
use vigie_archive::{MailboxStatus, Reader};
use vigie_common::clock;
use vigie_common::config::Size;
use vigie_common::exit::Exit;

use super::table::table;
use super::{Failure, Outcome, archive_failure, say};
use crate::error::quoted;
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    archive: String,
    running: bool,
    pid: Option<u32>,
    mailboxes: Vec<MailboxStatus>,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Outcome {
    let failed = |error| archive_failure(&error);
    let reader = Reader::open(&settings.archive.root).map_err(failed)?;
    let now = clock::now();
    let writer = reader.writer().map_err(failed)?.filter(|w| w.is_alive(now));
    let status = Status {
        archive: settings.archive.root.display().to_string(),
        running: writer.is_some(),
        pid: writer.map(|w| w.pid),
        mailboxes: reader.mailboxes().map_err(failed)?,
    };
    if arguments.json {
        let text = serde_json::to_string(&status).map_err(|e| Failure::new(Exit::Internal, e))?;
        say(&text)?;
    } else {
        print(&status, now)?;
    }
    Ok(Exit::Done)
}

fn print(status: &Status, now: Timestamp) -> Result<(), Failure> {
    match status.pid {
        Some(pid) => say(&format!("archive {}; ingest runs as process {pid}", status.archive))?,
        None => say(&format!("archive {}; ingest is not running", status.archive))?,
    }
    let mut rows = table([
        "account",
        "mailbox",
        "state",
        "since",
        "on server",
        "stored",
        "size",
        "open",
        "quarantined",
        "proof of life",
        "flags as of",
        "reason",
        "next step",
    ]);
    for mailbox in &status.mailboxes {
        let ago = |at: Timestamp| ago(now.duration_since(at).as_secs());
        let standing = mailbox.standing.as_ref();
        let state = match standing {
            Some(_) if status.running && mailbox.is_stale(now) => "stale",
            Some(standing) if status.running => standing.state.as_str(),
            _ => "not watched",
        };
        rows.add_row([
            mailbox.account.clone(),
            quoted(&mailbox.mailbox.name),
            state.to_owned(),
            standing.map_or_else(String::new, |s| ago(s.since)),
            mailbox.selected.and_then(|s| s.exists).map_or_else(|| "?".into(), |n| n.to_string()),
            mailbox.stored.to_string(),
            Size(mailbox.bytes).to_string(),
            mailbox.open.to_string(),
            mailbox.quarantined.to_string(),
            mailbox.proof_of_life.map_or_else(|| "never".into(), ago),
            mailbox.keywords_at.map_or_else(|| "never".into(), ago),
            standing.and_then(|s| s.reason.clone()).unwrap_or_default(),
            standing.and_then(|s| s.next_step.clone()).unwrap_or_default(),
        ]);
    }
    say(&rows.to_string())
}

/// How long ago, in the largest unit that says enough.
fn ago(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..120 => format!("{s} s ago"),
        s @ 120..7_200 => format!("{} min ago", s / 60),
        s @ 7_200..172_800 => format!("{} h ago", s / 3_600),
        s => format!("{} d ago", s / 86_400),
    }
}
