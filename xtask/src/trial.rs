//! `cargo xtask trial`: promises about the whole, tried on the real binaries for longer than a test may take.

use anyhow::Result;
use clap::Subcommand;

mod change;
mod kills;
mod steps;

#[derive(Subcommand)]
pub(crate) enum Trial {
    /// Have other clients change a real Dovecot for minutes, with kills of ingest: archive and server agree in the end
    Change(change::Options),
    /// Kill each process of the demo again and again: all come back, none twice, and no message is lost
    Kills(kills::Options),
    /// Kill and fail ingest at every single disk step of a run: the next one ends as if nothing had been
    Steps,
}

pub(crate) fn run(trial: &Trial) -> Result<()> {
    match trial {
        Trial::Change(options) => change::run(options),
        Trial::Kills(options) => kills::run(options),
        Trial::Steps => steps::run(),
    }
}
