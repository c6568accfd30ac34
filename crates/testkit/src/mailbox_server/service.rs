//! What speaks IMAP for some accounts, on any stream, and counts what it was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::session::{self, Channel};
use super::store::Account;

/// An IMAP service for some accounts. Clones are the same service.
#[derive(Clone)]
pub struct Service(Arc<State>);

struct State {
    accounts: Vec<Account>,
    without: Mutex<BTreeSet<String>>,
    counts: Mutex<Counts>,
    counted: watch::Sender<()>,
}

#[derive(Default)]
struct Counts {
    connections: usize,
    commands: BTreeMap<String, usize>,
}

impl Service {
    /// A service for these accounts.
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Self {
        let state = State {
            accounts: accounts.into_iter().collect(),
            without: Mutex::default(),
            counts: Mutex::default(),
            counted: watch::Sender::new(()),
        };
        Self(Arc::new(state))
    }

    /// Takes a capability away (`IDLE`, `LITERAL+`, `SASL-IR`, `AUTH=PLAIN`, ...), for all sessions
    /// from their next command on.
    pub fn forgo(&self, capability: &str) {
        lock(&self.0.without).insert(capability.to_ascii_uppercase());
    }

    /// How many connections there have been.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.0.counts).connections
    }

    /// How often a command was given (`LOGIN`, `UID FETCH`, ...).
    #[must_use]
    pub fn commands(&self, name: &str) -> usize {
        lock(&self.0.counts).commands.get(name).copied().unwrap_or_default()
    }

    /// Waits until a command has been given so often, counted over all connections. IDLE counts
    /// when the client has been told to go on.
    pub async fn wait_for_command(&self, name: &str, count: usize) {
        let mut counted = self.0.counted.subscribe();
        while self.commands(name) < count {
            // The sender lives as long as the service.
            let _ = counted.changed().await;
        }
    }

    /// Speaks with one client in the clear, greeting first, until one of the two ends it.
    pub async fn converse<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) {
        let _ = session::greet(self, stream, Channel::Open).await;
    }

    pub(super) fn has(&self, capability: &str) -> bool {
        !lock(&self.0.without).contains(capability)
    }

    pub(super) fn log_in(&self, user: &str, password: &str) -> Option<Account> {
        self.0.accounts.iter().find(|account| account.admits(user, password)).cloned()
    }

    pub(super) fn count_connection(&self) {
        lock(&self.0.counts).connections += 1;
        self.0.counted.send_replace(());
    }

    pub(super) fn count_command(&self, name: &str) {
        *lock(&self.0.counts).commands.entry(name.to_owned()).or_default() += 1;
        self.0.counted.send_replace(());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
