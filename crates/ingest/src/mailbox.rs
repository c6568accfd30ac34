//! One mailbox: what of it is dealt with, and the pass over the server that deals with the rest.
//!
//! Every UID that the server lists ends as stored, gone (it is no longer listed), left out by `since`, quarantined, or
//! open with a next try. Coverage follows only what was listed under a tagged OK, and is recorded together with
//! the messages.

mod anew;
mod begin;
mod changes;
mod deal;
mod flow;
mod gaps;
mod quarantine;
mod recheck;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use vigie_archive::{Change, Difference, MailboxId, OpenUid, QuarantinedUid, RawPolicy, Round, Try, UidSet};
use vigie_common::clock;
use vigie_common::document::{MailboxSource, Mode};

use self::changes::Began;
use self::flow::Flow;
use crate::beat::Beats;
use crate::board::Board;
use crate::error::{Error, Result, quoted};
use crate::message::Origin;
use crate::plan::Suspects;
use crate::progress::Progress;
use crate::session::{Session, Told};
use crate::settings::{Account, Since};
use crate::store;

/// KiB of messages, of all accounts together, that may be on their way between their arrival and the disk.
pub const ROOM: usize = 6 << 10;

/// A mailbox whose UIDs are used for other messages begins anew no more often than this.
const OFTEN: SignedDuration = SignedDuration::from_mins(10);

/// What all mailboxes share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The store thread.
    pub store: store::Handle,
    /// KiB of messages that may be on their way between their arrival and the disk: [`ROOM`].
    pub room: Arc<Semaphore>,
    /// Batches that may be parsed at once: as many as there are cores to do it. More would only take memory.
    pub parsers: Arc<Semaphore>,
    /// Which messages keep their bytes.
    pub raw: RawPolicy,
    /// Where files without a name may be made.
    pub spool: PathBuf,
    /// For people.
    pub progress: Arc<Progress>,
    /// For the health page.
    pub board: Board,
    /// For the watchdog.
    pub beats: Beats,
    /// Connections of one account at most.
    pub connections: usize,
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
    /// UIDs that were given up, by this pass or earlier.
    pub quarantined: u64,
    /// `daily_bytes` is used up: not all was fetched.
    pub held: bool,
}

/// One mailbox of an account.
#[derive(Debug)]
pub struct Mailbox {
    shared: Shared,
    account: Arc<Account>,
    source: MailboxSource,
    id: MailboxId,
    known: Known,
    /// What was being fetched when a connection was lost.
    suspects: Suspects,
    /// The window that was being listed when a connection was lost.
    lost_window: Option<RangeInclusive<u32>>,
    /// Open ones whose present try is counted and has not ended yet.
    counted: BTreeSet<u32>,
    /// Tries that failed, of messages that were not taken yet.
    tries: BTreeMap<u32, Vec<Try>>,
    /// What came of them.
    partial: BTreeMap<u32, Vec<u8>>,
    /// Stored messages on which a connection was lost.
    unproven: BTreeSet<u32>,
    /// A connection was lost while the server told all that had changed (QRESYNC): it is asked in smaller pieces.
    piecemeal: bool,
    /// Size and INTERNALDATE of those that were listed last: what they mean was looked at.
    looked: BTreeMap<u32, (u32, Option<String>)>,
    /// The session in which all UIDs were compared by header, where there is no UIDVALIDITY.
    compared: Option<u64>,
    /// When UIDs were last found to be used again.
    reused: Option<Timestamp>,
    mode: Mode,
    pass: Pass,
    /// `since = "now"`, and the mailbox began anew: what came before we last looked is left out.
    floor: Option<Timestamp>,
    /// How it stood when the last whole pass began.
    told: Option<Told>,
    /// The daily budget is used up: the rest waits until then.
    held: Option<Timestamp>,
    /// The highest UID that the last pass began with.
    top: u32,
}

/// What the catalog knows, kept up to date.
#[derive(Debug, Clone, Default)]
struct Known {
    selected: Option<(u32, u32)>,
    /// Messages on the server, when it last said so; none since the generation or the catalog began.
    exists: Option<u32>,
    stored: UidSet,
    covered: UidSet,
    skipped: UidSet,
    open: Vec<OpenUid>,
    quarantined: Vec<QuarantinedUid>,
    difference: Option<Difference>,
    proof_of_life: Option<Timestamp>,
    modseq: Option<u64>,
    keywords_at: Option<Timestamp>,
}

impl Known {
    /// Covered or skipped: nothing is to be done about these.
    fn dealt(&self) -> UidSet {
        let mut dealt = self.covered.clone();
        dealt.union(&self.skipped);
        dealt
    }

    /// Open or quarantined.
    fn waiting(&self) -> UidSet {
        self.open.iter().map(|open| open.uid).chain(self.quarantined.iter().map(|q| q.uid)).collect()
    }

    /// Messages that should be on the server as far as we know.
    fn counted(&self) -> u64 {
        self.stored.len() + self.skipped.len() + self.waiting().len()
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
            suspects: Suspects::default(),
            lost_window: None,
            counted: BTreeSet::new(),
            tries: BTreeMap::new(),
            partial: BTreeMap::new(),
            unproven: BTreeSet::new(),
            piecemeal: false,
            looked: BTreeMap::new(),
            compared: None,
            reused: None,
            mode: Mode::Backfill,
            pass: Pass::default(),
            floor: None,
            told: None,
            held: None,
            top: 0,
        };
        shared.board.account(&account.id, |known| known.watch(mailbox.shown(), clock::now()).id = Some(id));
        mailbox.learn().await?;
        mailbox.tell_open();
        mailbox.tell(|known| known.keywords_at = mailbox.known.keywords_at);
        if !mailbox.known.skipped.is_empty() && account.since != Some(Since::Now) {
            // `since` may have moved: what it leaves out now is found out by listing.
            mailbox.commit(vec![Change::Unskip { mailbox: id }]).await?;
            mailbox.learn().await?;
        }
        Ok(mailbox)
    }

    /// Its name for people.
    #[must_use]
    pub fn shown(&self) -> String {
        quoted(&self.source.name)
    }

    /// Puts on the board by which connection of its account it is served.
    pub fn served_by(&self, connection: usize) {
        self.tell(|known| known.connection = connection);
    }

    /// Its names.
    #[must_use]
    pub fn source(&self) -> &MailboxSource {
        &self.source
    }

    /// From now on new messages count as live mail, not as backfill, unless some of that is still to come.
    pub fn set_live(&mut self) {
        if self.held.is_none() {
            self.mode = Mode::Live;
        }
    }

    /// When the rest is fetched, where the daily budget did not allow all.
    #[must_use]
    pub fn held(&self) -> Option<Timestamp> {
        self.held
    }

    /// How it stood when the last whole pass began: STATUS that says the same says that nothing is new.
    #[must_use]
    pub fn told(&self) -> Option<Told> {
        self.told
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
        self.told = None;
        self.learn().await?;
        let mut pass = self.whole_pass(session).await;
        if matches!(pass, Err(Error::Conflict)) && self.may_begin_anew() {
            let uidvalidity = self.known.selected.map_or(0, |(validity, _)| validity);
            self.begin_anew(uidvalidity, "the server reuses UIDs for other messages").await?;
            pass = self.whole_pass(session).await;
        }
        // What a pass that was broken off has received was received.
        self.note_cost(session);
        pass
    }

    /// Fetches what has arrived since, in a mailbox that is open.
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub async fn catch_up(&mut self, session: &mut Session) -> Result<Pass> {
        let pass = self.fetch_news(session).await;
        self.note_cost(session);
        pass
    }

    async fn fetch_news(&mut self, session: &mut Session) -> Result<Pass> {
        let exists = session.take_news();
        self.pass = Pass { exists, ..Pass::default() };
        let mut flow = self.flow_of(Mode::Live)?;
        let fetched = self.fetch_new(session, &mut flow).await;
        flow.finish(self, fetched).await?;
        self.take_changes(session).await?;
        self.tell_messages();
        self.record_news(exists).await?;
        Ok(self.pass)
    }

    /// Records a tagged OK about this mailbox, and that it now has so many messages.
    async fn record_news(&self, exists: u32) -> Result<()> {
        let (mailbox, at) = (self.id, clock::now());
        self.proof_of_life();
        let Some((uidvalidity, generation)) = self.known.selected else { return Ok(()) };
        let mut changes =
            vec![Change::Select { mailbox, uidvalidity, generation, exists, uidnext: None, at }];
        if self.account.since == Some(Since::Now) && !self.known.skipped.is_empty() {
            // A catalog that was made anew since the last whole pass does not know of these.
            changes.push(Change::Skipped { mailbox, uids: self.known.skipped.clone() });
        }
        self.commit(changes).await
    }

    /// Whether a UID that failed may be tried again now, or what the budget did not allow may be fetched.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let now = clock::now();
        self.held.is_some_and(|until| until <= now) || self.known.open.iter().any(|open| open.next_try <= now)
    }

    async fn whole_pass(&mut self, session: &mut Session) -> Result<Pass> {
        let (at, nothing_stored) = (clock::now(), self.known.stored.is_empty());
        let examined = self.examine(session).await?;
        self.pass.exists = examined.exists;
        self.held = None;
        self.begin(session, examined).await?;
        let resynced = self.take_changes(session).await? && examined.resynced;
        let began = Began { at, resynced, nothing_stored };
        if examined.uidvalidity == 0 && examined.exists > 0 {
            self.check_unnamed(session).await?;
        }
        if examined.exists == 0 {
            // Of a server that says nothing of messages, nothing is known.
            if examined.empty {
                self.close_all().await?;
                self.conclude_vanished(session, 0, &UidSet::new()).await?;
            }
        } else {
            self.rematch(session, examined.exists).await?;
            let top = self.top(session, examined).await?;
            let mut flow = self.flow()?;
            let fetched = self.fetch_gaps(session, &mut flow, top).await;
            flow.finish(self, fetched).await?;
            // Of what was not fetched the count does not tell anything.
            if self.held.is_none() {
                self.retry_open(session).await?;
                self.recheck(session).await?;
            }
        }
        self.compare_keywords(session, examined, began).await?;
        self.told = examined.told();
        self.pass.open = self.known.open.len() as u64;
        self.pass.quarantined = self.known.quarantined.len() as u64;
        self.tell_messages();
        self.proof_of_life();
        Ok(self.pass)
    }

    /// A server whose UIDs never mean the same twice is not believed again and again: each time all of it is fetched.
    fn may_begin_anew(&mut self) -> bool {
        let now = clock::now();
        let long_ago = self.reused.is_none_or(|at| now.duration_since(at) > OFTEN);
        self.reused = Some(now).filter(|_| long_ago).or(self.reused);
        long_ago
    }

    fn flow(&self) -> Result<Flow> {
        self.flow_of(self.mode)
    }

    fn flow_of(&self, mode: Mode) -> Result<Flow> {
        Ok(Flow::new(self.origin(mode)?))
    }

    fn origin(&self, mode: Mode) -> Result<Origin> {
        let (uidvalidity, generation) = self
            .known
            .selected
            .ok_or_else(|| Error::Internal("a mailbox is fetched before it was opened".into()))?;
        Ok(Origin {
            account: self.account.id.clone(),
            host: self.account.host.clone(),
            mailbox: self.source.clone(),
            uidvalidity,
            generation,
            mode,
            raw: self.shared.raw,
            spool: Some(self.shared.spool.clone()),
        })
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<()> {
        self.shared.store.commit(Round { changes, ..Round::default() }).await.map(|_| ())
    }

    /// Reads back what the catalog knows.
    async fn learn(&mut self) -> Result<()> {
        let view = self.shared.store.view(self.id).await?;
        self.known = Known {
            selected: view.selected.map(|s| (s.uidvalidity, s.generation)),
            exists: view.selected.and_then(|s| s.exists),
            stored: view.stored,
            covered: view.covered,
            skipped: view.skipped,
            open: view.open,
            quarantined: view.quarantined,
            difference: view.difference,
            proof_of_life: view.proof_of_life,
            modseq: view.modseq,
            keywords_at: view.keywords_at,
        };
        Ok(())
    }
}
