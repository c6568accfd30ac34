//! `run`: watch all mailboxes until told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use vigie_common::exit::Exit;
use vigie_common::{notify, shutdown};

use super::{Failure, Outcome, open_archive, runtime};
use crate::settings::Settings;
use crate::transport::Dialer;
use crate::watcher;

/// After the signal to stop, what is on its way may still be stored for so long.
const GRACE: Duration = Duration::from_secs(8);

pub(super) fn run(settings: &Settings) -> Outcome {
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let stop = shutdown::on_signals().map_err(|e| Failure::new(Exit::Internal, e))?;
    let (shared, mut store) = open_archive(settings, stop.clone())?;
    tracing::info!(archive = %settings.archive.root.display(), accounts = settings.accounts.len(), version = env!("CARGO_PKG_VERSION"), "watching; documents appear under messages/ in the archive");
    if settings.accounts.is_empty() {
        tracing::warn!("no [[account]] in the configuration: there is nothing to watch");
    }
    runtime.block_on(async {
        let dialer = Dialer::default();
        let mut accounts = JoinSet::new();
        for account in &settings.accounts {
            accounts.spawn(watcher::watch(shared.clone(), dialer.clone(), Arc::new(account.clone())));
        }
        notify::ready(&format!("watching {} accounts", settings.accounts.len()));
        tokio::select! {
            () = stop.cancelled() => {}
            _ = &mut store.ended => stop.cancel(),
        }
        notify::stopping();
        let ended =
            tokio::time::timeout(GRACE, async { while accounts.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!(
                "accounts did not end in time: what they were fetching is fetched again next time"
            );
        }
    });
    drop(shared);
    runtime.shutdown_timeout(Duration::from_secs(1));
    // It ends when the last handle is gone and all rounds are durable.
    store.finish()?;
    tracing::info!("stopped");
    Ok(Exit::Done)
}
