//! Keeps the processes of Vigie up, and the one door to its pages.
//!
//! # Layout
//!
//! - [`settings`]: the services of the configuration, validated
//! - [`service`]: one service: the pure machine, and the task that owns its process
//! - `process`: starting, hearing, probing and ending processes; what a previous life left
//! - [`logs`], `desired`, `sample`: what services print, what is wanted of them, what they take
//! - [`fleet`]: all services together, for the door and the command line
//! - [`door`]: page, API, set-up, and the way to metrics
//! - [`signals`], [`init`]: how the supervisor itself ends; process 1 of a container
//! - [`cli`]: the command line

pub mod cli;
mod desired;
pub mod door;
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
