//! One process of a service, from its start to the end of all that it started.

use std::future::pending;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;

use rustix::process::Signal;
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{Ended, Message, Shared};
use crate::logs::Log;
use crate::logs::line::Stream;
use crate::process::leftover::Note;
use crate::process::spawn::{NotSpawned, spawn};
use crate::process::{group, probe};
use crate::settings::Service;

/// A process.
pub(super) struct Process {
    pub(super) run: u64,
    pub(super) pid: u32,
    pub(super) since: Instant,
    child: Child,
    /// Held; see [`vigie_common::lifeline`].
    _lifeline: Option<ChildStdin>,
    ended: CancellationToken,
    probing: Option<AbortOnDropHandle<()>>,
}

impl Process {
    /// Starts it, notes that it is there, and begins to read what it prints.
    pub(super) fn start(
        service: &Service,
        run: u64,
        socket: Option<&Path>,
        shared: &Shared,
        note: &Note,
        log: &Arc<Log>,
    ) -> Result<Self, NotSpawned> {
        let watchdog = shared.settings.numbers.watchdog;
        let mut spawned = spawn(service, socket, watchdog, &shared.probe_token)?;
        note.write(spawned.pid);
        let ended = CancellationToken::new();
        if let Some(output) = spawned.child.stdout.take() {
            tokio::spawn(Arc::clone(log).read(output, Stream::Stdout, ended.clone()));
        }
        if let Some(output) = spawned.child.stderr.take() {
            tokio::spawn(Arc::clone(log).read(output, Stream::Stderr, ended.clone()));
        }
        Ok(Self {
            run,
            pid: spawned.pid,
            since: Instant::now(),
            child: spawned.child,
            _lifeline: spawned.lifeline,
            ended,
            probing: None,
        })
    }

    /// After the end of the process: what it started in its group goes with it.
    pub(super) fn end(&self) {
        // The number cannot have been given to a stranger within the instant since the process was waited for: the
        // kernel goes through all others first.
        group::signal(self.pid, Signal::KILL);
        self.ended.cancel();
    }

    /// Probes `address` as long as `wanted`; answers come as messages.
    pub(super) fn probe_while(
        &mut self,
        wanted: bool,
        address: Option<SocketAddr>,
        shared: &Arc<Shared>,
        answers: &mpsc::WeakSender<Message>,
    ) {
        let Some(address) = address.filter(|_| wanted) else {
            self.probing = None;
            return;
        };
        if self.probing.is_none() {
            let (run, shared, answers) = (self.run, Arc::clone(shared), answers.clone());
            let (every, within) = (shared.settings.numbers.probe_every, shared.settings.numbers.probe_answer);
            self.probing = Some(AbortOnDropHandle::new(tokio::spawn(async move {
                loop {
                    sleep_until(Instant::now() + every).await;
                    let good = probe::healthy(address, within).await;
                    let alarms =
                        if good { probe::alarms(address, &shared.probe_token, within).await } else { None };
                    let Some(answers) = answers.upgrade() else { return };
                    if answers.send(Message::Probed(run, good, alarms)).await.is_err() {
                        return;
                    }
                }
            })));
        }
    }
}

/// How the process ended, once it has: by its own end alone, whoever still holds its output open.
pub(super) async fn ended(process: Option<&mut Process>) -> Ended {
    let Some(process) = process else { return pending().await };
    match process.child.wait().await {
        Ok(status) => Ended { code: status.code(), signal: status.signal() },
        Err(error) => {
            tracing::error!(pid = process.pid, %error, "cannot tell how the process ended");
            Ended { code: None, signal: None }
        }
    }
}
