//! What an ingest does in a day, in small: rounds small and large, duplicates, attachments, changes.

use vigie_archive::{Archive, Change, Committed, Error, Message, Note, Round, Settings, UidSet};

use crate::fixture::{Mail, inbox, mail, now};

/// What the scenario stores.
pub(crate) fn mails() -> Vec<Mail> {
    day().into_iter().flatten().collect()
}

/// The messages, round by round.
fn day() -> Vec<Vec<Mail>> {
    let same = "Subject: the same\r\n\r\nagain and again\r\n";
    let small = vec![mail(1).bytes(same).with("shared"), mail(2)];
    let mut large: Vec<Mail> = (10..20).map(mail).collect();
    large.push(mail(20).bytes(same).with("shared").with("of its own"));
    large.push(mail(21).with("of its own"));
    large.push(mail(1).account("two"));
    let later = vec![mail(22).bytes(same), mail(23).not_kept(), mail(24).not_kept().bytes(same)];
    let anew = vec![mail(1).generation(1)];
    vec![small, large, later, anew]
}

/// Commits as an ingest would: the same round until it is taken.
pub(crate) type Commit<'a> = &'a mut dyn FnMut(&mut Archive, &Round) -> Committed;

/// Runs the scenario to its end, from wherever a former life left it.
pub(crate) fn run(archive: &mut Archive, commit: Commit<'_>) -> Result<Vec<Committed>, Error> {
    let mailbox = archive.mailbox("one", &inbox())?;
    archive.mailbox("two", &inbox())?;
    let mut done = Vec::new();
    for (n, mails) in day().iter().enumerate() {
        let present =
            archive.healing(|archive| archive.view(mailbox))?.selected.map(|selected| selected.generation);
        let messages: Vec<Message> = mails.iter().map(Mail::build).collect();
        let mut round = Round { messages, ..Round::default() };
        match n {
            0 if present.is_none() => round.changes.push(Change::Select {
                mailbox,
                uidvalidity: 7,
                generation: 0,
                exists: 20,
                uidnext: Some(30),
                at: now(),
            }),
            1 if present == Some(0) => {
                round.changes.push(Change::Covered { mailbox, uids: UidSet::of(10..=30) });
                let error = "it came in pieces".to_owned();
                round.changes.push(Change::Open { mailbox, uid: 31, attempts: 1, error, next_try: now() });
            }
            2 if present == Some(0) => {
                let (note, bytes) = (Box::new(note(31)), b"half of it".to_vec());
                round.changes.push(Change::Quarantined { mailbox, note, bytes });
            }
            // The server says that all is another mailbox now.
            3 if present == Some(0) => {
                let changes = vec![Change::NewGeneration { mailbox, uidvalidity: 7 }];
                done.push(commit(archive, &Round { changes, ..Round::default() }));
            }
            _ => {}
        }
        done.push(commit(archive, &round));
    }
    Ok(done)
}

/// What is known of a message of the account `one` of which ten octets came.
pub(crate) fn note(uid: u32) -> Note {
    Note {
        schema: vigie_archive::quarantine::SCHEMA.into(),
        id: mail(uid).id(),
        account: "one".into(),
        mailbox: inbox(),
        uidvalidity: 7,
        generation: 0,
        uid,
        size: Some(100),
        internal_date: None,
        reason: "it came in pieces".into(),
        attempts: 3,
        at: now(),
        bytes: 10,
        transcript: Vec::new(),
    }
}

/// Opens the archive and runs the scenario where nothing goes wrong.
pub(crate) fn undisturbed(settings: &Settings) -> Vec<Committed> {
    let mut archive = Archive::open(settings, "1.2.3").unwrap();
    run(&mut archive, &mut |archive, round| archive.commit(round, now()).unwrap()).unwrap()
}
