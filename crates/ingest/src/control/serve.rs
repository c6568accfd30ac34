//! The side of the running ingest: takes requests from its own user and from root, and has them done.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::geteuid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use vigie_archive::{verify, verify_quick};
use vigie_common::cli::Failure;
use vigie_common::clock;
use vigie_common::exit::Exit;
use vigie_common::shutdown::Shutdown;

use super::{Answer, Asked, Reply, Request, SOCKET, folder};
use crate::cli::exit_for;
use crate::cli::quarantine::open_again;
use crate::cli::verify::Verified;
use crate::error::Error;
use crate::store;

/// Requests at work at the same time.
const AT_ONCE: usize = 4;
/// Octets of a request.
const LONGEST: u64 = 64 << 10;
/// Whoever connects asks within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// After an `accept` that failed.
const PAUSE: Duration = Duration::from_millis(200);

/// The socket, bound.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
    archive: PathBuf,
}

impl Control {
    /// Binds the socket, for its owner alone (0600). Whoever calls this holds the lock of `archive`, so that what is left there is of
    /// a process that has ended. Needs a tokio runtime.
    ///
    /// # Errors
    /// It cannot be made: ingest works without, but changing commands cannot reach it.
    pub fn bind(data: &Path, archive: &Path) -> io::Result<Self> {
        let path = data.join(SOCKET);
        match std::fs::symlink_metadata(&path) {
            Ok(there) if there.file_type().is_socket() => std::fs::remove_file(&path)?,
            Ok(_) => return Err(io::Error::other("something that is no socket is there")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (_folder, short) = folder(data)?;
        let listener = UnixListener::bind(&short)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { listener, path, archive: archive.to_owned() })
    }

    /// Answers until the shutdown; a request at work then is broken off, and says so.
    pub async fn serve(self, store: store::Handle, shutdown: Shutdown) {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let next = async {
                let permit = Arc::clone(&room).acquire_owned().await.ok();
                (permit, self.listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                next = next => next,
                () = shutdown.cancelled() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot take a command");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let (store, archive, shutdown) = (store.clone(), self.archive.clone(), shutdown.clone());
            tokio::spawn(async move {
                tokio::select! {
                    answered = answer(stream, &store, &archive) => if let Err(error) = answered {
                        tracing::debug!(%error, "a command was not answered");
                    },
                    () = shutdown.cancelled() => {}
                }
                drop(permit);
            });
        }
        // Whoever comes next replaces it anyway.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, store: &store::Handle, archive: &Path) -> io::Result<()> {
    let (own, peer) = (geteuid().as_raw(), stream.peer_cred()?.uid());
    if peer != own && peer != 0 {
        tracing::warn!(uid = peer, "a command of another user is refused");
        return Ok(());
    }
    let (read, mut write) = stream.into_split();
    let mut line = Vec::new();
    let mut read = BufReader::new(read.take(LONGEST));
    timeout(PATIENCE, read.read_until(b'\n', &mut line)).await??;
    let (progress, mut told) = mpsc::channel(1);
    let done = async {
        match serde_json::from_slice::<Asked>(&line) {
            Ok(asked) if asked.archive == archive => perform(store, archive, asked.request, progress).await,
            Ok(asked) => Err(Failure::new(
                Exit::Locked,
                format!(
                    "the running ingest keeps its archive in {}, not in {}: restart it, or ask with its configuration",
                    archive.display(),
                    asked.archive.display()
                ),
            )),
            Err(_) => Err(Failure::new(
                Exit::Unavailable,
                "the running ingest is of another version and does not know this command: restart it",
            )),
        }
    };
    tokio::pin!(done);
    let answer = loop {
        tokio::select! {
            biased;
            Some((done, all)) = told.recv() => send(&mut write, &Answer::Progress(done, all)).await?,
            done = &mut done => break done,
        }
    };
    let answer = match answer {
        Ok(reply) => Answer::Done(reply),
        Err(failure) => Answer::Failed { message: failure.message, exit: failure.exit.code() },
    };
    send(&mut write, &answer).await
}

async fn send(write: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    write.write_all(&line).await
}

fn reply(done: &impl serde::Serialize) -> Result<Reply, Failure> {
    serde_json::to_value(done).map_err(|e| Failure::new(Exit::Internal, e))
}

/// Looks beside the store thread, which works on; what was found is repaired by it.
async fn verify_repair(
    store: &store::Handle,
    archive: &Path,
    deep: bool,
    progress: mpsc::Sender<(u64, u64)>,
) -> Result<Verified, Failure> {
    let look = || {
        let (root, progress) = (archive.to_owned(), progress.clone());
        let look = if deep { verify } else { verify_quick };
        // Whoever asked and cannot take more of it now misses nothing.
        spawn_blocking(move || {
            look(&root, &mut |done, all| {
                let _ = progress.try_send((done, all));
            })
        })
    };
    let failed = |e: vigie_archive::Error| {
        let error = Error::from(Arc::new(e));
        Failure::new(exit_for(&error), error)
    };
    let gone = |e: tokio::task::JoinError| Failure::new(Exit::Internal, e);
    let found = look().await.map_err(gone)?.map_err(failed)?;
    let repaired = store.with(move |archive| archive.repair(&found.problems, clock::now())).await;
    let repaired = repaired.map_err(|e| Failure::new(exit_for(&e), e))?;
    Ok(Verified { report: look().await.map_err(gone)?.map_err(failed)?, repaired })
}

/// Has a request done. What needs the archive is done by the store thread ([`store::Handle::with`]).
async fn perform(
    store: &store::Handle,
    archive: &Path,
    request: Request,
    progress: mpsc::Sender<(u64, u64)>,
) -> Result<Reply, Failure> {
    match request {
        Request::VerifyRepair { deep } => {
            let verified = verify_repair(store, archive, deep, progress).await?;
            reply(&verified)
        }
        Request::RebuildCatalog => {
            let rebuilt = store.with(|archive| archive.rebuild("that was asked for")).await;
            reply(&rebuilt.map_err(|e| Failure::new(exit_for(&e), e))?)
        }
        Request::QuarantineRetry { ids } => {
            let opened = store.with(move |archive| open_again(archive, &ids)).await;
            reply(&opened.map_err(|e| Failure::new(exit_for(&e), e))??)
        }
    }
}
