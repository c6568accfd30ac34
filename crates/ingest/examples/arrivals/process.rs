//! The programs under measurement.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// A program that runs until this is dropped, and what it started as well.
pub(super) struct Process {
    program: PathBuf,
    child: Child,
}

impl Process {
    /// Starts `PROGRAM run`; what it says is in a file beside the configuration.
    pub(super) fn start(program: &Path, config: &Path) -> Result<Self> {
        let said = File::create(config.with_extension("log")).context("cannot make a log")?;
        let child = command(program, &["run"], config)
            .stderr(said)
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { program: program.to_owned(), child })
    }

    /// Runs another command of the same program to its end.
    pub(super) async fn ask(&self, words: &[&str], config: &Path) -> Result<()> {
        let output = tokio::process::Command::from(command(&self.program, words, config)).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed: {}", words.join(" "), said.trim_end());
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // In order, so that a supervisor ends what it has started.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Ends a process of ours at once.
pub(super) fn kill(pid: u32) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no pid")?;
    kill_process(pid, Signal::KILL).context("cannot kill ingest")
}

fn command(program: &Path, words: &[&str], config: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(words).arg("--config").arg(config).stdin(Stdio::null());
    command.env_remove("NOTIFY_SOCKET").env_remove("VIGIE_LIFELINE");
    command
}
