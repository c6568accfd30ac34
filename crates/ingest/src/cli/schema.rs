//! `schema`: the contracts that the binaries write by.

use clap::ValueEnum;
use vigie_common::exit::Exit;
use vigie_common::{document, record};

use super::{Failure, Outcome, say};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which format
    #[arg(value_enum, default_value = "message")]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// vigie.message/1, the document of a message
    Message,
    /// vigie.record/1, a line of `follow`
    Record,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let schema = match arguments.format {
        Format::Message => document::schema(),
        Format::Record => record::schema(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(|e| Failure::new(Exit::Internal, e))?;
    say(&text)?;
    Ok(Exit::Done)
}
