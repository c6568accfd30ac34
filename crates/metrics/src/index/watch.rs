//! Tells when something in the archive's folder is written: the log of the catalog lies there.

use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe::Receiver;

/// A watch on a folder.
#[derive(Debug)]
pub(super) struct Watch {
    /// Not a pipe, but waited for and read like one.
    events: Receiver,
}

impl Watch {
    /// Begins to watch; `None` where the system does not do that: then one has to look.
    pub(super) fn start(folder: &Path) -> Option<Self> {
        let begin = || {
            let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            let flags = WatchFlags::MODIFY
                | WatchFlags::CREATE
                | WatchFlags::MOVED_TO
                | WatchFlags::MOVE_SELF
                | WatchFlags::DELETE_SELF;
            inotify::add_watch(&events, folder, flags)?;
            Receiver::from_owned_fd_unchecked(events)
        };
        begin()
            .map(|events| Self { events })
            .inspect_err(|error| tracing::debug!(%error, "changes of the archive are not told by the system"))
            .ok()
    }

    /// Resolves after a change.
    pub(super) async fn changed(&mut self) {
        if self.events.readable().await.is_err() {
            return std::future::pending().await;
        }
        // What changed is not asked: one looks at the catalog anyway.
        let mut buffer = [0; 4096];
        while self.events.try_read(&mut buffer).is_ok_and(|octets| octets > 0) {}
    }
}
