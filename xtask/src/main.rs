//! `cargo xtask`: what is done with the workspace as a whole. One file a command.
//!
//! Depends on none of the other crates and starts their binaries as processes, so it is built in
//! moments and works while they do not compile.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

mod bench;
mod browser;
mod cargo;
mod chance;
mod ci;
mod clock;
mod command;
mod fuzz;
mod processes;
mod run_all;
mod setup;
mod soak;
mod terminal;
mod test;
mod tidy;
mod trial;
mod workspace;

fn main() -> ExitCode {
    match command::Command::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it, and the exit code says the same.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
