//! `rebuild-catalog`: the catalog made anew from the files, whatever the present one is.

use vigie_archive::{Archive, Rebuilt};
use vigie_common::exit::Exit;

use super::{Failure, Outcome, archive_failure, archive_settings, must_exist, say};
use crate::beat::Beat;
use crate::control::{self, Request};
use crate::message::Anew;
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Outcome {
    must_exist(&settings.archive.root)?;
    let rebuilt = match control::ask(settings, &Request::RebuildCatalog, &mut |_, _| {})? {
        Some(reply) => serde_json::from_value(reply).map_err(|e| Failure::new(Exit::Internal, e))?,
        None => {
            let anew = Box::new(Anew::new(Beat::default()));
            let opened = Archive::open_rebuilt(&archive_settings(settings), env!("CARGO_PKG_VERSION"), anew);
            opened.map(|(_, rebuilt)| rebuilt).map_err(|e| archive_failure(&e))?
        }
    };
    if arguments.json {
        say(&serde_json::to_string(&rebuilt).map_err(|e| Failure::new(Exit::Internal, e))?)?;
    } else {
        print(&rebuilt)?;
    }
    Ok(if rebuilt.unusable == 0 && rebuilt.damaged == 0 { Exit::Done } else { Exit::Incomplete })
}

fn print(rebuilt: &Rebuilt) -> Result<(), Failure> {
    let Rebuilt { messages, remade, unusable, damaged, aside } = rebuilt;
    say(&format!(
        "{messages} messages recorded, {remade} of them with documents made anew from their bytes"
    ))?;
    if *unusable > 0 {
        say(&format!(
            "{unusable} files are no whole documents and their bytes are not kept: ingest fetches those messages again"
        ))?;
    }
    if *damaged > 0 {
        say(&format!("{damaged} places in raw segments are damaged: see `vigie-ingest verify --deep`"))?;
    }
    match aside {
        Some(name) => say(&format!("the old catalog is now {name}; it can be removed")),
        None => say("there was no old catalog"),
    }
}
