//! `cargo xtask run-all`: builds everything, starts it, shows the documents as they come, and stops all
//! of it in order.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Args;

use crate::terminal::say;
use crate::{cargo, clock, workspace};
use feed::Feed;
use readiness::Readiness;
use stage::{Event, Halt, Stage};

mod feed;
mod readiness;
mod stage;

/// Where the demo mailbox listens; `config/demo.toml` says the same.
const MAILBOX: ([u8; 4], u16) = ([127, 0, 0, 1], 2993);
const START: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Options {
    /// Watch the mailboxes of this configuration instead of the demo's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Remove what an earlier demo left
    #[arg(long, conflicts_with = "config")]
    fresh: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut stage = Stage::new()?;
    let outcome = show(&mut stage, options);
    let stopped = stage.stop();
    match outcome {
        Err(Halt::Failed(error)) => Err(error),
        Ok(()) | Err(Halt::Asked) => stopped,
    }
}

/// Where things lie in this run.
struct Places {
    binaries: PathBuf,
    config: PathBuf,
    demo: Option<PathBuf>,
}

fn show(stage: &mut Stage, options: &Options) -> Result<(), Halt> {
    let places = places(options)?;
    let mut build = cargo::command(["build", "--release", "--locked", "--bin", "vigie-ingest"]);
    if let Some(demo) = &places.demo {
        build.args(["--bin", "vigie-demo-mailbox"]);
        if options.fresh {
            remove(demo)?;
        }
    }
    build.stdin(Stdio::null());
    stage.finish("cargo build", build)?;

    let started = clock::now();
    let mut archive = PathBuf::new();
    if let Some(demo) = &places.demo {
        start_mailbox(stage, &places, demo)?;
        archive = from_here(&demo.join("archive"));
        say(format_args!("documents appear in {}", archive.join("messages").display()))?;
    }
    say("stop with Ctrl-C")?;
    let known = archive.join("catalog.db").exists();
    start_ingest(stage, &places)?;
    start_follow(stage, &places)?;

    let mut feed = Feed::new(archive);
    let mut first = places.demo.is_some() && !known;
    let mut due = clock::now() + SECOND;
    loop {
        if let Some(Event::Line(line)) = stage.next(due.saturating_duration_since(clock::now()))? {
            if std::mem::take(&mut first) {
                say(format_args!("first document {} after the start", clock::shown(started.elapsed())))?;
            }
            if let Some(shown) = feed.record(&line) {
                say(shown)?;
            }
        }
        if clock::now() >= due {
            due += SECOND;
            if let Some(shown) = feed.second() {
                say(shown)?;
            }
        }
    }
}

fn places(options: &Options) -> Result<Places> {
    let binaries = workspace::target()?.join("release");
    let root = workspace::root();
    Ok(match &options.config {
        Some(file) => {
            let config = file.canonicalize().with_context(|| format!("cannot find {}", file.display()))?;
            Places { binaries, config, demo: None }
        }
        None => {
            Places { binaries, config: root.join("config/demo.toml"), demo: Some(root.join("target/demo")) }
        }
    })
}

fn start_mailbox(stage: &mut Stage, places: &Places, demo: &Path) -> Result<(), Halt> {
    let address = SocketAddr::from(MAILBOX);
    if TcpStream::connect_timeout(&address, SECOND).is_ok() {
        return Err(anyhow!(
            "something listens on {address} already: is another demo running? Stop it first"
        )
        .into());
    }
    let mut command = Command::new(places.binaries.join("vigie-demo-mailbox"));
    command.arg("--listen").arg(address.to_string()).arg("--state").arg(demo.join("mailbox"));
    stage.start("vigie-demo-mailbox", command)?;
    let deadline = clock::now() + START;
    while TcpStream::connect_timeout(&address, SECOND).is_err() {
        if clock::now() >= deadline {
            return Err(anyhow!("vigie-demo-mailbox does not answer on {address}").into());
        }
        // The pause between two attempts, cut short by the end of the mailbox or a signal.
        stage.next(Duration::from_millis(20))?;
    }
    Ok(())
}

/// Starts it and waits until it says that it is ready: the catalog is there from then on.
fn start_ingest(stage: &mut Stage, places: &Places) -> Result<(), Halt> {
    let readiness = Readiness::listen(stage.sender())?;
    let mut command = Command::new(places.binaries.join("vigie-ingest"));
    command.arg("run").arg("--config").arg(&places.config);
    command.env("NOTIFY_SOCKET", readiness.path());
    stage.start("vigie-ingest run", command)?;
    let deadline = clock::now() + START;
    loop {
        if let Some(Event::Ready) = stage.next(deadline.saturating_duration_since(clock::now()))? {
            return Ok(());
        }
        if clock::now() >= deadline {
            return Err(
                anyhow!("vigie-ingest did not say within {} that it is ready", clock::shown(START)).into()
            );
        }
    }
}

fn start_follow(stage: &mut Stage, places: &Places) -> Result<()> {
    let mut command = Command::new(places.binaries.join("vigie-ingest"));
    command.arg("follow").arg("--config").arg(&places.config).stdout(Stdio::piped());
    let lines = stage.start("vigie-ingest follow", command)?.context("vigie-ingest follow has no stdout")?;
    let sender = stage.sender();
    std::thread::Builder::new()
        .name("follow".into())
        .spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                if sender.send(Event::Line(line)).is_err() {
                    return;
                }
            }
        })
        .context("cannot start a thread")?;
    Ok(())
}

fn remove(demo: &Path) -> Result<()> {
    match fs::remove_dir_all(demo) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", demo.display()))
        }
        _ => Ok(()),
    }
}

/// The path as it is shortest to type.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_owned()
}
