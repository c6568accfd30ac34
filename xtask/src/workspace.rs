//! Where things lie.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cargo;

/// The directory of the workspace's manifest.
pub(crate) fn root() -> PathBuf {
    // Set by `cargo run` to where the sources are now, which after a move is not where they were compiled.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.parent().map_or_else(|| manifest.clone(), PathBuf::from)
}

/// What cargo knows of the members of the workspace.
pub(crate) fn metadata() -> Result<Value> {
    let output = cargo::command(["metadata", "--no-deps", "--format-version=1", "--locked"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run `cargo metadata`")?;
    ensure!(output.status.success(), "`cargo metadata` failed: {}", output.status);
    serde_json::from_slice(&output.stdout).context("cannot read the answer of `cargo metadata`")
}

/// The directory that cargo builds into.
pub(crate) fn target() -> Result<PathBuf> {
    let metadata = metadata()?;
    let target = metadata.get("target_directory").and_then(Value::as_str);
    Ok(target.context("`cargo metadata` names no target directory")?.into())
}
