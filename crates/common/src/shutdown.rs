//! How a process learns that it is to end: a signal, the end of its lifeline, or a test.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::lifeline;

/// Cloned to every task; cancelled once.
pub type Shutdown = CancellationToken;

/// A [`Shutdown`] that SIGTERM, SIGINT or the end of the lifeline cancels. A second signal ends the process at
/// once, for the person who pressed Ctrl-C twice.
///
/// # Errors
/// The signal handlers cannot be installed.
pub fn on_signals() -> std::io::Result<Shutdown> {
    let shutdown = Shutdown::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    lifeline::watch(shutdown.clone());
    let token = shutdown.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            () = token.cancelled() => return,
        };
        tracing::info!(signal = name, "stopping");
        token.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("second signal: ending at once");
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    });
    Ok(shutdown)
}
