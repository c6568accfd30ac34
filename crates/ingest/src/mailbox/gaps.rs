//! The middle of a pass: windows of UIDs that are not dealt with are listed, and what is in them is fetched.

use std::ops::RangeInclusive;

use vigie_archive::{Change, OpenUid, UidSet};
use vigie_common::clock;
use vigie_common::document::Mode;

use super::Mailbox;
use super::flow::Flow;
use super::quarantine::{Failure, TRIES};
use crate::budget::Purpose;
use crate::error::{Error, Result};
use crate::plan::{self, Width};
use crate::session::{Listed, Session};

/// Listings that may be refused in one window, while the one message is sought that they are refused for.
const REFUSALS: u32 = 32;

impl Mailbox {
    /// Windows from `top` down; what arrives meanwhile goes first.
    pub(super) async fn fetch_gaps(
        &mut self,
        session: &mut Session,
        flow: &mut Flow,
        top: u32,
    ) -> Result<()> {
        let mut width = Width::among(self.pass.exists);
        let mut dealt = self.known.dealt();
        let mut below = top;
        self.top = top;
        while let Some(mut window) = plan::next_window(&dealt, below, width) {
            if let Some(lost) = &self.lost_window {
                window = plan::narrowed(window, lost);
            }
            dealt.insert(window.clone());
            below = *window.end();
            let mut listed = 0;
            let found = match list(session, window.clone()).await {
                Ok(found) => found,
                Err(error) => return Err(self.lost_listing(window, error).await),
            };
            for (part, found) in found {
                match found {
                    Ok(messages) => {
                        listed += messages.len();
                        self.fetch_window(session, flow, part, messages, true).await?;
                    }
                    Err(refusal) => {
                        let number = flow.begin_window(part.clone(), UidSet::new());
                        flow.fail(number, Failure::of_listing(*part.start(), &refusal));
                        flow.end_window(number);
                    }
                }
            }
            width.learn(listed);
            if self.held.is_some() {
                break;
            }
        }
        self.lost_window = None;
        if session.has_news() { self.fetch_new(session, flow).await } else { Ok(()) }
    }

    /// What is above all that we know of: nothing but the arrivals.
    pub(super) async fn fetch_new(&mut self, session: &mut Session, flow: &mut Flow) -> Result<()> {
        session.take_news();
        let known = flow.highest().max(self.known.dealt().highest()).unwrap_or(0);
        let low = known.max(self.top).saturating_add(1);
        let listed = session.list(low, None).await?;
        let Some(high) = listed.last().map(|l| l.uid) else { return Ok(()) };
        self.fetch_window(session, flow, low..=high, listed, false).await
    }

    /// Fetches those of a listed window that are wanted. `yielding`: what arrives meanwhile goes first.
    pub(super) async fn fetch_window(
        &mut self,
        session: &mut Session,
        flow: &mut Flow,
        window: RangeInclusive<u32>,
        listed: Vec<Listed>,
        yielding: bool,
    ) -> Result<()> {
        let (skipped, wanted): (Vec<_>, Vec<_>) = listed.into_iter().partition(|l| self.is_before_since(l));
        let wanted: Vec<_> = wanted.into_iter().filter(|l| !self.known.stored.contains(l.uid)).collect();
        self.shared.progress.expect(wanted.len() as u64);
        if !wanted.is_empty() {
            self.fetching();
        }
        let purpose =
            if yielding && self.mode == Mode::Backfill { Purpose::Backfill } else { Purpose::Arrival };
        let number = flow.begin_window(window, skipped.iter().map(|l| l.uid).collect());
        for batch in plan::batches(wanted, &self.suspects) {
            if yielding && session.has_news() {
                // What has just arrived goes before what has waited for years.
                flow.drain(self, session).await?;
                Box::pin(self.fetch_new(session, flow)).await?;
            }
            if self.is_held(session, purpose, flow.on_the_wire(), batch.bytes) {
                // The window is not dealt with: it is listed again when there is room.
                return flow.drain(self, session).await;
            }
            flow.fetch(self, session, number, batch).await?;
        }
        flow.drain(self, session).await?;
        flow.end_window(number);
        Ok(())
    }

    /// Those whose time has come, each alone.
    pub(super) async fn retry_open(&mut self, session: &mut Session) -> Result<()> {
        let now = clock::now();
        let due: Vec<_> = self.known.open.iter().filter(|o| o.next_try <= now).cloned().collect();
        if due.is_empty() {
            return Ok(());
        }
        let mut flow = self.flow()?;
        self.counted.clear();
        let fetched = self.retry(session, &mut flow, due).await;
        let ended = flow.finish(self, fetched).await;
        flow.abandon().await;
        let learnt = self.learn().await;
        let by_another = ended.as_ref().is_err_and(|error| !may_be_the_message(error));
        if learnt.is_ok() && (by_another || self.held.is_some()) {
            self.uncount_tries().await;
        }
        ended.and(learnt)
    }

    async fn retry(&mut self, session: &mut Session, flow: &mut Flow, due: Vec<OpenUid>) -> Result<()> {
        for open in due {
            let uid = open.uid;
            if open.attempts >= TRIES {
                self.give_up_at_last(open).await?;
                continue;
            }
            if self.held.is_some() || self.is_held(session, Purpose::Arrival, flow.on_the_wire(), 0) {
                break;
            }
            self.suspects.remove(uid);
            self.prove(session).await?;
            self.count_try(uid).await?;
            match session.list(uid, Some(uid)).await {
                Ok(listed) if listed.is_empty() => {
                    self.commit(vec![Change::Closed { mailbox: self.id, uid }]).await?;
                    self.known.open.retain(|open| open.uid != uid);
                    self.forget(&UidSet::of(uid..=uid));
                    self.pass.gone += 1;
                }
                Ok(listed) => self.fetch_window(session, flow, uid..=uid, listed, false).await?,
                Err(Error::Refused { text, .. }) => {
                    let number = flow.begin_window(uid..=uid, UidSet::new());
                    flow.fail(number, Failure::of_listing(uid, &text));
                    flow.end_window(number);
                }
                Err(error) => return Err(self.lost_listing(uid..=uid, error).await),
            }
        }
        Ok(())
    }

    /// The mailbox is empty: nothing in it is still to be tried, nor waits in quarantine.
    pub(super) async fn close_all(&mut self) -> Result<()> {
        let open = std::mem::take(&mut self.known.open);
        let quarantined = std::mem::take(&mut self.known.quarantined);
        if open.is_empty() && quarantined.is_empty() {
            return Ok(());
        }
        self.pass.gone += open.len() as u64;
        self.tries.clear();
        self.partial.clear();
        let gone = open.iter().map(|open| open.uid).chain(quarantined.iter().map(|q| q.uid));
        self.commit(gone.map(|uid| Change::Closed { mailbox: self.id, uid }).collect()).await
    }
}

/// Whether a try of a message that ended so was one.
fn may_be_the_message(error: &Error) -> bool {
    matches!(error, Error::Lost { .. } | Error::Refused { .. } | Error::Internal(_))
}

/// What the server shows in a window. Where it refuses, halves are asked for, down to the one UID that it refuses. Where
/// it refuses too often, the rest is left for another time.
async fn list(
    session: &mut Session,
    window: RangeInclusive<u32>,
) -> Result<Vec<(RangeInclusive<u32>, std::result::Result<Vec<Listed>, String>)>> {
    let mut found = Vec::new();
    let mut rest = vec![window];
    let mut refusals = 0;
    while let Some(part) = rest.pop() {
        let (low, high) = (*part.start(), *part.end());
        match session.list(low, Some(high)).await {
            Ok(messages) => found.push((part, Ok(messages))),
            Err(Error::Refused { text, .. }) if refusals < REFUSALS => {
                refusals += 1;
                if low == high {
                    found.push((part, Err(text)));
                } else {
                    let middle = low + (high - low) / 2;
                    rest.push(low..=middle);
                    rest.push(middle + 1..=high);
                }
            }
            Err(Error::Refused { .. }) if found.iter().any(|(_, found)| found.is_ok()) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
