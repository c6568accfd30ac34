//! A child of ours ends when the process that holds the other end of its stdin does, however that one
//! ended: with `VIGIE_LIFELINE=1` in the environment, the end of stdin is a request to stop.

use std::io::Read;

use crate::shutdown::Shutdown;

/// The variable that makes stdin a lifeline.
pub const VARIABLE: &str = "VIGIE_LIFELINE";

/// Cancels `shutdown` at the end of stdin, if the environment asks for it.
pub fn watch(shutdown: Shutdown) {
    if std::env::var_os(VARIABLE).is_none_or(|v| v != "1") {
        return;
    }
    // A plain thread: a read of stdin cannot be cancelled, and the runtime would wait for its own.
    let watched = std::thread::Builder::new().name("lifeline".into()).spawn(move || {
        drain(std::io::stdin().lock());
        tracing::info!("lifeline ended: stopping");
        shutdown.cancel();
    });
    if let Err(error) = watched {
        tracing::error!(%error, "no thread for the lifeline: this process will not notice its parent's end");
    }
}

fn drain(mut input: impl Read) {
    let mut buffer = [0; 512];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
