//! The beginning of a pass: which generation of the mailbox this is, and what of it is left out.

use vigie_archive::{Change, Difference, UidSet};
use vigie_common::clock;
use vigie_common::document::Mode;

use super::Mailbox;
use crate::error::{Error, Result};
use crate::message::parse_internal_date;
use crate::plan::Suspects;
use crate::session::{Examined, Listed, Session};
use crate::settings::Since;

impl Mailbox {
    /// Compares UIDVALIDITY, and records what the server says.
    pub(super) async fn begin(&mut self, session: &mut Session, examined: Examined) -> Result<()> {
        let mailbox = self.id;
        let Examined { exists, uidvalidity, uidnext, .. } = examined;
        let first = self.known.selected.is_none();
        if self.known.selected.is_some_and(|(validity, _)| validity != uidvalidity) {
            self.begin_anew(uidvalidity, "UIDVALIDITY changed").await?;
        }
        let generation = self.known.selected.map_or(0, |(_, generation)| generation);
        let mut changes =
            vec![Change::Select { mailbox, uidvalidity, generation, exists, uidnext, at: clock::now() }];
        if first && self.account.since == Some(Since::Now) && exists > 0 {
            // Not by UIDNEXT: what it promises beyond the last message is still to come.
            let last = self.highest(session, exists).await?;
            changes.push(Change::Skipped { mailbox, uids: UidSet::of(1..=last) });
            let listed = Some(Difference { exists, counted: u64::from(last) });
            changes.push(Change::Difference { mailbox, listed });
        }
        let left_out = self.left_out_before_rebuild();
        let learns = first || left_out.is_some();
        changes.extend(left_out.map(|uids| Change::Skipped { mailbox, uids }));
        self.commit(changes).await?;
        if learns { self.learn().await } else { Ok(()) }
    }

    /// `since = "now"`, and a catalog that was made anew out of what is stored: what lies below all of that was left out.
    fn left_out_before_rebuild(&self) -> Option<UidSet> {
        let unknown = self.account.since == Some(Since::Now) && self.known.exists.is_none();
        let lowest = self.known.stored.lowest().filter(|&lowest| unknown && lowest > 1)?;
        Some(self.known.covered.missing(1, lowest - 1))
    }

    /// A new generation: the old documents stay, everything is fetched again beside them.
    pub(super) async fn begin_anew(&mut self, uidvalidity: u32, why: &str) -> Result<()> {
        tracing::warn!(
            account = self.account.id,
            mailbox = self.shown(),
            uidvalidity,
            why,
            "a new generation begins: everything is fetched again beside the old"
        );
        if self.account.since == Some(Since::Now) {
            self.floor = self.known.proof_of_life;
        }
        self.mode = Mode::Backfill;
        (self.suspects, self.lost_window) = (Suspects::default(), None);
        self.tries.clear();
        self.partial.clear();
        self.top = 0;
        self.looked.clear();
        self.commit(vec![Change::NewGeneration { mailbox: self.id, uidvalidity }]).await?;
        self.learn().await
    }

    /// The highest UID that the server shows. UIDNEXT only says whether to look.
    pub(super) async fn top(&self, session: &mut Session, examined: Examined) -> Result<u32> {
        let known = self.known.dealt().highest().unwrap_or(0);
        match examined.uidnext {
            // Some wind UIDNEXT back: then there are more messages than are known of.
            Some(next) if next.saturating_sub(1) <= known && self.is_explained(examined.exists) => Ok(known),
            _ => Ok(self.highest(session, examined.exists).await?.max(known)),
        }
    }

    /// A server that counts messages and shows none of them is not believed.
    async fn highest(&self, session: &mut Session, exists: u32) -> Result<u32> {
        session.highest_uid().await?.ok_or_else(|| Error::Refused {
            command: "UID FETCH",
            text: format!("it counts {exists} messages and shows none"),
        })
    }

    pub(super) fn is_before_since(&self, listed: &Listed) -> bool {
        let since = match self.account.since {
            Some(Since::Date(since)) => Some(since),
            Some(Since::Now) => self.floor,
            None => None,
        };
        since.is_some_and(|since| {
            listed.internal_date.as_deref().and_then(parse_internal_date).is_some_and(|at| at < since)
        })
    }
}
