//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use vigie_common::config::{self, Loaded};
use vigie_common::exit::Exit;
use vigie_common::telemetry;

use crate::settings::Settings;

/// Keeps the processes of Vigie up.
#[derive(Debug, Parser)]
#[command(name = "vigie-supervisor", version, max_term_width = 100)]
pub struct Cli {
    /// Configuration file [default: ./vigie.toml, then /etc/vigie/vigie.toml]
    #[arg(long, global = true, env = "VIGIE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How log lines on stderr look
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
    /// error, warn, info, debug, trace, or directives such as info,vigie_supervisor=debug
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info")]
    log_level: String,
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
    /// Start all services and keep them up until told to stop
    Run,
}

/// Why a command did not do what was asked: what to tell, and how to end.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// For the person who reads it.
    pub message: String,
}

impl Failure {
    fn new(exit: Exit, message: impl ToString) -> Self {
        Self { exit, message: message.to_string() }
    }
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What to tell and how to end.
    pub fn run(self) -> Result<Exit, Failure> {
        let format = match self.log_format {
            LogFormat::Text => telemetry::Format::Text,
            LogFormat::Json => telemetry::Format::Json,
        };
        telemetry::start(format, &self.log_level).map_err(|e| Failure::new(Exit::Usage, e))?;
        match self.command {
            Command::Run => self.settings().and_then(run),
        }
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let bad = |error| Failure::new(Exit::Config, error);
        let file = config::find(self.config.as_deref()).map_err(bad)?;
        let loaded = Loaded::read(&file).map_err(bad)?;
        Settings::from_config(&loaded).map_err(bad)
    }
}

fn run(settings: Settings) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Internal, e))?;
    let ended = runtime.block_on(crate::run(settings));
    // What is on its way to the disk may still arrive there.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ended.map_err(|error| Failure::new(error.exit(), error))
}
