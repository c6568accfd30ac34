//! The lock: one process writes.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek};

use crate::disk::Root;
use crate::error::Error;
use crate::layout;

/// The lock, held. The system lets go of it too when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock(File);

/// Takes the lock and writes our pid in it.
pub(crate) fn take(root: &Root) -> Result<Lock, Error> {
    let mut file = root.open_or_create(layout::LOCK)?;
    match file.try_lock() {
        Ok(()) => {
            let lock = Lock(file);
            let mut text = String::new();
            let ours = (&lock.0).take(32).read_to_string(&mut text).is_ok_and(|n| n < 32);
            if !ours || text.bytes().any(|b| !b.is_ascii_digit() && b != b'\n') {
                // Somebody has put another file of ours in its place, say by a hard link.
                let source = std::io::Error::other("it holds something else than a pid; remove it");
                return Err(Error::disk("use", root.path().join(layout::LOCK), source));
            }
            let error = |e| Error::disk("write", root.path().join(layout::LOCK), e);
            lock.0.set_len(0).map_err(error)?;
            (&lock.0).rewind().map_err(error)?;
            root.write(&lock.0, layout::LOCK, format!("{}\n", std::process::id()).as_bytes())?;
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Who holds it may just be writing its pid: then it goes without a name.
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            Err(Error::Locked { root: root.path().to_owned(), pid })
        }
        Err(TryLockError::Error(e)) => Err(Error::disk("lock", root.path().join(layout::LOCK), e)),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone is not enough: a child that is just being started shares the open file until it
        // executes its program.
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "could not let go of the archive's lock");
        }
    }
}
