//! 200 mailboxes of 40 accounts over TLS, verified against the system's authorities: how soon all are watched, and what
//! that takes while nothing happens.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::report::MIB;
use super::verdict::{Bound, Row};
use super::{Found, Place};
use crate::bench::server::Scripted;
use crate::terminal::say;
use crate::{clock, processes};

const ACCOUNTS: u32 = 40;
const MAILBOXES: u32 = 5;
const MESSAGES: u32 = 3;
/// The system's authorities, as Debian keeps them.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(200);

pub(super) fn measure(quiet: u64, place: &Place<'_>, found: &mut Found) -> Result<()> {
    let fresh = place.fresh("fleet")?;
    let ca = fresh.join("ca.pem");
    let words = [ACCOUNTS, MAILBOXES, MESSAGES].map(|number| number.to_string());
    let server = Scripted::start(
        place.binaries,
        &["accounts", &ca.display().to_string(), &words[0], &words[1], &words[2]],
    )?;
    let config = configure(&fresh, server.port)?;
    let authorities = authorities(&fresh, &ca)?;
    let program = place.binaries.join("vigie-ingest");
    let said = File::create(fresh.join("log")).context("cannot make a log")?;
    let started = clock::now();
    let child = Command::new(&program)
        .args(["run", "--config"])
        .arg(&config)
        .env("SSL_CERT_FILE", authorities)
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .context("cannot start vigie-ingest")?;
    let ingest = Ingest(child);
    let (mailboxes, all) = (ACCOUNTS * MAILBOXES, f64::from(ACCOUNTS * MAILBOXES));
    let mut watching = 0;
    while watching < mailboxes as usize {
        ensure!(
            started.elapsed() < PATIENCE,
            "after {} {watching} of {mailboxes} are watched",
            clock::shown(PATIENCE)
        );
        clock::pause(LOOK);
        watching = self::watching(&program, &config)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let pid = ingest.0.id();
    say(format_args!("{mailboxes} mailboxes watched after {seconds:.1} s; looking on for {quiet} s"))?;
    let before = processes::cpu_seconds(pid);
    clock::pause(Duration::from_secs(quiet));
    let share = 100.0 * (processes::cpu_seconds(pid) - before) / quiet as f64;
    let (resident, peak) = (processes::memory(pid)?.resident, processes::peak(pid));
    let (threads, connections) = (processes::threads(pid).count(), processes::connections_to(server.port));

    let what = |what: &str| format!("{all} mailboxes of {ACCOUNTS} accounts: {what}");
    let note = format!("{threads} threads, {:.1} MiB at the peak", peak as f64 / MIB);
    found.rows.extend([
        Row::new(what("from start to all watched"), seconds, Bound::Most(10.0), "s", ""),
        Row::new(what("connections"), connections as f64, Bound::Most(60.0), "", ""),
        Row::new(what("memory"), resident as f64 / MIB, Bound::Most(96.0), "MiB", note),
        Row::new(what("share of a core, idle"), share, Bound::Most(1.0), "%", format!("over {quiet} s")),
    ]);
    let samples = json!({
        "seconds": seconds, "connections": connections, "residentBytes": resident, "peakBytes": peak,
        "corePercent": share, "threads": threads,
    });
    found.samples.insert("fleet".into(), samples);
    Ok(())
}

/// How many mailboxes are watched, as the catalog tells it.
fn watching(program: &Path, config: &Path) -> Result<usize> {
    let output = Command::new(program)
        .args(["status", "--json", "--config"])
        .arg(config)
        .stdin(Stdio::null())
        .output()
        .context("cannot run vigie-ingest status")?;
    // Before there is an archive, there is no status.
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let mailboxes = status.get("mailboxes").and_then(Value::as_array);
    let state = |mailbox: &Value| {
        let state = mailbox.pointer("/standing/state").and_then(Value::as_str);
        state.is_some_and(|state| state == "idle" || state == "polling")
    };
    Ok(mailboxes.map_or(0, |all| all.iter().filter(|mailbox| state(mailbox)).count()))
}

fn configure(place: &Path, port: u16) -> Result<PathBuf> {
    let file = place.join("vigie.toml");
    let mut text = String::from("[ingest]\nlisten = \"\"\n");
    for user in 0..ACCOUNTS {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "[[account]]\nid = \"u{user}\"\nhost = \"localhost\"\nport = {port}\nuser = \"u{user}\"\n\
             password_file = \"password\"\nmailboxes = [\"*\"]\n"
        );
    }
    super::ways::write(&place.join("password"), super::drain::PASSWORD)?;
    super::ways::write(&file, &text)?;
    Ok(file)
}

/// The system's authorities and the server's.
fn authorities(place: &Path, ca: &Path) -> Result<PathBuf> {
    let file = place.join("authorities.pem");
    let Ok(mut pem) = fs::read(AUTHORITIES) else {
        bail!("{AUTHORITIES} is not there: install Debian's package ca-certificates");
    };
    pem.extend(fs::read(ca).with_context(|| format!("cannot read {}", ca.display()))?);
    fs::write(&file, pem).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// The process under measurement.
struct Ingest(Child);

impl Drop for Ingest {
    fn drop(&mut self) {
        processes::signal(self.0.id(), Signal::TERM);
        let _ = self.0.wait();
    }
}
