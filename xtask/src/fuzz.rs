//! `cargo xtask fuzz`: what a hostile server may send, tried at random.
//!
//! Built by the nightly compiler, whose coverage leads the search. What is found lies in `fuzz/artifacts`; what led to new
//! code, in the build's folder, from where the next run goes on.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::terminal::say;
use crate::{cargo, clock, workspace};

#[derive(Args)]
pub(crate) struct Options {
    /// How long each target runs
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Only these: guard, conversation
    targets: Vec<String>,
}

const TARGETS: [&str; 2] = ["guard", "conversation"];

/// As in our worker threads: recursion that ends them must be found.
const STACK: u64 = 2 << 20;

pub(crate) fn run(options: &Options) -> Result<()> {
    let chosen: Vec<&str> = if options.targets.is_empty() {
        TARGETS.into()
    } else {
        options.targets.iter().map(String::as_str).collect()
    };
    if let Some(unknown) = chosen.iter().find(|target| !TARGETS.contains(target)) {
        bail!("no target {unknown}: there are {}", TARGETS.join(" and "));
    }
    tools()?;
    let root = workspace::root();
    let target = workspace::target()?.join("fuzz");
    // The libraries that are tried are those that are shipped.
    fs::copy(root.join("Cargo.lock"), root.join("fuzz/Cargo.lock"))
        .context("cannot copy the lock file to fuzz/")?;
    run_to_end(fuzz("build", &target))?;
    let limit = getrlimit(Resource::Stack);
    setrlimit(Resource::Stack, Rlimit { current: Some(STACK), ..limit }).context("cannot limit the stack")?;
    for name in chosen {
        let started = clock::now();
        one(name, &root, &target, options.seconds)
            .with_context(|| format!("{name} found something: see above, and fuzz/artifacts/{name}"))?;
        say(format_args!("fuzz: {name} found nothing in {}", clock::shown(started.elapsed())))?;
    }
    Ok(())
}

fn one(name: &str, root: &Path, target: &Path, seconds: u64) -> Result<()> {
    let corpus = target.join("corpus").join(name);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot create {}", corpus.display()))?;
    let mut command = fuzz("run", target);
    command.arg(name).arg(corpus).arg(root.join("fuzz/seeds").join(name));
    command.args(["--", "-timeout=10", "-rss_limit_mb=512", "-malloc_limit_mb=64", "-max_len=16384"]);
    command.args(["-dict=fuzz/imap.dict", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={seconds}"));
    run_to_end(command)
}

/// Without a sanitizer: the code has no `unsafe` that it could watch, and runs three times as often.
fn fuzz(what: &str, target: &Path) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "fuzz", what, "--fuzz-dir", "fuzz", "--sanitizer", "none"]);
    command.arg("--target-dir").arg(target).current_dir(workspace::root());
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    command
}

fn run_to_end(mut command: Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// Installs what is missing.
fn tools() -> Result<()> {
    let works = |arguments: &[&str]| {
        let mut command = Command::new("rustup");
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    ensure!(
        works(&["--version"]),
        "fuzzing takes the nightly compiler, which rustup brings: https://rustup.rs"
    );
    if !works(&["run", "nightly", "rustc", "--version"]) {
        let mut command = Command::new("rustup");
        command.args(["toolchain", "install", "nightly", "--profile", "minimal"]);
        run_to_end(command)?;
    }
    if !works(&["run", "nightly", "cargo", "fuzz", "--version"]) {
        cargo::run(cargo::command(["install", "cargo-fuzz", "--locked"]))?;
    }
    Ok(())
}
