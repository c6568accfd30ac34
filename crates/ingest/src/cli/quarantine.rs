//! `quarantine`: messages that could not be taken and were given up. `list` and `show` only read; `retry` opens them
//! again, so that the next pass asks for them: by the running ingest, or with the lock in our own hands.

use vigie_archive::{Archive, Change, Quarantined, Reader, Round, layout};
use vigie_common::clock;
use vigie_common::exit::Exit;
use vigie_common::id::Id;

use super::table::table;
use super::{Failure, Outcome, archive_failure, archive_settings, must_exist, say};
use crate::beat::Beat;
use crate::control::{self, Request};
use crate::error::quoted;
use crate::message::Anew;
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List them, with the reason of each
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print all that is known of one, as JSON, and where the bytes that came of it lie
    Show {
        /// As listed
        id: Id,
    },
    /// Ask for them again
    Retry {
        /// As listed; without any: all of them
        ids: Vec<Id>,
    },
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Outcome {
    match &arguments.command {
        Command::List { json } => list(&quarantined(settings)?.1, *json),
        Command::Show { id } => show(settings, id),
        Command::Retry { ids } => retry(settings, ids),
    }
}

fn quarantined(settings: &Settings) -> Result<(Reader, Vec<Quarantined>), Failure> {
    let reader = Reader::open(&settings.archive.root).map_err(|e| archive_failure(&e))?;
    let rows = reader.quarantined().map_err(|e| archive_failure(&e))?;
    Ok((reader, rows))
}

fn list(rows: &[Quarantined], json: bool) -> Outcome {
    if json {
        say(&serde_json::to_string(rows).map_err(|e| Failure::new(Exit::Internal, e))?)?;
        return Ok(Exit::Done);
    }
    let mut lines = table(["id", "account", "mailbox", "uid", "since", "tries", "now", "reason"]);
    for row in rows {
        let now = match (row.present, row.retrying) {
            (false, _) => "of an earlier generation of the mailbox",
            (true, true) => "is tried again",
            (true, false) => "waits for you",
        };
        lines.add_row([
            row.id.to_string(),
            row.account.clone(),
            quoted(&row.mailbox),
            row.uid.to_string(),
            format!("{:.0}", row.at),
            row.attempts.to_string(),
            now.to_owned(),
            quoted(&row.reason),
        ]);
    }
    say(&if rows.is_empty() { "nothing is in quarantine".to_owned() } else { lines.to_string() })?;
    Ok(Exit::Done)
}

fn show(settings: &Settings, id: &Id) -> Outcome {
    let (reader, rows) = quarantined(settings)?;
    let row = rows.iter().find(|row| row.id == *id).ok_or_else(|| unknown(id))?;
    let note = reader.note(row).map_err(|e| archive_failure(&e))?;
    say(&serde_json::to_string_pretty(&note).map_err(|e| Failure::new(Exit::Internal, e))?)?;
    if note.bytes > 0 {
        let path = settings.archive.root.join(layout::quarantine(&row.account, id, "eml"));
        tracing::warn!(path = %path.display(), bytes = note.bytes, "what came of the message lies there");
    }
    Ok(Exit::Done)
}

fn retry(settings: &Settings, ids: &[Id]) -> Outcome {
    let request = Request::QuarantineRetry { ids: ids.to_vec() };
    let opened: usize = match control::ask(settings, &request, &mut |_, _| {})? {
        Some(reply) => serde_json::from_value(reply).map_err(|e| Failure::new(Exit::Internal, e))?,
        None => {
            must_exist(&settings.archive.root)?;
            let anew = Box::new(Anew::new(Beat::default()));
            let version = env!("CARGO_PKG_VERSION");
            let archive = Archive::open_or_rebuild(&archive_settings(settings), version, anew);
            archive
                .and_then(|mut archive| open_again(&mut archive, ids))
                .map_err(|e| archive_failure(&e))??
        }
    };
    say(&match opened {
        0 => "nothing in quarantine can be tried again".to_owned(),
        count => format!("{count} to be tried again: at the next pass of `run` or `sync`"),
    })?;
    Ok(Exit::Done)
}

/// Opens these again; without any: all that the server can be asked for. How many that were.
///
/// # Errors
/// From the archive; within, why one of them cannot be asked for.
pub(crate) fn open_again(
    archive: &mut Archive,
    ids: &[Id],
) -> Result<Result<usize, Failure>, vigie_archive::Error> {
    let changes = match to_retry(&archive.healing(|archive| archive.quarantined())?, ids) {
        Ok(changes) => changes,
        Err(failure) => return Ok(Err(failure)),
    };
    let count = changes.len();
    if count > 0 {
        archive.commit(&Round { changes, ..Round::default() }, clock::now())?;
    }
    Ok(Ok(count))
}

/// What opens these again; without any: all that the server can be asked for.
fn to_retry(rows: &[Quarantined], ids: &[Id]) -> Result<Vec<Change>, Failure> {
    for id in ids {
        let row = rows.iter().find(|row| row.id == *id).ok_or_else(|| unknown(id))?;
        if !row.present {
            let text = format!(
                "{id} cannot be asked for any more: its UID was of an earlier generation of the mailbox, and everything in that was fetched again"
            );
            return Err(Failure::new(Exit::Usage, text));
        }
    }
    let wanted = rows.iter().filter(|row| row.present && (ids.is_empty() || ids.contains(&row.id)));
    Ok(wanted.map(|row| Change::Retry { mailbox: row.number, uid: row.uid }).collect())
}

fn unknown(id: &Id) -> Failure {
    Failure::new(
        Exit::Usage,
        format!("{id} is not in quarantine: `vigie-ingest quarantine list` tells what is"),
    )
}
