//! Messages on their way from the server to the archive: some commands ahead on the wire, parsing beside it,
//! committing behind it. What is on its way is bounded in bytes.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use vigie_archive::{Change, UidSet};
use vigie_common::clock;

use super::deal::{Dealt, deal};
use super::quarantine::Failure;
use super::{Mailbox, ROOM};
use crate::command::Sent;
use crate::error::{Error, Result};
use crate::message::{Fetched, Origin};
use crate::plan::Batch;
use crate::session::{Body, Session, Slices};

/// Commands on the wire at once: the next ones wait at the server while the answer of the last one is read. More of
/// them while answers come quickly, so that a distant server is kept busy; few on a slow line, where what has just
/// arrived would wait behind them.
const AHEAD: RangeInclusive<usize> = 2..=8;
/// An answer that took no longer came quickly.
const QUICK: Duration = Duration::from_millis(100);
/// No message is larger than this; one that is is quarantined.
const LARGEST: u64 = 256 << 20;

/// A flow of one mailbox within one generation.
#[derive(Debug)]
pub(super) struct Flow {
    origin: Arc<Origin>,
    sent: VecDeque<Asked>,
    /// How many of these there may be now.
    ahead: usize,
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

impl Arrived {
    /// Without what is no message, and what of the batch did not come.
    fn sift(mut self) -> (Self, Batch) {
        let Self { batch, bodies, .. } = &mut self;
        let announced = |uid: u32| batch.messages.iter().find(|m| m.uid == uid).map_or(0, |m| m.size);
        // Nothing where something was announced is not the message. Of what a server sends twice, the first counts.
        bodies.retain(|body| !body.bytes.is_empty() || announced(body.uid) == 0);
        bodies.sort_by_key(|body| body.uid);
        bodies.dedup_by_key(|body| body.uid);
        let rest = batch.without(bodies);
        (self, rest)
    }
}

/// A listed window.
#[derive(Debug)]
struct Window {
    range: RangeInclusive<u32>,
    skipped: UidSet,
    /// UIDs that were not taken, and why.
    failures: Vec<Failure>,
    /// All of it was asked for.
    whole: bool,
    on_the_way: usize,
}

impl Flow {
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            origin: Arc::new(origin),
            sent: VecDeque::new(),
            ahead: *AHEAD.start(),
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
        self.windows.push_back(Window { range, skipped, failures: Vec::new(), whole: false, on_the_way: 0 });
        self.first_window + self.windows.len() - 1
    }

    /// All of the window was asked for: it joins the coverage when nothing of it is on its way any more.
    pub(super) fn end_window(&mut self, window: usize) {
        if let Some(window) = self.window_mut(window) {
            window.whole = true;
        }
    }

    /// A message was not taken.
    pub(super) fn fail(&mut self, window: usize, failure: Failure) {
        if let Some(window) = self.window_mut(window) {
            window.failures.push(failure);
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
        let suspected = batch.messages.iter().any(|m| mailbox.suspects.contains(m.uid));
        let alone = batch.messages.first().filter(|_| batch.messages.len() == 1);
        let tried = alone.and_then(|m| mailbox.attempts(m.uid));
        if suspected {
            self.drain(mailbox, session).await?;
        }
        if suspected && alone.is_some() {
            mailbox.prove(session).await?;
        }
        // At its second try a message comes in slices: its announced size may be wrong by far, and what came of it is had
        // even if it ends there. At the third as at the first: there are servers that get slices wrong.
        if batch.is_large() || tried.map_or(suspected && alone.is_some(), |tried| tried == 2) {
            self.drain(mailbox, session).await?;
            return self.fetch_large(mailbox, session, window, batch).await;
        }
        while self.sent.len() >= self.ahead {
            self.read(mailbox, session).await?;
        }
        let sent = session.ask_bodies(&batch.uids(), batch.largest()).await?;
        self.count(window, 1);
        self.sent.push_back(Asked { sent, batch, window, since: Instant::now(), early: Vec::new() });
        if suspected { self.drain(mailbox, session).await } else { self.reap(mailbox, false).await }
    }

    /// Octets that were asked for and not read yet.
    pub(super) fn on_the_wire(&self) -> u64 {
        self.sent.iter().map(|asked| asked.batch.bytes).sum()
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

    /// Ends what is still being done; what has reached the store thread is stored.
    pub(super) async fn abandon(mut self) {
        self.work.shutdown().await;
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
        let begun = Instant::now();
        let (came, ended) = session.read_bodies(sent, &wanted, bytes).await;
        self.ahead =
            if begun.elapsed() <= QUICK { self.ahead + 1 } else { 0 }.clamp(*AHEAD.start(), *AHEAD.end());
        let mut bodies = early;
        for body in came {
            if uids.contains(body.uid) {
                bodies.push(body);
            } else if let Some(asked) = self.sent.iter_mut().find(|a| a.batch.uids().contains(body.uid)) {
                asked.early.push(body);
            }
        }
        let error = match ended {
            Ok(()) => {
                return self.deliver(mailbox, session, window, Arrived { batch, bodies, since }).await;
            }
            Err(error) => error,
        };
        // What came before the trouble is whole; the trouble is with the rest.
        let (arrived, rest) = Arrived { batch, bodies, since }.sift();
        self.store(mailbox, window, arrived).await?;
        match error {
            Error::Refused { text, .. } => {
                self.drain_rest(mailbox, session).await?;
                self.refused(mailbox, session, rest, window, text).await
            }
            error => Err(mailbox.lost(&rest, error).await),
        }
    }

    /// The halves of a refused batch one after the other; one message alone was not taken.
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
                self.fail(window, Failure::of_body(message, &text));
                continue;
            }
            for half in batch.halves() {
                let uids = half.uids();
                let since = Instant::now();
                let sent = session.ask_bodies(&uids, half.largest()).await?;
                let (bodies, ended) = session.read_bodies(sent, &uids, half.bytes).await;
                self.count(window, 1);
                let arrived = Arrived { batch: half, bodies, since };
                match ended {
                    Ok(()) => self.deliver(mailbox, session, window, arrived).await?,
                    Err(error) => {
                        let (arrived, left) = arrived.sift();
                        self.store(mailbox, window, arrived).await?;
                        match error {
                            Error::Refused { text, .. } => rest.push((left, text)),
                            error => return Err(mailbox.lost(&left, error).await),
                        }
                    }
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
        arrived: Arrived,
    ) -> Result<()> {
        mailbox.alive();
        let (arrived, rest) = arrived.sift();
        self.store(mailbox, window, arrived).await?;
        if rest.messages.is_empty() {
            return Ok(());
        }
        let not_sent = rest.uids();
        self.count(window, 1);
        self.drain_rest(mailbox, session).await?;
        let there = session.still_there(&not_sent).await?;
        self.count(window, -1);
        for message in &rest.messages {
            if there.contains(message.uid) {
                let why = "the server lists this message but does not send it".to_owned();
                self.fail(window, Failure::of(message, why));
            } else {
                mailbox.pass.gone += 1;
                mailbox.forget(&UidSet::of(message.uid..=message.uid));
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
        let Some(message) = batch.messages.first() else { return Ok(()) };
        let (uid, size, since) = (message.uid, message.size, Instant::now());
        if u64::from(size) > LARGEST {
            self.fail(window, Failure::too_large(message, LARGEST));
            return Ok(());
        }
        let mut bytes = Vec::new();
        let ended = session.large_body(uid, size, LARGEST, &mut bytes, || mailbox.alive()).await;
        let failure = match &ended {
            Ok(whole @ (Slices::Whole | Slices::Absent)) => {
                self.count(window, 1);
                let bodies = (*whole == Slices::Whole).then_some(Body { uid, bytes }).into_iter().collect();
                return self.deliver(mailbox, session, window, Arrived { batch, bodies, since }).await;
            }
            Ok(Slices::TooLarge) => Some(Failure::too_large(message, LARGEST)),
            Err(Error::Refused { text, .. }) => Some(Failure::of_body(message, text)),
            Err(_) => None,
        };
        mailbox.keep(uid, bytes, matches!(ended, Ok(Slices::TooLarge)));
        match (failure, ended) {
            (None, Err(error)) => Err(mailbox.lost(&batch, error).await),
            (failure, _) => {
                failure.into_iter().for_each(|failure| self.fail(window, failure));
                Ok(())
            }
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
                mailbox.suspects.remove(uid);
                mailbox.tries.remove(&uid);
                mailbox.partial.remove(&uid);
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

/// The listed window joins the coverage: all of it is stored, gone, skipped, open or quarantined.
async fn join(mailbox: &mut Mailbox, window: Window) -> Result<()> {
    let Window { range, skipped, failures, .. } = window;
    let id = mailbox.id;
    let covered = skipped.missing(*range.start(), *range.end());
    mailbox.alive();
    mailbox.shared.board.account(&mailbox.account.id, |known| known.failed += failures.len() as u64);
    let mut changes = Vec::new();
    if !skipped.is_empty() {
        changes.push(Change::Skipped { mailbox: id, uids: skipped.clone() });
    }
    changes.push(Change::Covered { mailbox: id, uids: covered.clone() });
    // Left out by `since` now: no longer to be tried.
    for open in mailbox.known.open.extract_if(.., |open| skipped.contains(open.uid)) {
        changes.push(Change::Closed { mailbox: id, uid: open.uid });
    }
    mailbox.forget(&skipped);
    for failure in failures {
        // One that is tried again was counted before.
        let attempts = mailbox.attempts(failure.uid).unwrap_or(1);
        changes.push(mailbox.failed(failure, attempts)?);
    }
    mailbox.commit(changes).await?;
    mailbox.known.covered.union(&covered);
    mailbox.known.skipped.union(&skipped);
    Ok(())
}

/// KiB that messages take on their way; a larger one takes all there is.
fn room_for(bodies: &[Body]) -> u32 {
    let kib: u64 = bodies.iter().map(|body| 1 + body.bytes.len() as u64 / 1024).sum();
    u32::try_from(kib.min(ROOM as u64)).unwrap_or(u32::MAX)
}
