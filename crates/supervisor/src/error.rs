//! Why the supervisor cannot start; the variants say how it ends.

use std::io;
use std::path::PathBuf;

use vigie_common::exit::Exit;

/// Why the supervisor cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Stop the other one, or use another data folder.
    #[error("another supervisor{} runs on {}; stop it first, or give this one another data folder", shown(*.pid), .folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The other one, where it said so.
        pid: Option<u32>,
    },
    /// Mend the disk or its permissions.
    #[error("cannot write {}: {error}", .path.display())]
    CannotWrite {
        /// What.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A fault of ours or of the system.
    #[error("internal fault: {0}")]
    Internal(String),
}

impl Error {
    /// How a process with this fault ends.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Locked { .. } => Exit::Locked,
            Self::CannotWrite { .. } => Exit::CannotWrite,
            Self::Internal(_) => Exit::Internal,
        }
    }
}

fn shown(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
