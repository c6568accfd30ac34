//! Whatever a server does, in whatever order, and however often the process or the connection ends: at rest the server's
//! set is what is stored, quarantined or open, each message once and with its own bytes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use vigie_archive::{Change, Reader};
use vigie_ingest::error::Error;

use crate::faulty::{Life, Poison, Rig, world};

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    Arrive(u8),
    /// A message takes the lowest UID that is free.
    Reuse,
    Expunge(prop::sample::Index),
    ExpungeWhileFetched(prop::sample::Index),
    Poison(prop::sample::Index, u8),
    Cure,
    Hide(prop::sample::Index),
    /// The connection ends after so many answers.
    Cut(u8),
    /// Another UIDVALIDITY, and all UIDs move.
    Renumber(u8),
    /// UIDNEXT and EXISTS are wrong from now on, or right again.
    Lie(Option<u8>),
    Disorder(bool),
    Pass,
    /// The process is killed.
    Die,
    TimeGoesBy,
    RetryQuarantined,
}

fn step() -> impl Strategy<Value = Step> {
    use prop::sample::Index;
    prop_oneof![
        3 => (1..30u8).prop_map(Step::Arrive),
        1 => Just(Step::Reuse),
        2 => any::<Index>().prop_map(Step::Expunge),
        1 => any::<Index>().prop_map(Step::ExpungeWhileFetched),
        3 => (any::<Index>(), 0..5u8).prop_map(|(at, kind)| Step::Poison(at, kind)),
        1 => Just(Step::Cure),
        1 => any::<Index>().prop_map(Step::Hide),
        3 => (0..12u8).prop_map(Step::Cut),
        2 => (0..4u8).prop_map(Step::Renumber),
        1 => prop::option::of(0..40u8).prop_map(Step::Lie),
        1 => any::<bool>().prop_map(Step::Disorder),
        8 => Just(Step::Pass),
        3 => Just(Step::Die),
        3 => Just(Step::TimeGoesBy),
        1 => Just(Step::RetryQuarantined),
    ]
}

struct Model {
    rig: Rig,
    life: Option<Life>,
    /// Messages so far: no two are the same.
    made: u32,
    /// Those that were ever poisoned, cured or not.
    poisoned: BTreeSet<u32>,
}

impl Model {
    fn add(&mut self, uid: u32) {
        self.made += 1;
        let made = self.made;
        let mut world = self.rig.world();
        // Some have no name.
        let name = if made.is_multiple_of(7) {
            String::new()
        } else {
            format!("Message-ID: <m{made}@example.org>\r\n")
        };
        world.add(uid, &format!("{name}Subject: {made}\r\n\r\n{}\r\n", "x".repeat(made as usize)));
        world.mails.get_mut(&uid).unwrap().date = format!(
            "{:02}-Oct-2026 {:02}:{:02}:{:02} +0000",
            1 + made % 28,
            made / 3600,
            made / 60 % 60,
            made % 60
        );
    }

    fn pick(&self, at: &prop::sample::Index) -> Option<u32> {
        let world = self.rig.world();
        (!world.mails.is_empty()).then(|| *world.mails.keys().nth(at.index(world.mails.len())).unwrap())
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Arrive(count) => {
                for _ in 0..count {
                    let uid = self.rig.world().mails.keys().next_back().map_or(1, |uid| uid + 1);
                    self.add(uid);
                }
            }
            Step::Reuse => {
                let free = (1..).find(|uid| !self.rig.world().mails.contains_key(uid)).unwrap();
                self.add(free);
            }
            Step::Expunge(at) => {
                if let Some(uid) = self.pick(&at) {
                    let mut world = self.rig.world();
                    world.mails.remove(&uid);
                    world.poison.remove(&uid);
                }
            }
            Step::ExpungeWhileFetched(at) => {
                if let Some(uid) = self.pick(&at) {
                    self.rig.world().expunged_at_fetch.insert(uid);
                }
            }
            Step::Poison(at, kind) => {
                if let Some(uid) = self.pick(&at) {
                    let kind = match kind {
                        0 => Poison::Close,
                        1 => Poison::Refuse("no"),
                        2 => Poison::Longer(3),
                        3 => Poison::Omit,
                        _ => Poison::Refuse("[UNAVAILABLE] later"),
                    };
                    self.poisoned.insert(uid);
                    self.rig.world().poison.insert(uid, kind);
                }
            }
            Step::Cure => self.rig.world().poison.clear(),
            Step::Hide(at) => {
                if let Some(uid) = self.pick(&at) {
                    self.rig.world().hidden.insert(uid);
                }
            }
            Step::Cut(after) => self.rig.world().cuts.push(after.into()),
            Step::Renumber(validity) => {
                self.poisoned = self.poisoned.iter().map(|uid| uid + 2).collect();
                let mut world = self.rig.world();
                world.uidvalidity = (validity > 0).then(|| validity.to_string());
                world.mails =
                    std::mem::take(&mut world.mails).into_iter().map(|(uid, mail)| (uid + 2, mail)).collect();
                world.poison =
                    std::mem::take(&mut world.poison).into_iter().map(|(uid, p)| (uid + 2, p)).collect();
            }
            Step::Lie(by) => {
                let mut world = self.rig.world();
                world.exists = by.map(|by| 1 + u32::from(by));
                world.uidnext = by.map(|by| (u32::from(by) * 3).to_string());
            }
            Step::Disorder(on) => {
                let mut world = self.rig.world();
                (world.descending, world.twice) = (on, on);
            }
            Step::Pass => {
                if self.life.is_none() {
                    self.life = Some(self.rig.live().await);
                }
                let conflict = match self.rig.pass(self.life.as_mut().unwrap()).await {
                    Ok(_) | Err(Error::Lost { .. } | Error::Refused { .. }) => false,
                    Err(Error::Conflict) => true,
                    Err(error) => panic!("{error}"),
                };
                if conflict {
                    self.life = None;
                }
            }
            Step::Die => self.life = None,
            Step::TimeGoesBy => {
                self.life = None;
                self.rig.make_due();
            }
            Step::RetryQuarantined => {
                self.life = None;
                self.retry();
            }
        }
    }

    fn retry(&self) {
        let Ok(reader) = Reader::open(&self.rig.root()) else { return };
        let rows = reader.quarantined().unwrap();
        let uids: Vec<u32> = rows.into_iter().filter(|row| row.present).map(|row| row.uid).collect();
        self.rig.change(|mailbox| uids.into_iter().map(|uid| Change::Retry { mailbox, uid }).collect());
    }
}

async fn begun() -> Model {
    let mut model = Model { rig: Rig::new(world([])).await, life: None, made: 0, poisoned: BTreeSet::new() };
    model.take(Step::Arrive(25)).await;
    model
}

async fn play(steps: Vec<Step>) {
    let mut model = begun().await;
    for step in steps {
        model.take(step).await;
    }
    ends_well(model).await;
}

async fn ends_well(mut model: Model) {
    model.life = None;
    {
        // The server is as it is from now on; what it does to single messages stays.
        let mut world = model.rig.world();
        world.cuts.clear();
        (world.exists, world.uidnext) = (None, None);
        world.poison.retain(|_, poison| *poison != Poison::Refuse("[UNAVAILABLE] later"));
    }
    model.rig.settled().await;
    // Whatever was hidden, or gone while it was fetched, is so no more.
    model.rig.settled().await;
    model.rig.assert_at_rest();
    let quarantined = model.rig.view().quarantined;
    assert!(
        quarantined
            .iter()
            .all(|q| model.poisoned.contains(&q.uid) || !model.rig.world().mails.contains_key(&q.uid))
    );
    let entries = model.rig.entries();
    let ids: BTreeSet<_> = entries.iter().map(|entry| &entry.id).collect();
    assert_eq!(ids.len(), entries.len(), "an id is there twice");
    // All is well at last: everything that is there is stored, and there is nothing left to do.
    model.rig.world().poison.clear();
    model.retry();
    model.rig.settled().await;
    model.rig.assert_at_rest();
    let view = model.rig.view();
    assert_eq!((view.open.len(), view.quarantined.len()), (0, 0));
    assert!(model.rig.world().mails.keys().all(|uid| view.stored.contains(*uid)));
    let before = model.rig.entries().len();
    model.rig.once().await;
    assert_eq!(model.rig.entries().len(), before);
}

/// Whether the server still gives anything was asked by the newest stored message alone: when the connection ended on that
/// one, no open message was ever tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_stored_message_on_which_the_connection_ends_stops_no_other() {
    for (open, stored) in [(Poison::Refuse("no"), Poison::Close), (Poison::Omit, Poison::Longer(3))] {
        let mut model = begun().await;
        model.poisoned = [5, 36].into();
        model.rig.world().poison.insert(5, open);
        model.take(Step::Arrive(11)).await;
        model.take(Step::Pass).await;
        model.rig.world().poison.insert(36, stored);
        ends_well(model).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_answers_losses_lives_and_generations_ends_in_the_same_set(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}
