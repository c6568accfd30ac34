//! The command line: one file a command.

mod check;
mod generate;
mod rebuild;
mod run;

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use vigie_common::config::{self, Loaded};
use vigie_common::exit::Exit;
use vigie_common::telemetry;

use crate::error::Error;
use crate::settings::Settings;

/// Charts of mail flow and host: a read model of the archive, its API and its dashboard.
#[derive(Debug, Parser)]
#[command(name = "vigie-metrics", version, max_term_width = 100)]
pub struct Cli {
    /// Configuration file [default: ./vigie.toml, then /etc/vigie/vigie.toml]
    #[arg(long, global = true, env = "VIGIE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How log lines on stderr look
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
    /// error, warn, info, debug, trace, or directives such as info,vigie_metrics=debug [default: info for run, else warn]
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
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

/// Why a command did not do what was asked: what to tell, and how to end.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// For the person who reads it; empty where there is nothing to say.
    pub message: String,
}

impl Failure {
    fn new(exit: Exit, message: impl ToString) -> Self {
        Self { exit, message: message.to_string() }
    }
}

/// How a command ended.
type Outcome = Result<Exit, Failure>;

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What to tell and how to end.
    pub fn run(self) -> Outcome {
        let usual = if matches!(self.command, Command::Run) { "info" } else { "warn" };
        let format = match self.log_format {
            LogFormat::Text => telemetry::Format::Text,
            LogFormat::Json => telemetry::Format::Json,
        };
        telemetry::start(format, self.log_level.as_deref().unwrap_or(usual))
            .map_err(|e| Failure::new(Exit::Usage, e))?;
        let (loaded, settings) = self.settings()?;
        match &self.command {
            Command::Run => run::run(&loaded, &settings),
            Command::Check => check::run(&settings),
            Command::Rebuild => rebuild::run(&settings),
            Command::Generate(arguments) => generate::run(&settings, arguments),
        }
    }

    fn settings(&self) -> Result<(Loaded, Settings), Failure> {
        let bad = |error| Failure::new(Exit::Config, error);
        let file = config::find(self.config.as_deref()).map_err(bad)?;
        let loaded = Loaded::read(&file).map_err(bad)?;
        let settings = Settings::from_config(&loaded).map_err(bad)?;
        Ok((loaded, settings))
    }
}

fn failure(error: &Error) -> Failure {
    let exit = match error {
        Error::Locked { .. } => Exit::Locked,
        Error::Disk { .. } => Exit::CannotWrite,
        Error::Unusable { .. } | Error::TooLong | Error::Archive(_) => Exit::Internal,
    };
    Failure::new(exit, error)
}

/// Writes a line to stdout.
///
/// # Errors
/// When nobody reads any more there is nothing left to do: the command ends as done, without a word.
fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written =
        out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::new(Exit::Done, ""),
        _ => Failure::new(Exit::CannotWrite, format!("stdout: {error}")),
    })
}
