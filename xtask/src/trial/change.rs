//! `cargo xtask trial change`: the test of a real Dovecot that other clients change all the while, for longer, and with
//! ingest killed at instants by chance.

use anyhow::{Context, Result};
use clap::Args;

use crate::terminal::say;
use crate::{cargo, clock, setup};

#[derive(Args)]
pub(crate) struct Options {
    /// How long the others change things; then it may take some minutes more until all is at rest
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..))]
    minutes: u64,
    /// Names the choices [default: other ones each time]
    #[arg(long)]
    seed: Option<u64>,
}

/// In crates/ingest/tests/it/change.rs.
const TEST: &str = "change::what_a_changing_server_has_at_rest_is_what_the_archive_has";

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::ensure_installed(setup::OPENSSL.iter().chain(&setup::DOVECOT))?;
    let seed = options.seed.unwrap_or_else(clock::epoch_seconds);
    let mut test = cargo::command(["test", "--locked", "-p", "vigie-ingest", "--test", "it", "--"]);
    test.args([TEST, "--exact", "--nocapture"])
        .env("VIGIE_CHANGE_SECONDS", (options.minutes * 60).to_string())
        .env("VIGIE_CHANGE_SEED", seed.to_string());
    cargo::run(test).with_context(|| format!("--seed {seed} repeats its choices"))?;
    say(
        "verdict: what the server has is stored, gone or in quarantine, message by message, and nothing is there twice",
    )
}
