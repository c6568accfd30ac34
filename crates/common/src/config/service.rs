//! `[[service]]`: a further program for the supervisor to keep up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_spanned::Spanned;

/// `[[service]]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Names the service: pages, logs, files. `[a-z0-9][a-z0-9-]{0,31}`.
    pub id: String,
    /// Program and arguments; a bare name is sought beside our own binaries, then in PATH.
    pub command: Vec<String>,
    /// Folder that it starts in.
    pub working_directory: Option<PathBuf>,
    /// Whether the supervisor runs it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// It says by the sd_notify protocol when it is ready (`READY=1`); until then it is starting.
    #[serde(default)]
    pub notify: bool,
    /// Ids of services that must be ready before it starts; it is stopped before them.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub needs: Vec<Spanned<String>>,
    /// Variables that it gets besides PATH, HOME, TZ and LANG.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

const fn yes() -> bool {
    true
}
