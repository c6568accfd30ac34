//! The peak of memory with a message of 64 MiB, and with a literal that was listed small and comes with 500 MB.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::json;

use super::report::MIB;
use super::verdict::{Bound, Row};
use super::{Found, Place, ways};
use crate::bench::measure;
use crate::bench::server::Scripted;

pub(super) fn measure(place: &Place<'_>, found: &mut Found) -> Result<()> {
    let (large, said) = peak(place, "large", 64 << 20)?;
    ensure!(said.contains("\"stored\":1"), "the large message was not stored: {said}");
    found.rows.push(Row::new("memory at the peak, message of 64 MiB", large, Bound::Most(96.0), "MiB", ""));
    let (hostile, said) = peak(place, "literal", 500_000_000)?;
    ensure!(said.contains("announced"), "the literal was not refused: {said}");
    let what = "memory at the peak, hostile literal of 500 MB";
    found.rows.push(Row::new(what, hostile, Bound::Most(64.0), "MiB", "refused"));
    found.samples.insert("peakMebibytes".into(), json!({ "large": large, "literal": hostile }));
    Ok(())
}

/// In MiB, and what was said.
fn peak(place: &Place<'_>, what: &str, size: u64) -> Result<(f64, String)> {
    let server = Scripted::start(place.binaries, &[what, &size.to_string()])?;
    let fresh = place.fresh(what)?;
    let config = ways::configure(&fresh, server.port, "bench")?;
    let mut command = Command::new(place.binaries.join("vigie-ingest"));
    command.args(["sync", "--json", "--config"]).arg(config);
    let output = fresh.join("output");
    let (run, _) = measure::run_to_any_end(command, &output)?;
    let said = fs::read_to_string(&output).unwrap_or_default();
    Ok((run.peak.map_or(f64::NAN, |bytes| bytes as f64 / MIB), said))
}
