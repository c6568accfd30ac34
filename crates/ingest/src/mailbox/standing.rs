//! How a mailbox stands, what its connection cost, and what is still to be fetched today: to the board, and from there
//! to the catalog.

use vigie_archive::{Change, MailboxState};
use vigie_common::clock;

use super::Mailbox;
use crate::board::{AccountFacts, MailboxFacts};
use crate::budget::Purpose;
use crate::error::{Result, quoted};
use crate::session::Session;

impl Mailbox {
    /// Records how the mailbox stands, where that is not recorded already.
    ///
    /// # Errors
    /// [`crate::error::Error::Archive`].
    pub async fn set_state(
        &self,
        state: MailboxState,
        reason: Option<String>,
        next_step: Option<String>,
    ) -> Result<()> {
        tracing::debug!(
            account = self.account.id,
            mailbox = self.shown(),
            state = state.as_str(),
            reason,
            next_step,
            "state"
        );
        let (mut changes, mut urgent) = (None, false);
        self.tell(|known| {
            known.stand(state, reason, next_step, clock::now());
            urgent = known.is_news();
            changes = known.unrecorded();
        });
        match changes {
            None => Ok(()),
            // Since when, or what the next step is: nobody waits for that.
            Some(change) if !urgent => {
                self.shared.store.note(change);
                Ok(())
            }
            Some(change) => {
                let recorded = self.commit(vec![change]).await;
                if recorded.is_err() {
                    self.tell(MailboxFacts::record_again);
                }
                recorded
            }
        }
    }

    /// There was a tagged OK about this mailbox.
    pub fn proof_of_life(&self) {
        self.alive();
        self.shared.store.note(Change::ProofOfLife { mailbox: self.id, at: clock::now() });
    }

    /// Messages are being fetched: what takes no longer than a moment does not reach the catalog.
    pub(super) fn fetching(&self) {
        self.tell(|known| known.stand(MailboxState::Fetching, None, None, clock::now()));
    }

    /// How it stands, as far as the board knows.
    #[must_use]
    pub fn facts(&self) -> Option<MailboxFacts> {
        let facts = |known: &mut AccountFacts| known.mailboxes.get(&self.shown()).cloned();
        self.shared.board.of_account(&self.account.id, facts).flatten()
    }

    /// The same for the board alone: in the middle of a long pass.
    pub(super) fn alive(&self) {
        let now = clock::now();
        self.shared.board.account(&self.account.id, |known| known.alive(&self.shown(), now));
    }

    /// Puts on the board what the connection cost.
    pub(super) fn note_cost(&self, session: &mut Session) {
        let (figures, now) = (session.take_figures(), clock::now());
        let id = &self.account.id;
        let spent = self.shared.board.of_account(id, |known| {
            known.cost(figures, now);
            known.budget.unrecorded(id)
        });
        if let Some(spent) = spent.flatten() {
            self.shared.store.note(spent);
        }
    }

    /// Whether the daily budget does not allow `coming` octets for `purpose`, with those that were `asked` for; then the
    /// rest waits.
    pub(super) fn is_held(
        &mut self,
        session: &mut Session,
        purpose: Purpose,
        asked: u64,
        coming: u64,
    ) -> bool {
        self.note_cost(session);
        let now = clock::now();
        let wait = |known: &mut AccountFacts| known.budget.wait(purpose, asked, coming, now);
        let wait = self.shared.board.of_account(&self.account.id, wait);
        let Some(until) = wait.flatten() else { return false };
        if self.held.is_none_or(|held| held < until) {
            self.held = Some(until);
        }
        self.pass.held = true;
        true
    }

    /// Puts on the board how many messages are here and there, and which stay open.
    pub(super) fn tell_messages(&self) {
        let (exists, counted) = (self.pass.exists, self.known.counted());
        self.tell(|known| {
            known.messages = Some((exists, self.known.stored.len()));
            known.lag = u64::from(exists).saturating_sub(counted);
        });
        self.tell_open();
    }

    pub(super) fn tell_open(&self) {
        let example =
            self.known.open.first().map(|open| format!("UID {}: {}", open.uid, quoted(&open.error)));
        let count = self.known.open.len() as u64;
        let given_up = self.known.quarantined.iter().min_by_key(|q| q.at);
        let given_up = given_up.map(|q| (q.at, format!("UID {}: {}", q.uid, quoted(&q.reason))));
        let quarantined = self.known.quarantined.len() as u64;
        self.tell(|known| {
            let since = known.open.as_ref().map_or_else(clock::now, |(since, ..)| *since);
            known.open = example.map(|example| (since, count, example));
            known.quarantined = given_up.map(|(since, example)| (since, quarantined, example));
        });
    }

    pub(super) fn tell(&self, change: impl FnOnce(&mut MailboxFacts)) {
        self.shared.board.mailbox(&self.account.id, &self.shown(), change);
    }
}
