//! `vigie-metrics`: see [`vigie_metrics`].

use std::process::ExitCode;

use vigie_common::cli;
use vigie_metrics::cli::Cli;

fn main() -> ExitCode {
    cli::main("vigie-metrics", Cli::run)
}
