//! The command line: one file a command.

mod account;
mod check;
mod follow;
mod login;
mod parse;
pub(crate) mod quarantine;
mod rebuild;
mod run;
mod schema;
mod status;
mod sync;
mod table;
mod token;
pub(crate) mod verify;

use std::path::Path;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use vigie_archive::{Archive, layout};
use vigie_common::cli::{Arguments, Failure, Outcome, say};
use vigie_common::config;
use vigie_common::exit::Exit;

use crate::beat::Beats;
use crate::board::Board;
use crate::mailbox::{ROOM, Shared};
use crate::message::Anew;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::{store, watcher};

/// Watches mailboxes over IMAP and keeps every message as a JSON document.
#[derive(Debug, Parser)]
#[command(name = "vigie-ingest", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    arguments: Arguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch all mailboxes until told to stop
    Run,
    /// Fetch what is missing from all mailboxes once, then end
    Sync(sync::Arguments),
    /// Check the configuration and all that it needs, without changing anything
    Check,
    /// Add accounts to the configuration
    #[command(subcommand)]
    Account(account::Command),
    /// Print the documents of message files, one a line
    Parse(parse::Arguments),
    /// Print the JSON Schema of the documents or the records
    Schema(schema::Arguments),
    /// Tell how each mailbox stands, from the catalog
    Status(status::Arguments),
    /// Print the catalog's records as JSON lines, and go on with new ones
    Follow(follow::Arguments),
    /// Tell of messages that could not be taken, or ask for them again
    Quarantine(quarantine::Arguments),
    /// Check that the archive is complete and undamaged
    Verify(verify::Arguments),
    /// Set the catalog aside and make it anew from documents and raw segments
    RebuildCatalog(rebuild::Arguments),
    /// Log an account in at whoever gives out its access tokens, and try it
    Login(login::Arguments),
    /// Tell how old the login of an account is, and when it ends
    Token(token::Arguments),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What to tell and how to end.
    pub fn run(self) -> Outcome {
        self.arguments.start_logging(matches!(self.command, Command::Run))?;
        match &self.command {
            Command::Run => run::run(self.settings()?, || self.settings()),
            Command::Sync(arguments) => sync::run(&self.settings()?, arguments),
            Command::Check => check::run(&self.settings()?),
            Command::Account(command) => account::run(command, self.arguments.file()),
            Command::Parse(arguments) => parse::run(arguments),
            Command::Schema(arguments) => schema::run(arguments),
            Command::Status(arguments) => status::run(&self.settings()?, arguments),
            Command::Follow(arguments) => follow::run(&self.settings()?, arguments),
            Command::Quarantine(arguments) => quarantine::run(&self.settings()?, arguments),
            Command::Verify(arguments) => verify::run(&self.settings()?, arguments),
            Command::RebuildCatalog(arguments) => rebuild::run(&self.settings()?, arguments),
            Command::Login(arguments) => login::run(&self.settings()?, arguments),
            Command::Token(arguments) => token::run(&self.settings()?, arguments),
        }
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let loaded = self.arguments.load()?;
        let settings = Settings::from_config(&loaded).map_err(|e| Failure::new(Exit::Config, e))?;
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
    let (board, beats) = (Board::default(), Beats::default());
    let beat = beats.begin("the store");
    let anew = Box::new(Anew::new(beat.clone()));
    let opened = Archive::open_or_rebuild(&archive_settings(settings), env!("CARGO_PKG_VERSION"), anew);
    let opened = opened.map_err(|e| archive_failure(&e))?;
    let spool = opened.spool();
    let (store, thread, ended) = store::start(opened, archive.min_free, board.clone(), beat)
        .map_err(|e| Failure::new(Exit::Internal, e))?;
    let shared = Shared {
        store,
        room: Arc::new(Semaphore::new(ROOM)),
        parsers: Arc::new(Semaphore::new(PARSERS)),
        raw: archive.raw,
        spool,
        progress: Arc::new(Progress::default()),
        board,
        beats,
        connections: watcher::connections_each(settings.accounts.len()),
        shutdown,
    };
    Ok((shared, StoreThread { thread, ended }))
}

fn archive_settings(settings: &Settings) -> vigie_archive::Settings {
    let archive = &settings.archive;
    vigie_archive::Settings { root: archive.root.clone(), raw: archive.raw, min_free: archive.min_free }
}

/// There must be an archive, with or without a catalog: opening one for writing would make it.
fn must_exist(root: &Path) -> Result<(), Failure> {
    if [layout::CATALOG, layout::MESSAGES, layout::RAW].iter().any(|folder| root.join(folder).exists()) {
        return Ok(());
    }
    Err(archive_failure(&vigie_archive::Error::NoArchive { root: root.to_owned() }))
}

fn archive_failure(error: &vigie_archive::Error) -> Failure {
    Failure::new(archive_exit(error), error)
}

fn archive_exit(error: &vigie_archive::Error) -> Exit {
    use vigie_archive::Error as Archive;
    match error {
        Archive::Locked { .. } => Exit::Locked,
        Archive::Full { .. } | Archive::Denied { .. } | Archive::Failed { .. } => Exit::CannotWrite,
        Archive::NoArchive { .. } | Archive::Older { .. } | Archive::Damaged { .. } => Exit::Unavailable,
        Archive::Newer { .. } => Exit::Config,
        _ => Exit::Internal,
    }
}

pub(crate) fn exit_for(error: &crate::error::Error) -> Exit {
    use crate::error::Error;
    match error {
        Error::Credentials { .. } | Error::Token { .. } | Error::Secret(_) => Exit::Refused,
        Error::Archive(error) => archive_exit(error),
        Error::Internal(_) => Exit::Internal,
        Error::Stopped => Exit::Incomplete,
        _ => Exit::Unavailable,
    }
}
