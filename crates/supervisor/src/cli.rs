//! The command line: one file a command. All but `run`, `check` and `hash-password` ask the running supervisor
//! over its Unix socket, which only its owner (and root) may use.

mod check;
mod client;
mod control;
mod hash_password;
mod health;
mod logs;
mod run;
mod status;

use clap::{Parser, Subcommand};
use vigie_common::cli::{Arguments, Failure, Outcome};
use vigie_common::config::Loaded;
use vigie_common::exit::Exit;

use self::client::Client;
use crate::service::words::Verb;

/// Keeps the processes of Vigie up, and serves the page from which they are followed, stopped, started and restarted.
#[derive(Debug, Parser)]
#[command(name = "vigie-supervisor", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    arguments: Arguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start all services, keep them up, and serve the page, until told to stop
    Run,
    /// Tell how each service is
    Status(status::Arguments),
    /// Start services
    Start(control::Arguments),
    /// Stop services, and leave them down
    Stop(control::Arguments),
    /// Stop services and start them again
    Restart(control::Arguments),
    /// Forget the failures of services; what waits because of them is tried at once
    Reset(control::Arguments),
    /// Print the last lines of a service's output
    Logs(logs::Arguments),
    /// Tell whether the running supervisor is well; for HEALTHCHECK and monitoring
    Health,
    /// Check the configuration and what it needs, without changing anything
    Check,
    /// Read a password, and print the password_hash of a [[user]]
    HashPassword,
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What to tell and how to end.
    pub fn run(self) -> Outcome {
        self.arguments.start_logging(matches!(self.command, Command::Run))?;
        match &self.command {
            Command::Run => run::run(&self.arguments.load()?),
            Command::Status(asked) => status::run(&self.client()?, asked),
            Command::Start(asked) => control::run(&self.client()?, Verb::Start, asked),
            Command::Stop(asked) => control::run(&self.client()?, Verb::Stop, asked),
            Command::Restart(asked) => control::run(&self.client()?, Verb::Restart, asked),
            Command::Reset(asked) => control::run(&self.client()?, Verb::Reset, asked),
            Command::Logs(asked) => logs::run(&self.client()?, asked),
            Command::Health => health::run(&self.client()?),
            Command::Check => check::run(&self.arguments.load()?),
            Command::HashPassword => hash_password::run(),
        }
    }

    fn client(&self) -> Result<Client, Failure> {
        Client::new(socket(&self.arguments.load()?))
    }
}

/// Where the running supervisor listens for this command line.
fn socket(loaded: &Loaded) -> std::path::PathBuf {
    loaded.in_data(&loaded.config.supervisor.socket)
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Internal, error)
}
