//! `cargo xtask bench ingest`: a whole mailbox fetched and made durable, in turn by each way, over plain
//! TCP from a real Dovecot.
//!
//! Each measurement writes into a new directory, and nothing is deleted before the last one is done:
//! discards of deleted files slow the following minutes down.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use super::server::{Mailbox, Server};
use super::{measure, server};
use crate::terminal::say;
use crate::{cargo, clock, setup, workspace};
use report::Series;
use ways::Way;

mod drain;
mod report;
mod ways;

#[derive(Args)]
pub(crate) struct Options {
    /// Measurements of each way
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Messages of the mailbox with small ones
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    messages_small: u64,
    /// Messages of the mailbox with mixed ones
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    messages_mixed: u64,
    /// Only one of the mailboxes
    #[arg(long)]
    only: Option<Profile>,
    /// Where to write, on the disk to be measured [default: target/bench]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Keep what was written
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Profile {
    Small,
    Mixed,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::ensure_installed(setup::OPENSSL.iter().chain(&setup::DOVECOT).chain([&setup::MBSYNC]))?;
    cargo::run(cargo::command(["build", "--release", "--locked", "--bin", "vigie-ingest"]))?;
    server::build()?;

    let target = workspace::target()?;
    let bench = match &options.directory {
        Some(directory) => directory.clone(),
        None => target.join("bench"),
    };
    let directory = bench.join(clock::epoch_seconds().to_string());
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let directory = directory.canonicalize().context("cannot find the directory to write into")?;
    say(format_args!("writing below {}", directory.display()))?;

    let series = measure(options, &target.join("release"), &directory)?;
    let summary = report::json(&series);
    let file = target.join("bench/ingest.json");
    fs::create_dir_all(target.join("bench"))
        .and_then(|()| fs::write(&file, format!("{summary:#}\n")))
        .with_context(|| format!("cannot write {}", file.display()))?;
    for series in &series {
        say(report::table(series))?;
    }
    say(format_args!("the numbers are in {}", file.display()))?;
    if !options.keep {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    Ok(())
}

fn measure(options: &Options, binaries: &Path, directory: &Path) -> Result<Vec<Series>> {
    let wanted = |profile| options.only.is_none_or(|only| only == profile);
    let source = directory.join("source");
    let mut mailboxes = Vec::new();
    if wanted(Profile::Small) {
        mailboxes.push(server::generate(binaries, &source, "small", options.messages_small)?);
    }
    if wanted(Profile::Mixed) {
        mailboxes.push(server::generate(binaries, &source, "mixed", options.messages_mixed)?);
    }
    let server = Server::start(binaries, &mailboxes)?;
    // Read once unmeasured: the first of all readers finds the server's caches cold.
    for mailbox in &mailboxes {
        drain::drain(server.port, mailbox.profile)?;
    }
    mailboxes
        .into_iter()
        .map(|mailbox| all_ways(options.runs, binaries, directory, &server, mailbox))
        .collect()
}

/// Measures every way `runs` times, in turn, so that a slow minute of the machine hits all of them.
fn all_ways(
    runs: u32,
    binaries: &Path,
    directory: &Path,
    server: &Server,
    mailbox: Mailbox,
) -> Result<Series> {
    let mut series = Series::new(&mailbox);
    for run in 1..=runs {
        for way in Way::ALL {
            let place = directory.join(format!("{}-{run}-{}", mailbox.profile, way.slug()));
            fs::create_dir(&place).with_context(|| format!("cannot make {}", place.display()))?;
            let (measured, messages) = way.measure(binaries, &place, server.port, mailbox.profile)?;
            ensure!(
                messages == mailbox.messages,
                "{} took {messages} of {} {} messages: see {}",
                way.name(),
                mailbox.messages,
                mailbox.profile,
                place.display()
            );
            say(format_args!(
                "{} {run}/{runs}  {:26} {:7.2} s",
                mailbox.profile,
                way.name(),
                measured.seconds
            ))?;
            series.add(way, measured);
        }
    }
    measure::settle();
    Ok(series)
}
