//! The archive, as a reader sees it: what is in the catalog is durable.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, sleep};
use vigie_archive::Reader;
use vigie_common::record::Cursor;

/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks: what is measured may be shorter by so much.
const LOOK: Duration = Duration::from_millis(1);

/// Messages as they come.
pub(super) struct Arrivals {
    reader: Reader,
    cursor: Option<Cursor>,
}

impl Arrivals {
    /// Waits until the archive below `folder` has so many messages.
    pub(super) async fn after(folder: &Path, messages: u64) -> Result<Self> {
        let since = Instant::now();
        let reader = loop {
            match Reader::open(&folder.join("archive")) {
                Ok(reader) => break reader,
                Err(error) => ensure!(since.elapsed() < PATIENCE, "no archive: {error}"),
            }
            sleep(LOOK).await;
        };
        let mut arrivals = Self { reader, cursor: None };
        for _ in 0..messages {
            arrivals.next().await?;
        }
        Ok(arrivals)
    }

    /// Waits for the next message.
    pub(super) async fn next(&mut self) -> Result<()> {
        let since = Instant::now();
        loop {
            // One at a time, and events are none.
            for record in self.reader.tail(self.cursor.as_ref(), 1)?.records {
                self.cursor = Some(record.cursor);
                if record.entry.is_some() {
                    return Ok(());
                }
            }
            ensure!(since.elapsed() < PATIENCE, "the message does not come");
            sleep(LOOK).await;
        }
    }

    /// The pid of the ingest that runs.
    pub(super) fn writer(&self) -> Result<u32> {
        Ok(self.reader.writer()?.context("nobody writes the archive")?.pid)
    }
}
