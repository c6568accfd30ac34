//! `cargo xtask test`: every test of the workspace, after what they need is there.

use anyhow::Result;
use clap::Args;

use crate::terminal::say;
use crate::{browser, cargo, clock, setup};

#[derive(Args)]
pub(crate) struct Options {
    /// Only the tests of the pages in a browser
    #[arg(long, conflicts_with = "arguments")]
    browser: bool,
    /// Passed on to `cargo test`, which then runs alone, for instance: -- -p vigie-archive rounds
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.browser {
        browser::setup()?;
        browser::build()?;
        return browser::tests();
    }
    if !options.arguments.is_empty() {
        setup::ensure_installed(packages())?;
        return cargo_test(&options.arguments);
    }
    setup()?;
    all()
}

/// Installs what building and testing need.
pub(crate) fn setup() -> Result<()> {
    setup::ensure_installed(packages())?;
    browser::setup()
}

/// Runs every test.
pub(crate) fn all() -> Result<()> {
    cargo_test(&[])?;
    browser::front_end()?;
    browser::tests()
}

fn packages() -> impl Iterator<Item = &'static setup::Package> {
    setup::OPENSSL.iter().chain(&setup::DOVECOT).chain([&setup::ZSTD])
}

/// Without `-p` among the arguments, cargo takes every member of the workspace.
fn cargo_test(arguments: &[String]) -> Result<()> {
    let started = clock::now();
    let mut command = cargo::command(["test", "--locked", "--no-fail-fast"]);
    command.args(arguments);
    cargo::run(command)?;
    say(format_args!("tests passed in {}", clock::shown(started.elapsed())))
}
