//! What is known of the accounts at this moment: written by those who do the work, read by whoever asks how it goes.

mod facts;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use vigie_archive::{Change, MailboxState};

pub use self::facts::MailboxFacts;
use crate::budget::Budget;
use crate::command::Figures;
use crate::error::Error;

/// Number of all connections of an account together, in its troubles: each alone has one from 1.
pub const ALL: usize = 0;

/// Shared by all. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<Known>>);

/// All that is known.
#[derive(Debug, Default)]
pub struct Known {
    /// By id.
    pub accounts: BTreeMap<String, AccountFacts>,
    /// Too little room is left for the archive.
    pub low: Option<Low>,
}

/// Too little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Low {
    /// Since when.
    pub since: Timestamp,
    /// Octets free, as last looked.
    pub free: u64,
    /// Octets that are to stay free.
    pub min_free: u64,
}

/// An account.
#[derive(Debug, Default)]
pub struct AccountFacts {
    /// What the connections that are in trouble met; each connection has its number.
    pub troubles: BTreeMap<usize, Trouble>,
    /// All mailboxes of a connection were fetched since there was trouble with all of them.
    pub all_well: bool,
    /// Those that are watched, by their name for people.
    pub mailboxes: BTreeMap<String, MailboxFacts>,
    /// Messages stored since the start of the process.
    pub stored: u64,
    /// Octets of them.
    pub bytes: u64,
    /// Messages that could not be taken and stay open, each try counted.
    pub failed: u64,
    /// Connections that ended in trouble or were not made, by what it was.
    pub reconnects: BTreeMap<&'static str, u64>,
    /// Its access tokens, once one was asked for.
    pub token: Option<TokenFacts>,
    /// What came from its servers, and what may come.
    pub budget: Budget,
    /// How long it was to rest, all in all, because its provider asked for less.
    pub rested: Duration,
    /// The longest that the server took for each command.
    pub longest: BTreeMap<&'static str, Duration>,
}

/// Access tokens of an account.
#[derive(Debug, Clone, Default)]
pub struct TokenFacts {
    /// How many were given out since the start of the process.
    pub granted: u64,
    /// How often none was, until a person acts.
    pub refused: u64,
    /// How often whoever gives them out was not to be reached, or not well.
    pub failed: u64,
    /// Of the login that is kept: when it was made, when last used, when it ends as far as is known.
    pub kept: Option<(Timestamp, Timestamp, Option<Timestamp>)>,
}

/// What a connection met, and nothing went well since.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// The first of it.
    pub since: Timestamp,
    /// How many times in a row.
    pub times: u32,
    /// The last of it.
    pub error: Error,
    /// When it is tried again.
    pub next_try: Timestamp,
}

impl Board {
    /// Changes what is known of an account.
    pub fn account(&self, id: &str, change: impl FnOnce(&mut AccountFacts)) {
        self.read(|known| match known.accounts.get_mut(id) {
            Some(account) => change(account),
            None => change(known.accounts.entry(id.to_owned()).or_default()),
        });
    }

    /// Changes what is known of a mailbox that is watched.
    pub fn mailbox(&self, account: &str, shown: &str, change: impl FnOnce(&mut MailboxFacts)) {
        self.account(account, |account| {
            account.mailboxes.get_mut(shown).map(change);
        });
    }

    /// The room that was found for the archive.
    pub fn room(&self, free: u64, min_free: u64, now: Timestamp) {
        self.read(|known| {
            let since = known.low.map_or(now, |low| low.since);
            known.low = (free < min_free).then_some(Low { since, free, min_free });
        });
    }

    /// Looks at an account; nobody can write meanwhile. `None`: it is not known.
    pub fn of_account<T>(&self, id: &str, look: impl FnOnce(&mut AccountFacts) -> T) -> Option<T> {
        self.read(|known| known.accounts.get_mut(id).map(look))
    }

    /// Looks at all of it; nobody can write meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        // What a panic may have left half done is for people's eyes alone.
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AccountFacts {
    /// Connection `number` met trouble, and waits.
    pub fn met(&mut self, number: usize, error: &Error, wait: Duration, now: Timestamp) {
        *self.reconnects.entry(error.kind()).or_default() += 1;
        self.all_well &= number != ALL;
        let next_try = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        let (since, times) = self.troubles.get(&number).map_or((now, 1), |t| (t.since, t.times + 1));
        self.troubles.insert(number, Trouble { since, times, error: error.clone(), next_try });
    }

    /// Whether a mailbox stands so, or while none is known, the account.
    #[must_use]
    pub fn stands(&self, state: MailboxState) -> bool {
        let alone = match self.troubles.values().next().map(|trouble| &trouble.error) {
            None => MailboxState::Connecting,
            Some(error) if error.is_refusal() => MailboxState::Refused,
            Some(Error::Throttled { .. }) => MailboxState::Throttled,
            Some(_) => MailboxState::BackingOff,
        };
        let none = self.mailboxes.is_empty();
        (none && state == alone) || self.mailboxes.values().any(|mailbox| mailbox.state == state)
    }

    /// How its mailboxes stand, where the catalog says otherwise; from now on it counts as told.
    pub fn unrecorded(&mut self) -> Vec<Change> {
        self.mailboxes.values_mut().filter_map(MailboxFacts::unrecorded).collect()
    }

    /// What a connection cost.
    pub fn cost(&mut self, figures: Figures, now: Timestamp) {
        self.budget.add(figures.received, now);
        for (command, took) in figures.longest {
            let longest = self.longest.entry(command).or_default();
            *longest = took.max(*longest);
        }
    }

    /// Its server let us in. Whether it still wants less of us, and whether what was ours is over, shows when something
    /// was fetched.
    pub fn let_in(&mut self) {
        self.troubles.retain(|&of, trouble| match trouble.error {
            Error::Throttled { .. } => true,
            Error::Archive(_) | Error::Internal(_) => of == ALL,
            _ => false,
        });
    }

    /// All mailboxes of connection `number` were fetched.
    pub fn succeeded(&mut self, number: usize) {
        self.all_well = true;
        self.troubles.remove(&number);
        self.troubles.remove(&ALL);
        self.troubles.retain(|_, trouble| !matches!(trouble.error, Error::Throttled { .. }));
    }

    /// Something went well on connection `number`, unless what it met was ours.
    pub fn went_well(&mut self, number: usize) {
        self.troubles.retain(|&of, trouble| of != number || matches!(trouble.error, Error::Archive(_)));
    }

    /// Messages were stored: what was wrong with the archive is over.
    pub fn stored(&mut self, messages: u64, bytes: u64) {
        self.stored += messages;
        self.bytes += bytes;
        self.troubles.retain(|_, trouble| !matches!(trouble.error, Error::Archive(_)));
    }

    /// A mailbox is watched. One that was watched before keeps what is known of it.
    pub fn watch(&mut self, shown: String, now: Timestamp) -> &mut MailboxFacts {
        self.mailboxes.entry(shown).or_insert_with(|| MailboxFacts::new(now))
    }

    /// A tagged OK about a mailbox.
    pub fn alive(&mut self, shown: &str, now: Timestamp) {
        let Some(mailbox) = self.mailboxes.get_mut(shown) else { return };
        mailbox.alive = now;
        let connection = mailbox.connection;
        self.went_well(connection);
    }
}
