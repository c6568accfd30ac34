//! `vigie-ingest`: see [`vigie_ingest`].

use std::process::ExitCode;

use vigie_common::cli;
use vigie_ingest::cli::Cli;

fn main() -> ExitCode {
    cli::main("vigie-ingest", Cli::run)
}
