//! Which mailboxes there are, what is in them, and what comes next.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::state::{Arrival, State};
use crate::generate::Random;
use crate::generate::demo::{Kind, of_kind};
use crate::generate::rhythm::{Rhythm, moments};
use crate::mailbox_server::{Account, Draft, Mailbox};

/// How far the mail goes back, in days: eighteen months.
const DAYS: i64 = 548;

/// A mailbox of the demo.
struct Place {
    name: &'static str,
    /// How many of a thousand older messages are here; INBOX has the rest.
    share: u64,
    /// How many of a hundred new messages come here.
    live: u64,
    rhythm: Rhythm,
    /// The kind of its messages, when all are of one.
    kind: Option<Kind>,
}

/// INBOX comes first: it takes what the others leave.
const PLACES: [Place; 4] = [
    Place { name: "INBOX", share: 0, live: 70, rhythm: Rhythm::Office, kind: None },
    Place { name: "Orders", share: 200, live: 19, rhythm: Rhythm::Shop, kind: Some(Kind::Order) },
    Place { name: "Alerts", share: 125, live: 10, rhythm: Rhythm::Machines, kind: Some(Kind::Alert) },
    Place { name: "Reports/DMARC", share: 25, live: 1, rhythm: Rhythm::Nightly, kind: Some(Kind::Dmarc) },
];

/// A mailbox and how many messages have come into it.
struct Filled {
    place: &'static Place,
    mailbox: Mailbox,
    seed: u64,
    count: u64,
}

/// The mailboxes with all that has arrived in them.
pub(super) struct Mailboxes {
    filled: Vec<Filled>,
    chance: Random,
}

impl Mailboxes {
    /// Fills the account's mailboxes with the older messages and those that the state knows of.
    pub(super) fn new(account: &Account, state: &State) -> Self {
        let origin = &state.origin;
        let since = origin.anchor.checked_sub(SignedDuration::from_hours(DAYS * 24));
        let since = since.unwrap_or(origin.anchor);
        let elsewhere: u64 = PLACES.iter().map(|place| origin.messages * place.share / 1000).sum();
        let mut filled = Vec::new();
        for (place, number) in PLACES.iter().zip(1..) {
            let seed = Random::of(&[origin.seed, number]).draw();
            let mailbox = account.mailbox(place.name);
            mailbox.set_uidvalidity(origin.uidvalidity);
            let older = match place.share {
                0 => origin.messages - elsewhere,
                share => origin.messages * share / 1000,
            };
            let times = moments(seed, place.rhythm, older, since, origin.anchor);
            let drafts = times.into_iter().zip(0..).map(|(when, index)| place.draft(seed, index, when));
            mailbox.append_all(drafts);
            filled.push(Filled { place, mailbox, seed, count: older });
        }
        // Where it stops this time is not where it stopped last time, so the numbers differ too.
        let chance = Random::of(&[origin.seed, state.arrivals.len() as u64, 0x6c69_7665]);
        let mut mailboxes = Self { filled, chance };
        for arrival in &state.arrivals {
            mailboxes.deliver(arrival);
        }
        mailboxes
    }

    pub(super) fn exists(&self) -> usize {
        self.filled.iter().map(|filled| filled.mailbox.exists()).sum()
    }

    /// How long until the next message: from half to one and a half of the mean.
    pub(super) fn pause(&mut self, every: Duration) -> Duration {
        let percent = self.chance.between(50, 150);
        every.saturating_mul(u32::try_from(percent).unwrap_or(100)) / 100
    }

    /// Where the next message comes.
    pub(super) fn next_arrival(&mut self, now: Timestamp) -> Arrival {
        let mut at = self.chance.below(100);
        let mut name = "INBOX";
        for place in &PLACES {
            if at < place.live {
                name = place.name;
                break;
            }
            at -= place.live;
        }
        let when = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Arrival { mailbox: name.to_owned(), when }
    }

    /// Puts a message into its mailbox. One for a mailbox that is no more is left out.
    pub(super) fn deliver(&mut self, arrival: &Arrival) {
        let found = self.filled.iter_mut().find(|filled| filled.place.name == arrival.mailbox);
        if let Some(Filled { place, mailbox, seed, count }) = found {
            mailbox.append(place.draft(*seed, *count, arrival.when));
            *count += 1;
        }
    }
}

impl Place {
    fn draft(&self, seed: u64, index: u64, when: Timestamp) -> Draft {
        let kind = self.kind.unwrap_or_else(|| Kind::drawn(seed, index));
        Draft::made(move || of_kind(kind, seed, index, when)).received(when)
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::{Origin, State};
    use super::{Mailboxes, PLACES};
    use crate::mailbox_server::Account;
    use jiff::Timestamp;

    #[test]
    fn two_thousand_messages_have_their_places() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let state = State::open(&dir.path().join("arrivals"), Origin::new(now, 2000)).unwrap();
        let account = Account::new("a", "b");
        let mut mailboxes = Mailboxes::new(&account, &state);
        let counts = PLACES.iter().map(|place| account.mailbox(place.name).exists());
        assert_eq!(counts.collect::<Vec<_>>(), [1300, 400, 250, 50]);
        assert_eq!(mailboxes.exists(), 2000);
        let arrival = mailboxes.next_arrival(now);
        mailboxes.deliver(&arrival);
        assert_eq!(mailboxes.exists(), 2001);
        assert_eq!(PLACES.iter().map(|place| place.live).sum::<u64>(), 100);
    }
}
