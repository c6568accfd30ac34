//! The accounts that are watched: each in a task that can be ended alone, so that a changed configuration leaves the
//! others connected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use vigie_archive::{Change, MailboxState, MailboxStatus, Round};
use vigie_common::clock;

use super::{connections_each, watch};
use crate::error::Error;
use crate::mailbox::Shared;
use crate::oauth::Tokens;
use crate::settings::Account;
use crate::transport::Dialer;

/// An account that is watched no more may finish what it has in hand within this.
const GRACE: Duration = Duration::from_secs(3);

/// All accounts that are watched.
#[derive(Debug)]
pub struct Accounts {
    shared: Shared,
    dialer: Dialer,
    running: BTreeMap<String, Running>,
}

#[derive(Debug)]
struct Running {
    account: Account,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What became of the accounts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// They stayed as they were, and connected.
    pub unchanged: usize,
    /// They were ended and begun anew.
    pub restarted: usize,
    /// They are new.
    pub begun: usize,
    /// They are watched no more.
    pub ended: usize,
}

impl Accounts {
    /// None yet.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        let dialer = Dialer::new(Tokens::told_on(shared.board.clone()));
        Self { shared, dialer, running: BTreeMap::new() }
    }

    /// From now on these accounts are watched, and no others. Those that are as before are left alone, unless they wait
    /// for a person to correct the password: they try at once.
    pub async fn watch(&mut self, accounts: &[Account]) -> Changed {
        let mut changed = Changed::default();
        let mut ending = Vec::new();
        let ids: Vec<String> = self.running.keys().cloned().collect();
        for id in ids {
            let present = accounts.iter().find(|account| account.id == id);
            let same = self.running.get(&id).zip(present).is_some_and(|(old, new)| old.account == *new);
            if same && !self.waits_for_a_person(&id) {
                changed.unchanged += 1;
                continue;
            }
            if present.is_some() {
                changed.restarted += 1;
            }
            if let Some(running) = self.running.remove(&id) {
                running.stop.cancel();
                ending.push((id, running, present.is_some()));
            }
        }
        let until = Instant::now() + GRACE;
        for (id, mut running, stays) in ending {
            if timeout_at(until, &mut running.task).await.is_err() {
                // What is not committed is fetched again, should it ever be watched again.
                running.task.abort();
                let _ = running.task.await;
            }
            if !stays {
                changed.ended += 1;
                self.shared.board.read(|known| _ = known.accounts.remove(&id));
                self.tell_stopped(&id).await;
            }
        }
        let connections = connections_each(accounts.len());
        for account in accounts {
            if self.running.contains_key(&account.id) || self.shared.shutdown.is_cancelled() {
                continue;
            }
            let stop = self.shared.shutdown.child_token();
            let shared = Shared { shutdown: stop.clone(), connections, ..self.shared.clone() };
            let task = tokio::spawn(watch(shared, self.dialer.clone(), Arc::new(account.clone())));
            self.running.insert(account.id.clone(), Running { account: account.clone(), stop, task });
            changed.begun += 1;
        }
        changed.begun -= changed.restarted.min(changed.begun);
        changed
    }

    /// Mailboxes of accounts that an earlier life watched and nobody does now.
    pub async fn tell_of_others(&self, mailboxes: &[MailboxStatus]) {
        let mut others: Vec<&str> = mailboxes
            .iter()
            .filter(|m| m.standing.as_ref().is_some_and(|s| s.state != MailboxState::Stopped))
            .map(|m| m.account.as_str())
            .filter(|account| !self.running.contains_key(*account))
            .collect();
        others.dedup();
        for account in others {
            self.tell_stopped(account).await;
        }
    }

    /// Waits until all have ended, after the signal to do so.
    pub async fn end(self) {
        for running in self.running.into_values() {
            let _ = running.task.await;
        }
    }

    fn waits_for_a_person(&self, id: &str) -> bool {
        self.shared.board.read(|known| {
            let troubles = known.accounts.get(id).into_iter().flat_map(|account| account.troubles.values());
            troubles.into_iter().any(|t| t.error.is_refusal() || matches!(t.error, Error::Secret(_)))
        })
    }

    /// For people: the archive stays, and nobody adds to it.
    async fn tell_stopped(&self, account: &str) {
        let mailboxes = self.shared.store.mailboxes(account).await.unwrap_or_default();
        let stopped = |mailbox| Change::State {
            mailbox,
            state: MailboxState::Stopped,
            since: clock::now(),
            reason: Some("the account is not in the configuration".into()),
            next_step: None,
        };
        let changes = mailboxes.into_iter().map(stopped).collect();
        if let Err(error) = self.shared.store.commit(Round { changes, ..Round::default() }).await {
            tracing::debug!(account, %error, "state not recorded");
        }
    }
}
