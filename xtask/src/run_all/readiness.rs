//! Hearing from a child that it is ready, by the sd_notify protocol (sd_notify(3)).

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use anyhow::{Context, Result};

use super::stage::Event;

/// A socket for `NOTIFY_SOCKET`, removed when dropped.
pub(super) struct Readiness {
    path: PathBuf,
}

impl Readiness {
    /// Listens, and sends [`Event::Ready`] once.
    pub(super) fn listen(sender: SyncSender<Event>) -> Result<Self> {
        // Not below the workspace: the path of a socket may be 107 bytes long and no more.
        let path = std::env::temp_dir().join(format!("vigie-run-all-{}.sock", std::process::id()));
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
        let socket =
            UnixDatagram::bind(&path).with_context(|| format!("cannot listen on {}", path.display()))?;
        let heard = Self { path };
        std::thread::Builder::new()
            .name("readiness".into())
            .spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length) = socket.recv(&mut buffer) {
                    if buffer.get(..length).is_some_and(says_ready) {
                        // Nobody to tell: everything is being stopped.
                        let _ = sender.send(Event::Ready);
                        return;
                    }
                }
            })
            .context("cannot start a thread")?;
        Ok(heard)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        // Left behind it is in nobody's way.
        let _ = fs::remove_file(&self.path);
    }
}

fn says_ready(message: &[u8]) -> bool {
    message.split(|b| *b == b'\n').any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn only_readiness_counts() {
        let (sender, events) = sync_channel(1);
        let readiness = Readiness::listen(sender).unwrap();
        let child = UnixDatagram::unbound().unwrap();
        child.send_to(b"STATUS=opening\n", readiness.path()).unwrap();
        child.send_to(b"READY=1\nSTATUS=watching\n", readiness.path()).unwrap();
        assert!(matches!(events.recv(), Ok(Event::Ready)));
        let path = readiness.path().to_owned();
        drop(readiness);
        assert!(!path.exists());
    }
}
