//! The fleet's own life: it waits for the end, and stops everything in the reverse order of needs within its budget.

use std::future::pending;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use vigie_common::exit::Exit;
use vigie_common::notify;
use vigie_common::shutdown::Shutdown;

use super::Fleet;
use crate::lock::Lock;
use crate::service::handle::{Handle, Message};
use crate::settings::layers;

/// A task that does not answer within this hangs.
const ANSWER: Duration = Duration::from_secs(5);

/// To be finished: dropped before, the services are left to their lifelines.
#[derive(Debug)]
pub struct Running {
    fleet: Fleet,
    shutdown: Shutdown,
    lock: Lock,
}

impl Running {
    pub(super) fn new(fleet: Fleet, shutdown: Shutdown, lock: Lock) -> Self {
        Self { fleet, shutdown, lock }
    }

    /// Waits until the shutdown begins, or a service gives up for all; then stops every service. Once `at_once` is
    /// cancelled there is no more grace. The end of the door is the caller's.
    pub async fn finish(self, at_once: CancellationToken) -> Exit {
        let (give_up, fault) = (self.fleet.shared.give_up.clone(), self.fleet.shared.fault.clone());
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = give_up.cancelled() => {}
            () = fault.cancelled() => {}
            () = self.ping() => {}
        }
        notify::stopping();
        // So that the other parts of this process learn it, too.
        self.shutdown.cancel();
        let whole = self.stop(&at_once).await;
        drop(self.lock);
        if fault.is_cancelled() || !whole {
            Exit::Internal
        } else if give_up.is_cancelled() {
            Exit::Unavailable
        } else {
            Exit::Done
        }
    }

    /// Tells whoever supervises us that we are alive, which is: that the task of every service answers.
    async fn ping(&self) {
        let Some(interval) = notify::watchdog_interval() else { return pending().await };
        loop {
            if self.alive().await {
                notify::watchdog();
            }
            sleep_until(Instant::now() + interval / 3).await;
        }
    }

    async fn alive(&self) -> bool {
        for handle in self.fleet.handles.iter() {
            let (answer, answered) = oneshot::channel();
            let sent = timeout(ANSWER, handle.messages.send(Message::Alive(answer))).await;
            // The task answers by dropping its end.
            if !matches!(sent, Ok(Ok(()))) || timeout(ANSWER, answered).await.is_err() {
                tracing::error!(service = handle.service.id, "the task of the service does not answer");
                return false;
            }
        }
        true
    }

    /// Tells whether every process is gone.
    async fn stop(&self, at_once: &CancellationToken) -> bool {
        let settings = &self.fleet.shared.settings;
        // The last part of the budget is for what only KILL ends, and for what that does not end either.
        let budget = settings.stop_budget;
        let until = Instant::now() + budget.saturating_sub(settings.numbers.kill).max(budget / 2);
        let needs: Vec<_> =
            settings.services.iter().map(|service| (service.id.clone(), service.needs.clone())).collect();
        let layers = layers(&needs);
        for (at, layer) in layers.iter().enumerate() {
            let handles: Vec<&Handle> = layer.iter().filter_map(|id| self.fleet.handle(id)).collect();
            // What is left of the budget, shared by the layers that are left; of each share the end is for KILL.
            let left = u32::try_from(layers.len() - at).unwrap_or(1);
            let share = until.saturating_duration_since(Instant::now()) / left;
            let grace = settings.numbers.grace.min(share.mul_f64(0.8));
            self.end(&handles, grace).await;
            let ended = gone(&handles);
            tokio::select! {
                () = async { let _ = timeout(share, ended).await; } => {}
                () = at_once.cancelled() => break,
            }
        }
        let all: Vec<&Handle> = self.fleet.handles.iter().collect();
        self.end(&all, Duration::ZERO).await;
        timeout_at(Instant::now() + settings.numbers.kill, gone(&all)).await.is_ok()
    }

    async fn end(&self, handles: &[&Handle], grace: Duration) {
        for handle in handles {
            // A task that is gone has no process either: its child went with it.
            let _ = handle.messages.send(Message::End(grace)).await;
        }
    }
}

/// Waits until no service has a process.
async fn gone(handles: &[&Handle]) {
    for handle in handles {
        let _ = handle.status.clone().wait_for(|status| !status.has_process()).await;
    }
}
