//! How a mailbox stands, and what of that the catalog does not know yet.

use jiff::Timestamp;
use vigie_archive::{Change, MailboxId, MailboxState};

/// A mailbox.
#[derive(Debug, Clone)]
pub struct MailboxFacts {
    /// Its number in the catalog; without one nothing is recorded.
    pub id: Option<MailboxId>,
    /// Number of the connection that serves it.
    pub connection: usize,
    /// How it stands.
    pub state: MailboxState,
    /// Since when it stands so.
    pub since: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// What happens next, or what a person should do.
    pub next_step: Option<String>,
    /// The last proof of life; before the first, when watching began.
    pub alive: Timestamp,
    /// Messages that are to be tried again: since when, how many, and what became of one of them.
    pub open: Option<(Timestamp, u64, String)>,
    /// The same of those that were given up.
    pub quarantined: Option<(Timestamp, u64, String)>,
    /// Messages on the server and those stored, as of the last pass.
    pub messages: Option<(u32, u64)>,
    /// Messages on the server that are not dealt with, as of the last pass.
    pub lag: u64,
    /// When keywords were last compared with the server's.
    pub keywords_at: Option<Timestamp>,
    /// The state that the catalog knows, and whether all that belongs to it is known there.
    recorded: (Option<MailboxState>, bool),
}

impl MailboxFacts {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            id: None,
            connection: 0,
            state: MailboxState::Connecting,
            since: now,
            reason: None,
            next_step: None,
            alive: now,
            open: None,
            quarantined: None,
            messages: None,
            lag: 0,
            keywords_at: None,
            recorded: (None, false),
        }
    }

    /// It stands so now; since when is left alone while the state is the same.
    pub fn stand(
        &mut self,
        state: MailboxState,
        reason: Option<String>,
        next_step: Option<String>,
        now: Timestamp,
    ) {
        if self.state != state {
            (self.state, self.since) = (state, now);
        } else if self.reason == reason && self.next_step == next_step {
            return;
        }
        (self.reason, self.next_step) = (reason, next_step);
        self.recorded.1 = false;
    }

    /// Whether something is wrong, or was when we last looked.
    #[must_use]
    pub fn is_in_trouble(&self) -> bool {
        use MailboxState::{BackingOff, DiskLow, Refused, Stale, Throttled};
        matches!(self.state, BackingOff | Throttled | Refused | Stale | DiskLow)
    }

    /// Whether the catalog says another state.
    #[must_use]
    pub fn is_news(&self) -> bool {
        self.recorded.0 != Some(self.state)
    }

    /// What the catalog is to be told; from now on it counts as told.
    pub fn unrecorded(&mut self) -> Option<Change> {
        let mailbox = self.id.filter(|_| !self.recorded.1)?;
        self.recorded = (Some(self.state), true);
        let (reason, next_step) = (self.reason.clone(), self.next_step.clone());
        Some(Change::State { mailbox, state: self.state, since: self.since, reason, next_step })
    }

    /// The catalog could not be told.
    pub fn record_again(&mut self) {
        self.recorded = (None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_does_not_move_when_nothing_changed() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut mailbox = MailboxFacts::new(at(0));
        let waits = |mailbox: &mut MailboxFacts, why: &str, now| {
            mailbox.stand(MailboxState::BackingOff, Some(why.into()), None, at(now));
        };
        waits(&mut mailbox, "lost", 1);
        waits(&mut mailbox, "lost", 2);
        waits(&mut mailbox, "unreachable", 3);
        assert_eq!((mailbox.since, mailbox.reason.as_deref()), (at(1), Some("unreachable")));
        assert!(mailbox.is_in_trouble() && mailbox.is_news());
        mailbox.stand(MailboxState::Idle, None, None, at(4));
        assert_eq!((mailbox.since, mailbox.reason.as_deref()), (at(4), None));
    }
}
