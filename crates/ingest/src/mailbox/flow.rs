//! Messages on their way from the server to the archive: two commands ahead on the wire, parsing beside it,
//! committing behind it. What is on its way is bounded in bytes.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;
use vigie_archive::{Change, OpenUid, UidSet};
use vigie_common::clock;

use super::deal::{Dealt, deal};
use super::{Mailbox, ROOM};
use crate::command::Sent;
use crate::error::{Error, Result};
use crate::message::{Fetched, Origin};
use crate::plan::Batch;
use crate::session::{Body, Session};

/// Commands on the wire at once: the next one waits at the server while the answer of the last one is read.
const AHEAD: usize = 2;
/// No message is larger than this; one that is stays open.
const LARGEST: u64 = 256 << 20;

/// A flow of one mailbox within one generation.
#[derive(Debug)]
pub(super) struct Flow {
    origin: Arc<Origin>,
    sent: VecDeque<Asked>,
    work: JoinSet<Result<Dealt>>,
    windows: VecDeque<Window>,
    /// Number of the first of `windows` since the flow began.
    first_window: usize,
}

#[derive(Debug)]
struct Asked {
    sent: Sent,
    batch: Batch,
    window: usize,
    since: Instant,
    /// What of it came by while answers of earlier commands were read.
    early: Vec<Body>,
}

/// What came of a batch.
#[derive(Debug)]
struct Arrived {
    batch: Batch,
    bodies: Vec<Body>,
    since: Instant,
}

/// A listed window.
#[derive(Debug)]
struct Window {
    range: RangeInclusive<u32>,
    skipped: UidSet,
    /// UIDs that stay open, and why.
    open: Vec<(u32, String)>,
    /// All of it was asked for.
    whole: bool,
    on_the_way: usize,
}

impl Flow {
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            origin: Arc::new(origin),
            sent: VecDeque::new(),
            work: JoinSet::new(),
            windows: VecDeque::new(),
            first_window: 0,
        }
    }

    /// The highest UID listed in windows that have not joined the coverage yet.
    pub(super) fn highest(&self) -> Option<u32> {
        self.windows.iter().map(|w| *w.range.end()).max()
    }

    /// Begins a window of UIDs that was listed; its number.
    pub(super) fn begin_window(&mut self, range: RangeInclusive<u32>, skipped: UidSet) -> usize {
        self.windows.push_back(Window { range, skipped, open: Vec::new(), whole: false, on_the_way: 0 });
        self.first_window + self.windows.len() - 1
    }

    /// All of the window was asked for: it joins the coverage when nothing of it is on its way any more.
    pub(super) fn end_window(&mut self, window: usize) {
        if let Some(window) = self.window_mut(window) {
            window.whole = true;
        }
    }

    /// A message will be tried again another time.
    pub(super) fn leave_open(&mut self, window: usize, uid: u32, reason: impl Into<String>) {
        if let Some(window) = self.window_mut(window) {
            window.open.push((uid, reason.into()));
        }
    }

    /// Asks for a batch of a window; reads an earlier answer where there are enough on the wire.
    pub(super) async fn fetch(
        &mut self,
        mailbox: &mut Mailbox,
        session: &mut Session,
        window: usize,
        batch: Batch,
    ) -> Result<()> {
        if mailbox.shared.shutdown.is_cancelled() {
            return Err(Error::Stopped);
        }
        // What a connection was lost on before comes in slices: its announced size may be wrong by far.
        let suspected = batch.messages.len() == 1
            && batch.messages.first().is_some_and(|m| mailbox.suspects.contains_key(&m.uid));
        if batch.is_large() || suspected {
            self.drain(mailbox, session).await?;
            return self.fetch_large(mailbox, session, window, batch).await;
        }
        while self.sent.len() >= AHEAD {
            self.read(mailbox, session).await?;
        }
        let sent = session.ask_bodies(&batch.uids(), batch.largest()).await?;
        self.count(window, 1);
        self.sent.push_back(Asked { sent, batch, window, since: Instant::now(), early: Vec::new() });
        self.reap(mailbox, false).await
    }

    /// Reads all answers that are on the wire.
    pub(super) async fn drain(&mut self, mailbox: &mut Mailbox, session: &mut Session) -> Result<()> {
        while !self.sent.is_empty() {
            self.read(mailbox, session).await?;
        }
        self.reap(mailbox, false).await
    }

    /// Waits until everything that came is stored, and every whole window has joined the coverage. `fetched` is how
    /// the fetching ended; that, or a fault met here, is the result.
    pub(super) async fn finish(&mut self, mailbox: &mut Mailbox, fetched: Result<()>) -> Result<()> {
        let stored = self.reap(mailbox, true).await;
        fetched.and(stored)
    }

    /// Reads the oldest answer on the wire.
    async fn read(&mut self, mailbox: &mut Mailbox, session: &mut Session) -> Result<()> {
        let Some(Asked { sent, batch, window, since, early }) = self.sent.pop_front() else {
            return Ok(());
        };
        let uids = batch.uids();
        let (mut wanted, mut bytes) = (uids.clone(), batch.bytes);
        for other in &self.sent {
            wanted.union(&other.batch.uids());
            bytes += other.batch.bytes;
        }
        match session.read_bodies(sent, &wanted, bytes).await {
            Ok(came) => {
                let (own, others): (Vec<_>, Vec<_>) =
                    came.into_iter().partition(|body| uids.contains(body.uid));
                for body in others {
                    if let Some(asked) = self.sent.iter_mut().find(|a| a.batch.uids().contains(body.uid)) {
                        asked.early.push(body);
                    }
                }
                let bodies = [early, own].concat();
                self.deliver(mailbox, session, window, Arrived { batch, bodies, since }).await
            }
            Err(Error::Refused { text, .. }) => {
                self.count(window, -1);
                self.drain_rest(mailbox, session).await?;
                self.refused(mailbox, session, batch, window, text).await
            }
            Err(error) => Err(suspect(mailbox, &batch, error)),
        }
    }

    /// The halves of a refused batch one after the other; one message alone is left open.
    async fn refused(
        &mut self,
        mailbox: &mut Mailbox,
        session: &mut Session,
        batch: Batch,
        window: usize,
        text: String,
    ) -> Result<()> {
        let mut rest: Vec<(Batch, String)> = vec![(batch, text)];
        while let Some((batch, text)) = rest.pop() {
            if let [message] = batch.messages.as_slice() {
                self.leave_open(window, message.uid, format!("the server refuses this message: {text}"));
                continue;
            }
            for half in batch.halves() {
                let uids = half.uids();
                let since = Instant::now();
                let sent = session.ask_bodies(&uids, half.largest()).await?;
                match session.read_bodies(sent, &uids, half.bytes).await {
                    Ok(bodies) => {
                        self.count(window, 1);
                        self.deliver(mailbox, session, window, Arrived { batch: half, bodies, since })
                            .await?;
                    }
                    Err(Error::Refused { text, .. }) => rest.push((half, text)),
                    Err(error) => return Err(suspect(mailbox, &half, error)),
                }
            }
        }
        Ok(())
    }

    /// Reads what else is on the wire, before commands whose answers are awaited one by one.
    async fn drain_rest(&mut self, mailbox: &mut Mailbox, session: &mut Session) -> Result<()> {
        while !self.sent.is_empty() {
            Box::pin(self.read(mailbox, session)).await?;
        }
        Ok(())
    }

    /// What came goes to the archive; what was listed and did not come is gone, or stays open.
    async fn deliver(
        &mut self,
        mailbox: &mut Mailbox,
        session: &mut Session,
        window: usize,
        mut arrived: Arrived,
    ) -> Result<()> {
        mailbox.alive();
        let Arrived { batch, bodies, .. } = &mut arrived;
        let announced = |uid: u32| batch.messages.iter().find(|m| m.uid == uid).map_or(0, |m| m.size);
        // Nothing where something was announced is not the message. Of what a server sends twice, the first counts.
        bodies.retain(|body| !body.bytes.is_empty() || announced(body.uid) == 0);
        bodies.sort_by_key(|body| body.uid);
        bodies.dedup_by_key(|body| body.uid);
        let got: UidSet = bodies.iter().map(|body| body.uid).collect();
        let not_sent: UidSet =
            batch.messages.iter().map(|m| m.uid).filter(|&uid| !got.contains(uid)).collect();
        self.store(mailbox, window, arrived).await?;
        if not_sent.is_empty() {
            return Ok(());
        }
        self.count(window, 1);
        self.drain_rest(mailbox, session).await?;
        let there = session.still_there(&not_sent).await?;
        self.count(window, -1);
        for uid in not_sent.iter().flatten() {
            if there.contains(uid) {
                self.leave_open(window, uid, "the server lists this message but does not send it");
            } else {
                mailbox.pass.gone += 1;
                mailbox.shared.progress.stored(1, 0);
            }
        }
        Ok(())
    }

    async fn fetch_large(
        &mut self,
        mailbox: &mut Mailbox,
        session: &mut Session,
        window: usize,
        batch: Batch,
    ) -> Result<()> {
        let Some((uid, size)) = batch.messages.first().map(|m| (m.uid, m.size)) else { return Ok(()) };
        let since = Instant::now();
        match session.large_body(uid, size, LARGEST, || mailbox.alive()).await {
            Ok(body) => {
                self.count(window, 1);
                let bodies = body.into_iter().collect();
                self.deliver(mailbox, session, window, Arrived { batch, bodies, since }).await
            }
            Err(Error::Refused { text, .. }) => {
                self.leave_open(window, uid, format!("the server refuses this message: {text}"));
                Ok(())
            }
            Err(error) => Err(suspect(mailbox, &batch, error)),
        }
    }

    /// Parses and commits beside the wire, once there is room for what came.
    async fn store(&mut self, mailbox: &Mailbox, window: usize, arrived: Arrived) -> Result<()> {
        let Arrived { batch, bodies, since } = arrived;
        let took = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let fetched = Fetched { at: clock::now(), took };
        // What takes the room is being parsed and stored, and needs nothing from us. A slow server holds none of it.
        let permit = Arc::clone(&mailbox.shared.room)
            .acquire_many_owned(room_for(&bodies))
            .await
            .map_err(|e| Error::Internal(e.to_string()))?;
        let origin = Arc::clone(&self.origin);
        let shared = mailbox.shared.clone();
        self.work.spawn(async move {
            let dealt = deal(&shared, origin, batch, bodies, fetched, window).await;
            drop(permit);
            dealt
        });
        Ok(())
    }

    /// Takes note of what was stored; `all`: waits for all of it.
    async fn reap(&mut self, mailbox: &mut Mailbox, all: bool) -> Result<()> {
        loop {
            let dealt = if all { self.work.join_next().await } else { self.work.try_join_next() };
            let Some(dealt) = dealt else { break };
            let Dealt { window, uids, bytes } = dealt.map_err(|e| Error::Internal(e.to_string()))??;
            mailbox.pass.stored += uids.len() as u64;
            mailbox.pass.bytes += bytes;
            for uid in uids {
                mailbox.known.stored.insert(uid..=uid);
                mailbox.known.covered.insert(uid..=uid);
                mailbox.suspects.remove(&uid);
            }
            self.count(window, -1);
        }
        while self.windows.front().is_some_and(|w| w.whole && w.on_the_way == 0) {
            let Some(window) = self.windows.pop_front() else { break };
            self.first_window += 1;
            join(mailbox, window).await?;
        }
        Ok(())
    }

    fn window_mut(&mut self, number: usize) -> Option<&mut Window> {
        self.windows.get_mut(number.checked_sub(self.first_window)?)
    }

    fn count(&mut self, window: usize, by: isize) {
        if let Some(window) = self.window_mut(window) {
            window.on_the_way = window.on_the_way.saturating_add_signed(by);
        }
    }
}

/// The listed window joins the coverage: all of it is stored, gone, skipped or open.
async fn join(mailbox: &mut Mailbox, window: Window) -> Result<()> {
    let Window { range, skipped, open, .. } = window;
    let id = mailbox.id;
    let covered = skipped.missing(*range.start(), *range.end());
    mailbox.alive();
    mailbox.shared.board.account(&mailbox.account.id, |known| known.failed += open.len() as u64);
    let mut changes = Vec::new();
    if !skipped.is_empty() {
        changes.push(Change::Skipped { mailbox: id, uids: skipped.clone() });
    }
    changes.push(Change::Covered { mailbox: id, uids: covered.clone() });
    // Left out by `since` now: no longer to be tried.
    for open in mailbox.known.open.extract_if(.., |open| skipped.contains(open.uid)) {
        changes.push(Change::Closed { mailbox: id, uid: open.uid });
    }
    for (uid, error) in open {
        // One that is tried again was counted before.
        let attempts = mailbox.known.open.iter().find(|o| o.uid == uid).map_or(1, |o| o.attempts);
        let next_try = Mailbox::next_try(attempts);
        tracing::warn!(
            account = mailbox.account.id,
            mailbox = mailbox.shown(),
            uid,
            attempts,
            error,
            "a message stays open"
        );
        mailbox.known.open.retain(|o| o.uid != uid);
        mailbox.known.open.push(OpenUid { uid, attempts, error: error.clone(), next_try });
        changes.push(Change::Open { mailbox: id, uid, attempts, error, next_try });
    }
    mailbox.commit(changes).await?;
    mailbox.known.covered.union(&covered);
    mailbox.known.skipped.union(&skipped);
    Ok(())
}

/// Takes note of what was being fetched when a connection was lost.
fn suspect(mailbox: &mut Mailbox, batch: &Batch, error: Error) -> Error {
    if matches!(error, Error::Lost { .. }) {
        for message in &batch.messages {
            *mailbox.suspects.entry(message.uid).or_default() += 1;
        }
    }
    error
}

/// KiB that messages take on their way; a larger one takes all there is.
fn room_for(bodies: &[Body]) -> u32 {
    let kib: u64 = bodies.iter().map(|body| 1 + body.bytes.len() as u64 / 1024).sum();
    u32::try_from(kib.min(ROOM as u64)).unwrap_or(u32::MAX)
}
