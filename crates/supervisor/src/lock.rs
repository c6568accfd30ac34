//! One supervisor a data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::Error;

/// The lock, held. The system lets go of it too when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock(File);

/// Takes the lock in `folder` and writes our pid in it.
pub(crate) fn take(folder: &Path) -> Result<Lock, Error> {
    let path = folder.join("supervisor.lock");
    let fault = |error| Error::CannotWrite { path: path.clone(), error };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(fault)?;
            Ok(Lock(file))
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Who holds it may just be writing its pid: then it goes without a name.
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            Err(Error::Locked { folder: folder.to_owned(), pid })
        }
        Err(TryLockError::Error(error)) => Err(fault(error)),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone is not enough: a child that is just being started shares the open file until it executes
        // its program.
        let _ = self.0.unlock();
    }
}
