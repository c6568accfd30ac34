//! What other clients do to the mailboxes meanwhile, each by a stream of chance of its own.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use vigie_testkit::dovecot::Dovecot;
use vigie_testkit::generate::Random;

use super::client::Client;
use crate::messages::small;

/// Mailboxes come and go under these names, beside INBOX.
const NAMES: [&str; 6] = ["Work", "Work/Old", "Team", "Archive", "Lists", "R&AOk-ports"];
/// Mean time between two acts of a client.
const PACE: u64 = 60;

/// One client at work until `stop` closes: how many of its acts were done.
pub(super) fn work(dovecot: &Dovecot, user: &str, seed: u64, number: u64, stop: &Receiver<()>) -> u64 {
    let mut other = Other { dovecot, user, random: Random::of(&[seed, number]), next: number << 32 };
    let mut client = None;
    let mut done = 0;
    loop {
        let pause = Duration::from_millis(other.random.below(2 * PACE));
        if stop.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return done;
        }
        // A mailbox that went under the feet of a client takes its connection along.
        let connected = client.take().map_or_else(|| Client::log_in(dovecot.port(), user), Ok);
        client = connected
            .and_then(|mut connected| {
                done += u64::from(other.act(&mut connected)?);
                Ok(connected)
            })
            .ok();
    }
}

struct Other<'a> {
    dovecot: &'a Dovecot,
    user: &'a str,
    random: Random,
    /// Number of the next message that nobody else has.
    next: u64,
}

impl Other<'_> {
    /// One act; whether the server did it.
    fn act(&mut self, client: &mut Client) -> io::Result<bool> {
        match self.random.below(100) {
            0..30 => {
                let message = self.message();
                Ok(self.dovecot.deliver(self.user, &message).is_ok())
            }
            30..58 => {
                let (mailbox, message) = (self.mailbox(), self.message());
                Ok(client.append(mailbox, &message)?.ok)
            }
            58..70 => self.with_one(client, |uid, _| {
                vec![format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"), "EXPUNGE".into()]
            }),
            70..82 => self.with_one(client, |uid, to| vec![format!("UID MOVE {uid} \"{to}\"")]),
            82..86 => self.with_one(client, |uid, to| vec![format!("UID COPY {uid} \"{to}\"")]),
            86..94 => self.with_one(client, |uid, _| vec![format!("UID STORE {uid} +FLAGS (\\Seen $Work)")]),
            94..97 => {
                // INBOX stays where it is renamed, and its messages move.
                let (from, to) = (self.mailbox(), self.random.pick(&NAMES));
                Ok(client.ask(&format!("RENAME \"{from}\" \"{to}\""))?.ok)
            }
            97 => Ok(client.ask(&format!("DELETE \"{}\"", self.random.pick(&NAMES)))?.ok),
            _ => self.begin_anew(client),
        }
    }

    /// Deletes a mailbox and makes it again: another UIDVALIDITY, the same UIDs.
    fn begin_anew(&mut self, client: &mut Client) -> io::Result<bool> {
        let mailbox = self.random.pick(&NAMES);
        client.ask(&format!("DELETE \"{mailbox}\""))?;
        let made = client.ask(&format!("CREATE \"{mailbox}\""))?.ok;
        for _ in 0..self.random.below(4) {
            let message = self.message();
            client.append(mailbox, &message)?;
        }
        Ok(made)
    }

    /// Does something with one message of a mailbox.
    fn with_one(
        &mut self,
        client: &mut Client,
        commands: impl Fn(u32, &str) -> Vec<String>,
    ) -> io::Result<bool> {
        let (mailbox, to) = (self.mailbox(), self.mailbox());
        let Some(uids) = client.open(mailbox)? else { return Ok(false) };
        let uid = self.random.pick(&uids);
        if uid == 0 {
            return Ok(false);
        }
        let mut ok = true;
        for command in commands(uid, to) {
            ok &= client.ask(&command)?.ok;
        }
        client.ask("UNSELECT")?;
        Ok(ok)
    }

    fn mailbox(&mut self) -> &'static str {
        if self.random.chance(40) { "INBOX" } else { self.random.pick(&NAMES) }
    }

    /// A new message, or now and then one that there is already.
    fn message(&mut self) -> Vec<u8> {
        if self.random.chance(15) {
            return small(self.random.below(8));
        }
        self.next += 1;
        small(self.next)
    }
}
