//! From bytes to a document in memory, with all hashes, measured by an example of ingest's.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::report::MIB;
use super::verdict::{Bound, Row};
use super::{Found, Place};
use crate::bench::measure::median;

pub(super) fn measure(place: &Place<'_>, found: &mut Found) -> Result<()> {
    let output = Command::new(place.binaries.join("examples/parse-speed"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run the example `parse-speed`")?;
    ensure!(output.status.success(), "the example `parse-speed` failed: {}", output.status);
    let said: Value =
        serde_json::from_slice(&output.stdout).context("the example `parse-speed` said no numbers")?;
    let rates = said.get("mebibytesPerSecond").and_then(Value::as_array).context("there are no rates")?;
    let rates: Vec<f64> = rates.iter().filter_map(Value::as_f64).collect();
    let what = "parse, messages of 13 KiB, one core";
    found.rows.push(Row::new(what, median(&rates), Bound::Least(300.0), "MiB/s", ""));
    let shapes = said.get("shapes").and_then(Value::as_object).context("there are no shapes")?;
    for (name, times) in shapes {
        let times = times.as_array().context("a shape has no times")?;
        let (least, most) = times.first().zip(times.last()).context("a shape has no times")?;
        let (least, most) = (per_mebibyte(least)?, per_mebibyte(most)?);
        // Twice, because what fits into the processor's caches goes faster.
        let what = format!("parse, linear: time a MiB at 64 MiB to that at 1 MiB, {name}");
        let note = format!("{:.1} ms a MiB after {:.1} ms", most * 1000.0, least * 1000.0);
        found.rows.push(Row::new(what, most / least, Bound::Most(2.0), "times", note));
    }
    found.samples.insert("parse".into(), said);
    Ok(())
}

/// Seconds.
fn per_mebibyte(measured: &Value) -> Result<f64> {
    let number = |name: &str| measured.get(name).and_then(Value::as_f64).context("a number is missing");
    Ok(number("seconds")? / (number("bytes")? / MIB))
}
