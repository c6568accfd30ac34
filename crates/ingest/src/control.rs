//! Commands that change the archive while ingest runs: they go to the one process that may write, over a Unix socket
//! in the data folder.
//!
//! One line of JSON asks; lines of progress and one of the outcome answer. A new command is a variant of [`Request`]
//! and an arm in [`serve`].

pub mod serve;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vigie_common::cli::Failure;
use vigie_common::exit::Exit;
use vigie_common::id::Id;

use crate::settings::Settings;

/// Name of the socket in the data folder.
pub const SOCKET: &str = "ingest.sock";

/// What can be asked of a running ingest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Request {
    /// The archive is to be verified, and what can be repaired is to be.
    VerifyRepair {
        /// By reading everything.
        deep: bool,
    },
    /// The catalog is to be made anew.
    RebuildCatalog,
    /// Messages in quarantine are to be asked for again.
    QuarantineRetry {
        /// Which; none: all of them.
        ids: Vec<Id>,
    },
}

/// What a command did, as it would print it with `--json`.
pub type Reply = Value;

/// A request as it is sent.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    /// The archive that is meant: another one may be configured here since.
    archive: PathBuf,
    request: Request,
}

/// A line of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// So much of so much is done.
    Progress(u64, u64),
    Done(Reply),
    /// Why not, and the exit code of the command that asked.
    Failed {
        message: String,
        exit: u8,
    },
}

/// Asks the ingest that runs on this archive; `None` when none does: then the caller takes the lock. `progress` is told
/// how much of how much is done.
///
/// # Errors
/// It failed, with its reason; or what answers is not ours.
pub fn ask(
    settings: &Settings,
    request: &Request,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<Reply>, Failure> {
    let failed = |error: io::Error| {
        let place = settings.data.join(SOCKET);
        Failure::new(
            Exit::Unavailable,
            format!("cannot ask the running ingest over {}: {error}", place.display()),
        )
    };
    let mut stream = match folder(&settings.data).and_then(|(_folder, path)| UnixStream::connect(path)) {
        Ok(stream) => stream,
        // Nobody has listened there, or nobody does any more.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    let peer = socket_peercred(&stream).map_err(|e| failed(e.into()))?.uid;
    if peer != geteuid() && !peer.is_root() {
        return Err(failed(io::Error::other("somebody else's process answers there")));
    }
    let asked = Asked { archive: settings.archive.root.clone(), request: request.clone() };
    let mut line = serde_json::to_vec(&asked).map_err(|e| failed(e.into()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(failed)?;
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line.map_err(failed)?).map_err(|e| failed(e.into()))? {
            Answer::Progress(done, all) => progress(done, all),
            Answer::Done(reply) => return Ok(Some(reply)),
            Answer::Failed { message, exit } => {
                let known = [
                    Exit::Usage,
                    Exit::CannotWrite,
                    Exit::Locked,
                    Exit::Config,
                    Exit::Unavailable,
                    Exit::Incomplete,
                ];
                let exit = known.into_iter().find(|known| known.code() == exit).unwrap_or(Exit::Internal);
                return Err(Failure::new(exit, message));
            }
        }
    }
    Err(failed(io::Error::other(
        "it ended before it had answered; what it did not finish can be asked again",
    )))
}

/// The socket's path by way of its opened folder: a path of a socket has little room, and the folder's may be long. It
/// holds as long as the folder is open.
fn folder(data: &Path) -> io::Result<(File, PathBuf)> {
    let folder = File::open(data)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(SOCKET);
    Ok((folder, path))
}
