//! `cargo xtask`: what is done with the workspace as a whole. One file a command.
//!
//! Depends on none of the other crates and starts their binaries as processes, so it is built in
//! moments and works while they do not compile.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

mod bench;
mod cargo;
mod ci;
mod clock;
mod run_all;
mod setup;
mod terminal;
mod test;
mod tidy;
mod workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "What is done with the workspace as a whole"
)]
enum Command {
    /// Build and run everything: on the demo mailbox, or on real ones with --config
    RunAll(run_all::Options),
    /// Install what the tests need (Debian, as root), then run every test
    Test(test::Options),
    /// Everything a change must pass: fmt, tidy, clippy, doc, test
    Ci,
    /// Check the rules of the house that no compiler knows
    Tidy,
    /// Measure, side by side with what others do
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::RunAll(options) => run_all::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Ci => ci::run(),
        Command::Tidy => tidy::run(),
        Command::Bench(bench) => bench::run(&bench),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it, and the exit code says the same.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
