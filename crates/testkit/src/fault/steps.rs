//! The steps, one by one.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};
use vigie_common::shutdown::Shutdown;
use vigie_common::{lifeline, notify};

/// Often enough for tests, seldom enough to cost nothing.
const LOOK: Duration = Duration::from_millis(5);

struct Child {
    /// Once it is set, TERM no longer ends the process by itself.
    terminate: Option<Signal>,
    ignores: bool,
    on_term: Option<String>,
    lifeline: Shutdown,
}

pub(super) async fn all(steps: impl Iterator<Item = String>) -> Result<u8> {
    let lifeline = Shutdown::new();
    lifeline::watch(lifeline.clone());
    let mut child = Child { terminate: None, ignores: false, on_term: None, lifeline };
    for step in steps {
        let (name, value) = step.split_once('=').unwrap_or((&step, ""));
        if let Some(code) = child.step(name, value).await.with_context(|| step.clone())? {
            return Ok(code);
        }
    }
    Ok(0)
}

impl Child {
    /// A code means: end with it.
    async fn step(&mut self, name: &str, value: &str) -> Result<Option<u8>> {
        match name {
            "exit" => return Ok(Some(value.parse()?)),
            "wait" => return self.wait(Instant::now() + Duration::from_millis(value.parse()?)).await,
            "wait-for" => {
                while !Path::new(value).exists() {
                    if let Some(code) = self.wait(Instant::now() + LOOK).await? {
                        return Ok(Some(code));
                    }
                }
            }
            "forever" => return self.wait(Instant::now() + Duration::from_hours(1)).await,
            "ignore-term" => {
                self.terminate = Some(signal(SignalKind::terminate())?);
                self.ignores = true;
            }
            "on-term" => {
                self.terminate = Some(signal(SignalKind::terminate())?);
                self.on_term = Some(value.into());
            }
            "append" => append(value, &std::process::id().to_string())?,
            "print" => writeln!(std::io::stdout(), "{value}")?,
            "complain" => writeln!(std::io::stderr(), "{value}")?,
            "flood" => flood(value.parse()?)?,
            "ready" => notify::ready("as told"),
            "ping" => notify::watchdog(),
            "status" => notify::status(value),
            "stopping" => notify::stopping(),
            "trigger" => datagram(b"WATCHDOG=trigger")?,
            "garbage" => {
                datagram(b"\0\xff\xfe READY")?;
                datagram(&vec![b'R'; 8000])?;
                datagram(b"")?;
            }
            "ping-until" => {
                while !Path::new(value).exists() {
                    notify::watchdog();
                    if let Some(code) = self.wait(Instant::now() + LOOK * 4).await? {
                        return Ok(Some(code));
                    }
                }
            }
            "forge" => {
                let mut stranger = Command::new(std::env::current_exe()?);
                stranger.arg(value).process_group(0).stdin(Stdio::null()).status()?;
            }
            "child" => descendant(value, false)?,
            "escape" => descendant(value, true)?,
            "stuck" => loop {
                std::thread::park();
            },
            _ => bail!("no such step"),
        }
        Ok(None)
    }

    /// Until then, or until told to end.
    async fn wait(&mut self, until: Instant) -> Result<Option<u8>> {
        loop {
            let Some(terminate) = &mut self.terminate else {
                tokio::select! {
                    () = sleep_until(until) => return Ok(None),
                    () = self.lifeline.cancelled() => return Ok(Some(0)),
                }
            };
            tokio::select! {
                () = sleep_until(until) => return Ok(None),
                () = self.lifeline.cancelled() => return Ok(Some(0)),
                _ = terminate.recv() => {
                    if let Some(file) = &self.on_term {
                        append(file, &std::env::var("NAME").unwrap_or_default())?;
                    }
                    if !self.ignores {
                        return Ok(Some(0));
                    }
                }
            }
        }
    }
}

fn append(file: &str, line: &str) -> Result<()> {
    // One write, so that lines of several processes do not mix.
    OpenOptions::new().append(true).create(true).open(file)?.write_all(format!("{line}\n").as_bytes())?;
    Ok(())
}

fn flood(octets: usize) -> Result<()> {
    let line = format!("{}\n", "x".repeat(79));
    let mut out = std::io::stdout().lock();
    for _ in 0..octets / line.len() {
        out.write_all(line.as_bytes())?;
    }
    Ok(out.flush()?)
}

fn datagram(content: &[u8]) -> Result<()> {
    let socket = std::env::var_os("NOTIFY_SOCKET").context("no NOTIFY_SOCKET")?;
    UnixDatagram::unbound()?.send_to(content, socket)?;
    Ok(())
}

/// A process that outlives TERM, and us.
fn descendant(file: &str, escaped: bool) -> Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["ignore-term", "forever"]).env_remove(lifeline::VARIABLE).stdin(Stdio::null());
    if escaped {
        command.process_group(0);
    }
    append(file, &command.spawn()?.id().to_string())
}
