//! `cargo xtask trial`: promises about the whole, tried on the real binaries for longer than a test may take.

use anyhow::Result;
use clap::Subcommand;

mod kills;

#[derive(Subcommand)]
pub(crate) enum Trial {
    /// Kill each process of the demo again and again: all come back, none twice, and no message is lost
    Kills(kills::Options),
}

pub(crate) fn run(trial: &Trial) -> Result<()> {
    match trial {
        Trial::Kills(options) => kills::run(options),
    }
}
