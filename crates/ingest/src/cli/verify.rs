//! `verify`: is everything in the archive there and whole? And what can be done about it?

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use vigie_archive::{Archive, Repaired, Report, verify, verify_quick};
use vigie_common::clock;
use vigie_common::config::Size;
use vigie_common::exit::Exit;

use super::{Failure, Outcome, archive_failure, archive_settings, must_exist, say};
use crate::beat::Beat;
use crate::control::{self, Request};
use crate::error::quoted;
use crate::message::Anew;
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Read everything and compare all hashes, instead of names and sizes alone
    #[arg(long)]
    deep: bool,
    /// Make anew from the exact bytes what is missing or cut, and have the rest fetched again; deletes no mail
    #[arg(long)]
    repair: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found, and done about it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verified {
    /// What was found; after a repair, what is left.
    #[serde(flatten)]
    pub(crate) report: Report,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) repaired: Vec<Repaired>,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Outcome {
    let bar = bar();
    let mut progress = |done: u64, all: u64| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let root = &settings.archive.root;
    let look = if arguments.deep { verify } else { verify_quick };
    let verified = if arguments.repair {
        repair(settings, arguments, &mut progress)?
    } else {
        let report = look(root, &mut progress).map_err(|e| archive_failure(&e))?;
        Verified { report, repaired: Vec::new() }
    };
    bar.finish_and_clear();
    if arguments.json {
        say(&serde_json::to_string(&verified).map_err(|e| Failure::new(Exit::Internal, e))?)?;
    } else {
        print(&verified)?;
    }
    Ok(if verified.report.problems.is_empty() { Exit::Done } else { Exit::Incomplete })
}

/// By the running ingest, or with the lock in our own hands.
fn repair(
    settings: &Settings,
    arguments: &Arguments,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verified, Failure> {
    let request = Request::VerifyRepair { deep: arguments.deep };
    if let Some(reply) = control::ask(settings, &request, progress)? {
        return serde_json::from_value(reply).map_err(|e| Failure::new(Exit::Internal, e));
    }
    let look = if arguments.deep { verify } else { verify_quick };
    let failed = |e| archive_failure(&e);
    let root = &settings.archive.root;
    must_exist(root)?;
    let anew = Box::new(Anew::new(Beat::default()));
    let mut archive = Archive::open_or_rebuild(&archive_settings(settings), env!("CARGO_PKG_VERSION"), anew)
        .map_err(failed)?;
    // What opening it has mended is no problem any more.
    let found = look(root, progress).map_err(failed)?;
    let repaired = archive.repair(&found.problems, clock::now()).map_err(failed)?;
    drop(archive);
    Ok(Verified { report: look(root, progress).map_err(failed)?, repaired })
}

fn print(Verified { report, repaired }: &Verified) -> Result<(), Failure> {
    for Repaired { path, what } in repaired {
        say(&format!("repaired: {}: {what}", quoted(path)))?;
    }
    for problem in &report.problems {
        say(&format!("{}: {}; {}", quoted(&problem.path), problem.what, problem.todo))?;
    }
    let found = match report.problems.len() {
        0 => "no problem".to_owned(),
        1 => "1 problem".to_owned(),
        n => format!("{n} problems"),
    };
    say(&format!("{} messages, {}: {found}", report.messages, Size(report.bytes)))
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = "{bar:30} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
