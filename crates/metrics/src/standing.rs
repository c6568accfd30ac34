//! How indexing stands, and what the archive last said of itself. Pure.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use vigie_archive::{MailboxState, MailboxStatus, Writer};

/// How indexing stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// All that the catalog has is counted.
    Ok,
    /// There is no archive yet.
    #[default]
    Waiting,
    /// Records are being read that were there before.
    CatchingUp,
    /// Something is in the way; it is tried again.
    Error,
}

impl State {
    /// The word in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Waiting => "waiting",
            Self::CatchingUp => "catching-up",
            Self::Error => "error",
        }
    }
}

/// How indexing stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// In a word.
    pub state: State,
    /// Why, where that is not plain.
    pub detail: Option<String>,
    /// Number of the catalog's last record.
    pub last_seq: u64,
    /// Number of the last record that is counted.
    pub indexed_seq: u64,
    /// Since when there are records that are not counted.
    pub behind_since: Option<Timestamp>,
    /// What the archive says of itself; none before it was seen.
    pub archive: Option<Archive>,
}

impl Standing {
    /// Records that are not counted yet.
    #[must_use]
    pub const fn behind(&self) -> u64 {
        self.last_seq.saturating_sub(self.indexed_seq)
    }

    /// Whether everything that is stored is counted.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == State::Ok && self.behind() == 0
    }
}

/// What the archive says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Archive {
    /// When it said so.
    pub as_of: Timestamp,
    /// The process that writes.
    pub writer: Option<Writer>,
    /// All mailboxes.
    pub mailboxes: Vec<MailboxStatus>,
}

impl Archive {
    /// Whether ingest is running.
    #[must_use]
    pub fn is_running(&self, now: Timestamp) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.is_alive(now))
    }

    /// Names of mailboxes as people know them, by account and the name that the server sends.
    #[must_use]
    pub fn names(&self) -> HashMap<(String, String), String> {
        let all = self.mailboxes.iter();
        all.map(|m| ((m.account.clone(), m.mailbox.raw_name.clone()), m.mailbox.name.clone())).collect()
    }
}

/// How a mailbox stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Watched by nobody.
    NotWatched,
    /// Its last proof of life is too long ago.
    Stale,
    /// As it says of itself.
    Said(MailboxState),
}

impl Condition {
    /// How a mailbox stands.
    #[must_use]
    pub fn of(mailbox: &MailboxStatus, running: bool, now: Timestamp) -> Self {
        let state = mailbox.standing.as_ref().map(|standing| standing.state);
        match state {
            _ if !running => Self::NotWatched,
            None | Some(MailboxState::Stopped) => Self::NotWatched,
            Some(_) if mailbox.is_stale(now) => Self::Stale,
            Some(state) => Self::Said(state),
        }
    }

    /// The word in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotWatched => "not-watched",
            Self::Stale => "stale",
            Self::Said(state) => state.as_str(),
        }
    }

    /// Whether a person has nothing to do about it.
    #[must_use]
    pub const fn is_ok(self) -> bool {
        matches!(
            self,
            Self::Said(
                MailboxState::Connecting
                    | MailboxState::Idle
                    | MailboxState::Polling
                    | MailboxState::Fetching
            )
        )
    }
}
