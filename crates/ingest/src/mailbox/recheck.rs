//! Looking again: servers forget UIDs for a while, and say so only by a count that does not fit.

use std::ops::RangeInclusive;

use vigie_archive::{Change, Difference, UidSet};

use super::Mailbox;
use crate::error::Result;
use crate::plan::{Width, lines, next_window};
use crate::session::{Listed, Session};

/// UIDs that are listed again at each pass.
const LATEST: u32 = 100;

impl Mailbox {
    /// The last 100 UIDs each time; everything when EXISTS is not what we count. A difference that remains after one
    /// complete listing is remembered, and starts no other until it changes.
    pub(super) async fn recheck(&mut self, session: &mut Session) -> Result<()> {
        let Some(top) = self.known.dealt().highest() else { return Ok(()) };
        let low = top.saturating_sub(LATEST - 1).max(1);
        if !self.fetched_in_this_pass(low) {
            let listed = self.list_again(session, low..=top).await?;
            self.check_reuse(session, &listed).await?;
            self.fetch_forgotten(session, listed).await?;
        }
        // As it says now: what has come or gone since the mailbox was opened is counted on both sides.
        let exists = session.exists();
        if session.has_news() || self.is_explained(exists) {
            return Ok(());
        }
        let (mut asked, mut shown) = (UidSet::new(), UidSet::new());
        let mut width = Width::among(exists);
        while let Some(window) = next_window(&asked, top, width) {
            let listed = self.list_again(session, window.clone()).await?;
            asked.insert(window);
            width.learn(listed.len());
            shown.union(&listed.iter().map(|l| l.uid).collect());
            self.fetch_forgotten(session, listed).await?;
        }
        self.conclude_vanished(session, exists, &shown).await?;
        if session.has_news() || session.exists() != exists {
            // Another time, when both counts are of the same moment.
            return Ok(());
        }
        let counted = self.known.counted();
        let listed = (counted != u64::from(exists)).then_some(Difference { exists, counted });
        self.commit(vec![Change::Difference { mailbox: self.id, listed }]).await?;
        self.known.difference = listed;
        Ok(())
    }

    /// Without those that are open or quarantined: there are messages whose mere listing is refused.
    async fn list_again(&self, session: &mut Session, window: RangeInclusive<u32>) -> Result<Vec<Listed>> {
        let asked = self.known.waiting().missing(*window.start(), *window.end());
        let mut listed = Vec::new();
        for line in lines(&asked) {
            listed.extend(session.list_of(&line).await?);
        }
        Ok(listed)
    }

    /// What was listed a moment ago need not be listed again.
    fn fetched_in_this_pass(&self, low: u32) -> bool {
        self.pass.stored > 0
            && self.known.stored.missing(low, low).is_empty()
            && self.pass.stored >= u64::from(LATEST)
    }

    /// As many messages more or less than counted as after the last complete listing.
    pub(super) fn is_explained(&self, exists: u32) -> bool {
        let apart =
            |exists: u32, counted: u64| i64::from(exists) - i64::try_from(counted).unwrap_or(i64::MAX);
        let now = apart(exists, self.known.counted());
        now == self.known.difference.map_or(0, |d| apart(d.exists, d.counted))
    }

    /// Fetches those of `listed` that were taken for dealt with, and are not stored.
    pub(super) async fn fetch_forgotten(&mut self, session: &mut Session, listed: Vec<Listed>) -> Result<()> {
        let waiting = self.known.waiting();
        let forgotten: Vec<Listed> = listed
            .into_iter()
            .filter(|l| {
                self.known.covered.contains(l.uid)
                    && !waiting.contains(l.uid)
                    && !self.known.stored.contains(l.uid)
            })
            .collect();
        let Some((first, last)) = forgotten.first().zip(forgotten.last()).map(|(f, l)| (f.uid, l.uid)) else {
            return Ok(());
        };
        tracing::info!(
            account = self.account.id,
            mailbox = self.shown(),
            messages = forgotten.len(),
            "the server shows messages that it did not show before"
        );
        let mut flow = self.flow()?;
        let fetched = self.fetch_window(session, &mut flow, first..=last, forgotten, false).await;
        flow.finish(self, fetched).await
    }
}
