//! `verify`: is everything in the archive there and whole?

use vigie_common::config::Size;
use vigie_common::exit::Exit;

use super::{Failure, Outcome, archive_failure, say};
use crate::error::quoted;
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Outcome {
    let bar = indicatif::ProgressBar::new(0);
    let mut progress = |done: u64, all: u64| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let report =
        vigie_archive::verify(&settings.archive.root, &mut progress).map_err(|e| archive_failure(&e))?;
    bar.finish_and_clear();
    if arguments.json {
        let text = serde_json::to_string(&report).map_err(|e| Failure::new(Exit::Internal, e))?;
        say(&text)?;
    } else {
        for problem in &report.problems {
            say(&format!("{}: {}; {}", quoted(&problem.path), problem.what, problem.todo))?;
        }
        let found = match report.problems.len() {
            0 => "no problem".to_owned(),
            1 => "1 problem".to_owned(),
            n => format!("{n} problems"),
        };
        say(&format!("{} messages, {}: {found}", report.messages, Size(report.bytes)))?;
    }
    Ok(if report.problems.is_empty() { Exit::Done } else { Exit::Incomplete })
}
