//! `cargo xtask trial steps`: the binary of ingest killed and failed at every single disk step of a run, not at some as in
//! the test suite.

use std::process::Command;

use anyhow::{Context, Result, ensure};

pub(super) fn run() -> Result<()> {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["test", "-p", "vigie-ingest", "--test", "it", "steps::", "--", "--nocapture"])
        .env("VIGIE_STEPS", "all")
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "a run that was disturbed did not end as if it had not been");
    Ok(())
}
