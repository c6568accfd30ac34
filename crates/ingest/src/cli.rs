//! The command line: one file a command.

mod check;
mod follow;
mod parse;
mod run;
mod schema;
mod status;
mod sync;
mod table;
mod verify;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, Subcommand, ValueEnum};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use vigie_archive::Archive;
use vigie_common::config::{self, Loaded};
use vigie_common::exit::Exit;
use vigie_common::telemetry;

use crate::beat::Beats;
use crate::board::Board;
use crate::mailbox::{ROOM, Shared};
use crate::progress::Progress;
use crate::settings::Settings;
use crate::store;

/// Watches mailboxes over IMAP and keeps every message as a JSON document.
#[derive(Debug, Parser)]
#[command(name = "vigie-ingest", version, max_term_width = 100)]
pub struct Cli {
    /// Configuration file [default: ./vigie.toml, then /etc/vigie/vigie.toml]
    #[arg(long, global = true, env = "VIGIE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How log lines on stderr look
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
    /// error, warn, info, debug, trace, or directives such as info,vigie_ingest=debug [default: info for run, else warn]
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
    /// Watch all mailboxes until told to stop
    Run,
    /// Fetch what is missing from all mailboxes once, then end
    Sync(sync::Arguments),
    /// Check the configuration and all that it needs, without changing anything
    Check,
    /// Print the documents of message files, one a line
    Parse(parse::Arguments),
    /// Print the JSON Schema of the documents or the records
    Schema(schema::Arguments),
    /// Tell how each mailbox stands, from the catalog
    Status(status::Arguments),
    /// Print the catalog's records as JSON lines, and go on with new ones
    Follow(follow::Arguments),
    /// Check that the archive is complete and undamaged
    Verify(verify::Arguments),
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
        match &self.command {
            Command::Run => run::run(&self.settings()?),
            Command::Sync(arguments) => sync::run(&self.settings()?, arguments),
            Command::Check => check::run(&self.settings()?),
            Command::Parse(arguments) => parse::run(arguments),
            Command::Schema(arguments) => schema::run(arguments),
            Command::Status(arguments) => status::run(&self.settings()?, arguments),
            Command::Follow(arguments) => follow::run(&self.settings()?, arguments),
            Command::Verify(arguments) => verify::run(&self.settings()?, arguments),
        }
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let bad = |error| Failure::new(Exit::Config, error);
        let file = config::find(self.config.as_deref()).map_err(bad)?;
        let loaded = Loaded::read(&file).map_err(bad)?;
        let settings = Settings::from_config(&loaded).map_err(bad)?;
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        Ok(settings)
    }
}

/// Batches that may be parsed at once.
const PARSERS: usize = 2;

/// The runtime of the commands that talk to servers: one thread for all of them; parsing and storing have their own.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Internal, e))
}

/// The store thread, seen from outside.
struct StoreThread {
    thread: std::thread::JoinHandle<()>,
    /// Resolves when it ends; that is a fault while there are handles of it.
    ended: oneshot::Receiver<()>,
}

impl StoreThread {
    /// Waits until all rounds are durable; every handle must be gone.
    fn finish(self) -> Result<(), Failure> {
        self.thread
            .join()
            .map_err(|_| Failure::new(Exit::Internal, "the store thread failed by a fault of ours"))
    }
}

/// Opens the archive for writing and starts the store thread on it.
fn open_archive(settings: &Settings, shutdown: CancellationToken) -> Result<(Shared, StoreThread), Failure> {
    let archive = &settings.archive;
    if archive.raw != config::RawPolicy::Always {
        tracing::warn!(
            "`[archive] raw` is not \"always\": messages whose bytes are not kept can never be exported, nor parsed anew"
        );
    }
    let archive =
        vigie_archive::Settings { root: archive.root.clone(), raw: archive.raw, min_free: archive.min_free };
    let opened = Archive::open(&archive, env!("CARGO_PKG_VERSION")).map_err(|e| archive_failure(&e))?;
    let (board, beats) = (Board::default(), Beats::default());
    let (store, thread, ended) =
        store::start(opened, archive.min_free, board.clone(), beats.begin("the store"))
            .map_err(|e| Failure::new(Exit::Internal, e))?;
    let shared = Shared {
        store,
        room: Arc::new(Semaphore::new(ROOM)),
        parsers: Arc::new(Semaphore::new(PARSERS)),
        raw: archive.raw,
        progress: Arc::new(Progress::default()),
        board,
        beats,
        shutdown,
    };
    Ok((shared, StoreThread { thread, ended }))
}

fn archive_failure(error: &vigie_archive::Error) -> Failure {
    Failure::new(archive_exit(error), error)
}

fn archive_exit(error: &vigie_archive::Error) -> Exit {
    use vigie_archive::Error as Archive;
    match error {
        Archive::Locked { .. } => Exit::Locked,
        Archive::Full { .. } | Archive::Denied { .. } | Archive::Failed { .. } => Exit::CannotWrite,
        Archive::NoArchive { .. } => Exit::Unavailable,
        Archive::Newer { .. } => Exit::Config,
        _ => Exit::Internal,
    }
}

fn exit_for(error: &crate::error::Error) -> Exit {
    use crate::error::Error;
    match error {
        Error::Credentials { .. } | Error::Secret(_) => Exit::Refused,
        Error::Archive(error) => archive_exit(error),
        Error::Internal(_) => Exit::Internal,
        Error::Stopped => Exit::Incomplete,
        _ => Exit::Unavailable,
    }
}

/// Writes a line to stdout.
///
/// # Errors
/// When nobody reads any more there is nothing left to do: the command ends as done, without a word. What cannot be
/// written for another reason is told.
fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written =
        out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::new(Exit::Done, ""),
        _ => Failure::new(Exit::CannotWrite, format!("stdout: {error}")),
    })
}
