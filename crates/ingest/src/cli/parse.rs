//! `parse`: documents of message files, without an archive.

use std::io::Read;
use std::path::PathBuf;

use vigie_common::exit::Exit;

use super::{Failure, Outcome, say};
use crate::message::parse_bytes;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Message files; "-" for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    for file in &arguments.files {
        let read = if file.as_os_str() == "-" {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        } else {
            std::fs::read(file)
        };
        let bytes = read.map_err(|e| Failure::new(Exit::Unavailable, format!("{}: {e}", file.display())))?;
        let document = parse_bytes(&bytes).document;
        let line = serde_json::to_string(&document)
            .map_err(|e| Failure::new(Exit::Internal, format!("{}: {e}", file.display())))?;
        say(&line)?;
    }
    Ok(Exit::Done)
}
