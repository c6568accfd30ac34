//! `vigie-supervisor`: see [`vigie_supervisor`].

use std::process::ExitCode;

use vigie_common::cli;
use vigie_supervisor::cli::Cli;
use vigie_supervisor::init;

fn main() -> ExitCode {
    if let Some(code) = init::as_process_1() {
        return code;
    }
    cli::main("vigie-supervisor", Cli::run)
}
