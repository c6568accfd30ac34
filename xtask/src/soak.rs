//! `cargo xtask soak`: `vigie-ingest run` through thousands of connections that do not last: connect, fetch, idle, a
//! message, and the server hangs up. At rest it must be what it was before: memory, files, threads.
//!
//! After trouble a connection waits 1 to 2 s (the pass that succeeds resets the back-off), so the cycles of many accounts
//! run side by side.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rustix::process::Signal;
use serde_json::Value;

use crate::terminal::{say, thousands};
use crate::{cargo, clock, processes, workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// Connections to go through, all accounts together
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..))]
    cycles: u64,
    /// Accounts that do so side by side
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=500))]
    accounts: u64,
    /// Try the release build
    #[arg(long)]
    release: bool,
    /// Keep the folder also when all went well
    #[arg(long)]
    keep: bool,
}

/// The cycles come in so many legs; the first one warms up, and what is there after it is the base.
const LEGS: u64 = 10;
/// What may be there at the end, of what was there at the base.
const SHARE: f64 = 1.1;
/// No leg takes longer.
const PATIENCE: Duration = Duration::from_secs(1_200);

pub(crate) fn run(options: &Options) -> Result<()> {
    let binaries = build(options.release)?;
    let folder = workspace::target()?.join("soak").join(clock::epoch_seconds().to_string());
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    soak(options, &binaries, &folder)
        .with_context(|| format!("log and archive are in {}", folder.display()))?;
    if !options.keep {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    say("verdict: memory, files and threads are back where they were, and every message is there once")
}

fn build(release: bool) -> Result<PathBuf> {
    let mut build = cargo::command(["build", "--locked"]);
    build.args(["--bin", "vigie-ingest", "--example", "soak"]).args(release.then_some("--release"));
    cargo::run(build)?;
    Ok(workspace::target()?.join(if release { "release" } else { "debug" }))
}

fn soak(options: &Options, binaries: &Path, folder: &Path) -> Result<()> {
    let mut server = Server::start(&binaries.join("examples/soak"), options.accounts)?;
    let config = configure(folder, &server.ports)?;
    let program = binaries.join("vigie-ingest");
    let mut ingest = Ingest::start(&program, &config)?;
    say(format_args!(
        "{:>9}  {:>8}  {:>9}  {:>7}  {:>7}  {:>8}",
        "cycles", "RSS MiB", "peak MiB", "files", "threads", "after"
    ))?;
    let started = clock::now();
    let (mut base, mut last) = (None, Sample::default());
    for leg in 1..=LEGS {
        let cycles = options.cycles * leg / LEGS - options.cycles * (leg - 1) / LEGS;
        server.cycles(cycles, &mut ingest)?;
        last = Sample::of(ingest.0.id())?;
        base = base.or(Some(last));
        let done = thousands(options.cycles * leg / LEGS);
        say(format_args!("{done:>9}  {last}  {:>8}", clock::shown(started.elapsed())))?;
    }
    ingest.stop()?;
    let base = base.unwrap_or_default();
    for (what, base, last) in [
        ("memory", base.resident as f64, last.resident as f64),
        ("files", base.files as f64, last.files as f64),
        ("threads", base.threads as f64, last.threads as f64),
    ] {
        ensure!(last <= base * SHARE, "{what} at the end is {:.0} % of what it was", 100.0 * last / base);
    }
    whole(&program, &config, options.cycles)
}

/// Nothing of it is damaged, and each cycle brought one message.
fn whole(program: &Path, config: &Path, messages: u64) -> Result<()> {
    let output = command(program, "verify", config).arg("--json").output().context("cannot run verify")?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("verify failed: {}", String::from_utf8_lossy(&output.stderr)))?;
    let problems = report.get("problems").and_then(Value::as_array).context("verify tells no problems")?;
    ensure!(problems.is_empty(), "verify: {:?}", problems.first());
    let stored = report.get("messages").and_then(Value::as_u64);
    ensure!(stored == Some(messages), "{stored:?} of {messages} messages are stored");
    Ok(())
}

/// What a process has at rest.
#[derive(Clone, Copy, Default)]
struct Sample {
    resident: u64,
    peak: u64,
    files: usize,
    threads: usize,
}

impl Sample {
    fn of(pid: u32) -> Result<Self> {
        Ok(Self {
            resident: processes::memory(pid)?.resident,
            peak: processes::peak(pid),
            files: processes::descriptors(pid),
            threads: processes::threads(pid).count(),
        })
    }
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mebibytes = |bytes: u64| bytes as f64 / 1_048_576.0;
        let (resident, peak) = (mebibytes(self.resident), mebibytes(self.peak));
        write!(f, "{resident:>8.1}  {peak:>9.1}  {:>7}  {:>7}", self.files, self.threads)
    }
}

fn configure(folder: &Path, ports: &[u64]) -> Result<PathBuf> {
    let mut text = String::from("[ingest]\nlisten = \"\"\n");
    for (number, port) in ports.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[[account]]\nid = \"a{number}\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nuser = \"me\"\n\
             password_file = \"password\"\n"
        );
    }
    let file = folder.join("vigie.toml");
    fs::write(folder.join("password"), "secret\n")
        .and_then(|()| fs::write(&file, text))
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    Ok(file)
}

fn command(program: &Path, what: &str, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(what).arg("--config").arg(config).stdin(Stdio::null());
    command.env_remove("NOTIFY_SOCKET").env_remove("VIGIE_LIFELINE");
    command
}

/// The testkit's example `soak`, which ends when its stdin does.
struct Server {
    process: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
    ports: Vec<u64>,
}

impl Server {
    fn start(program: &Path, accounts: u64) -> Result<Self> {
        let mut process = Command::new(program)
            .arg(accounts.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let orders = process.stdin.take().context("the server has no stdin")?;
        let stdout = process.stdout.take().context("the server has no stdout")?;
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let ports = answers.recv_timeout(PATIENCE).context("the server names no ports")?;
        let ports = serde_json::from_str(&ports).context("the server names no ports")?;
        Ok(Self { process, orders, answers, ports })
    }

    /// Has all clients together go through so many cycles, and waits until they rest.
    fn cycles(&mut self, count: u64, ingest: &mut Ingest) -> Result<()> {
        writeln!(self.orders, "{count}").context("the server has ended")?;
        let started = clock::now();
        while started.elapsed() < PATIENCE {
            match self.answers.recv_timeout(Duration::from_secs(1)) {
                Ok(_) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => ingest.check()?,
                Err(RecvTimeoutError::Disconnected) => bail!("the server has ended"),
            }
        }
        bail!("the clients do not come to rest within {}", clock::shown(PATIENCE));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The process under trial.
struct Ingest(Child);

impl Ingest {
    fn start(program: &Path, config: &Path) -> Result<Self> {
        let log = File::create(config.with_file_name("log")).context("cannot make a log")?;
        let child = command(program, "run", config).stdout(Stdio::null()).stderr(log).spawn();
        Ok(Self(child.context("cannot start vigie-ingest")?))
    }

    fn check(&mut self) -> Result<()> {
        let ended = self.0.try_wait().context("cannot look at vigie-ingest")?;
        ended.map_or(Ok(()), |status| bail!("vigie-ingest ended by itself: {status}"))
    }

    fn stop(mut self) -> Result<()> {
        self.check()?;
        processes::signal(self.0.id(), Signal::TERM);
        let status = self.0.wait().context("cannot wait for vigie-ingest")?;
        ensure!(status.success(), "vigie-ingest did not end in good order: {status}");
        Ok(())
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
