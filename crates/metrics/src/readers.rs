//! Short-lived reads of the read model: a few read-only connections, each question with a deadline.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle, OpenFlags};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::{Error, Result};

/// Questions at the same time; further ones wait.
const ROOM: usize = 4;
/// A question, the wait for its turn included, takes no longer than this.
const DEADLINE: Duration = Duration::from_secs(10);

/// The connections. Clones share them.
#[derive(Debug, Clone)]
pub struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
    room: Semaphore,
}

#[derive(Debug)]
struct Reader {
    db: Connection,
    /// Device and number of the file: the read model may be made anew.
    file: (u64, u64),
}

impl Readers {
    /// Of the read model at a path.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(Arc::new(Shared { path, idle: Mutex::default(), room: Semaphore::new(ROOM) }))
    }

    /// Runs queries that all see the same state.
    ///
    /// # Errors
    /// [`Error::TooLong`] after the deadline, or from the database.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.0);
        let turn = Arc::new(Mutex::new(Turn::Waiting));
        let ours = Arc::clone(&turn);
        let asked = async {
            let Ok(_room) = self.0.room.acquire().await else { return Err(Error::TooLong) };
            let work = move || {
                let reader = shared.reader()?;
                match ours.lock() {
                    Ok(mut turn) if !matches!(*turn, Turn::Over) => {
                        *turn = Turn::Running(reader.db.get_interrupt_handle());
                    }
                    _ => return Err(Error::TooLong),
                }
                let error = |e| Error::sql("read", &shared.path, e);
                let answer = {
                    let tx = reader.db.unchecked_transaction().map_err(error)?;
                    question(&tx).map_err(error)
                };
                if let (Ok(_), Ok(mut idle)) = (&answer, shared.idle.lock()) {
                    idle.push(reader);
                }
                answer
            };
            tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::TooLong))
        };
        let answer = timeout(DEADLINE, asked).await;
        answer.unwrap_or_else(|_| {
            if let Ok(mut turn) = turn.lock()
                && let Turn::Running(handle) = std::mem::replace(&mut *turn, Turn::Over)
            {
                handle.interrupt();
            }
            Err(Error::TooLong)
        })
    }
}

/// How far a question has come.
enum Turn {
    Waiting,
    Running(InterruptHandle),
    /// Nobody waits for its answer any more.
    Over,
}

impl Shared {
    fn reader(&self) -> Result<Reader> {
        let file = file(&self.path)?;
        let idle = self.idle.lock().ok().and_then(|mut idle| {
            idle.retain(|reader| reader.file == file);
            idle.pop()
        });
        if let Some(reader) = idle {
            return Ok(reader);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let db = Connection::open_with_flags(&self.path, flags)?;
            db.busy_timeout(Duration::from_secs(2))?;
            db.set_prepared_statement_cache_capacity(32);
            db.execute_batch("PRAGMA cache_size = -4096; PRAGMA query_only = ON;")?;
            Ok(db)
        };
        let db = open().map_err(|e| Error::sql("open", &self.path, e))?;
        Ok(Reader { db, file })
    }
}

fn file(path: &Path) -> Result<(u64, u64)> {
    let found = std::fs::metadata(path).map_err(|e| Error::disk("look at", path, e))?;
    Ok((found.dev(), found.ino()))
}
