//! How our programs are called: the arguments that all of them take, what they print, how they end.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::config::{self, Loaded};
use crate::exit::Exit;
use crate::telemetry;

/// The arguments that every command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Configuration file [default: ./vigie.toml, then /etc/vigie/vigie.toml]
    #[arg(long, global = true, env = "VIGIE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How log lines on stderr look
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
    /// error, warn, info, debug, trace, or directives such as info,vigie_ingest=debug [default: info for run, else warn]
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
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
    /// A failure with its exit code.
    pub fn new(exit: Exit, message: impl ToString) -> Self {
        Self { exit, message: message.to_string() }
    }
}

/// How a command ended.
pub type Outcome = Result<Exit, Failure>;

impl Arguments {
    /// Starts logging; `daemon` tells whether the command is one that runs until it is stopped.
    ///
    /// # Errors
    /// The level is none.
    pub fn start_logging(&self, daemon: bool) -> Result<(), Failure> {
        let usual = if daemon { "info" } else { "warn" };
        let format = match self.log_format {
            LogFormat::Text => telemetry::Format::Text,
            LogFormat::Json => telemetry::Format::Json,
        };
        telemetry::start(format, self.log_level.as_deref().unwrap_or(usual))
            .map_err(|e| Failure::new(Exit::Usage, e))
    }

    /// The configuration file that was named.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Finds and reads the configuration.
    ///
    /// # Errors
    /// There is none, or it has a fault.
    pub fn load(&self) -> Result<Loaded, Failure> {
        let bad = |error| Failure::new(Exit::Config, error);
        let file = config::find(self.config.as_deref()).map_err(bad)?;
        Loaded::read(&file).map_err(bad)
    }
}

/// Writes a line to stdout.
///
/// # Errors
/// When nobody reads any more there is nothing left to do: the command ends as done, without a word. What cannot be
/// written for another reason is told.
pub fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written =
        out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::new(Exit::Done, ""),
        _ => Failure::new(Exit::CannotWrite, format!("stdout: {error}")),
    })
}

/// The whole of a `main`: reads the arguments, runs, tells what failed, and gives the exit code. `name` is the
/// program's.
pub fn main<C: Parser>(name: &str, run: impl FnOnce(C) -> Outcome) -> ExitCode {
    let cli = match C::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not faults.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return exit.into();
        }
    };
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.message.is_empty() {
                let _ = writeln!(std::io::stderr(), "{name}: {}", failure.message);
            }
            failure.exit.into()
        }
    }
}
