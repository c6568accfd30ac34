//! How the supervisor learns that it is to end. A second signal does not end it at once, as it does for others: it
//! ends all services at once, or they would outlive it.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use vigie_common::lifeline;
use vigie_common::shutdown::Shutdown;

/// What signals ask for.
#[derive(Debug, Clone)]
pub struct Signals {
    /// End in good order.
    pub shutdown: Shutdown,
    /// End without grace.
    pub at_once: CancellationToken,
}

/// Listens for SIGTERM and SIGINT, and for the end of the lifeline.
///
/// # Errors
/// The handlers cannot be installed.
pub fn listen() -> std::io::Result<Signals> {
    let signals = Signals { shutdown: Shutdown::new(), at_once: CancellationToken::new() };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    lifeline::watch(signals.shutdown.clone());
    let told = signals.clone();
    tokio::spawn(async move {
        let mut first = true;
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                _ = hangup.recv() => {
                    // Without a handler it would end the supervisor where it stands.
                    tracing::warn!("SIGHUP: the configuration is read at a start only; restart the supervisor for it");
                    continue;
                }
            };
            if first {
                tracing::info!(signal = name, "stopping; once more to stop at once");
                told.shutdown.cancel();
            } else {
                tracing::warn!(signal = name, "stopping at once");
                told.at_once.cancel();
            }
            first = false;
        }
    });
    Ok(signals)
}
