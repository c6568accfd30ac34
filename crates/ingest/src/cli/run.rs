//! `run`: watch all mailboxes until told to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use vigie_common::exit::Exit;
use vigie_common::{notify, shutdown};
use vigie_web::{Health, Listener, serve};

use super::{Failure, Outcome, open_archive, runtime};
use crate::health::page;
use crate::settings::Settings;
use crate::transport::Dialer;
use crate::watcher;

/// After the signal to stop, what is on its way may still be stored for so long. Whoever killed our supervisor is
/// promised that all of it ends within five seconds.
const GRACE: Duration = Duration::from_secs(3);

pub(super) fn run(settings: &Settings) -> Outcome {
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let stop = shutdown::on_signals().map_err(|e| Failure::new(Exit::Internal, e))?;
    let (shared, mut store) = open_archive(settings, stop.clone())?;
    // Once the archive is ours: of a second instance that is the better word.
    let listener = settings.listen.map(|address| runtime.block_on(Listener::bind(address))).transpose();
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => {
            drop(shared);
            store.finish()?;
            return Err(Failure::new(Exit::Unavailable, error));
        }
    };
    tracing::info!(archive = %settings.archive.root.display(), accounts = settings.accounts.len(), version = env!("CARGO_PKG_VERSION"), "watching; documents appear under messages/ in the archive");
    if settings.accounts.is_empty() {
        tracing::warn!("no [[account]] in the configuration: there is nothing to watch");
    }
    runtime.block_on(async {
        let health = Health::new(env!("CARGO_PKG_VERSION"));
        let served = listener.map(|listener| {
            if let Some(address) = listener.address() {
                tracing::info!(%address, "health page: /healthz, /readyz, /metrics");
            }
            let page = page(health.clone(), shared.board.clone());
            tokio::spawn(serve(listener, page, stop.clone()))
        });
        let dialer = Dialer::default();
        let mut accounts = JoinSet::new();
        for account in &settings.accounts {
            accounts.spawn(watcher::watch(shared.clone(), dialer.clone(), Arc::new(account.clone())));
        }
        if let Some(interval) = notify::watchdog_interval() {
            tokio::spawn(shared.beats.clone().watchdog(interval));
        }
        health.set_ready(true);
        notify::ready(&match settings.accounts.len() {
            1 => "watching 1 account".to_owned(),
            count => format!("watching {count} accounts"),
        });
        tokio::select! {
            () = stop.cancelled() => {}
            _ = &mut store.ended => stop.cancel(),
        }
        notify::stopping();
        let all = async {
            while accounts.join_next().await.is_some() {}
            if let Some(served) = served {
                let _ = served.await;
            }
        };
        let ended = tokio::time::timeout(GRACE, all).await;
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
