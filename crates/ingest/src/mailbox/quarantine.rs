//! What becomes of a message that could not be taken: it is tried three times, each time later, and then given up until
//! a person says otherwise. What is the server's trouble and not the message's counts as no try.

use jiff::{SignedDuration, Timestamp};
use vigie_archive::{Change, Note, OpenUid, QuarantinedUid, Try, UidSet, quarantine};
use vigie_common::clock;

use super::Mailbox;
use crate::error::{Error, Result};
use crate::plan::Batch;
use crate::session::{Listed, Session};

/// So often a message is tried.
pub(super) const TRIES: u32 = 3;
/// So many stored messages are asked for, one after the other, to see whether a server still gives anything.
const PROOFS: usize = 4;
/// Wait before the second try; four times as long before the third.
const RETRY: SignedDuration = SignedDuration::from_mins(5);
/// Octets of an incomplete message that are kept in memory until its next try.
const KEPT: usize = 4 << 20;
/// The same of all of a mailbox together.
const KEPT_OF_ALL: usize = 4 * KEPT;
/// What servers say when the message is not at fault.
const PASSING: [&str; 8] = [
    "[unavailable]",
    "[inuse]",
    "[throttled]",
    "[overquota]",
    "[limit]",
    "throttl",
    "backoff time",
    "not connected",
];

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    /// The server's, for a while.
    Passing,
    /// Perhaps the message's.
    Try,
    /// Ours: it will never be taken.
    Final,
}

/// Why a message was not taken this time.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) uid: u32,
    listed: Option<Listed>,
    asked: String,
    why: String,
    grade: Grade,
}

impl Failure {
    /// The server refuses to list it.
    pub(super) fn of_listing(uid: u32, text: &str) -> Self {
        let asked = format!("UID FETCH {uid} (UID FLAGS INTERNALDATE RFC822.SIZE)");
        Self {
            uid,
            listed: None,
            asked,
            why: format!("the server refuses to list it: {text}"),
            grade: grade(text),
        }
    }

    /// The server refuses to send it.
    pub(super) fn of_body(listed: &Listed, text: &str) -> Self {
        Self { grade: grade(text), ..Self::of(listed, format!("the server refuses this message: {text}")) }
    }

    /// Another reason that may be the message's.
    pub(super) fn of(listed: &Listed, why: String) -> Self {
        let asked = format!("UID FETCH {} (UID BODY.PEEK[])", listed.uid);
        Self { uid: listed.uid, listed: Some(listed.clone()), asked, why, grade: Grade::Try }
    }

    /// The message is larger than any that is taken.
    pub(super) fn too_large(listed: &Listed, most: u64) -> Self {
        let why = format!("it is larger than {most} bytes, announced were {}", listed.size);
        Self { grade: Grade::Final, ..Self::of(listed, why) }
    }
}

fn grade(text: &str) -> Grade {
    let text = text.to_ascii_lowercase();
    if PASSING.iter().any(|passing| text.contains(passing)) { Grade::Passing } else { Grade::Try }
}

impl Mailbox {
    /// How many times an open UID was tried; the present try is counted.
    pub(super) fn attempts(&self, uid: u32) -> Option<u32> {
        self.known.open.iter().find(|open| open.uid == uid).map(|open| open.attempts)
    }

    /// Keeps what came of an incomplete message until its next try, if there is room; after the last one, or when it is
    /// `given_up` now, for the quarantine.
    pub(super) fn keep(&mut self, uid: u32, bytes: Vec<u8>, given_up: bool) {
        let last = given_up || self.attempts(uid).is_some_and(|attempts| attempts >= TRIES);
        let others = self.partial.iter().filter(|&(&of, _)| of != uid).map(|(_, bytes)| bytes.len());
        let all = others.sum::<usize>() + bytes.len();
        if !bytes.is_empty() && (last || (bytes.len() <= KEPT && all <= KEPT_OF_ALL)) {
            self.partial.insert(uid, bytes);
        }
    }

    /// These are no longer tried: nothing is to be known of their tries any more.
    pub(super) fn forget(&mut self, uids: &UidSet) {
        self.tries.retain(|&uid, _| !uids.contains(uid));
        self.partial.retain(|&uid, _| !uids.contains(uid));
    }

    /// A message was not taken at the last one of `attempts`: it stays open, or is given up. To be committed.
    pub(super) fn failed(&mut self, failure: Failure, attempts: u32) -> Result<Change> {
        let Failure { uid, listed, asked, why, grade } = failure;
        let now = clock::now();
        self.known.open.retain(|open| open.uid != uid);
        self.counted.remove(&uid);
        self.suspects.remove(uid);
        let account = self.account.id.as_str();
        if grade == Grade::Final || (grade == Grade::Try && attempts >= TRIES) {
            tracing::error!(
                account,
                mailbox = self.shown(),
                uid,
                attempts,
                reason = why,
                "a message is quarantined: `vigie-ingest quarantine list` tells more"
            );
            self.tries.entry(uid).or_default().push(Try { at: now, asked, answered: why.clone() });
            return self.give_up(uid, listed, attempts, why);
        }
        let (attempts, wait) = match grade {
            Grade::Passing => (attempts.saturating_sub(1), RETRY),
            _ => (attempts, wait(attempts)),
        };
        tracing::warn!(account, mailbox = self.shown(), uid, attempts, error = why, "a message stays open");
        let tries = self.tries.entry(uid).or_default();
        if tries.len() < TRIES as usize {
            tries.push(Try { at: now, asked, answered: why.clone() });
        }
        self.partial.retain(|&of, bytes| of != uid || bytes.len() <= KEPT);
        let next_try = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.known.open.push(OpenUid { uid, attempts, error: why.clone(), next_try });
        Ok(Change::Open { mailbox: self.id, uid, attempts, error: why, next_try })
    }

    fn give_up(&mut self, uid: u32, listed: Option<Listed>, attempts: u32, reason: String) -> Result<Change> {
        let (uidvalidity, generation) = self
            .known
            .selected
            .ok_or_else(|| Error::Internal("a message is given up before its mailbox was opened".into()))?;
        let bytes = self.partial.remove(&uid).unwrap_or_default();
        let at = clock::now();
        let mut note = Note {
            schema: quarantine::SCHEMA.into(),
            id: vigie_common::id::Id::of_mailbox("", ""),
            account: self.account.id.clone(),
            mailbox: self.source.clone(),
            uidvalidity,
            generation,
            uid,
            size: listed.as_ref().map(|l| u64::from(l.size)),
            internal_date: listed.and_then(|l| l.internal_date),
            reason: reason.clone(),
            attempts,
            at,
            bytes: bytes.len() as u64,
            transcript: self.tries.remove(&uid).unwrap_or_default(),
        };
        note.id = note.instance().id();
        self.known.quarantined.retain(|known| known.uid != uid);
        self.known.quarantined.push(QuarantinedUid { uid, at, reason });
        Ok(Change::Quarantined { mailbox: self.id, note: Box::new(note), bytes })
    }

    /// Takes note of what was being fetched when a connection was lost. A message that it was lost on before, alone, had
    /// a try; others are asked for again at once, in smaller parts.
    pub(super) async fn lost(&mut self, batch: &Batch, error: Error) -> Error {
        if !matches!(error, Error::Lost { .. }) {
            return error;
        }
        let [message] = batch.messages.as_slice() else {
            self.suspects.add(&batch.messages.iter().map(|m| m.uid).collect::<Vec<_>>());
            return error;
        };
        let attempts = match self.attempts(message.uid) {
            Some(attempts) => attempts,
            None if self.suspects.contains(message.uid) => 2,
            None => {
                self.suspects.add(&[message.uid]);
                return error;
            }
        };
        let failure = Failure::of(message, format!("each time that this message is asked for: {error}"));
        self.record_failure(failure, attempts).await.err().unwrap_or(error)
    }

    /// The same at the listing of a window.
    pub(super) async fn lost_listing(
        &mut self,
        window: std::ops::RangeInclusive<u32>,
        error: Error,
    ) -> Error {
        if !matches!(error, Error::Lost { .. }) {
            return error;
        }
        if window.start() < window.end() {
            self.lost_window = Some(window);
            return error;
        }
        self.lost_window = None;
        let uid = *window.start();
        let mut failure = Failure::of_listing(uid, "");
        failure.why = format!("when it is listed: {error}");
        failure.grade = Grade::Try;
        let attempts = self.attempts(uid).unwrap_or(1);
        self.record_failure(failure, attempts).await.err().unwrap_or(error)
    }

    pub(super) async fn record_failure(&mut self, failure: Failure, attempts: u32) -> Result<()> {
        let change = self.failed(failure, attempts)?;
        self.commit(vec![change]).await
    }

    /// One that was tried as often as a message is, and is due again: nobody lived to say how the last try ended.
    pub(super) async fn give_up_at_last(&mut self, open: OpenUid) -> Result<()> {
        let asked = format!("UID FETCH {} (UID BODY.PEEK[])", open.uid);
        let failure = Failure { uid: open.uid, listed: None, asked, why: open.error, grade: Grade::Final };
        self.record_failure(failure, open.attempts).await
    }

    /// Before a connection is risked on a message that others were lost on: a server that gives nobody anything any more
    /// must not bring that message into quarantine.
    ///
    /// A connection may be lost on what proves it, too: then another message does the next time.
    pub(super) async fn prove(&mut self, session: &mut Session) -> Result<()> {
        let stored = self.known.stored.newest_first().flat_map(Iterator::rev);
        let some: Vec<u32> = stored.take(PROOFS).collect();
        let Some(&newest) = some.first() else { return Ok(()) };
        let other = some.into_iter().find(|uid| !self.unproven.contains(uid)).unwrap_or_else(|| {
            // None of them came: it is the server. From the first again.
            self.unproven.clear();
            newest
        });
        match session.touch(other).await {
            Err(Error::Refused { .. }) => Ok(()),
            Err(error @ Error::Lost { .. }) => {
                self.unproven.insert(other);
                Err(error)
            }
            done => done,
        }
    }

    /// A try is counted before it is made: it may take the process along.
    pub(super) async fn count_try(&mut self, uid: u32) -> Result<()> {
        let Some(open) = self.known.open.iter_mut().find(|open| open.uid == uid) else { return Ok(()) };
        open.attempts += 1;
        open.next_try = clock::now().saturating_add(wait(open.attempts)).unwrap_or(Timestamp::MAX);
        let (attempts, error, next_try) = (open.attempts, open.error.clone(), open.next_try);
        self.commit(vec![Change::Open { mailbox: self.id, uid, attempts, error, next_try }]).await?;
        self.counted.insert(uid);
        Ok(())
    }

    /// Those that were counted and of which nothing is known were none: what ended them was not the message.
    pub(super) async fn uncount_tries(&mut self) {
        let (mailbox, counted) = (self.id, std::mem::take(&mut self.counted));
        let open = self.known.open.iter_mut().filter(|open| counted.contains(&open.uid));
        let changes: Vec<_> = open
            .map(|open| {
                open.attempts = open.attempts.saturating_sub(1);
                let OpenUid { uid, attempts, error, next_try } = open.clone();
                Change::Open { mailbox, uid, attempts, error, next_try }
            })
            .collect();
        if changes.is_empty() {
            return;
        }
        self.partial.retain(|uid, bytes| !counted.contains(uid) || bytes.len() <= KEPT);
        if let Err(error) = self.commit(changes).await {
            tracing::debug!(account = self.account.id, %error, "tries that were none stay counted");
        }
    }
}

/// How long a message waits after so many tries.
fn wait(attempts: u32) -> SignedDuration {
    RETRY.saturating_mul(1 << (2 * attempts.saturating_sub(1).min(4)))
}
