//! The store thread: the one that touches the archive. Rounds from all mailboxes come together here, and
//! what has gathered while a round was made durable becomes the next one.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use vigie_archive::{Archive, Committed, MailboxId, MailboxView, Round};
use vigie_common::clock;
use vigie_common::document::MailboxSource;

use crate::beat::Beat;
use crate::board::Board;
use crate::error::{Error, Result};

/// Without other work, readers are told this often that ingest runs.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// One turn of its work ends within this, on the slowest of disks.
const TURN: Duration = Duration::from_mins(10);
/// A round takes no more messages than this.
const MESSAGES: usize = 1024;
/// Nor more bytes of documents, raw frames and attachments.
const BYTES: usize = 16 << 20;

type Archived<T> = std::result::Result<T, Arc<vigie_archive::Error>>;

enum Job {
    Commit(Round, oneshot::Sender<Archived<Arc<Committed>>>),
    Mailbox(String, MailboxSource, oneshot::Sender<Archived<MailboxId>>),
    Mailboxes(String, oneshot::Sender<Archived<Vec<MailboxId>>>),
    View(MailboxId, oneshot::Sender<Archived<MailboxView>>),
}

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
        Task { archive, queue, min_free, board, beat }.run();
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
        self.ask(|answer| Job::Mailbox(account.to_owned(), source.clone(), answer)).await
    }

    /// All mailboxes of an account that the catalog knows.
    ///
    /// # Errors
    /// [`Error::Archive`].
    pub async fn mailboxes(&self, account: &str) -> Result<Vec<MailboxId>> {
        self.ask(|answer| Job::Mailboxes(account.to_owned(), answer)).await
    }

    /// What is known of a mailbox.
    ///
    /// # Errors
    /// [`Error::Archive`].
    pub async fn view(&self, mailbox: MailboxId) -> Result<MailboxView> {
        self.ask(|answer| Job::View(mailbox, answer)).await
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
}

impl Task {
    fn run(mut self) {
        let mut look = Instant::now();
        loop {
            self.beat.within(TURN);
            // Also while there is so much to do that the heart need not beat by itself.
            if Instant::now() >= look {
                self.look_for_room();
                look = Instant::now() + HEARTBEAT;
            }
            match self.queue.recv_timeout(HEARTBEAT) {
                Ok(job) => self.take(job),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if let Err(error) = self.archive.heartbeat(clock::now()) {
                        tracing::warn!(%error, "cannot say in the catalog that ingest runs");
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
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
        // Whoever asked may have been stopped since: an answer that nobody takes is no fault.
        match job {
            Job::Commit(round, answer) => {
                let next = self.gather(round, answer);
                if let Some(job) = next {
                    self.take(job);
                }
            }
            Job::Mailbox(account, source, answer) => {
                let _ = answer.send(self.archive.mailbox(&account, &source).map_err(Arc::new));
            }
            Job::Mailboxes(account, answer) => {
                let _ = answer.send(self.archive.mailboxes(&account).map_err(Arc::new));
            }
            Job::View(mailbox, answer) => {
                let _ = answer.send(self.archive.view(mailbox).map_err(Arc::new));
            }
        }
    }

    /// Commits `round` together with all that waits behind it, as far as a round takes. Gives back a job of another
    /// kind that was met on the way.
    fn gather(&mut self, round: Round, answer: oneshot::Sender<Archived<Arc<Committed>>>) -> Option<Job> {
        let mut rounds = vec![(round, answer)];
        let size = |round: &Round| {
            round.messages.iter().fold((0, 0), |(count, bytes), m| {
                let attached: usize = m.attachments.iter().map(|(_, a)| a.len()).sum();
                (count + 1, bytes + m.document.len() + m.raw.compressed() + attached)
            })
        };
        let (mut count, mut bytes) = rounds.first().map_or((0, 0), |(round, _)| size(round));
        let mut next = None;
        while count < MESSAGES && bytes < BYTES {
            match self.queue.try_recv() {
                Ok(Job::Commit(round, answer)) => {
                    let (more, larger) = size(&round);
                    count += more;
                    bytes += larger;
                    rounds.push((round, answer));
                }
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        self.commit(rounds);
        next
    }

    fn commit(&mut self, rounds: Vec<(Round, oneshot::Sender<Archived<Arc<Committed>>>)>) {
        let mut whole = Round::default();
        let mut parts = Vec::with_capacity(rounds.len());
        for (mut round, answer) in rounds {
            let part = (round.messages.len(), round.changes.len(), round.events.len());
            whole.messages.append(&mut round.messages);
            whole.changes.append(&mut round.changes);
            whole.events.append(&mut round.events);
            parts.push((part, answer));
        }
        match self.archive.commit(&whole, clock::now()) {
            Ok(committed) => {
                let committed = Arc::new(committed);
                for (_, answer) in parts {
                    let _ = answer.send(Ok(Arc::clone(&committed)));
                }
            }
            // A fault that only one of them brought must not fail the others.
            Err(error) if parts.len() > 1 => {
                tracing::debug!(%error, rounds = parts.len(), "a common round failed: one by one");
                for ((messages, changes, events), answer) in parts {
                    let alone = Round {
                        messages: whole.messages.drain(..messages.min(whole.messages.len())).collect(),
                        changes: whole.changes.drain(..changes.min(whole.changes.len())).collect(),
                        events: whole.events.drain(..events.min(whole.events.len())).collect(),
                    };
                    let _ = answer
                        .send(self.archive.commit(&alone, clock::now()).map(Arc::new).map_err(Arc::new));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for (_, answer) in parts {
                    let _ = answer.send(Err(Arc::clone(&error)));
                }
            }
        }
    }
}
