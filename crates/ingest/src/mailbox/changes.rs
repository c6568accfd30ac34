//! What changes of messages that are stored: their flags, and whether they are still there. Both become events.
//!
//! Where the server counts changes (CONDSTORE, QRESYNC: RFC 7162) it is asked for what changed since; where it does not,
//! the flags of late messages are read again at intervals. That a message is gone is concluded only from the server's
//! own word (VANISHED), or from a complete listing that is as long as the server says.

use jiff::{SignedDuration, Timestamp};
use vigie_archive::{Change, UidSet};
use vigie_common::clock;

use super::Mailbox;
use crate::command::Changes;
use crate::error::{Error, Result};
use crate::message::{keyword, parse_internal_date};
use crate::plan::lines;
use crate::session::{Examined, Session};

/// Without counted changes, the flags of messages that were received within this are read again,
const RECENT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// so often.
const AGAIN: SignedDuration = SignedDuration::from_mins(15);
/// Stored messages whose changes are asked for by one command.
const WINDOW: u64 = 10_000;
/// The same without counted changes: the first time, and at most.
const FIRST: u64 = 100;
const MOST: u64 = 5_000;
/// Changes that one transaction takes: others wait for the store thread as well.
const PORTION: usize = 1_000;

/// How it was when a pass began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    pub(super) at: Timestamp,
    /// The server told all that had changed when the mailbox was opened, and that is recorded.
    pub(super) resynced: bool,
    /// All that is stored now was listed since.
    pub(super) nothing_stored: bool,
}

impl Mailbox {
    /// Opens the mailbox. The server may tell at once what changed since we last knew.
    pub(super) async fn examine(&mut self, session: &mut Session) -> Result<Examined> {
        let present =
            self.known.selected.map(|(uidvalidity, _)| uidvalidity).filter(|&validity| validity > 0);
        let since = present.zip(self.known.modseq).filter(|_| !self.piecemeal);
        self.piecemeal |= since.is_some();
        let examined = session.examine(&self.source.raw_name, since).await;
        if !matches!(examined, Err(Error::Lost { .. })) {
            self.piecemeal = false;
        }
        let examined = examined?;
        if present != Some(examined.uidvalidity) {
            // What it tells is about another mailbox than ours.
            session.take_changes();
        }
        Ok(examined)
    }

    /// Records what the server told of messages by itself. Gives back whether it was all of it.
    ///
    /// # Errors
    /// As the session's; [`Error::Archive`].
    pub async fn take_changes(&mut self, session: &mut Session) -> Result<bool> {
        let mut changes = session.take_changes();
        if !changes.numbers.is_empty() {
            let numbers: UidSet = changes.numbers.iter().copied().collect();
            match session.flags_of_numbers(&numbers).await {
                Ok(()) => {
                    let told = session.take_changes();
                    changes.flags.extend(told.flags);
                    changes.vanished.union(&told.vanished);
                    changes.cut |= told.cut;
                }
                // They are read again at their time.
                Err(Error::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.record(changes).await
    }

    /// Gives back whether all that was told is recorded.
    async fn record(&mut self, changes: Changes) -> Result<bool> {
        let Changes { flags, vanished, cut, .. } = changes;
        self.vanish(&vanished).await?;
        let flags: Vec<_> = flags.into_iter().filter(|(uid, _)| self.known.stored.contains(*uid)).collect();
        for portion in flags.chunks(PORTION) {
            let change = |(uid, flags): &(u32, Vec<String>)| Change::Keywords {
                mailbox: self.id,
                uid: *uid,
                keywords: flags.iter().filter_map(|flag| keyword(flag)).collect(),
            };
            self.commit(portion.iter().map(change).collect()).await?;
        }
        Ok(!cut)
    }

    /// These are gone from the server.
    async fn vanish(&mut self, uids: &UidSet) -> Result<()> {
        let mut counted = self.known.stored.clone();
        counted.union(&self.known.skipped);
        counted.union(&self.known.open.iter().map(|open| open.uid).collect());
        let gone = counted.intersection(uids);
        if gone.is_empty() {
            return Ok(());
        }
        let stored = gone.intersection(&self.known.stored).len();
        tracing::debug!(
            account = self.account.id,
            mailbox = self.shown(),
            messages = stored,
            "gone from the server"
        );
        let mailbox = self.id;
        // Each that is stored is an event; of the others only ranges change.
        let (mut stored, others) =
            (gone.intersection(&self.known.stored), gone.difference(&self.known.stored));
        while let Some(portion) = newest(&stored, u32::MAX, PORTION as u64) {
            stored = stored.difference(&portion);
            self.commit(vec![Change::Vanished { mailbox, uids: portion }]).await?;
        }
        if !others.is_empty() {
            self.commit(vec![Change::Vanished { mailbox, uids: others }]).await?;
        }
        self.known.covered.union(&gone);
        self.known.stored = self.known.stored.difference(&gone);
        self.known.skipped = self.known.skipped.difference(&gone);
        self.known.open.retain(|open| !gone.contains(open.uid));
        self.forget(&gone);
        Ok(())
    }

    /// All of the mailbox was listed, and these were shown. What was not is gone, if the server meant all by all.
    pub(super) async fn conclude_vanished(
        &mut self,
        session: &mut Session,
        exists: u32,
        shown: &UidSet,
    ) -> Result<()> {
        // Whoever came or went meanwhile is in one count and not in the other: another time.
        if session.has_news() || session.exists() != exists || shown.len() != u64::from(exists) {
            return Ok(());
        }
        let mut counted = self.known.stored.clone();
        counted.union(&self.known.skipped);
        self.vanish(&counted.difference(shown)).await
    }

    /// Sees to it that flags which changed since the last pass are known.
    pub(super) async fn compare_keywords(
        &mut self,
        session: &mut Session,
        examined: Examined,
        began: Began,
    ) -> Result<()> {
        let complete = match (examined.modseq, self.known.modseq) {
            _ if began.nothing_stored || self.known.stored.is_empty() => true,
            (Some(now), Some(then)) if now == then => true,
            (Some(now), Some(then)) if now > then => {
                began.resynced || self.changed_since(session, then).await?
            }
            (Some(_), _) => self.recent_keywords(session).await?,
            (None, _) if self.knows_keywords_of_late(began.at) => false,
            (None, _) => self.recent_keywords(session).await?,
        };
        // What it told by itself meanwhile.
        self.take_changes(session).await?;
        if !complete {
            return Ok(());
        }
        let (mailbox, at) = (self.id, began.at);
        if examined.modseq != self.known.modseq {
            self.commit(vec![Change::Modseq { mailbox, modseq: examined.modseq }]).await?;
            self.known.modseq = examined.modseq;
        }
        self.shared.store.note(Change::KeywordsAt { mailbox, at });
        self.known.keywords_at = Some(at);
        self.tell(|known| known.keywords_at = Some(at));
        Ok(())
    }

    fn knows_keywords_of_late(&self, now: Timestamp) -> bool {
        self.known.keywords_at.is_some_and(|at| now.duration_since(at) < AGAIN)
    }

    /// The UIDs from `low` to `high` but those that were not taken: a connection may be lost on each of them.
    fn askable(&self, low: u32, high: u32) -> UidSet {
        UidSet::of(low..=high).difference(&self.known.waiting())
    }

    /// By CHANGEDSINCE. Gives back whether all of it was told.
    async fn changed_since(&mut self, session: &mut Session, modseq: u64) -> Result<bool> {
        let mut complete = true;
        let mut below = u32::MAX;
        while let Some(window) = newest(&self.known.stored, below, WINDOW) {
            let (Some(low), Some(high)) = (window.lowest(), window.highest()) else { break };
            for line in lines(&self.askable(low, high)) {
                match session.flags(&line, Some(modseq)).await {
                    Ok(()) => complete &= self.record(session.take_changes()).await?,
                    Err(Error::Refused { text, .. }) => {
                        session.forgo_condstore(&text);
                        return self.recent_keywords(session).await;
                    }
                    Err(error) => return Err(error),
                }
            }
            let Some(next) = low.checked_sub(1) else { break };
            below = next;
        }
        Ok(complete)
    }

    /// Reads the flags of messages received of late, newest first, until there are none such among those read.
    async fn recent_keywords(&mut self, session: &mut Session) -> Result<bool> {
        let oldest = clock::now().saturating_sub(RECENT).unwrap_or(Timestamp::MIN);
        let (mut below, mut count) = (u32::MAX, FIRST);
        while let Some(window) = newest(&self.known.stored, below, count) {
            let (Some(low), Some(high)) = (window.lowest(), window.highest()) else { break };
            let mut flagged = Vec::new();
            for line in lines(&self.askable(low, high)) {
                match session.flags_and_dates(&line).await {
                    Ok(told) => flagged.extend(told),
                    // It cannot be had; their age tells.
                    Err(Error::Refused { text, .. }) => {
                        tracing::debug!(
                            account = self.account.id,
                            mailbox = self.shown(),
                            text,
                            "flags cannot be read"
                        );
                        return Ok(false);
                    }
                    Err(error) => return Err(error),
                }
            }
            let is_recent = |date: &Option<String>| {
                date.as_deref().and_then(parse_internal_date).is_some_and(|at| at >= oldest)
            };
            let any_recent = flagged.iter().any(|f| is_recent(&f.internal_date));
            let flags = flagged.into_iter().map(|f| (f.uid, f.flags)).collect();
            self.record(Changes { flags, ..Changes::default() }).await?;
            let Some(next) = low.checked_sub(1).filter(|_| any_recent) else { break };
            below = next;
            count = (count * 2).min(MOST);
        }
        Ok(true)
    }
}

/// The `count` highest UIDs of a set up to `below`; none if there are none.
fn newest(set: &UidSet, below: u32, count: u64) -> Option<UidSet> {
    let mut left = count;
    let mut found = UidSet::new();
    for range in set.newest_first() {
        let (low, high) = (*range.start(), (*range.end()).min(below));
        if low > high || left == 0 {
            continue;
        }
        let take = left.min(u64::from(high - low) + 1);
        left -= take;
        found.insert(high - u32::try_from(take - 1).unwrap_or(0)..=high);
    }
    Some(found).filter(|found| !found.is_empty())
}

#[cfg(test)]
mod tests {
    use super::newest;

    #[test]
    fn the_newest_of_a_set() {
        let set = "1:10,20:29,4294967295".parse().unwrap();
        let of = |below, count| newest(&set, below, count).map(|found| found.to_string());
        assert_eq!(of(u32::MAX, 5).as_deref(), Some("26:29,4294967295"));
        assert_eq!(of(25, 8).as_deref(), Some("9:10,20:25"));
        assert_eq!(of(9, 100).as_deref(), Some("1:9"));
        assert_eq!(of(0, 100), None);
    }
}
