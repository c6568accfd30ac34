//! The command line: one file a command.

mod check;
mod generate;
mod rebuild;
mod run;

use clap::{Parser, Subcommand};
use vigie_common::cli::{Arguments, Failure, Outcome, say};
use vigie_common::config::Loaded;
use vigie_common::exit::Exit;

use crate::error::Error;
use crate::settings::Settings;

/// Charts of mail flow and host: a read model of the archive, its API and its dashboard.
#[derive(Debug, Parser)]
#[command(name = "vigie-metrics", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    arguments: Arguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow the archive and serve API and dashboard until told to stop
    Run,
    /// Check the configuration and all that it needs, without changing anything
    Check,
    /// Forget all that was counted, so that the next run counts it anew; samples of the host stay
    Rebuild,
    /// Fill the read model with made-up mail, to measure with
    #[command(hide = true)]
    Generate(generate::Arguments),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What to tell and how to end.
    pub fn run(self) -> Outcome {
        self.arguments.start_logging(matches!(self.command, Command::Run))?;
        let loaded = self.arguments.load()?;
        let settings = settings(&loaded)?;
        match &self.command {
            Command::Run => run::run(&loaded, &settings),
            Command::Check => check::run(&loaded, &settings),
            Command::Rebuild => rebuild::run(&settings),
            Command::Generate(arguments) => generate::run(&settings, arguments),
        }
    }
}

fn settings(loaded: &Loaded) -> Result<Settings, Failure> {
    Settings::from_config(loaded).map_err(|e| Failure::new(Exit::Config, e))
}

fn failure(error: &Error) -> Failure {
    let exit = match error {
        Error::Locked { .. } => Exit::Locked,
        Error::Foreign { .. } => Exit::Config,
        Error::Disk { .. } => Exit::CannotWrite,
        Error::Unusable { .. } | Error::TooLong | Error::Archive(_) => Exit::Internal,
    };
    Failure::new(exit, error)
}
