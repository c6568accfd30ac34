//! One mailbox: what of it is dealt with, and the pass over the server that deals with the rest.
//!
//! Every UID that the server lists ends as stored, gone (it is no longer listed), left out by `since`, or open
//! with a next try. Coverage follows only what was listed under a tagged OK, and is recorded together with
//! the messages.

mod flow;
mod recheck;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use vigie_archive::{Change, Difference, MailboxId, MailboxState, OpenUid, RawPolicy, Round, UidSet};
use vigie_common::clock;
use vigie_common::document::{MailboxSource, Mode};

use self::flow::Flow;
use crate::error::{Error, Result};
use crate::message::{Origin, parse_internal_date};
use crate::plan::{self, Width};
use crate::progress::Progress;
use crate::session::{Examined, Listed, Session};
use crate::settings::{Account, Since};
use crate::store;

/// A message that a connection was lost on so many times is left open and tried again later.
const SUSPICIONS: u32 = 3;
/// First wait before an open UID is tried again; doubled each time up to a day.
const RETRY: SignedDuration = SignedDuration::from_mins(5);

/// What all mailboxes share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The store thread.
    pub store: store::Handle,
    /// KiB of messages that may be on their way between network and disk.
    pub room: Arc<Semaphore>,
    /// Batches that may be parsed at once: as many as there are cores to do it. More would only take memory.
    pub parsers: Arc<Semaphore>,
    /// Which messages keep their bytes.
    pub raw: RawPolicy,
    /// For people.
    pub progress: Arc<Progress>,
    /// The end of the process.
    pub shutdown: CancellationToken,
}

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// Messages on the server.
    pub exists: u32,
    /// Messages stored by this pass.
    pub stored: u64,
    /// Octets of them.
    pub bytes: u64,
    /// Messages that were listed and were gone when they were asked for.
    pub gone: u64,
    /// UIDs that stay open.
    pub open: u64,
}

/// One mailbox of an account.
#[derive(Debug)]
pub struct Mailbox {
    shared: Shared,
    account: Arc<Account>,
    source: MailboxSource,
    id: MailboxId,
    known: Known,
    /// UIDs that were being fetched when a connection was lost, and how often.
    suspects: BTreeMap<u32, u32>,
    mode: Mode,
    pass: Pass,
}

/// What the catalog knows, kept up to date.
#[derive(Debug, Clone, Default)]
struct Known {
    selected: Option<(u32, u32)>,
    stored: UidSet,
    covered: UidSet,
    skipped: UidSet,
    open: Vec<OpenUid>,
    difference: Option<Difference>,
}

impl Known {
    /// Covered or skipped: nothing is to be done about these.
    fn dealt(&self) -> UidSet {
        let mut dealt = self.covered.clone();
        dealt.union(&self.skipped);
        dealt
    }

    /// Messages that should be on the server as far as we know.
    fn counted(&self) -> u64 {
        self.stored.len() + self.skipped.len() + self.open.len() as u64
    }
}

impl Mailbox {
    /// Takes up a mailbox where the catalog left it.
    ///
    /// # Errors
    /// [`Error::Archive`].
    pub async fn open(shared: &Shared, account: &Arc<Account>, source: MailboxSource) -> Result<Self> {
        let id = shared.store.mailbox(&account.id, &source).await?;
        let mut mailbox = Self {
            shared: shared.clone(),
            account: Arc::clone(account),
            source,
            id,
            known: Known::default(),
            suspects: BTreeMap::new(),
            mode: Mode::Backfill,
            pass: Pass::default(),
        };
        mailbox.learn().await?;
        if !mailbox.known.skipped.is_empty() && account.since != Some(Since::Now) {
            // `since` may have moved: what it leaves out now is found out by listing.
            mailbox.commit(vec![Change::Unskip { mailbox: id }]).await?;
            mailbox.learn().await?;
        }
        Ok(mailbox)
    }

    /// Its names.
    #[must_use]
    pub fn source(&self) -> &MailboxSource {
        &self.source
    }

    /// From now on new messages count as live mail, not as backfill.
    pub fn set_live(&mut self) {
        self.mode = Mode::Live;
    }

    /// What the last pass did, whole or not.
    #[must_use]
    pub fn pass(&self) -> Pass {
        self.pass
    }

    /// A whole pass: opens the mailbox, fetches what is not dealt with, newest first, and looks again at what the
    /// server may have forgotten for a while.
    ///
    /// # Errors
    /// As the session's; [`Error::Archive`]; what was committed before stays.
    pub async fn sync(&mut self, session: &mut Session) -> Result<Pass> {
        self.pass = Pass::default();
        self.learn().await?;
        match self.whole_pass(session).await {
            Err(Error::Conflict) => {
                let uidvalidity = self.known.selected.map_or(0, |(validity, _)| validity);
                tracing::warn!(
                    account = self.account.id,
                    mailbox = self.source.name,
                    "the server reuses UIDs for other messages: a new generation begins, everything is fetched again beside the old"
                );
                self.commit(vec![Change::NewGeneration { mailbox: self.id, uidvalidity }]).await?;
                self.learn().await?;
                self.whole_pass(session).await
            }
            other => other,
        }
    }

    /// Fetches what has arrived since, in a mailbox that is open.
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub async fn catch_up(&mut self, session: &mut Session) -> Result<Pass> {
        let exists = session.take_news().exists.unwrap_or(self.pass.exists);
        self.pass = Pass { exists, ..Pass::default() };
        let mut flow = self.flow()?;
        self.fetch_new(session, &mut flow).await?;
        flow.finish(self).await?;
        self.proof_of_life().await?;
        Ok(self.pass)
    }

    /// Records how the mailbox stands.
    ///
    /// # Errors
    /// [`Error::Archive`].
    pub async fn set_state(
        &self,
        state: MailboxState,
        reason: Option<String>,
        next_step: Option<String>,
    ) -> Result<()> {
        let since = clock::now();
        self.commit(vec![Change::State { mailbox: self.id, state, since, reason, next_step }]).await
    }

    /// Records a tagged OK about this mailbox.
    ///
    /// # Errors
    /// [`Error::Archive`].
    pub async fn proof_of_life(&self) -> Result<()> {
        self.commit(vec![Change::ProofOfLife { mailbox: self.id, at: clock::now() }]).await
    }

    async fn whole_pass(&mut self, session: &mut Session) -> Result<Pass> {
        let examined = session.examine(&self.source.raw_name).await?;
        self.pass.exists = examined.exists;
        self.begin(examined).await?;
        if examined.exists > 0 {
            let mut flow = self.flow()?;
            let top = self.top(session, examined).await?;
            self.fetch_gaps(session, &mut flow, top).await?;
            flow.finish(self).await?;
            self.retry_open(session).await?;
            self.recheck(session, examined.exists).await?;
        }
        self.pass.open = self.known.open.len() as u64;
        self.proof_of_life().await?;
        Ok(self.pass)
    }

    /// Compares UIDVALIDITY, and records what the server says.
    async fn begin(&mut self, examined: Examined) -> Result<()> {
        let mailbox = self.id;
        let Examined { exists, uidvalidity, uidnext } = examined;
        let mut changes = Vec::new();
        let first = self.known.selected.is_none();
        if self.known.selected.is_some_and(|(validity, _)| validity != uidvalidity) {
            tracing::warn!(
                account = self.account.id,
                mailbox = self.source.name,
                uidvalidity,
                "UIDVALIDITY changed: a new generation begins, everything is fetched again beside the old"
            );
            self.commit(vec![Change::NewGeneration { mailbox, uidvalidity }]).await?;
            self.learn().await?;
        }
        let generation = self.known.selected.map_or(0, |(_, generation)| generation);
        changes.push(Change::Select { mailbox, uidvalidity, generation, exists, uidnext, at: clock::now() });
        let last = uidnext.and_then(|next| next.checked_sub(1)).filter(|&last| last > 0);
        if first
            && self.account.since == Some(Since::Now)
            && let Some(last) = last
        {
            changes.push(Change::Skipped { mailbox, uids: UidSet::of(1..=last) });
            changes.push(Change::Difference {
                mailbox,
                listed: Some(Difference { exists, counted: u64::from(last) }),
            });
        }
        self.commit(changes).await?;
        if first { self.learn().await } else { Ok(()) }
    }

    /// The highest UID that the server shows. UIDNEXT only says whether to look.
    async fn top(&self, session: &mut Session, examined: Examined) -> Result<u32> {
        let known = self.known.dealt().highest().unwrap_or(0);
        match examined.uidnext {
            Some(next) if next.saturating_sub(1) <= known => Ok(known),
            _ => Ok(session.highest_uid().await?.unwrap_or(0).max(known)),
        }
    }

    /// Windows from `top` down; what arrives meanwhile goes first.
    async fn fetch_gaps(&mut self, session: &mut Session, flow: &mut Flow, top: u32) -> Result<()> {
        let mut width = Width::default();
        let mut dealt = self.known.dealt();
        let mut below = top;
        while let Some(window) = plan::next_window(&dealt, below, width) {
            dealt.insert(window.clone());
            below = *window.end();
            let listed = session.list(*window.start(), Some(*window.end())).await?;
            width.learn(listed.len());
            self.fetch_window(session, flow, window, listed).await?;
            if session.news().exists.is_some() {
                session.take_news();
                self.fetch_new(session, flow).await?;
            }
        }
        Ok(())
    }

    /// What is above all that we know of: nothing but the arrivals.
    async fn fetch_new(&mut self, session: &mut Session, flow: &mut Flow) -> Result<()> {
        let low = flow.highest().max(self.known.dealt().highest()).map_or(1, |uid| uid.saturating_add(1));
        let listed = session.list(low, None).await?;
        let Some(high) = listed.last().map(|l| l.uid) else { return Ok(()) };
        self.fetch_window(session, flow, low..=high, listed).await
    }

    /// Fetches those of a listed window that are wanted.
    async fn fetch_window(
        &mut self,
        session: &mut Session,
        flow: &mut Flow,
        window: std::ops::RangeInclusive<u32>,
        listed: Vec<Listed>,
    ) -> Result<()> {
        let (skipped, wanted): (Vec<_>, Vec<_>) = listed.into_iter().partition(|l| self.is_before_since(l));
        let skipped: UidSet = skipped.iter().map(|l| l.uid).collect();
        let wanted = wanted.into_iter().filter(|l| !self.known.stored.contains(l.uid)).collect();
        let (give_up, wanted): (Vec<Listed>, Vec<Listed>) =
            Vec::into_iter(wanted).partition(|l| self.suspects.get(&l.uid).is_some_and(|&n| n >= SUSPICIONS));
        self.shared.progress.expect(wanted.len() as u64);
        let number = flow.begin_window(window, skipped);
        for message in give_up {
            flow.leave_open(
                number,
                &message,
                "the connection is lost each time that this message is asked for",
            );
        }
        for batch in plan::batches(wanted, &self.suspects) {
            if session.news().exists.is_some() {
                // What has just arrived goes before what has waited for years.
                flow.drain(self, session).await?;
                session.take_news();
                Box::pin(self.fetch_new(session, flow)).await?;
            }
            flow.fetch(self, session, number, batch).await?;
        }
        flow.drain(self, session).await?;
        flow.end_window(number);
        Ok(())
    }

    /// Those whose time has come, each alone.
    async fn retry_open(&mut self, session: &mut Session) -> Result<()> {
        let now = clock::now();
        let due: Vec<u32> = self.known.open.iter().filter(|o| o.next_try <= now).map(|o| o.uid).collect();
        if due.is_empty() {
            return Ok(());
        }
        let mut flow = self.flow()?;
        for uid in due {
            self.suspects.remove(&uid);
            let listed = session.list(uid, Some(uid)).await?;
            if listed.is_empty() {
                self.commit(vec![Change::Closed { mailbox: self.id, uid }]).await?;
                self.pass.gone += 1;
            }
            self.fetch_window(session, &mut flow, uid..=uid, listed).await?;
        }
        flow.finish(self).await?;
        self.learn().await
    }

    fn is_before_since(&self, listed: &Listed) -> bool {
        match self.account.since {
            Some(Since::Date(since)) => {
                listed.internal_date.as_deref().and_then(parse_internal_date).is_some_and(|at| at < since)
            }
            Some(Since::Now) | None => false,
        }
    }

    fn flow(&self) -> Result<Flow> {
        let (uidvalidity, generation) = self
            .known
            .selected
            .ok_or_else(|| Error::Internal("a mailbox is fetched before it was opened".into()))?;
        Ok(Flow::new(Origin {
            account: self.account.id.clone(),
            host: self.account.host.clone(),
            mailbox: self.source.clone(),
            uidvalidity,
            generation,
            mode: self.mode,
            raw: self.shared.raw,
        }))
    }

    /// When a UID that failed is tried again.
    fn next_try(attempts: u32) -> Timestamp {
        let wait = RETRY.saturating_mul(1 << attempts.saturating_sub(1).min(8));
        clock::now().saturating_add(wait.min(SignedDuration::from_hours(24))).unwrap_or(Timestamp::MAX)
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<()> {
        self.shared.store.commit(Round { changes, ..Round::default() }).await.map(|_| ())
    }

    /// Reads back what the catalog knows.
    async fn learn(&mut self) -> Result<()> {
        let view = self.shared.store.view(self.id).await?;
        self.known = Known {
            selected: view.selected.map(|s| (s.uidvalidity, s.generation)),
            stored: view.stored,
            covered: view.covered,
            skipped: view.skipped,
            open: view.open,
            difference: view.difference,
        };
        Ok(())
    }
}
