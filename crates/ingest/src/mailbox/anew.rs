//! Generations: whether the UIDs of a mailbox still mean what they meant, and what of a new generation is known from before.

use std::collections::HashMap;

use vigie_archive::{Earlier, Message, Round, UidSet};
use vigie_common::clock;
use vigie_common::document::Document;
use vigie_common::id::Instance;

use super::Mailbox;
use crate::error::{Error, Result};
use crate::matching::{AGREE, Identified, Pair, is_another, pair};
use crate::message::{Origin, rematched};
use crate::plan::{Width, next_window};
use crate::session::{Listed, Session};

/// Documents that are read and written anew at once.
const PORTION: usize = 100;

impl Mailbox {
    /// Takes over what is known from earlier generations, if this one has just begun: no byte of it is fetched again.
    pub(super) async fn rematch(&mut self, session: &mut Session, exists: u32) -> Result<()> {
        let Some(present) = self.known.selected else { return Ok(()) };
        if !self.known.dealt().is_empty() || (exists as usize) < AGREE {
            return Ok(());
        }
        let mailbox = self.id;
        let earlier = self.shared.store.with(move |archive| archive.earlier(mailbox, present)).await?;
        if earlier.len() < AGREE {
            return Ok(());
        }
        let Some(listed) = self.identify(session).await? else { return Ok(()) };
        let pairs = self.agreeing(pair(listed, earlier)).await?;
        if pairs.len() < AGREE {
            return Ok(());
        }
        tracing::info!(
            account = self.account.id,
            mailbox = self.shown(),
            messages = pairs.len(),
            "messages of an earlier generation are known by size, date and Message-ID: they are not fetched again"
        );
        self.shared.progress.expect(pairs.len() as u64);
        let origin = self.origin(self.mode)?;
        let mut pairs = pairs.into_iter();
        loop {
            let portion: Vec<Pair> = pairs.by_ref().take(PORTION).collect();
            if portion.is_empty() {
                return Ok(());
            }
            self.take_over(&origin, portion).await?;
        }
    }

    /// None contradicts by its size: the announced one is compared with the one announced then, or with the true one.
    async fn agreeing(&self, pairs: Vec<Pair>) -> Result<Vec<Pair>> {
        let doubtful: Vec<_> =
            pairs.iter().filter(|(new, old)| u64::from(new.listed.size) != old.size).collect();
        let doubtful: Vec<(u32, String)> =
            doubtful.into_iter().map(|(new, old)| (new.listed.size, old.path.clone())).collect();
        for portion in doubtful.chunks(PORTION) {
            let paths: Vec<String> = portion.iter().map(|(_, path)| path.clone()).collect();
            let announced =
                self.documents(paths).await?.into_iter().map(|document| announced(document.as_ref()?));
            if !announced.eq(portion.iter().map(|(size, _)| Some(u64::from(*size)))) {
                return Ok(Vec::new());
            }
        }
        Ok(pairs)
    }

    async fn take_over(&mut self, origin: &Origin, portion: Vec<Pair>) -> Result<()> {
        let paths = portion.iter().map(|(_, old)| old.path.clone()).collect();
        let documents = self.documents(paths).await?;
        let origin = origin.clone();
        let now = clock::now();
        let messages: Vec<Message> = tokio::task::spawn_blocking(move || {
            let pairs = portion.into_iter().zip(documents);
            // One whose document cannot be read, or is another by now, is fetched.
            let pairs = pairs.filter_map(|((new, old), document)| {
                document.filter(|d| d.blob_id == old.blob_id).map(|document| (new, document))
            });
            pairs
                .map(|(new, document)| rematched(&origin, &new.listed, document, now))
                .collect::<std::io::Result<_>>()
        })
        .await
        .map_err(|e| Error::Internal(e.to_string()))?
        .map_err(|e| Error::Internal(e.to_string()))?;
        let uids: UidSet = messages.iter().map(|m| m.entry.uid).collect();
        let ids: Vec<_> = messages.iter().map(|m| m.entry.id.clone()).collect();
        let committed = self.shared.store.commit(Round { messages, ..Round::default() }).await?;
        if ids.iter().any(|id| committed.conflicts.contains(id)) {
            return Err(Error::Conflict);
        }
        self.pass.stored += uids.len();
        self.shared.progress.stored(uids.len(), 0);
        self.alive();
        self.known.stored.union(&uids);
        self.known.covered.union(&uids);
        Ok(())
    }

    /// Without a UIDVALIDITY nothing says that UIDs still mean the same: once a session they are compared by header.
    pub(super) async fn check_unnamed(&mut self, session: &mut Session) -> Result<()> {
        if self.compared == Some(session.serial()) || self.known.stored.is_empty() {
            return Ok(());
        }
        let Some(present) = self.known.selected else { return Ok(()) };
        let mailbox = self.id;
        let stored = self.shared.store.with(move |archive| archive.stored_in(mailbox, present)).await?;
        let mut stored: HashMap<u32, Earlier> = stored.into_iter().map(|old| (old.uid, old)).collect();
        // What the server refuses to name cannot be compared.
        let listed = self.identify(session).await?.unwrap_or_default();
        let mut shown: Vec<Listed> = listed.iter().map(|new| new.listed.clone()).collect();
        shown.sort_by_key(|listed| listed.uid);
        let pairs = listed.into_iter().filter_map(|new| Some((stored.remove(&new.listed.uid)?, new)));
        let mut doubtful: Vec<_> = pairs.map(|(old, new)| (new, old)).collect();
        doubtful.retain(|(new, old)| is_another(new, old, None));
        if self.any_is_another(doubtful).await? {
            self.begin_anew(0, "the server names no UIDVALIDITY, and its UIDs mean other messages now")
                .await?;
        } else {
            // A message under a UID that was free, while another one went: the count does not tell.
            self.fetch_forgotten(session, shown).await?;
        }
        self.compared = Some(session.serial());
        Ok(())
    }

    /// Whether UIDs that were just listed mean other messages than the ones stored under them: there are servers that use
    /// a UID again (GNU imap4d takes the lowest that is free).
    pub(super) async fn check_reuse(&mut self, session: &mut Session, listed: &[Listed]) -> Result<()> {
        let Some((uidvalidity, generation)) = self.known.selected else { return Ok(()) };
        let looked = |l: &Listed| (l.size, l.internal_date.clone());
        let fresh = listed.iter().filter(|l| {
            self.known.stored.contains(l.uid) && self.looked.get(&l.uid).is_none_or(|seen| *seen != looked(l))
        });
        let fresh: Vec<Listed> = fresh.cloned().collect();
        let ids: Vec<_> = fresh
            .iter()
            .map(|l| Instance {
                account: self.account.id.clone(),
                mailbox: self.source.raw_name.clone(),
                uidvalidity,
                generation,
                uid: l.uid,
            })
            .map(|instance| instance.id())
            .collect();
        let stored = if ids.is_empty() {
            Vec::new()
        } else {
            self.shared.store.with(move |archive| archive.stored_as(&ids)).await?
        };
        let unlike = |l: &Listed, old: &Earlier| {
            let new = Identified::new(l.clone(), b"");
            u64::from(l.size) != old.size || new.received_at != old.received_at
        };
        let doubtful: Vec<(Listed, Earlier)> = fresh
            .into_iter()
            .zip(stored)
            .filter_map(|(l, old)| old.filter(|old| unlike(&l, old)).map(|old| (l, old)))
            .collect();
        if !doubtful.is_empty() {
            let uids: UidSet = doubtful.iter().map(|(l, _)| l.uid).collect();
            let named = match session.identify(&uids).await {
                Ok(named) => named,
                Err(Error::Refused { .. }) => return Ok(()),
                Err(error) => return Err(error),
            };
            let mut named: HashMap<u32, Identified> = named.into_iter().map(|n| (n.listed.uid, n)).collect();
            let pairs = doubtful.into_iter().filter_map(|(l, old)| Some((named.remove(&l.uid)?, old)));
            if self.any_is_another(pairs.collect()).await? {
                return Err(Error::Conflict);
            }
        }
        self.looked = listed.iter().map(|l| (l.uid, looked(l))).collect();
        Ok(())
    }

    /// The same with the size that was announced when it was stored: it need not be the true one.
    async fn any_is_another(&self, pairs: Vec<Pair>) -> Result<bool> {
        let doubtful: Vec<Pair> = pairs.into_iter().filter(|(new, old)| is_another(new, old, None)).collect();
        for portion in doubtful.chunks(PORTION) {
            let documents = self.documents(portion.iter().map(|(_, old)| old.path.clone()).collect()).await?;
            let mut pairs = portion.iter().zip(documents);
            if pairs.any(|((new, old), document)| is_another(new, old, document.as_ref().and_then(announced)))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All that the server shows, with Message-IDs; nothing when it refuses to tell them.
    async fn identify(&self, session: &mut Session) -> Result<Option<Vec<Identified>>> {
        let (mut asked, mut width) = (UidSet::new(), Width::among(self.pass.exists));
        let mut all = Vec::new();
        let Some(top) = session.highest_uid().await? else { return Ok(None) };
        while let Some(window) = next_window(&asked, top, width) {
            let shown = match session.identify(&UidSet::of(window.clone())).await {
                Ok(shown) => shown,
                Err(Error::Refused { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            asked.insert(window);
            width.learn(shown.len());
            self.alive();
            all.extend(shown);
        }
        Ok(Some(all))
    }

    /// Documents that are stored; none where one cannot be read.
    async fn documents(&self, paths: Vec<String>) -> Result<Vec<Option<Document>>> {
        let read = self.shared.store.with(move |archive| {
            Ok(paths.iter().map(|path| archive.document(path).ok()).collect::<Vec<_>>())
        });
        let read = read.await?;
        Ok(read.into_iter().map(|bytes| serde_json::from_slice(&bytes?).ok()).collect())
    }
}

/// The size that the server announced.
fn announced(document: &Document) -> Option<u64> {
    document.vigie.source.as_ref()?.rfc822_size
}
