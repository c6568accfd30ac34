//! All services together, as the door and the command line see them; and their start and stop as a whole.

pub mod event;
mod running;
pub mod view;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use vigie_common::shutdown::Shutdown;

use self::event::{Actor, Change, Event, Events};
pub use self::running::Running;
use self::view::{HostView, ServiceView};
use crate::desired::Wishes;
use crate::error::Error;
use crate::logs::line::{LogLine, Stream};
use crate::logs::{Log, Writer};
use crate::process::leftover;
use crate::sample::Samples;
use crate::service::handle::{Handle, Message};
use crate::service::task::{self, Shared};
use crate::service::words::{State, Verb};
use crate::settings::Settings;
use crate::{file, lock};

/// All services. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fleet {
    handles: Arc<[Handle]>,
    shared: Arc<Shared>,
    samples: Arc<Samples>,
}

/// Why a command was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such service.
    #[error("no service has this id")]
    Unknown,
    /// Not in this state.
    #[error("refused while {state}: {why}")]
    Refused {
        /// The state.
        state: State,
        /// Why.
        why: &'static str,
    },
}

impl Fleet {
    /// Takes the data folder, ends what a previous life left, and starts every service that is wanted. `shutdown`
    /// begins the stop, which [`Running::finish`] carries out.
    ///
    /// # Errors
    /// Another supervisor runs on the data folder, or it cannot be written.
    pub async fn start(settings: Settings, shutdown: Shutdown) -> Result<(Self, Running), Error> {
        let (run, logs) = (settings.run_folder(), settings.logs_folder());
        for folder in [&run, &logs] {
            file::folder(folder).map_err(|error| Error::CannotWrite { path: folder.clone(), error })?;
        }
        let lock = lock::take(&run)?;
        leftover::end_all(&run, settings.numbers.grace).await;
        let writer = Writer::start().map_err(|error| Error::Internal(error.to_string()))?;
        let shared = Arc::new(Shared {
            epoch: Instant::now(),
            wishes: Wishes::load(run.join("desired.json")),
            events: Events::new(),
            probe_token: rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect(),
            ready: watch::Sender::new(BTreeSet::new()),
            give_up: CancellationToken::new(),
            fault: CancellationToken::new(),
            settings,
        });
        let started = |service: &crate::settings::Service| {
            let log = Arc::new(Log::new(&logs, &service.id, writer.clone()));
            task::start(service.clone(), &shared, log)
        };
        let handles: Arc<[Handle]> = shared.settings.services.iter().map(started).collect();
        let samples = Arc::new(Samples::new());
        tokio::spawn(Arc::clone(&samples).run(Arc::clone(&shared), Arc::clone(&handles)));
        let fleet = Self { handles, shared, samples };
        let running = Running::new(fleet.clone(), shutdown, lock);
        Ok((fleet, running))
    }

    /// All services, in the order of the configuration.
    #[must_use]
    pub fn views(&self) -> Vec<ServiceView> {
        self.handles.iter().map(|handle| self.view_of(handle)).collect()
    }

    /// One service.
    #[must_use]
    pub fn view(&self, id: &str) -> Option<ServiceView> {
        self.handle(id).map(|handle| self.view_of(handle))
    }

    /// Wants something of a service; returns its generation when the wish is kept on disk. A wish that is fulfilled
    /// already is no fault. One that cannot be written, on a full disk say, is fulfilled nevertheless: the log says
    /// that it will not outlast the supervisor.
    ///
    /// # Errors
    /// There is no such service, or it takes no commands now.
    pub async fn command(&self, id: &str, verb: Verb, actor: Actor) -> Result<u64, CommandError> {
        let handle = self.handle(id).ok_or(CommandError::Unknown)?;
        let state = handle.status.borrow().state;
        let gone = CommandError::Refused { state, why: "the supervisor stops" };
        let (answer, answered) = oneshot::channel();
        handle.messages.send(Message::Command(verb, actor, answer)).await.map_err(|_| gone.clone())?;
        answered.await.map_err(|_| gone)?.map_err(|(state, why)| CommandError::Refused { state, why })
    }

    /// Waits until what the command of `generation` wanted has come to rest, but not longer than `within`. The view
    /// says how it stands then. None: there is no such service.
    pub async fn settled(&self, id: &str, generation: u64, within: Duration) -> Option<ServiceView> {
        let handle = self.handle(id)?;
        let mut status = handle.status.clone();
        let wait = status.wait_for(|status| status.generation >= generation && status.state.is_settled());
        // The moment that was waited for, even if the next command has come since.
        let settled = timeout(within, wait).await.ok().and_then(Result::ok).map(|status| status.clone());
        let status = settled.unwrap_or_else(|| handle.status.borrow().clone());
        Some(ServiceView::of(handle, status, self.samples.of(id).as_ref()))
    }

    /// The last lines of a service, at most `most`, of one stream or both; the oldest first.
    #[must_use]
    pub fn log(&self, id: &str, stream: Option<Stream>, most: usize) -> Option<Vec<LogLine>> {
        Some(self.handle(id)?.log.last(stream, most))
    }

    /// The coming lines of a service.
    #[must_use]
    pub fn follow(&self, id: &str) -> Option<broadcast::Receiver<LogLine>> {
        Some(self.handle(id)?.log.follow())
    }

    /// The transitions after `after`, as far as they are kept; the oldest first.
    #[must_use]
    pub fn events(&self, after: u64) -> Vec<Event> {
        self.shared.events.after(after)
    }

    /// News of whatever changes.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.events.follow()
    }

    /// The machine and the supervisor itself.
    #[must_use]
    pub fn host(&self) -> HostView {
        self.samples.host()
    }

    /// Somebody looks: figures are taken more often for a while.
    pub fn looked_at(&self) {
        self.samples.looked_at();
    }

    fn handle(&self, id: &str) -> Option<&Handle> {
        self.handles.iter().find(|handle| handle.service.id == id)
    }

    fn view_of(&self, handle: &Handle) -> ServiceView {
        let status = handle.status.borrow().clone();
        ServiceView::of(handle, status, self.samples.of(&handle.service.id).as_ref())
    }
}
