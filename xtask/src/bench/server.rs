//! The mailboxes to measure on: generated messages in a real Dovecot, run by the testkit's programs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cargo;
use crate::terminal::say;

/// Generated messages of one kind: the name of the kind is that of the user who has them.
pub(super) struct Mailbox {
    pub(super) profile: &'static str,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    maildir: PathBuf,
}

/// Builds everything at once: cargo would build what they share anew for another selection.
pub(super) fn build() -> Result<()> {
    let mut command = cargo::command(["build", "--release", "--locked"]);
    for program in ["vigie-ingest", "vigie-supervisor"] {
        command.args(["--bin", program]);
    }
    for example in ["dovecot", "mailbox", "server", "arrivals", "parse-speed"] {
        command.args(["--example", example]);
    }
    cargo::run(command)
}

/// Writes the messages below `directory`.
pub(super) fn generate(
    binaries: &Path,
    directory: &Path,
    profile: &'static str,
    messages: u64,
) -> Result<Mailbox> {
    say(format_args!("generating {messages} {profile} messages"))?;
    let maildir = directory.join(profile);
    let status = Command::new(binaries.join("examples/mailbox"))
        .arg(&maildir)
        .args([&messages.to_string(), profile])
        .status()
        .context("cannot run the generator of messages")?;
    ensure!(status.success(), "the generator of messages failed: {status}");
    let bytes = size(&maildir.join("new")).with_context(|| format!("cannot read {}", maildir.display()))?;
    Ok(Mailbox { profile, messages, bytes, maildir })
}

fn size(directory: &Path) -> std::io::Result<u64> {
    fs::read_dir(directory)?.map(|file| Ok(file?.metadata()?.len())).sum()
}

/// A server of the testkit's; it ends with us, however we end, because its stdin does.
pub(super) struct Scripted {
    process: Child,
    /// On 127.0.0.1.
    pub(super) port: u16,
}

impl Scripted {
    /// Starts the testkit's example `server` with these words.
    pub(super) fn start(binaries: &Path, words: &[&str]) -> Result<Self> {
        let mut command = Command::new(binaries.join("examples/server"));
        command.args(words);
        let (process, port) = port(command)?;
        Ok(Self { process, port })
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        // Waiting closes its stdin first, which is what it waits for.
        let _ = self.process.wait();
    }
}

/// Starts a server that tells its port in its first line.
fn port(mut command: Command) -> Result<(Child, u16)> {
    let program = command.get_program().display().to_string();
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut process = started.with_context(|| format!("cannot start {program}"))?;
    let stdout = process.stdout.take().with_context(|| format!("{program} has no stdout"))?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).with_context(|| format!("cannot read from {program}"))?;
    let said: Value = serde_json::from_str(&line).with_context(|| format!("{program} did not start"))?;
    let port = said.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    Ok((process, port.with_context(|| format!("{program} names no port"))?))
}

/// A Dovecot that holds the mailboxes; it ends with us, however we end, because its stdin does.
pub(super) struct Server {
    process: Child,
    home: PathBuf,
    /// IMAP without TLS, on 127.0.0.1.
    pub(super) port: u16,
}

impl Server {
    /// Starts it and fills it. Its home is where every user may look, which the workspace need not be.
    pub(super) fn start(binaries: &Path, mailboxes: &[Mailbox]) -> Result<Self> {
        say("filling Dovecot")?;
        let home = std::env::temp_dir().join(format!("vigie-bench-{}", std::process::id()));
        let mut command = Command::new(binaries.join("examples/dovecot"));
        command.arg(&home);
        for mailbox in mailboxes {
            command.arg(format!("{}={}", mailbox.profile, mailbox.maildir.display()));
        }
        let (process, port) = port(command)?;
        Ok(Self { process, home, port })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Waiting closes its stdin first, which is what it waits for.
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}
