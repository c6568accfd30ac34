//! The store thread: the one that touches the archive. Rounds from all mailboxes come together here, and
//! what has gathered while a round was made durable becomes the next one.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use vigie_archive::{Archive, Change, Committed, MailboxId, MailboxView, Round};
use vigie_common::clock;
use vigie_common::document::MailboxSource;

use crate::beat::Beat;
use crate::board::Board;
use crate::error::{Error, Result};

/// Readers are told this often that ingest runs, and which mailboxes gave a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// One turn of its work ends within this, on the slowest of disks.
const TURN: Duration = Duration::from_mins(10);
/// A round takes no more messages than this.
const MESSAGES: usize = 1024;
/// Nor more bytes of documents, raw frames and attachments.
const BYTES: usize = 16 << 20;

type Archived<T> = std::result::Result<T, Arc<vigie_archive::Error>>;
/// Where the result of a round goes.
type Answer = oneshot::Sender<Archived<Arc<Committed>>>;

enum Job {
    Commit(Round, Answer),
    Note(Change),
    Work(Work),
}

/// Work on the archive that answers by itself.
type Work = Box<dyn FnOnce(&mut Archive) + Send>;

/// How others reach the store thread; it ends when the last handle is dropped and all work is done.
#[derive(Debug, Clone)]
pub struct Handle {
    jobs: mpsc::Sender<Job>,
}

/// Starts the store thread on an opened archive. The receiver resolves when the thread ends.
///
/// # Errors
/// No thread can be made.
pub fn start(
    archive: Archive,
    min_free: u64,
    board: Board,
    beat: Beat,
) -> std::io::Result<(Handle, JoinHandle<()>, oneshot::Receiver<()>)> {
    let (jobs, queue) = mpsc::channel();
    let (alive, ended) = oneshot::channel();
    let work = move || {
        // Dropped with the thread, however it ends.
        let _alive = alive;
        Task { archive, queue, min_free, board, beat, on_the_way: None, noted: Vec::new() }.run();
    };
    let thread = std::thread::Builder::new().name("store".into()).spawn(work)?;
    Ok((Handle { jobs }, thread, ended))
}

impl Handle {
    /// Makes a round durable and recorded. Which of the ids were stored, were there already or are in conflict is
    /// told for all rounds that were committed together.
    ///
    /// # Errors
    /// [`Error::Archive`]: nothing of this round is recorded.
    pub async fn commit(&self, round: Round) -> Result<Arc<Committed>> {
        self.ask(|answer| Job::Commit(round, answer)).await
    }

    /// The catalog's number of a mailbox.
    ///
    /// # Errors
    /// [`Error::Archive`].
    pub async fn mailbox(&self, account: &str, source: &MailboxSource) -> Result<MailboxId> {
        let (account, source) = (account.to_owned(), source.clone());
        self.with(move |archive| archive.mailbox(&account, &source)).await
    }

    /// All mailboxes of an account that the catalog knows.
    ///
    /// # Errors
    /// [`Error::Archive`].
    pub async fn mailboxes(&self, account: &str) -> Result<Vec<MailboxId>> {
        let account = account.to_owned();
        self.with(move |archive| archive.healing(|archive| archive.mailboxes(&account))).await
    }

    /// Octets that the servers of an account sent within the last day, by hours since 1970.
    ///
    /// # Errors
    /// [`Error::Archive`].
    pub async fn received(&self, account: &str) -> Result<Vec<(i64, u64)>> {
        let account = account.to_owned();
        self.with(move |archive| archive.healing(|archive| archive.received(&account))).await
    }

    /// What is known of a mailbox.
    ///
    /// # Errors
    /// [`Error::Archive`].
    pub async fn view(&self, mailbox: MailboxId) -> Result<MailboxView> {
        self.with(move |archive| archive.healing(|archive| archive.view(mailbox))).await
    }

    /// Has a sign of life recorded, at the latest with the next heartbeat: nobody waits for it, and no disk need wake up
    /// for each alone.
    pub fn note(&self, change: Change) {
        // Without a store thread the process is about to end.
        let _ = self.jobs.send(Job::Note(change));
    }

    /// Has any other work done on the archive, between two rounds.
    ///
    /// # Errors
    /// [`Error::Archive`], by what the work gives back.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Archive) -> std::result::Result<T, vigie_archive::Error> + Send + 'static,
    ) -> Result<T> {
        self.ask(|answer| {
            Job::Work(Box::new(move |archive| {
                // Whoever asked may have been stopped since: an answer that nobody takes is no fault.
                let _ = answer.send(work(archive).map_err(Arc::new));
            }))
        })
        .await
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Archived<T>>) -> Job) -> Result<T> {
        let gone = || Error::Internal("the store thread has ended".into());
        let (answer, answered) = oneshot::channel();
        self.jobs.send(job(answer)).map_err(|_| gone())?;
        Ok(answered.await.map_err(|_| gone())??)
    }
}

struct Task {
    archive: Archive,
    queue: mpsc::Receiver<Job>,
    /// Octets that are to stay free.
    min_free: u64,
    board: Board,
    beat: Beat,
    /// A round that the archive has not recorded yet.
    on_the_way: Option<Gathered>,
    /// Recorded with the next round.
    noted: Vec<Change>,
}

/// Rounds that are committed as one.
struct Gathered {
    whole: Arc<Round>,
    /// How much of it is of whom; for what was noted nobody waits.
    parts: Vec<(Part, Option<Answer>)>,
}

/// Numbers of messages, changes and events.
type Part = (usize, usize, usize);

impl Task {
    fn run(mut self) {
        let mut look = Instant::now();
        loop {
            self.beat.within(TURN);
            // Also while there is so much to do that the heart need not beat by itself.
            if Instant::now() >= look {
                self.look_for_room();
                self.tell_alive();
                look = Instant::now() + HEARTBEAT;
            }
            match self.next(look) {
                Ok(job) => self.take(job),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return self.tell_alive(),
            }
        }
    }

    /// For readers of the catalog: that ingest runs, and what was noted.
    fn tell_alive(&mut self) {
        self.settle();
        let changes = std::mem::take(&mut self.noted);
        let told = if changes.is_empty() {
            self.archive.heartbeat(clock::now())
        } else {
            let round = Round { changes, ..Round::default() };
            let told = self.archive.commit(&round, clock::now()).map(drop);
            if let Err(error) = &told
                && is_passing(error)
            {
                self.note_again(round.changes);
            }
            told
        };
        if let Err(error) = told {
            tracing::warn!(%error, "cannot say in the catalog that ingest runs");
        }
    }

    /// What could not be recorded now is recorded later, but for what was noted anew since.
    fn note_again(&mut self, changes: Vec<Change>) {
        let newer = std::mem::take(&mut self.noted);
        changes.into_iter().chain(newer).for_each(|change| self.note(change));
    }

    /// The last one of a kind counts.
    fn note(&mut self, change: Change) {
        self.noted.retain(|noted| !supersedes(&change, noted));
        self.noted.push(change);
    }

    /// The next job up to `until`. While none waits, what is on its way is brought to its end.
    fn next(&mut self, until: Instant) -> std::result::Result<Job, mpsc::RecvTimeoutError> {
        match self.queue.try_recv() {
            Ok(job) => Ok(job),
            Err(_) => {
                self.settle();
                self.queue.recv_timeout(until.saturating_duration_since(Instant::now()))
            }
        }
    }

    fn look_for_room(&self) {
        match self.archive.free() {
            Ok(free) => self.board.room(free, self.min_free, clock::now()),
            Err(error) => tracing::warn!(%error, "cannot see how much room is left for the archive"),
        }
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Commit(round, answer) => {
                if let Some(job) = self.gather(round, answer) {
                    self.take(job);
                }
            }
            Job::Note(change) => self.note(change),
            Job::Work(work) => {
                // It is to see all that was committed before.
                self.settle();
                work(&mut self.archive);
            }
        }
    }

    /// Commits `round` together with all that waits behind it, as far as a round takes. Gives back a job of another
    /// kind that was met on the way.
    fn gather(&mut self, round: Round, answer: Answer) -> Option<Job> {
        let mut whole = Round::default();
        let mut parts = Vec::new();
        let (mut bytes, mut files) = (0, 0);
        let mut add = |mut round: Round, answer| {
            for message in &round.messages {
                let attached: usize = message.attachments.iter().map(|(_, a)| a.in_memory()).sum();
                bytes += message.document.len() + message.raw.in_memory() + attached;
                files += 1 + message.attachments.len();
            }
            parts.push(((round.messages.len(), round.changes.len(), round.events.len()), answer));
            whole.messages.append(&mut round.messages);
            whole.changes.append(&mut round.changes);
            whole.events.append(&mut round.events);
            whole.messages.len() < MESSAGES && bytes < BYTES
        };
        let mut next = None;
        let mut add_after = |noted: &mut Vec<Change>, round, answer| {
            // What was noted before is recorded before: it may be older than what the round says of the same.
            let changes = std::mem::take(noted);
            if !changes.is_empty() {
                add(Round { changes, ..Round::default() }, None);
            }
            add(round, Some(answer))
        };
        let mut room = add_after(&mut self.noted, round, answer);
        while room {
            match self.queue.try_recv() {
                Ok(Job::Commit(round, answer)) => room = add_after(&mut self.noted, round, answer),
                Ok(Job::Note(change)) => self.note(change),
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        self.commit(Gathered { whole: Arc::new(whole), parts }, files);
        next
    }

    /// A large round goes behind the one that is on its way; a small one is committed at once.
    fn commit(&mut self, gathered: Gathered, files: usize) {
        if !self.archive.is_large(files) {
            self.settle();
            return self.alone(gathered);
        }
        let mut before = self.on_the_way.take();
        let recorded = |committed| {
            if let Some(before) = before.take() {
                before.answer(committed);
            }
        };
        match self.archive.push(Arc::clone(&gathered.whole), clock::now(), recorded) {
            Ok(()) => self.on_the_way = Some(gathered),
            Err(error) => {
                tracing::debug!(%error, "rounds that went one behind the other failed: one by one");
                let each = before.into_iter().chain([gathered]);
                each.for_each(|gathered| self.alone(gathered));
            }
        }
    }

    /// Brings what is on its way to its end.
    fn settle(&mut self) {
        let Some(gathered) = self.on_the_way.take() else { return };
        match self.archive.settle(clock::now()) {
            Ok(Some(committed)) => gathered.answer(committed),
            Ok(None) => self.alone(gathered),
            Err(error) => {
                tracing::debug!(%error, "a round on its way failed: once more");
                self.alone(gathered);
            }
        }
    }

    /// A round that goes with no other.
    fn alone(&mut self, gathered: Gathered) {
        match self.archive.commit(&gathered.whole, clock::now()) {
            Ok(committed) => gathered.answer(committed),
            Err(error) => self.one_by_one(gathered, error),
        }
    }

    /// A fault that only one of several rounds brought must not fail the others.
    fn one_by_one(&mut self, gathered: Gathered, error: vigie_archive::Error) {
        let Gathered { whole, parts } = gathered;
        if let [_] = parts.as_slice() {
            let error = Arc::new(error);
            for answer in parts.into_iter().filter_map(|(_, answer)| answer) {
                let _ = answer.send(Err(Arc::clone(&error)));
            }
            return;
        }
        tracing::debug!(%error, rounds = parts.len(), "a common round failed: one by one");
        let mut whole = Arc::unwrap_or_clone(whole);
        let mut again: Vec<Change> = Vec::new();
        for ((messages, changes, events), answer) in parts {
            let alone = Round {
                messages: whole.messages.drain(..messages.min(whole.messages.len())).collect(),
                changes: whole.changes.drain(..changes.min(whole.changes.len())).collect(),
                events: whole.events.drain(..events.min(whole.events.len())).collect(),
            };
            let committed = self.archive.commit(&alone, clock::now());
            match (&committed, &answer) {
                (Ok(_), _) => again.retain(|old| !alone.changes.iter().any(|new| supersedes(new, old))),
                (Err(error), None) if is_passing(error) => again.extend(alone.changes),
                _ => {}
            }
            if let Some(answer) = answer {
                let _ = answer.send(committed.map(Arc::new).map_err(Arc::new));
            }
        }
        self.note_again(again);
    }
}

/// Whether `new` says all that `old` says, later.
fn supersedes(new: &Change, old: &Change) -> bool {
    match (old, new) {
        (Change::ProofOfLife { mailbox: a, .. }, Change::ProofOfLife { mailbox: b, .. })
        | (Change::KeywordsAt { mailbox: a, .. }, Change::KeywordsAt { mailbox: b, .. })
        | (Change::State { mailbox: a, .. }, Change::State { mailbox: b, .. }) => a == b,
        (Change::Received { account: a, hour: of, .. }, Change::Received { account: b, hour: now, .. }) => {
            a == b && of == now
        }
        _ => false,
    }
}

/// Whether the same may be recorded later.
fn is_passing(error: &vigie_archive::Error) -> bool {
    use vigie_archive::Error::{Denied, Failed, Full};
    matches!(error, Full { .. } | Denied { .. } | Failed { .. })
}

impl Gathered {
    fn answer(self, committed: Committed) {
        let committed = Arc::new(committed);
        for answer in self.parts.into_iter().filter_map(|(_, answer)| answer) {
            let _ = answer.send(Ok(Arc::clone(&committed)));
        }
    }
}
