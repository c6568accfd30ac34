//! Keeps the processes of Vigie up, and the one door to its pages.
//!
//! # Layout
//!
//! - [`settings`]: the services of the configuration, validated
//! - [`service`]: one service: the pure machine, and the task that owns its process
//! - `process`: starting, hearing, probing and ending processes; what a previous life left
//! - [`logs`], `desired`, `sample`: what services print, what is wanted of them, what they take
//! - [`fleet`]: all services together, for the door and the command line
//! - [`signals`], [`init`]: how the supervisor itself ends; process 1 of a container
//! - [`cli`]: the command line

pub mod cli;
mod desired;
pub mod error;
mod file;
pub mod fleet;
pub mod init;
mod lock;
pub mod logs;
mod process;
mod sample;
pub mod service;
pub mod settings;
pub mod signals;

use vigie_common::exit::Exit;
use vigie_common::notify;

use self::error::Error;
use self::fleet::Fleet;
use self::settings::Settings;

/// Runs until told to stop.
///
/// # Errors
/// It cannot start.
pub async fn run(settings: Settings) -> Result<Exit, Error> {
    let signals = signals::listen().map_err(|error| Error::Internal(error.to_string()))?;
    let (fleet, running) = Fleet::start(settings, signals.shutdown).await?;
    notify::ready(&format!("{} services", fleet.views().len()));
    Ok(running.finish(signals.at_once).await)
}
