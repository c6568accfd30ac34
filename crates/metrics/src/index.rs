//! The indexing thread: the one that writes the read model. It follows the catalog, and takes in samples of the host.
//!
//! It waits for the file system to tell that the catalog's log was written (`inotify`), and looks now and then all the
//! same. Whatever fails is told and tried again: an archive that is missing, replaced or damaged, a disk that is full,
//! a read model that cannot be used.

mod follow;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot, watch as channel};
use tokio::time::Instant;
use vigie_common::shutdown::Shutdown;
use vigie_common::{clock, notify};

use self::follow::{Follow, Step};
use self::watch::Watch;
use crate::error::Error;
use crate::model::{Latest, Model, Sample};
use crate::standing::{Standing, State};

/// The catalog is looked at this often though nothing told of a change.
const LOOK: Duration = Duration::from_secs(5);
/// Where nothing can tell of changes, it is looked at this often.
const POLL: Duration = Duration::from_millis(500);
/// After trouble, the next try.
const PAUSE: Duration = Duration::from_secs(2);
/// Changes that come together are taken together.
const GATHER: Duration = Duration::from_millis(30);
/// What the archive says of itself is read no more often than this.
const SAY: Duration = Duration::from_secs(1);
/// How often the log of the read model is moved to the database.
const CHECKPOINT: Duration = Duration::from_secs(300);

/// What the thread tells.
#[derive(Debug, Clone)]
pub struct Outlets {
    /// How it stands.
    pub standing: channel::Receiver<Standing>,
    /// What came while ingest watched, newest last.
    pub news: broadcast::Sender<Arc<[Latest]>>,
}

/// The thread, seen from outside.
#[derive(Debug)]
pub struct Task {
    /// What it tells.
    pub outlets: Outlets,
    /// Takes samples of the host.
    pub samples: mpsc::Sender<Sample>,
    /// Resolves when it ends; before the shutdown that is a fault.
    pub ended: oneshot::Receiver<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Task {
    /// Waits until it has ended.
    ///
    /// # Errors
    /// It failed by a fault of ours.
    pub fn join(self) -> Result<(), &'static str> {
        self.thread.join().map_err(|_| "the indexing thread failed by a fault of ours")
    }
}

/// Starts the thread on an open read model.
///
/// # Errors
/// The system gives no thread.
pub fn start(model: Model, archive: PathBuf, shutdown: Shutdown) -> std::io::Result<Task> {
    let handle = Handle::current();
    let (standing, standing_seen) = channel::channel(Standing::default());
    let (news, _) = broadcast::channel(64);
    let (samples, samples_taken) = mpsc::channel(16);
    let (alive, ended) = oneshot::channel();
    let outlets = Outlets { standing: standing_seen, news: news.clone() };
    let index = Index {
        model,
        follow: Follow::new(archive),
        standing,
        news,
        samples: samples_taken,
        shutdown,
        said: None,
        unsaid: false,
        checkpoint: None,
    };
    let thread = std::thread::Builder::new().name("index".into()).spawn(move || {
        let _entered = handle.enter();
        index.run(&handle);
        drop(alive);
    })?;
    Ok(Task { outlets, samples, ended, thread })
}

struct Index {
    model: Model,
    follow: Follow,
    standing: channel::Sender<Standing>,
    news: broadcast::Sender<Arc<[Latest]>>,
    samples: mpsc::Receiver<Sample>,
    shutdown: Shutdown,
    /// When the archive was last asked about itself.
    said: Option<Instant>,
    /// It was too early to ask again.
    unsaid: bool,
    checkpoint: Option<Instant>,
}

impl Index {
    fn run(mut self, handle: &Handle) {
        let watchdog = notify::watchdog_interval();
        let mut watch = None;
        while !self.shutdown.is_cancelled() {
            let wait = match self.step() {
                Ok(Step::More) => Duration::ZERO,
                Ok(Step::Waiting) => POLL.max(watch.as_ref().map_or(POLL, |_| LOOK / 5)),
                Ok(Step::Done { reopened }) => {
                    if reopened || watch.is_none() {
                        watch = Watch::start(self.follow.root());
                        // What changed before the watch began.
                        if reopened { Duration::ZERO } else { POLL }
                    } else {
                        LOOK
                    }
                }
                Err(error) => {
                    self.fail(error);
                    PAUSE
                }
            };
            let wait = self
                .said
                .filter(|_| self.unsaid)
                .map_or(wait, |said| wait.min(SAY.saturating_sub(said.elapsed())));
            // The ping comes from here: it says that the work goes on.
            if watchdog.is_some() {
                notify::watchdog();
            }
            let wait = watchdog.map_or(wait, |interval| wait.min(interval / 3));
            if !wait.is_zero() {
                let sample = handle.block_on(next(&mut self.samples, &self.shutdown, watch.as_mut(), wait));
                sample.iter().for_each(|sample| self.take_in(sample));
            }
            while let Ok(sample) = self.samples.try_recv() {
                self.take_in(&sample);
            }
        }
        if let Err(error) = self.model.checkpoint() {
            tracing::debug!(%error, "the read model's log stays as it is");
        }
    }

    fn step(&mut self) -> Result<Step, Error> {
        self.model.look()?;
        let step = self.follow.step(&mut self.model)?;
        let applied = self.follow.take_applied();
        let state = match step {
            Step::Waiting => State::Waiting,
            Step::More => State::CatchingUp,
            Step::Done { .. } => State::Ok,
        };
        let now = clock::now();
        let archive = self.say(now)?;
        self.tell(state, None, archive, now);
        if !applied.live.is_empty() {
            // Nobody may be watching.
            let _ = self.news.send(applied.live.into());
        }
        if self.checkpoint.is_none_or(|at| at.elapsed() > CHECKPOINT) {
            self.checkpoint = Some(Instant::now());
            self.model.checkpoint()?;
        }
        Ok(step)
    }

    /// Tells how it stands, if that is a change.
    fn tell(
        &self,
        state: State,
        detail: Option<String>,
        archive: Option<crate::standing::Archive>,
        now: Timestamp,
    ) {
        let (last_seq, indexed_seq) = self.follow.numbers();
        self.standing.send_if_modified(|standing| {
            let mut before = standing.clone();
            (standing.state, standing.detail) = (state, detail);
            (standing.last_seq, standing.indexed_seq) = (last_seq, indexed_seq);
            standing.behind_since =
                if standing.behind() == 0 { None } else { standing.behind_since.or(Some(now)) };
            match (state, archive) {
                (State::Waiting, _) => standing.archive = None,
                (_, Some(archive)) => standing.archive = Some(archive),
                _ => {}
            }
            // That it was asked again is no change.
            if let (Some(before), Some(now)) = (&mut before.archive, &standing.archive) {
                before.as_of = now.as_of;
            }
            *standing != before
        });
    }

    /// What the archive says of itself, unless that was asked just now.
    fn say(&mut self, now: Timestamp) -> Result<Option<crate::standing::Archive>, Error> {
        self.unsaid = self.said.is_some_and(|at| at.elapsed() < SAY);
        if self.unsaid {
            return Ok(None);
        }
        let said = self.follow.say(now)?;
        if said.is_some() {
            self.said = Some(Instant::now());
        }
        Ok(said)
    }

    fn fail(&mut self, error: Error) {
        self.follow.forget();
        let error = match error {
            Error::Unusable { .. } => {
                tracing::warn!(%error, "the read model is made anew from the catalog; samples of the host are lost");
                match self.model.remake() {
                    Ok(()) => return,
                    Err(error) => error,
                }
            }
            error => error,
        };
        let detail = Some(error.to_string());
        let known = self.standing.borrow().detail == detail;
        if !known {
            tracing::error!(%error, "records cannot be counted: trying again");
        }
        // Whether mail is fetched does not depend on whether it can be counted.
        let now = clock::now();
        let archive = self.say(now).unwrap_or_else(|error| {
            tracing::debug!(%error, "the archive cannot be asked how it stands");
            None
        });
        self.tell(State::Error, detail, archive, now);
    }

    fn take_in(&mut self, sample: &Sample) {
        if let Err(error) = self.model.sample(sample) {
            tracing::warn!(%error, "a sample of the host is lost");
        }
    }
}

/// Waits for a sample, a change of the catalog, the end, or for `wait`.
async fn next(
    samples: &mut mpsc::Receiver<Sample>,
    shutdown: &Shutdown,
    watch: Option<&mut Watch>,
    wait: Duration,
) -> Option<Sample> {
    let changed = async {
        match watch {
            Some(watch) => watch.changed().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => None,
        sample = samples.recv() => sample,
        () = changed => {
            tokio::time::sleep(GATHER).await;
            None
        }
        () = tokio::time::sleep(wait) => None,
    }
}
