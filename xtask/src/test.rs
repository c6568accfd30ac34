//! `cargo xtask test`: every test of the workspace, after what they need is there.

use anyhow::Result;
use clap::Args;

use crate::terminal::say;
use crate::{cargo, clock, setup};

#[derive(Args)]
pub(crate) struct Options {
    /// Passed on to `cargo test`, for instance: -- -p vigie-archive rounds
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup()?;
    all(&options.arguments)
}

/// Installs what building and testing need.
pub(crate) fn setup() -> Result<()> {
    setup::ensure_installed(setup::OPENSSL.iter().chain(&setup::DOVECOT).chain([&setup::ZSTD]))
}

/// Runs the tests. Without `-p` among the arguments, cargo takes every member of the workspace.
pub(crate) fn all(arguments: &[String]) -> Result<()> {
    let started = clock::now();
    let mut command = cargo::command(["test", "--locked", "--no-fail-fast"]);
    command.args(arguments);
    cargo::run(command)?;
    say(format_args!("tests passed in {}", clock::shown(started.elapsed())))
}
