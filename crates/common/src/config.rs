//! `vigie.toml`: the raw configuration of the whole file, as typed by its author.
//!
//! One module a table. Nothing here judges values beyond their form: each crate validates its own part
//! into `Settings`. An unknown key anywhere is an error that names file, line, key and the nearest known
//! one. Order: defaults, file, environment (`VIGIE_INGEST__LISTEN`), flags.

mod account;
mod error;
mod faces;
mod load;
mod oauth2;
mod service;
mod units;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_spanned::Spanned;

pub use self::account::{Account, Pins, Tls};
pub use self::error::ConfigError;
pub use self::faces::{GiveUp, Metrics, Role, Supervisor, User, Web};
pub use self::load::{Loaded, find};
pub use self::oauth2::{Flow, OAuth2, Provider};
pub use self::service::Service;
pub use self::units::{Duration, Size};

/// The whole file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What all binaries share.
    pub vigie: Vigie,
    /// The archive on disk.
    pub archive: Archive,
    /// Mailboxes to watch, by account.
    #[schemars(with = "Vec<Account>")]
    pub account: Vec<Spanned<Account>>,
    /// The ingest.
    pub ingest: Ingest,
    /// The metrics API and dashboard.
    pub metrics: Metrics,
    /// The supervisor.
    pub supervisor: Supervisor,
    /// What both web faces share.
    pub web: Web,
    /// Further programs to supervise.
    #[schemars(with = "Vec<Service>")]
    pub service: Vec<Spanned<Service>>,
    /// People who may log in.
    #[schemars(with = "Vec<User>")]
    pub user: Vec<Spanned<User>>,
}

/// `[vigie]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Vigie {
    /// Folder that every other relative path starts from. Default: beside the file, or `/var/lib/vigie`
    /// when the file is under `/etc`.
    pub data: Option<PathBuf>,
}

/// `[archive]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Archive {
    /// Folder of the archive.
    pub path: PathBuf,
    /// Which messages keep their exact bytes.
    pub raw: RawPolicy,
    /// Ingest pauses while less is free.
    pub min_free: Size,
}

impl Default for Archive {
    fn default() -> Self {
        Self { path: "archive".into(), raw: RawPolicy::Always, min_free: Size(1 << 30) }
    }
}

/// Which messages keep their exact bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawPolicy {
    /// All.
    #[default]
    Always,
    /// Those whose document lost something.
    OnDefect,
    /// Those whose document lost something, and nothing else by any rule.
    Never,
}

/// `[ingest]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ingest {
    /// Address of `/healthz`, `/readyz` and `/metrics`; empty for none.
    pub listen: String,
    /// Whether the supervisor runs it.
    pub enabled: bool,
    /// Ids of services that must be ready before it starts; it is stopped before them.
    #[schemars(with = "Vec<String>")]
    pub needs: Vec<Spanned<String>>,
}

impl Default for Ingest {
    fn default() -> Self {
        Self { listen: "127.0.0.1:2814".into(), enabled: true, needs: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
