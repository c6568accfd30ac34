//! Running cargo.

use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// Variables that `cargo run` sets for us alone: with them, build scripts that look at one would run
/// again at each change between `cargo` and `cargo xtask`.
const OURS: [&str; 5] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];

/// Cargo in the root of the workspace, still to be run.
pub(crate) fn command<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace::root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| OURS.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs it to its end, its output shown.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let shown = command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    let status = command.status().with_context(|| format!("cannot run `cargo {shown}`"))?;
    ensure!(status.success(), "`cargo {shown}` failed: {status}");
    Ok(())
}
