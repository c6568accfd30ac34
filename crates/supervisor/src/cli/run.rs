//! `run`: all services and the door, until told to stop.

use std::io::Write;
use std::net::SocketAddr;

use vigie_common::cli::{Failure, Outcome};
use vigie_common::config::Loaded;
use vigie_common::exit::Exit;
use vigie_common::notify;
use vigie_common::shutdown::Shutdown;
use vigie_web::serve::{self, Listener};
use vigie_web::{Access, AccessError};

use super::{internal, socket};
use crate::door::{Door, Setup};
use crate::fleet::Fleet;
use crate::settings::Settings;
use crate::{file, settings, signals};

pub(super) fn run(loaded: &Loaded) -> Outcome {
    let settings = Settings::from_config(loaded).map_err(|e| Failure::new(Exit::Config, e))?;
    // One thread: what takes long is done by others.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(internal)?;
    let ended = runtime.block_on(supervise(loaded, settings));
    // What is on its way to the disk may still arrive there.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ended
}

async fn supervise(loaded: &Loaded, settings: Settings) -> Outcome {
    let signals = signals::listen().map_err(internal)?;
    let listen = serve::address(&loaded.config.supervisor.listen)
        .map_err(|fault| Failure::new(Exit::Config, format!("[supervisor] listen: {fault}")))?;
    let metrics = settings::probe(&loaded.config.metrics.listen);
    // Before any service is started: a face that cannot be opened is a fault of the configuration or the machine.
    let access = Access::open(loaded, listen).map_err(|e| access_failure(&e))?;
    let listener = Listener::bind(listen).await.map_err(|e| Failure::new(Exit::Unavailable, e))?;
    let address = listener.address().unwrap_or(listen);
    let (fleet, running) = Fleet::start(settings, signals.shutdown.clone())
        .await
        .map_err(|error| Failure::new(error.exit(), error))?;

    let socket = socket(loaded);
    if let Some(folder) = socket.parent() {
        file::folder(folder)
            .map_err(|e| Failure::new(Exit::CannotWrite, format!("{}: {e}", folder.display())))?;
    }
    let local = Listener::bind_unix(&socket).map_err(|e| Failure::new(Exit::CannotWrite, e))?;
    // Open until the last service has stopped: the page shows how they do.
    let closing = Shutdown::new();
    let setup = Setup::new(&loaded.data);
    let door = Door::new(fleet.clone(), access.clone(), metrics, setup.clone(), closing.clone());
    let faces = [
        tokio::spawn(serve::serve(listener, door.router(), closing.clone())),
        tokio::spawn(serve::serve(local, door.router(), closing.clone())),
    ];
    announce(loaded, &access, &setup, address);
    notify::ready(&format!("{} services, page on {address}", fleet.views().len()));
    let exit = running.finish(signals.at_once).await;
    closing.cancel();
    for face in faces {
        // Cut short, if it must be, by its own grace.
        let _ = face.await;
    }
    Ok(exit)
}

/// Tells where the page is, and how to get in. The link of the set-up goes to stderr alone, not through the log.
fn announce(loaded: &Loaded, access: &Access, setup: &Setup, address: SocketAddr) {
    let origin = loaded.config.web.origin.clone();
    let here = if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    };
    let origin = origin.unwrap_or_else(|| format!("http://{here}"));
    if access.needs_setup()
        && let Some(path) = setup.path()
    {
        let line =
            format!("Nobody can log in yet. Within an hour, set the first password at\n  {origin}{path}\n");
        // Nobody may be there to read it.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
        tracing::info!(door = %address, "waiting for the first password");
    } else if access.is_open() {
        tracing::info!(door = %address, "the page is at {origin}/ and needs no log-in, as there is no [[user]]");
    } else {
        tracing::info!(door = %address, "the page is at {origin}/");
    }
}

fn access_failure(error: &AccessError) -> Failure {
    let exit = match error {
        AccessError::Key { .. } => Exit::CannotWrite,
        AccessError::Config(_) | AccessError::Users { .. } | AccessError::Web(_) => Exit::Config,
    };
    Failure::new(exit, error)
}
