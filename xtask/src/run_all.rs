//! `cargo xtask run-all`: builds everything, then becomes the supervisor, which starts all the rest.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow};
use clap::Args;

use crate::terminal::say;
use crate::{cargo, setup, workspace};

/// What `config/demo.toml` says.
const PAGE: &str = "http://127.0.0.1:2812/";

#[derive(Args)]
pub(crate) struct Options {
    /// Watch the mailboxes of this configuration instead of the demo's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Remove what an earlier demo left
    #[arg(long, conflicts_with = "config")]
    fresh: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let demo = workspace::root().join("target/demo");
    let config = match &options.config {
        Some(file) => file.canonicalize().with_context(|| format!("cannot find {}", file.display()))?,
        None => workspace::root().join("config/demo.toml"),
    };
    if options.fresh {
        remove(&demo)?;
    }
    if !setup::has_npm() {
        say(
            "npm is not there: Vigie is built without its dashboard, and shows plain charts instead. With npm (Node.js 20.19 or later) installed, this command builds it",
        )?;
    }
    let mut build = cargo::command(["build", "--release", "--locked"]);
    for binary in ["vigie-supervisor", "vigie-ingest", "vigie-metrics", "vigie-demo-mailbox"] {
        build.args(["--bin", binary]);
    }
    build.stdin(Stdio::null());
    cargo::run(build)?;

    let supervisor = workspace::target()?.join("release/vigie-supervisor");
    if options.config.is_none() {
        say(format_args!("\n  Vigie's page: {PAGE}\n  log in as demo, with the password demo\n"))?;
        say(format_args!("documents appear in {}", from_here(&demo.join("archive/messages")).display()))?;
    }
    say("stop with Ctrl-C")?;
    // In our place, so that a signal for us is a signal for it, and whatever ends us ends it.
    let failed = Command::new(&supervisor).arg("run").arg("--config").arg(&config).exec();
    Err(anyhow!(failed).context(format!("cannot start {}", supervisor.display())))
}

fn remove(demo: &Path) -> Result<()> {
    match fs::remove_dir_all(demo) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", demo.display()))
        }
        _ => Ok(()),
    }
}

/// The path as it is shortest to type.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_owned()
}
