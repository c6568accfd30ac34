//! Accounts and mailboxes, which a test changes while clients look at them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::message::{Draft, Message};

/// An account: who may log in, and the mailboxes that are then there. Clones are the same account.
#[derive(Clone)]
pub struct Account(Arc<AccountState>);

struct AccountState {
    user: String,
    password: Mutex<String>,
    mailboxes: Mutex<BTreeMap<String, Mailbox>>,
}

impl Account {
    /// An account with an empty INBOX.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        let state = AccountState {
            user: user.into(),
            password: Mutex::new(password.into()),
            mailboxes: Mutex::default(),
        };
        let account = Self(Arc::new(state));
        account.mailbox("INBOX");
        account
    }

    /// The mailbox of this name (as on the wire, `/` between levels), made when there is none.
    pub fn mailbox(&self, name: &str) -> Mailbox {
        let mut mailboxes = lock(&self.0.mailboxes);
        mailboxes.entry(name.to_owned()).or_insert_with(Mailbox::new).clone()
    }

    /// Removes a mailbox; who has it selected is told goodbye.
    pub fn remove(&self, name: &str) {
        if let Some(mailbox) = lock(&self.0.mailboxes).remove(name) {
            mailbox.change(|state| state.life += 1);
        }
    }

    /// Changes the password for logins to come.
    pub fn set_password(&self, password: impl Into<String>) {
        *lock(&self.0.password) = password.into();
    }

    pub(super) fn admits(&self, user: &str, password: &str) -> bool {
        self.0.user == user && *lock(&self.0.password) == password
    }

    pub(super) fn find(&self, name: &str) -> Option<Mailbox> {
        let name = if name.eq_ignore_ascii_case("INBOX") { "INBOX" } else { name };
        lock(&self.0.mailboxes).get(name).cloned()
    }

    pub(super) fn names(&self) -> Vec<String> {
        lock(&self.0.mailboxes).keys().cloned().collect()
    }
}

/// A mailbox. Clones are the same mailbox.
#[derive(Clone)]
pub struct Mailbox(Arc<MailboxState>);

struct MailboxState {
    content: Mutex<Content>,
    /// Sent at each change, so that IDLE tells it.
    changed: watch::Sender<()>,
}

#[derive(Clone)]
pub(super) struct Content {
    pub(super) uidvalidity: u32,
    pub(super) uidnext: u32,
    /// In the order of their UIDs.
    pub(super) messages: Vec<Arc<Message>>,
    /// Counts changes of the messages.
    pub(super) version: u64,
    /// Counts changes after which a session cannot go on.
    pub(super) life: u64,
}

impl Mailbox {
    fn new() -> Self {
        let content = Content { uidvalidity: 1, uidnext: 1, messages: Vec::new(), version: 0, life: 0 };
        Self(Arc::new(MailboxState { content: Mutex::new(content), changed: watch::Sender::new(()) }))
    }

    /// Adds a message and returns its UID.
    pub fn append(&self, draft: impl Into<Draft>) -> u32 {
        self.append_all([draft.into()])
    }

    /// Adds messages at once and returns the UID of the last.
    pub fn append_all(&self, drafts: impl IntoIterator<Item = Draft>) -> u32 {
        self.change(|content| {
            for draft in drafts {
                content.messages.push(Arc::new(Message::new(content.uidnext, draft)));
                content.uidnext = content.uidnext.saturating_add(1);
            }
            content.uidnext.saturating_sub(1)
        })
    }

    /// Removes a message; `false` when there is none with this UID.
    pub fn expunge(&self, uid: u32) -> bool {
        self.change(|content| {
            let before = content.messages.len();
            content.messages.retain(|message| message.uid != uid);
            content.messages.len() < before
        })
    }

    /// Sets the flags of a message; `false` when there is none with this UID.
    pub fn set_flags(&self, uid: u32, flags: &[&str]) -> bool {
        let content = lock(&self.0.content);
        let found = content.messages.iter().find(|message| message.uid == uid);
        let flags = flags.iter().map(ToString::to_string).collect();
        found.map(|message| message.set_flags(flags)).is_some()
    }

    /// Makes the next message get this UID, when that is a higher one.
    pub fn skip_to(&self, uid: u32) {
        self.change(|content| content.uidnext = content.uidnext.max(uid));
    }

    /// Changes UIDVALIDITY and leaves the rest; who has the mailbox selected is told goodbye.
    pub fn set_uidvalidity(&self, uidvalidity: u32) {
        self.change(|content| {
            content.uidvalidity = uidvalidity;
            content.life += 1;
        });
    }

    /// Makes the mailbox anew: empty, with another UIDVALIDITY.
    pub fn recreate(&self, uidvalidity: u32) {
        self.change(|content| {
            content.messages.clear();
            content.uidnext = 1;
            content.uidvalidity = uidvalidity;
            content.life += 1;
        });
    }

    /// How many messages there are.
    #[must_use]
    pub fn exists(&self) -> usize {
        lock(&self.0.content).messages.len()
    }

    /// The UIDs that are there, in order.
    #[must_use]
    pub fn uids(&self) -> Vec<u32> {
        lock(&self.0.content).messages.iter().map(|message| message.uid).collect()
    }

    fn change<T>(&self, act: impl FnOnce(&mut Content) -> T) -> T {
        let result = {
            let mut content = lock(&self.0.content);
            content.version += 1;
            act(&mut content)
        };
        self.0.changed.send_replace(());
        result
    }

    pub(super) fn content(&self) -> MutexGuard<'_, Content> {
        lock(&self.0.content)
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
