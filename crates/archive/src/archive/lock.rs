//! The lock: one process writes.

use std::fs::{File, TryLockError};
use std::io::Read;

use crate::disk::Root;
use crate::error::Error;
use crate::layout;

/// Takes the lock and writes our pid in it. The system lets go of it when the process ends.
pub(crate) fn take(root: &Root) -> Result<File, Error> {
    let mut file = root.open_or_create(layout::LOCK)?;
    match file.try_lock() {
        Ok(()) => {
            let error = |e| Error::disk("write", root.path().join(layout::LOCK), e);
            file.set_len(0).map_err(error)?;
            root.write(&file, layout::LOCK, format!("{}\n", std::process::id()).as_bytes())?;
            Ok(file)
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
