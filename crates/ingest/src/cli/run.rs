//! `run`: watch all mailboxes until told to stop.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use vigie_archive::Reader;
use vigie_common::exit::Exit;
use vigie_common::{notify, shutdown};
use vigie_web::{Health, Listener, serve};

use super::{Failure, Outcome, open_archive, runtime};
use crate::control::{self, serve::Control};
use crate::health::page;
use crate::settings::Settings;
use crate::watcher::{Accounts, Changed};

/// After the signal to stop, what is on its way may still be stored for so long. Whoever killed our supervisor is
/// promised that all of it ends within five seconds.
const GRACE: Duration = Duration::from_secs(3);

/// `again` reads the configuration once more, when SIGHUP asks for it.
pub(super) fn run(mut settings: Settings, again: impl Fn() -> Result<Settings, Failure>) -> Outcome {
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let mut hangup = signal(SignalKind::hangup()).map_err(|e| Failure::new(Exit::Internal, e))?;
    let stop = shutdown::on_signals().map_err(|e| Failure::new(Exit::Internal, e))?;
    let (shared, mut store) = open_archive(&settings, stop.clone())?;
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
    // Bound before it is told that we watch, so that whoever heard that can ask.
    let control = match Control::bind(&settings.data, &settings.archive.root) {
        Ok(control) => Some(control),
        Err(error) => {
            let path = settings.data.join(control::SOCKET);
            tracing::warn!(path = %path.display(), %error, "no socket for commands: those that change the archive need ingest to be stopped");
            None
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
        let control = control.map(|control| tokio::spawn(control.serve(shared.store.clone(), stop.clone())));
        let mut accounts = Accounts::new(shared.clone());
        accounts.watch(&settings.accounts).await;
        // One that cannot be read now is told by whoever writes to it.
        if let Ok(mailboxes) = Reader::open(&settings.archive.root).and_then(|reader| reader.mailboxes()) {
            accounts.tell_of_others(&mailboxes).await;
        }
        if let Some(interval) = notify::watchdog_interval() {
            tokio::spawn(shared.beats.clone().watchdog(interval));
        }
        health.set_ready(true);
        notify::ready(&watching(&settings));
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = &mut store.ended => {
                    stop.cancel();
                    break;
                }
                _ = hangup.recv() => {}
            }
            notify::reloading();
            match again() {
                Ok(read) => reload(&mut settings, read, &mut accounts).await,
                Err(refused) => tracing::error!(
                    fault = refused.message,
                    "SIGHUP: the configuration has a fault and is refused as a whole; all goes on as before"
                ),
            }
            notify::ready(&watching(&settings));
        }
        notify::stopping();
        let all = async {
            accounts.end().await;
            for served in [served, control].into_iter().flatten() {
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

fn watching(settings: &Settings) -> String {
    match settings.accounts.len() {
        1 => "watching 1 account".to_owned(),
        count => format!("watching {count} accounts"),
    }
}

/// Takes over the accounts of a configuration that was read again; what else it changes is told, and left.
async fn reload(settings: &mut Settings, read: Settings, accounts: &mut Accounts) {
    let left = [
        ("[archive]", read.archive != settings.archive),
        ("[ingest] listen", read.listen != settings.listen),
    ];
    for (what, _) in left.into_iter().filter(|(_, changed)| *changed) {
        tracing::warn!(what, "SIGHUP: this cannot change while ingest runs; restart it for that");
    }
    let changed = accounts.watch(&read.accounts).await;
    settings.accounts = read.accounts;
    let Changed { unchanged, restarted, begun, ended } = changed;
    tracing::info!(unchanged, restarted, begun, ended, "SIGHUP: the configuration was read again");
}
