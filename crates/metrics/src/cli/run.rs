//! `run`: follow the archive and serve API and dashboard until told to stop.

use std::time::Duration;

use axum::routing::get;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use vigie_common::config::Loaded;
use vigie_common::exit::Exit;
use vigie_common::shutdown::Shutdown;
use vigie_common::{clock, notify, shutdown};
use vigie_web::{Access, Health, Listener, serve};

use super::{Failure, Outcome, failure};
use crate::alarms::{self, Found, Room};
use crate::api::{self, App, Parts, Requests};
use crate::host::{self, Host};
use crate::index::{self, Outlets};
use crate::model::Model;
use crate::readers::Readers;
use crate::settings::Settings;
use crate::{assets, page, standing};

/// How often alarms are looked for though nothing told of a change.
const LOOK: Duration = Duration::from_secs(10);

pub(super) fn run(loaded: &Loaded, settings: &Settings) -> Outcome {
    // One thread serves; what takes long (questions, drawings, looking at the host) has threads of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(8)
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Internal, e))?;
    let outcome = runtime.block_on(serve_until_told(loaded, settings));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve_until_told(loaded: &Loaded, settings: &Settings) -> Outcome {
    let stop = shutdown::on_signals().map_err(|e| Failure::new(Exit::Internal, e))?;
    let access = Access::open(loaded, settings.listen).map_err(|e| Failure::new(Exit::Config, e))?;
    let listener = Listener::bind(settings.listen).await.map_err(|e| Failure::new(Exit::Unavailable, e))?;
    let model = Model::open(&settings.database).map_err(|e| failure(&e))?;
    let mut index = index::start(model, settings.archive.clone(), stop.clone())
        .map_err(|e| Failure::new(Exit::Internal, e))?;

    let health = Health::new(env!("CARGO_PKG_VERSION"));
    let (host, host_seen) = watch::channel(None);
    let (found, alarms) = watch::channel(Vec::new());
    let data = loaded.data.clone();
    tokio::spawn(host::run(settings.archive.clone(), data, index.samples.clone(), host, stop.clone()));
    let lookout = Lookout {
        outlets: index.outlets.clone(),
        host: host_seen.clone(),
        min_free: settings.min_free,
        health: health.clone(),
        found,
    };
    tokio::spawn(lookout.run(stop.clone()));

    let app = App::new(Parts {
        readers: Readers::new(settings.database.clone()),
        outlets: index.outlets.clone(),
        host: host_seen,
        alarms,
        access,
        health,
        requests: Requests::default(),
        shutdown: stop.clone(),
    });
    let address = listener.address().unwrap_or(settings.listen);
    let serving = tokio::spawn(serve(
        listener,
        api::router(&app, assets::routes(get(page::without_script))),
        stop.clone(),
    ));
    tracing::info!(%address, archive = %settings.archive.display(), database = %settings.database.display(), version = env!("CARGO_PKG_VERSION"), "serving charts");
    notify::ready(&format!("serving on {address}"));
    tokio::select! {
        () = stop.cancelled() => {}
        _ = &mut index.ended => {}
    }
    let told = stop.is_cancelled();
    notify::stopping();
    stop.cancel();
    let _ = serving.await;
    let joined = tokio::task::spawn_blocking(move || index.join()).await;
    if !told {
        return Err(Failure::new(Exit::Internal, "the indexing thread ended by itself"));
    }
    joined.map_err(|e| Failure::new(Exit::Internal, e))?.map_err(|e| Failure::new(Exit::Internal, e))?;
    tracing::info!("stopped");
    Ok(Exit::Done)
}

/// Looks for what a person should look at.
struct Lookout {
    outlets: Outlets,
    host: watch::Receiver<Option<Host>>,
    min_free: u64,
    health: Health,
    found: watch::Sender<Vec<Found>>,
}

impl Lookout {
    async fn run(mut self, stop: Shutdown) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
                changed = self.outlets.standing.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // While much is stored, this changes many times a second.
                    if last.is_some_and(|at: Instant| at.elapsed() < Duration::from_secs(1)) {
                        continue;
                    }
                }
            }
            last = Some(Instant::now());
            self.look();
        }
    }

    fn look(&mut self) {
        let standing = self.outlets.standing.borrow_and_update().clone();
        let room = self.host.borrow().as_ref().and_then(|host| {
            let disk = host.archive_disk()?;
            Some(Room { free: disk.free_bytes, min_free: self.min_free })
        });
        let mut found = alarms::find(&standing, room, clock::now());
        self.health.set_alarms(found.iter().map(|found| found.alarm.clone()).collect());
        // One that was there before keeps its beginning.
        for (found, kept) in found.iter_mut().zip(self.health.alarms()) {
            found.alarm = kept;
        }
        self.health.set_ready(standing.state != standing::State::Error);
        self.found.send_if_modified(|before| {
            let changed = *before != found;
            *before = found;
            changed
        });
    }
}
