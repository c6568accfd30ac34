//! What is wrong with a configuration, told to the person who wrote it.

use std::path::PathBuf;

/// Names file, place, fault and remedy. Ends a process with exit code 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No file at any of the usual places.
    #[error(
        "no configuration: none of {0} exists; name one by --config FILE or VIGIE_CONFIG (config/vigie.toml of the sources is a commented example)"
    )]
    None(String),
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Something in the file, or in an environment variable that stands for a key.
    #[error("{place}: {fault}")]
    Invalid {
        /// `FILE:LINE`, or the environment variable.
        place: String,
        /// What, and what to do.
        fault: String,
    },
}
