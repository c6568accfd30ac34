//! The command line: one file a command.

use anyhow::Result;
use clap::Parser;

use crate::{bench, browser, ci, fuzz, run_all, soak, test, tidy, trial};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "What is done with the workspace as a whole"
)]
pub(crate) enum Command {
    /// Build and run everything: on the demo mailbox, or on real ones with --config
    RunAll(run_all::Options),
    /// Install what the tests need (Debian, as root), then run every test, in a browser, too
    Test(test::Options),
    /// Take the pictures of the README anew
    Screenshots,
    /// Everything a change must pass: fmt, tidy, clippy, doc, test
    Ci,
    /// Check the rules of the house that no compiler knows
    Tidy,
    /// Measure, side by side with what others do
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Try what a hostile server may send, at random
    Fuzz(fuzz::Options),
    /// Try what the whole promises, for longer than a test may take
    #[command(subcommand)]
    Trial(trial::Trial),
    /// Ten thousand connections that do not last: ingest stays as small as it was
    Soak(soak::Options),
}

impl Command {
    pub(crate) fn run(&self) -> Result<()> {
        match self {
            Self::RunAll(options) => run_all::run(options),
            Self::Test(options) => test::run(options),
            Self::Screenshots => browser::screenshots(),
            Self::Ci => ci::run(),
            Self::Tidy => tidy::run(),
            Self::Bench(bench) => bench::run(bench),
            Self::Fuzz(options) => fuzz::run(options),
            Self::Trial(trial) => trial::run(trial),
            Self::Soak(options) => soak::run(options),
        }
    }
}
