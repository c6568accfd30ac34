//! The middle of a pass: windows of UIDs that are not dealt with are listed, and what is in them is fetched.

use std::ops::RangeInclusive;

use vigie_archive::{Change, UidSet};
use vigie_common::clock;

use super::flow::Flow;
use super::{Mailbox, SUSPICIONS};
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
        let mut width = Width::default();
        let mut dealt = self.known.dealt();
        let mut below = top;
        while let Some(window) = plan::next_window(&dealt, below, width) {
            dealt.insert(window.clone());
            below = *window.end();
            let mut listed = 0;
            for (part, found) in list(session, window).await? {
                match found {
                    Ok(messages) => {
                        listed += messages.len();
                        self.fetch_window(session, flow, part, messages, true).await?;
                    }
                    Err(refusal) => {
                        let number = flow.begin_window(part.clone(), UidSet::new());
                        flow.leave_open(
                            number,
                            *part.start(),
                            format!("the server refuses to list it: {refusal}"),
                        );
                        flow.end_window(number);
                    }
                }
            }
            width.learn(listed);
        }
        if session.has_news() { self.fetch_new(session, flow).await } else { Ok(()) }
    }

    /// What is above all that we know of: nothing but the arrivals.
    pub(super) async fn fetch_new(&mut self, session: &mut Session, flow: &mut Flow) -> Result<()> {
        session.take_news();
        let low = flow.highest().max(self.known.dealt().highest()).map_or(1, |uid| uid.saturating_add(1));
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
        let (give_up, wanted): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .filter(|l| !self.known.stored.contains(l.uid))
            .partition(|l| self.suspects.get(&l.uid).is_some_and(|&losses| losses >= SUSPICIONS));
        self.shared.progress.expect(wanted.len() as u64);
        let number = flow.begin_window(window, skipped.iter().map(|l| l.uid).collect());
        for message in give_up {
            flow.leave_open(
                number,
                message.uid,
                "the connection is lost each time that this message is asked for",
            );
        }
        for batch in plan::batches(wanted, &self.suspects) {
            if yielding && session.has_news() {
                // What has just arrived goes before what has waited for years.
                flow.drain(self, session).await?;
                Box::pin(self.fetch_new(session, flow)).await?;
            }
            flow.fetch(self, session, number, batch).await?;
        }
        flow.drain(self, session).await?;
        flow.end_window(number);
        Ok(())
    }

    /// Those whose time has come, each alone. The try is counted before it is made: it may take the connection along.
    pub(super) async fn retry_open(&mut self, session: &mut Session) -> Result<()> {
        let now = clock::now();
        let due: Vec<u32> = self.known.open.iter().filter(|o| o.next_try <= now).map(|o| o.uid).collect();
        if due.is_empty() {
            return Ok(());
        }
        let mut flow = self.flow()?;
        let fetched = self.retry(session, &mut flow, due).await;
        flow.finish(self, fetched).await?;
        self.learn().await
    }

    async fn retry(&mut self, session: &mut Session, flow: &mut Flow, due: Vec<u32>) -> Result<()> {
        for uid in due {
            self.suspects.remove(&uid);
            self.count_try(uid).await?;
            let listed = session.list(uid, Some(uid)).await?;
            if listed.is_empty() {
                self.commit(vec![Change::Closed { mailbox: self.id, uid }]).await?;
                self.pass.gone += 1;
            } else {
                self.fetch_window(session, flow, uid..=uid, listed, false).await?;
            }
        }
        Ok(())
    }

    async fn count_try(&mut self, uid: u32) -> Result<()> {
        let Some(open) = self.known.open.iter_mut().find(|open| open.uid == uid) else { return Ok(()) };
        open.attempts += 1;
        open.next_try = Self::next_try(open.attempts);
        let (attempts, error, next_try) = (open.attempts, open.error.clone(), open.next_try);
        self.commit(vec![Change::Open { mailbox: self.id, uid, attempts, error, next_try }]).await
    }

    /// The mailbox is empty: nothing in it is still to be tried.
    pub(super) async fn close_all(&mut self) -> Result<()> {
        let gone = std::mem::take(&mut self.known.open);
        if gone.is_empty() {
            return Ok(());
        }
        self.pass.gone += gone.len() as u64;
        self.commit(gone.iter().map(|open| Change::Closed { mailbox: self.id, uid: open.uid }).collect())
            .await
    }
}

/// What the server shows in a window. Where it refuses, halves are asked for, down to the one UID that it refuses.
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
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
