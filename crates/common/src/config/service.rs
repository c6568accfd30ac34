//! `[[service]]`: a further program for the supervisor to keep up.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// `[[service]]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Names the service.
    pub id: String,
    /// Program and arguments; a bare name is sought beside our own binaries, then in PATH.
    pub command: Vec<String>,
    /// Folder that it starts in.
    pub working_directory: Option<PathBuf>,
    /// Whether the supervisor runs it.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}
