//! What two Vigie binaries must agree on, and how all of them boot.
//!
//! # Layout
//!
//! Contracts, each with golden files:
//! - [`id`]: names of message instances and of bytes
//! - [`document`]: `vigie.message/1`, the JSON document of one message
//! - [`record`]: `vigie.record/1`, one change in the catalog, and the cursor of its reader
//! - [`exit`]: exit codes
//!
//! Boot, in the order in which a `main` needs it:
//! - [`cli`]: the arguments that all take, what they print, how they end
//! - [`config`]: the whole of `vigie.toml`, raw; each crate validates its own part
//! - [`telemetry`]: logs that survive a closed pipe
//! - [`shutdown`], [`lifeline`], [`notify`]: how a process learns to end, and says how it is
//!
//! Small policies: [`backoff`], [`clock`], [`secret`], [`text`].

pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config;
pub mod document;
pub mod exit;
pub mod id;
pub mod lifeline;
pub mod notify;
pub mod record;
pub mod secret;
pub mod shutdown;
pub mod telemetry;
pub mod text;
