//! What came of a batch is parsed and stored, beside the wire.

use std::sync::Arc;

use vigie_archive::{Message, Round};

use super::Shared;
use crate::error::{Error, Result};
use crate::message::{Fetched, Origin, prepare};
use crate::plan::Batch;
use crate::session::Body;

/// What was stored.
#[derive(Debug)]
pub(super) struct Dealt {
    /// Number of the window in its flow.
    pub(super) window: usize,
    pub(super) uids: Vec<u32>,
    pub(super) bytes: u64,
}

/// Parses and commits. [`Error::Conflict`] when an id already names other bytes.
pub(super) async fn deal(
    shared: &Shared,
    origin: Arc<Origin>,
    batch: Batch,
    bodies: Vec<Body>,
    fetched: Fetched,
    window: usize,
) -> Result<Dealt> {
    let bytes: u64 = bodies.iter().map(|b| b.bytes.len() as u64).sum();
    let uids: Vec<u32> = bodies.iter().map(|b| b.uid).collect();
    let turn = shared.parsers.acquire().await.map_err(|e| Error::Internal(e.to_string()))?;
    let account = origin.account.clone();
    let messages = tokio::task::spawn_blocking(move || prepare_all(&origin, &batch, bodies, fetched))
        .await
        .map_err(|e| Error::Internal(e.to_string()))?
        .map_err(|e| Error::Internal(e.to_string()))?;
    drop(turn);
    if messages.is_empty() {
        return Ok(Dealt { window, uids, bytes });
    }
    let ids: Vec<_> = messages.iter().map(|m| m.entry.id.clone()).collect();
    // What came counts as received when it is stored, whatever becomes of us.
    let received = shared.board.of_account(&account, |known| known.budget.unrecorded(&account)).flatten();
    let changes = received.into_iter().collect();
    let committed = shared.store.commit(Round { messages, changes, ..Round::default() }).await?;
    if ids.iter().any(|id| committed.conflicts.contains(id)) {
        return Err(Error::Conflict);
    }
    let count = uids.len() as u64;
    shared.progress.stored(count, bytes);
    shared.board.account(&account, |known| known.stored(count, bytes));
    Ok(Dealt { window, uids, bytes })
}

fn prepare_all(
    origin: &Origin,
    batch: &Batch,
    bodies: Vec<Body>,
    fetched: Fetched,
) -> std::io::Result<Vec<Message>> {
    bodies
        .into_iter()
        .filter_map(|body| Some((batch.messages.iter().find(|l| l.uid == body.uid)?, body)))
        .map(|(listed, body)| prepare(origin, listed, &body, fetched))
        .collect()
}
