//! A real Dovecot whose mailboxes other clients change all the while: they deliver, append, expunge, move, copy, flag,
//! rename, delete and make mailboxes again. When all is at rest, what the server has is what the archive has, message by
//! message, and nothing is there twice.
//!
//! `VIGIE_CHANGE_SECONDS` makes it longer, and then ingest is killed again and again as well; `VIGIE_CHANGE_SEED` repeats
//! the choices of an earlier run (`cargo xtask trial change` sets both).

mod client;
mod others;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::time::Duration;

use tokio::time::Instant;
use vigie_archive::{MailboxStatus, Reader};
use vigie_common::document::Mode;
use vigie_common::record::EventKind;
use vigie_testkit::dovecot::Dovecot;
use vigie_testkit::generate::Random;

use self::client::{Content, everything};
use crate::place::{Place, Running};

const USER: &str = "me";
const CLIENTS: u64 = 3;
const SECONDS: u64 = 20;
/// From this length on, ingest is killed, and given the time to come to rest by itself.
const LONG: u64 = 120;
/// A mailbox that appeared is noticed within 5 min; one that was in trouble is tried again within 5 min.
const REST: Duration = Duration::from_mins(12);

#[test]
fn what_a_changing_server_has_at_rest_is_what_the_archive_has() {
    let seconds = from_environment("VIGIE_CHANGE_SECONDS").unwrap_or(SECONDS);
    let seed = from_environment("VIGIE_CHANGE_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("VIGIE_CHANGE_SEED={seed} VIGIE_CHANGE_SECONDS={seconds}");
    let dovecot = Dovecot::start().unwrap();
    let mut place = Place::new();
    place.account("a", dovecot.port(), "tls = \"none\"\nmailboxes = [\"*\"]");

    let (done, mut run, kills) = change(&dovecot, &place, seconds, seed);
    println!("{done} acts of other clients, {kills} kills");
    if seconds >= LONG {
        let since = Instant::now();
        while let Err(difference) = compared(&dovecot, &place) {
            assert!(since.elapsed() < REST, "seed {seed}: not at rest: {difference}\n{}", run.log());
            run.listen(Duration::from_secs(2));
        }
        println!("at rest after {} s", since.elapsed().as_secs());
    }
    run.signal("TERM");
    let log = run.log();
    assert_eq!(run.end(), Some(0), "seed {seed}\n{log}");
    // What could not be seen in so short a time (a mailbox that has just appeared) a single pass sees.
    place.sync().assert_clean();
    if let Err(difference) = compared(&dovecot, &place) {
        panic!("seed {seed}: {difference}\n{log}");
    }
    place.assert_whole(nothing_twice(&place));
    assert_eq!(place.sync().stored(), 0, "seed {seed}: a further pass has nothing to do");
}

/// Has the other clients work for so long: how much they did, the ingest that then runs, and how many were killed.
fn change(dovecot: &Dovecot, place: &Place, seconds: u64, seed: u64) -> (u64, Running, u64) {
    let mut random = Random::of(&[seed, 0]);
    let until = Instant::now() + Duration::from_secs(seconds);
    let left = || until.saturating_duration_since(Instant::now());
    let mut run = Running::start(place.command(&["run"]), false);
    let mut kills = 0;
    let done = std::thread::scope(|scope| {
        let begin = |number| {
            let (stop, stopped) = mpsc::channel();
            (stop, scope.spawn(move || others::work(dovecot, USER, seed, number, &stopped)))
        };
        let clients: Vec<_> = (1..=CLIENTS).map(begin).collect();
        // On a busy machine the first pass over all mailboxes may take as long: something has to come after it.
        let seen = || place.entries().iter().any(|entry| entry.mode == Mode::Live);
        let unseen = || Instant::now() < until + Duration::from_mins(1) && !seen();
        while !left().is_zero() || unseen() {
            let most = left().max(Duration::from_millis(500));
            run.listen(most.min(Duration::from_millis(random.between(500, 20_000))));
            assert_eq!(run.child.try_wait().unwrap(), None, "seed {seed}: ingest has ended\n{}", run.log());
            if seconds >= LONG && !left().is_zero() {
                run.child.kill().unwrap();
                run.child.wait().unwrap();
                kills += 1;
                run = Running::start(place.command(&["run"]), false);
            }
        }
        let join = |(stop, thread): (mpsc::Sender<()>, std::thread::ScopedJoinHandle<'_, u64>)| {
            drop(stop);
            thread.join().unwrap()
        };
        clients.into_iter().map(join).sum()
    });
    (done, run, kills)
}

/// Whether each message of the server is in the archive, as the one it is, or in quarantine; else what is not so.
fn compared(dovecot: &Dovecot, place: &Place) -> Result<(), String> {
    let server = everything(dovecot.port(), USER).map_err(|e| e.to_string())?;
    let reader = Reader::open(&place.archive()).map_err(|e| e.to_string())?;
    let known = reader.mailboxes().unwrap();
    let known: BTreeMap<&str, &MailboxStatus> =
        known.iter().map(|m| (m.mailbox.raw_name.as_str(), m)).collect();
    let (entries, events) = (place.entries(), place.events());
    let quarantined: BTreeSet<_> = events
        .iter()
        .filter(|event| event.kind == EventKind::Quarantined)
        .filter_map(|event| Some((event.mailbox.as_deref()?, event.uidvalidity?, event.uid?)))
        .collect();
    let mut stored = BTreeMap::new();
    for entry in &entries {
        assert_eq!(entry.generation, 0, "Dovecot never gives a UID to another message: {entry:?}");
        let key = (entry.mailbox.as_str(), entry.uidvalidity, entry.uid);
        assert!(stored.insert(key, &entry.blob_id).is_none(), "stored twice: {entry:?}");
    }
    for (mailbox, Content { uidvalidity, messages }) in &server {
        let status = known.get(mailbox.as_str()).ok_or_else(|| format!("{mailbox} is not known"))?;
        let selected = status.selected.map(|selected| selected.uidvalidity);
        if selected != Some(*uidvalidity) {
            return Err(format!("{mailbox}: UIDVALIDITY {uidvalidity}, known as {selected:?}"));
        }
        if status.open > 0 {
            return Err(format!("{mailbox}: {} UIDs stay open", status.open));
        }
        for (&uid, blob) in messages {
            let key = (mailbox.as_str(), *uidvalidity, uid);
            match stored.get(&key) {
                Some(stored) if *stored == blob => {}
                Some(stored) => panic!("{key:?} is {blob} on the server and {stored} in the archive"),
                None if quarantined.contains(&key) => {}
                None => return Err(format!("{key:?} is on the server and not in the archive: {status:?}")),
            }
        }
    }
    Ok(())
}

/// How many messages there are, each with an id of its own.
fn nothing_twice(place: &Place) -> u64 {
    let entries = place.entries();
    let ids: BTreeSet<_> = entries.iter().map(|entry| &entry.id).collect();
    assert_eq!(ids.len(), entries.len());
    assert!(entries.iter().any(|entry| entry.mode == Mode::Live), "nothing was seen as it came");
    entries.len() as u64
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}
