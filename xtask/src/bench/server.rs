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

/// Builds the testkit's programs that make and serve mailboxes.
pub(super) fn build() -> Result<()> {
    let example = ["--example", "mailbox", "--example", "dovecot"];
    let mut command = cargo::command(["build", "--release", "--locked", "-p", "vigie-testkit"]);
    command.args(example);
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
        command.arg(&home).stdin(Stdio::piped()).stdout(Stdio::piped());
        for mailbox in mailboxes {
            command.arg(format!("{}={}", mailbox.profile, mailbox.maildir.display()));
        }
        let mut process = command.spawn().context("cannot start Dovecot")?;
        let stdout = process.stdout.take().context("Dovecot has no stdout")?;
        let mut server = Self { process, home, port: 0 };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("cannot read the ports of Dovecot")?;
        let ports: Value = serde_json::from_str(&line).context("Dovecot did not start")?;
        let port = ports.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        server.port = port.context("Dovecot names no port")?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Waiting closes its stdin first, which is what it waits for.
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}
