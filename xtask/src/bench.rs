//! `cargo xtask bench`: measurements side by side with what others do, one file each. Only ratios within
//! one run mean something: machines and their disks differ, also from hour to hour.

use anyhow::Result;
use clap::Subcommand;

mod ingest;
mod measure;
mod metrics;
mod server;
mod supervisor;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Backfill: `vigie-ingest sync`, mbsync with and without FSync, and the bare FETCH
    Ingest(ingest::Options),
    /// Every answer of `vigie-metrics` over a million made-up messages
    Metrics(metrics::Options),
    /// From the end of a process to the next one, memory and wakeups: `vigie-supervisor`, runit, supervisord, Monit
    Supervisor(supervisor::Options),
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Ingest(options) => ingest::run(options),
        Bench::Metrics(options) => metrics::run(options),
        Bench::Supervisor(options) => supervisor::run(options),
    }
}
