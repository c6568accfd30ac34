//! What the archive asks when it makes its catalog anew: entries out of documents, messages out of their bytes.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use vigie_archive::{Header, Message, RawPolicy, Rebuilder};
use vigie_common::config::Size;
use vigie_common::document::{Document, Mode};
use vigie_common::id::Instance;
use vigie_common::notify;
use vigie_common::record::Entry;

use super::{Fetched, Origin, entry, prepare};
use crate::beat::Beat;
use crate::session::{Body, Listed};

/// How far it is, is told this often.
const TELL: Duration = Duration::from_secs(5);
/// It moves on within this, on the slowest of disks.
const TURN: Duration = Duration::from_mins(10);

/// Knows of mail what the archive does not.
#[derive(Debug)]
pub struct Anew {
    beat: Beat,
    next: Option<Instant>,
}

impl Anew {
    /// The work is done by whoever has this beat.
    #[must_use]
    pub const fn new(beat: Beat) -> Self {
        Self { beat, next: None }
    }
}

impl Rebuilder for Anew {
    fn entry(&self, document: &Document) -> Option<Entry> {
        let (source, ingest) = (document.vigie.source.as_ref()?, document.vigie.ingest.as_ref()?);
        let instance = Instance {
            account: source.account.clone(),
            mailbox: source.mailbox.raw_name.clone(),
            uidvalidity: source.uid_validity,
            generation: source.generation,
            uid: source.uid,
        };
        (instance.id() == document.id).then(|| entry(document, &instance, ingest.mode))
    }

    fn message(&self, header: &Header, bytes: &[u8], fetched: Timestamp) -> io::Result<Message> {
        let source = header.source.clone().ok_or_else(|| io::Error::other("no source"))?;
        let origin = Origin {
            account: source.account.clone(),
            host: source.host.clone(),
            mailbox: source.mailbox.clone(),
            uidvalidity: source.uid_validity,
            generation: source.generation,
            mode: Mode::Backfill,
            // They are kept, whatever the policy is by now.
            raw: RawPolicy::Always,
            spool: None,
        };
        let listed = Listed {
            uid: source.uid,
            size: source.rfc822_size.and_then(|size| u32::try_from(size).ok()).unwrap_or_default(),
            internal_date: source.internal_date_raw.clone(),
            flags: source.flags_raw.clone(),
            gmail: source.gmail.clone(),
            object_id: source.object_id.clone(),
        };
        let body = Body { uid: source.uid, bytes: bytes.to_vec() };
        let mut message = prepare(&origin, &listed, &body, Fetched { at: fetched, took: 0 })?;
        // What else the server said of it is known by the header alone.
        let mut document: Document = serde_json::from_slice(&message.document)?;
        document.vigie.source = Some(source);
        message.document = serde_json::to_vec(&document)?;
        message.document.push(b'\n');
        message.raw.header.source.clone_from(&header.source);
        Ok(message)
    }

    fn progress(&mut self, done: u64, all: u64) {
        self.beat.within(TURN);
        let now = Instant::now();
        if self.next.is_none_or(|next| now >= next) {
            if self.next.replace(now + TELL).is_some() {
                tracing::warn!(read = %Size(done), of = %Size(all), "the catalog is being made anew");
            }
            notify::extend(
                TURN,
                &format!("the catalog is being made anew: {} of {} read", Size(done), Size(all)),
            );
        }
    }
}
