//! When nothing arrives any more: mailbox, archive and metrics, counted each by itself.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::stack::{Kind, Stack};
use crate::clock;
use crate::terminal::say;

/// Everything must have been fetched, and counted, within this.
const CAUGHT_UP: Duration = Duration::from_secs(180);
/// Nothing has changed for so long: it is quiet.
const QUIET: Duration = Duration::from_secs(3);

/// How many messages all agree on.
pub(super) fn check(stack: &Stack) -> Result<u64> {
    say("waiting until the whole mailbox is in the archive")?;
    fetched(stack)?;
    stack.ask(&["stop", "mailbox"])?;
    let summary = quiet(stack)?;
    let counted = number(&summary, "/messages")?;
    let mailboxes = stack.get("/api/v1/mailboxes")?;
    let stored = sum(&mailboxes, "stored_messages")?;
    let listed = sum(&mailboxes, "server_messages")?;
    stack.ask(&["stop", "ingest"])?;

    let verified =
        stack.command(Kind::Ingest, &["verify", "--deep", "--json"]).output().context("cannot run verify")?;
    let report: Value = serde_json::from_slice(&verified.stdout)
        .with_context(|| format!("verify failed: {}", String::from_utf8_lossy(&verified.stderr)))?;
    let problems =
        report.pointer("/problems").and_then(Value::as_array).context("verify tells no problems")?;
    ensure!(
        problems.is_empty(),
        "verify: {} problems, the first one: {:?}",
        problems.len(),
        problems.first()
    );
    let archived = number(&report, "/messages")?;
    ensure!(
        counted == archived && stored == archived && listed <= archived,
        "summary {counted}, mailboxes {stored}, archive {archived}, last seen on the server {listed}"
    );
    let bytes = (number(&summary, "/bytes")?, number(&report, "/bytes")?);
    ensure!(bytes.0 == bytes.1, "summary {} bytes, archive {} bytes", bytes.0, bytes.1);
    Ok(archived)
}

/// Waits until no mailbox lacks a message. Mail arrives all the while: there must be such a moment.
fn fetched(stack: &Stack) -> Result<()> {
    let started = clock::now();
    loop {
        let mailboxes = stack.get("/api/v1/mailboxes")?;
        let items = mailboxes.get("items").and_then(Value::as_array).context("there are no mailboxes")?;
        let lacking = items.iter().find(|item| item.get("gap").and_then(Value::as_u64) != Some(0));
        match lacking {
            None if !items.is_empty() => return Ok(()),
            _ if started.elapsed() < CAUGHT_UP => clock::pause(super::LOOK),
            _ => bail!("not all was fetched within {}: {lacking:?}", clock::shown(CAUGHT_UP)),
        }
    }
}

/// Waits until metrics has counted all, and nothing changes; the summary then.
fn quiet(stack: &Stack) -> Result<Value> {
    let (started, mut since, mut before) = (clock::now(), clock::now(), None);
    while started.elapsed() < CAUGHT_UP {
        let summary = stack.get("/api/v1/summary")?;
        let now = (number(&summary, "/index/last_seq")?, number(&summary, "/index/indexed_seq")?);
        if before != Some(now) {
            (since, before) = (clock::now(), Some(now));
        } else if now.0 == now.1 && since.elapsed() > QUIET {
            return Ok(summary);
        }
        clock::pause(super::LOOK * 10);
    }
    bail!("it does not become quiet within {}: catalog and index are at {before:?}", clock::shown(CAUGHT_UP));
}

fn number(value: &Value, at: &str) -> Result<u64> {
    value.pointer(at).and_then(Value::as_u64).with_context(|| format!("the answer has no number at {at}"))
}

fn sum(mailboxes: &Value, name: &str) -> Result<u64> {
    let items = mailboxes.get("items").and_then(Value::as_array).context("there are no mailboxes")?;
    items.iter().map(|item| number(item, &format!("/{name}"))).sum()
}
