//! How long an account rests after trouble that concerns all of it, and what ends the rest before its time.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;
use vigie_archive::MailboxState;
use vigie_common::backoff::Backoff;

use super::corrected::Corrected;
use super::{JITTER, TROUBLE};
use crate::beat::Beat;
use crate::error::Error;
use crate::oauth::Tokens;
use crate::settings::Account;

/// After credentials were refused: providers lock accounts out that knock too often.
const REFUSED: (Duration, Duration) = (Duration::from_mins(15), Duration::from_hours(4));
/// After a provider asked for less and did not say for how long.
const THROTTLED: (Duration, Duration) = (Duration::from_mins(5), Duration::from_hours(4));
/// A suggested wait that is shorter than this grows while it does not help.
const SHORT: Duration = Duration::from_mins(1);
/// A wait that the provider suggests is made longer by up to this share: never shorter.
const BEYOND: f64 = 0.1;

/// What trouble an account had in a row, and what it may still do.
#[derive(Debug)]
pub(super) struct Patience {
    trouble: Backoff,
    refused: Backoff,
    throttled: Backoff,
    /// Connections that it may have.
    pub(super) connections: usize,
}

/// A rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) state: MailboxState,
    pub(super) wait: Duration,
    /// A corrected password ends it.
    wakes: bool,
}

impl Patience {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            trouble: Backoff::new(TROUBLE.0, TROUBLE.1, JITTER),
            refused: Backoff::new(REFUSED.0, REFUSED.1, JITTER),
            // A provider that asks for less is not to be asked earlier by chance.
            throttled: Backoff::new(THROTTLED.0, THROTTLED.1, 0.0),
            connections,
        }
    }

    /// All went well again.
    pub(super) fn reset(&mut self) {
        self.trouble.reset();
        self.refused.reset();
        self.throttled.reset();
    }

    /// The rest after `error`; `random` is uniform in 0..1.
    pub(super) fn rest(&mut self, error: &Error, random: f64) -> Rest {
        let (state, wait) = match error {
            error if error.is_refusal() => (MailboxState::Refused, self.refused.next(random)),
            Error::Throttled { wait: Some(wait), .. } => {
                let least = if *wait < SHORT { self.trouble.next(random) } else { *wait };
                let wait = least.max(*wait);
                (MailboxState::Throttled, wait + wait.mul_f64(BEYOND * random))
            }
            Error::Throttled { crowded: true, .. } if self.connections > 1 => {
                self.connections -= 1;
                (MailboxState::Throttled, self.trouble.next(random))
            }
            Error::Throttled { .. } => {
                let wait = self.throttled.next(random);
                (MailboxState::Throttled, wait + wait.mul_f64(BEYOND * random))
            }
            error if error.is_full() => (MailboxState::DiskLow, self.trouble.next(random)),
            _ => (MailboxState::BackingOff, self.trouble.next(random)),
        };
        // Less than a moment would be a loop.
        Rest {
            state,
            wait: wait.max(Duration::from_secs(1)),
            wakes: error.is_refusal() || matches!(error, Error::Secret(_)),
        }
    }
}

impl Rest {
    /// For people: what happens next, and what to do.
    pub(super) fn next_step(&self, account: &Account, next_try: Timestamp) -> String {
        match self.state {
            MailboxState::Refused if !account.sign_in.files().is_empty() => format!(
                "correct what it logs in by: a changed file is tried at once, else it is tried again at {next_try:.0}"
            ),
            MailboxState::Refused => format!(
                "correct what it logs in by, and restart ingest or send it SIGHUP; it is tried again at {next_try:.0}"
            ),
            MailboxState::Throttled => format!("nothing to do: goes on by itself at {next_try:.0}"),
            MailboxState::DiskLow => format!("make room; tries again at {next_try:.0}"),
            _ => format!("tries again at {next_try:.0}; `vigie-ingest check` tries now"),
        }
    }

    /// Rests. `before` is how the files of the account were when it was tried; whether one was corrected since.
    pub(super) async fn take(
        &self,
        account: &Account,
        before: Corrected,
        tokens: &Tokens,
        beat: &Beat,
    ) -> bool {
        tokio::select! {
            () = beat.during(self.wait, sleep(self.wait)) => false,
            () = before.changed(tokens, account), if self.wakes => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(wait: Option<u64>, crowded: bool) -> Error {
        Error::Throttled { wait: wait.map(Duration::from_secs), crowded, text: "slowly".into() }
    }

    #[test]
    fn a_suggested_wait_is_never_cut_short() {
        let mut patience = Patience::new(3);
        for random in [0.0, 0.5, 1.0] {
            let rest = patience.rest(&throttled(Some(300), false), random);
            assert_eq!(rest.state, MailboxState::Throttled);
            assert!(
                rest.wait >= Duration::from_secs(300) && rest.wait <= Duration::from_secs(330),
                "{rest:?}"
            );
        }
        assert!(patience.rest(&throttled(Some(0), false), 0.0).wait >= Duration::from_secs(1));
    }

    #[test]
    fn a_short_one_that_does_not_help_grows() {
        let mut patience = Patience::new(3);
        let mut wait = || patience.rest(&throttled(Some(1), false), 0.0).wait;
        let first = wait();
        let last = (0..20).map(|_| wait()).last();
        assert!(
            first < Duration::from_secs(10) && last >= Some(Duration::from_mins(2)),
            "{first:?} {last:?}"
        );
    }

    #[test]
    fn without_one_it_doubles_from_five_minutes_to_four_hours() {
        let mut patience = Patience::new(3);
        let minutes = |rest: Rest| rest.wait.as_secs() / 60;
        let waits: Vec<u64> = (0..8).map(|_| minutes(patience.rest(&throttled(None, false), 0.0))).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 240, 240]);
        patience.reset();
        assert_eq!(minutes(patience.rest(&throttled(None, false), 0.0)), 5);
    }

    #[test]
    fn too_many_connections_are_made_fewer_before_all_rest() {
        let mut patience = Patience::new(3);
        for left in [2, 1] {
            assert!(patience.rest(&throttled(None, true), 0.0).wait < Duration::from_mins(1));
            assert_eq!(patience.connections, left);
        }
        assert_eq!(patience.rest(&throttled(None, true), 0.0).wait, Duration::from_mins(5));
        assert_eq!(patience.connections, 1);
    }

    #[test]
    fn refused_credentials_are_not_tried_often() {
        let mut patience = Patience::new(3);
        let refused = Error::Credentials { user: "me".into(), text: "no".into() };
        let waits: Vec<u64> = (0..6).map(|_| patience.rest(&refused, 1.0).wait.as_secs() * 2 / 60).collect();
        assert_eq!(waits, [15, 30, 60, 120, 240, 240]);
    }
}
