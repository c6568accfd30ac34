//! `cargo xtask bench ingest`: every budget of ingest, each part beside its peer or limit in the same run.
//!
//! Each measurement writes into a new directory, and nothing is deleted before the last one is done:
//! discards of deleted files slow the following minutes down.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::server;
use crate::terminal::say;
use crate::{clock, setup, workspace};
use report::Series;
use verdict::Row;

mod arrivals;
mod backfill;
mod drain;
mod fleet;
mod memory;
mod parse;
mod report;
mod verdict;
mod ways;

#[derive(Args)]
pub(crate) struct Options {
    /// Measurements of each way to fetch a mailbox; with a delay, half as many
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Messages of the mailbox with small ones
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    messages_small: u64,
    /// Messages of the mailbox with mixed ones
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    messages_mixed: u64,
    /// Arrivals told by EXISTS
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    arrivals: u32,
    /// Deliveries into Dovecot, which waits half a second before it tells of one
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    deliveries: u32,
    /// How often to kill ingest
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// For how long to look at 200 mailboxes in which nothing happens
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    quiet_seconds: u64,
    /// Only these parts
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// Where to write, on the disk to be measured [default: target/bench]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Keep what was written
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Backfill of small messages
    Small,
    /// Backfill of mixed messages, and its memory
    Mixed,
    /// Both again at 40 ms round trip
    Delay,
    /// From EXISTS on the wire to the durable document
    Exists,
    /// From LMTP into Dovecot to the durable document
    Lmtp,
    /// From `kill -9` under the supervisor to the next durable document
    Kill,
    /// Memory with a message of 64 MiB, and with a literal of 500 MB that nobody asked for
    Memory,
    /// 200 mailboxes of 40 accounts
    Fleet,
    /// From bytes to a document in memory
    Parse,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// Where things are.
struct Place<'a> {
    binaries: &'a Path,
    /// New, and on the disk to be measured.
    directory: &'a Path,
}

impl Place<'_> {
    /// A new directory below.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        let place = self.directory.join(name);
        fs::create_dir(&place).with_context(|| format!("cannot make {}", place.display()))?;
        Ok(place)
    }
}

/// What a part found.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    series: Vec<Series>,
    /// Every single measurement of the other parts.
    samples: serde_json::Map<String, Value>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::ensure_installed(setup::OPENSSL.iter().chain(&setup::DOVECOT).chain([&setup::MBSYNC]))?;
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

    let place = Place { binaries: &target.join("release"), directory: &directory };
    let (found, failed) = measure(options, &place);
    let summary = json!({
        "rows": found.rows.iter().map(Row::json).collect::<Vec<_>>(),
        "failed": failed,
        "mailboxes": report::json(&found.series),
        "samples": found.samples,
    });
    let file = target.join("bench/ingest.json");
    fs::create_dir_all(target.join("bench"))
        .and_then(|()| fs::write(&file, format!("{summary:#}\n")))
        .with_context(|| format!("cannot write {}", file.display()))?;
    for series in &found.series {
        say(report::table(series))?;
    }
    say(verdict::table(&found.rows))?;
    say(format_args!("the numbers are in {}", file.display()))?;
    if !options.keep && failed.is_empty() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    ensure!(failed.is_empty(), "parts failed (see {}):\n{}", directory.display(), failed.join("\n"));
    let missed = found.rows.iter().filter(|row| !row.is_met()).count();
    ensure!(missed == 0, "{missed} of {} budgets are not met", found.rows.len());
    Ok(())
}

/// All parts, one after the other. One that fails does not take the others along.
fn measure(options: &Options, place: &Place<'_>) -> (Found, Vec<String>) {
    let (mut found, mut failed) = (Found::default(), Vec::new());
    let mut part = |name: &str, work: &dyn Fn(&mut Found) -> Result<()>| {
        if let Err(error) = say(name).and_then(|()| work(&mut found)) {
            failed.push(format!("{name}: {error:#}"));
        }
    };
    // First those that the disk has to be quiet for.
    if [Part::Small, Part::Mixed, Part::Delay].into_iter().any(|part| options.wants(part)) {
        part("backfill", &|found| backfill::measure(options, place, found));
    }
    if options.wants(Part::Exists) {
        part("EXISTS to durable", &|found| arrivals::exists(options.arrivals, place, found));
    }
    if options.wants(Part::Lmtp) {
        part("LMTP to durable", &|found| arrivals::lmtp(options.deliveries, place, found));
    }
    if options.wants(Part::Kill) {
        part("kill -9 to durable", &|found| arrivals::kill(options.kills, place, found));
    }
    if options.wants(Part::Memory) {
        part("memory", &|found| memory::measure(place, found));
    }
    if options.wants(Part::Fleet) {
        part("200 mailboxes", &|found| fleet::measure(options.quiet_seconds, place, found));
    }
    if options.wants(Part::Parse) {
        part("parse", &|found| parse::measure(place, found));
    }
    (found, failed)
}
