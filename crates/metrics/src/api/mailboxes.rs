//! `/api/v1/mailboxes`: how each mailbox stands, and what is stored of what the server has.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use vigie_archive::MailboxStatus;
use vigie_common::clock;
use vigie_common::config::Role;
use vigie_web::{Problem, Visitor};

use super::params::Params;
use super::{App, json};
use crate::standing::{Condition, Standing};

pub(super) async fn answer(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::parse(query.as_deref(), &[])?;
    Ok(json(&mailboxes(&app.outlets.standing.borrow(), &visitor, clock::now())))
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Mailboxes {
    as_of: Timestamp,
    ingest_running: bool,
    items: Vec<Mailbox>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Mailbox {
    account: String,
    mailbox: String,
    special_use: Option<String>,
    state: &'static str,
    state_since: Option<Timestamp>,
    /// In the words of a server, which may name addresses: not for roles that see none.
    reason: Option<String>,
    next_step: Option<String>,
    server_messages: Option<u32>,
    stored_messages: u64,
    stored_bytes: u64,
    skipped: u64,
    open: u64,
    gap: Option<u64>,
    last_stored_at: Option<Timestamp>,
    proof_of_life_at: Option<Timestamp>,
    ok: bool,
}

impl Mailboxes {
    /// Whether both say the same, whenever they say it.
    pub(super) fn same(&self, other: &Self) -> bool {
        (self.ingest_running, &self.items) == (other.ingest_running, &other.items)
    }
}

pub(super) fn mailboxes(standing: &Standing, visitor: &Visitor, now: Timestamp) -> Mailboxes {
    let archive = standing.archive.as_ref();
    let running = archive.is_some_and(|archive| archive.is_running(now));
    let all = archive.map_or(&[][..], |archive| &archive.mailboxes);
    let seen = all.iter().filter(|mailbox| visitor.sees(&mailbox.account));
    let words = visitor.role() >= Role::Reader;
    Mailboxes {
        as_of: archive.map_or(now, |archive| archive.as_of),
        ingest_running: running,
        items: seen.map(|status| mailbox(status, running, words, now)).collect(),
    }
}

fn mailbox(status: &MailboxStatus, running: bool, words: bool, now: Timestamp) -> Mailbox {
    let condition = Condition::of(status, running, now);
    let said = status.standing.as_ref();
    let told = said.filter(|_| words);
    let exists = status.selected.and_then(|selected| selected.exists);
    Mailbox {
        account: status.account.clone(),
        mailbox: status.mailbox.name.clone(),
        special_use: status.mailbox.special_use.clone(),
        state: condition.as_str(),
        state_since: said.map(|standing| standing.since),
        reason: told.and_then(|standing| standing.reason.clone()),
        next_step: told.and_then(|standing| standing.next_step.clone()),
        server_messages: exists,
        stored_messages: status.stored,
        stored_bytes: status.bytes,
        skipped: status.skipped,
        open: status.open,
        // What was stored and has vanished from the server is no gap.
        gap: exists.map(|exists| u64::from(exists).saturating_sub(status.present + status.skipped)),
        last_stored_at: status.last_stored,
        proof_of_life_at: status.proof_of_life,
        ok: condition.is_ok(),
    }
}
