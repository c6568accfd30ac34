//! What can go wrong with the read model; the variants say what the caller does next.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// What can go wrong with the read model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// End: another metrics writes it.
    #[error("the read model {} is in use by another vigie-metrics: stop it first, or use another `[metrics] database`", .path.display())]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// End, and leave it alone.
    #[error("{} is not a read model of vigie: name another file in `[metrics] database`, or remove this one if nobody needs it", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Throw it away and make it anew: it is disposable.
    #[error("the read model {} cannot be used: {what}", .path.display())]
    Unusable {
        /// The database.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// Try again later; at start: end.
    #[error("cannot {step} {}: {source}; check owner, mode and room", .path.display())]
    Disk {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A question took longer than it may; ask for less.
    #[error("the answer took too long")]
    TooLong,
    /// The archive cannot be read; look again later.
    #[error(transparent)]
    Archive(#[from] vigie_archive::Error),
}

/// Of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// From a system call.
    pub(crate) fn disk(step: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Disk { step, path: path.into(), source }
    }

    /// From the read model's database.
    pub(crate) fn sql(step: &'static str, path: impl Into<PathBuf>, source: rusqlite::Error) -> Self {
        let path = path.into();
        match source.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Self::TooLong,
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Unusable { path, what: source.to_string() }
            }
            Some(_) => Self::Disk { step, path, source: io::Error::other(source) },
            // A table or value that is not what we write there.
            None => Self::Unusable { path, what: source.to_string() },
        }
    }
}
