//! What can go wrong with an archive; the variants say what the caller does next.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rustix::io::Errno;

/// What can go wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// End: somebody else writes here.
    #[error("the archive {} is in use by {}: stop it first, or use another `[archive] path`", .root.display(), holder(*.pid))]
    Locked {
        /// The archive.
        root: PathBuf,
        /// The holder, as it wrote itself down.
        pid: Option<u32>,
    },
    /// There is none (yet): a reader waits or says so.
    #[error("there is no archive in {}: ingest has not stored anything there yet, or `[archive] path` is another", .root.display())]
    NoArchive {
        /// Where one was looked for.
        root: PathBuf,
    },
    /// End: a newer version wrote it.
    #[error("the catalog {} has format {found}, this version knows {known}: use a newer version of Vigie", .path.display())]
    Newer {
        /// The catalog.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Wait: its writer brings it up to date when it starts.
    #[error("the catalog {} has format {found}, this version reads {known}: start ingest once, it upgrades the catalog", .path.display())]
    Older {
        /// The catalog.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Wait for room, then commit the same round again.
    #[error("{} is full ({what}): make room; nothing was lost, the work goes on by itself", .path.display())]
    Full {
        /// Of what there is too little.
        what: Shortage,
        /// Where.
        path: PathBuf,
    },
    /// Wait for a person, then commit the same round again; at start: end.
    #[error("may not {step} {}: {source}; check owner, mode and mount of the archive", .path.display())]
    Denied {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Commit the same round again, after a pause; if it stays so, the disk is ill.
    #[error("cannot {step} {}: {source}", .path.display())]
    Failed {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Look at the mailbox again: the change speaks of another generation than the present one.
    #[error("mailbox {mailbox} of account {account} has begun another generation since")]
    Outdated {
        /// Account id.
        account: String,
        /// Mailbox name as the server sent it.
        mailbox: String,
    },
    /// End: what is there cannot be used as it is.
    #[error("{} is damaged: {what}", .path.display())]
    Damaged {
        /// What.
        path: PathBuf,
        /// How.
        what: String,
    },
}

/// Of what there is too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// No space left.
    #[error("no space left")]
    Space,
    /// No inodes left: space is free, but no more files can be made.
    #[error("no inodes left: see `df -i`")]
    Inodes,
    /// The user's quota is used up.
    #[error("quota exceeded")]
    Quota,
    /// Less than `[archive] min_free` is left.
    #[error("{free} bytes free, `[archive] min_free` is {min_free}")]
    Reserve {
        /// Octets free.
        free: u64,
        /// Octets to be left free.
        min_free: u64,
    },
}

/// What to do about a catalog that is damaged.
const ANEW: &str = "start ingest, or `vigie-ingest rebuild-catalog`: it is made anew from the files";

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl Error {
    /// From a system call.
    pub(crate) fn disk(step: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match Errno::from_io_error(&source) {
            Some(Errno::NOSPC) => Self::Full { what: Shortage::Space, path },
            Some(Errno::DQUOT) => Self::Full { what: Shortage::Quota, path },
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Self::Denied { step, path, source },
            _ => Self::Failed { step, path, source },
        }
    }

    /// The same, for whoever asks once more.
    pub(crate) fn again(&self) -> Self {
        let same = |source: &io::Error| match source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(source.kind(), source.to_string()),
        };
        match self {
            Self::Locked { root, pid } => Self::Locked { root: root.clone(), pid: *pid },
            Self::NoArchive { root } => Self::NoArchive { root: root.clone() },
            Self::Newer { path, found, known } => {
                Self::Newer { path: path.clone(), found: *found, known: *known }
            }
            Self::Older { path, found, known } => {
                Self::Older { path: path.clone(), found: *found, known: *known }
            }
            Self::Full { what, path } => Self::Full { what: *what, path: path.clone() },
            Self::Denied { step, path, source } => {
                Self::Denied { step, path: path.clone(), source: same(source) }
            }
            Self::Failed { step, path, source } => {
                Self::Failed { step, path: path.clone(), source: same(source) }
            }
            Self::Outdated { account, mailbox } => {
                Self::Outdated { account: account.clone(), mailbox: mailbox.clone() }
            }
            Self::Damaged { path, what } => Self::Damaged { path: path.clone(), what: what.clone() },
        }
    }

    /// Whether a catalog that is damaged would explain it: what it is asked is always the same, and always right.
    pub(crate) fn is_suspicious(&self) -> bool {
        let Self::Failed { source, .. } = self else { return false };
        let Some(error) = source.get_ref().and_then(|e| e.downcast_ref::<rusqlite::Error>()) else {
            return false;
        };
        match error.sqlite_error() {
            None => true,
            Some(error) => {
                let short = error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
                let code = error.code;
                short
                    || matches!(
                        code,
                        ErrorCode::ConstraintViolation
                            | ErrorCode::TypeMismatch
                            | ErrorCode::InternalMalfunction
                    )
            }
        }
    }

    /// From the catalog.
    pub(crate) fn sql(step: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { what: Shortage::Space, path },
            // Unknown: a table or a column is not there, though what we ask is always the same.
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown) => {
                Self::Damaged { path, what: format!("{source}; {ANEW}") }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::Denied { step, path, source: io::Error::other(source) }
            }
            Some(_) => Self::Failed { step, path, source: io::Error::other(source) },
            None if matches!(source, rusqlite::Error::QueryReturnedNoRows) => {
                Self::Failed { step, path, source: io::Error::other(source) }
            }
            // A value that is not what we write there.
            None => Self::Damaged { path, what: format!("{source}; {ANEW}") },
        }
    }
}
