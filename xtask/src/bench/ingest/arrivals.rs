//! How long it takes until what arrives is durable: measured by an example of ingest's, which reads the catalog.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::verdict::{Bound, Row};
use super::{Found, Place};
use crate::bench::measure::{median, quantile};

pub(super) fn exists(count: u32, place: &Place<'_>, found: &mut Found) -> Result<()> {
    let times = times("exists", count, place, &["vigie-ingest"], found)?;
    let what = |share| format!("EXISTS on the wire to document durable, {share}");
    found.rows.push(Row::new(what("p50"), median(&times), Bound::Most(30.0), "ms", note(&times)));
    found.rows.push(Row::new(what("p99"), quantile(&times, 0.99), Bound::Most(250.0), "ms", ""));
    Ok(())
}

pub(super) fn lmtp(count: u32, place: &Place<'_>, found: &mut Found) -> Result<()> {
    let times = times("lmtp", count, place, &["vigie-ingest"], found)?;
    let what = "LMTP into Dovecot to document durable, p50";
    found.rows.push(Row::new(what, median(&times), Bound::Most(560.0), "ms", note(&times)));
    Ok(())
}

pub(super) fn kill(count: u32, place: &Place<'_>, found: &mut Found) -> Result<()> {
    let times = times("kill", count, place, &["vigie-ingest", "vigie-supervisor"], found)?;
    let what = "kill -9 of ingest to the next delivered mail durable, p95";
    found.rows.push(Row::new(what, quantile(&times, 0.95), Bound::Most(2_000.0), "ms", note(&times)));
    Ok(())
}

/// The whole distribution.
fn note(times: &[f64]) -> String {
    let at = |share| quantile(times, share);
    format!(
        "{} times: p50 {:.1}, p95 {:.1}, p99 {:.1}, max {:.1} ms",
        times.len(),
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    )
}

/// In milliseconds.
fn times(
    what: &'static str,
    count: u32,
    place: &Place<'_>,
    programs: &[&str],
    found: &mut Found,
) -> Result<Vec<f64>> {
    let fresh = place.fresh(what)?;
    let output = Command::new(place.binaries.join("examples/arrivals"))
        .arg(what)
        .arg(&fresh)
        .arg(count.to_string())
        .args(programs.iter().map(|program| place.binaries.join(program)))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run the example `arrivals`")?;
    ensure!(output.status.success(), "the example `arrivals` failed: {}", output.status);
    let times: Vec<f64> =
        serde_json::from_slice(&output.stdout).context("the example `arrivals` said no numbers")?;
    found.samples.insert(format!("{what}Milliseconds"), json!(times));
    Ok(times)
}
