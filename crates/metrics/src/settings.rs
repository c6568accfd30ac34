//! The configuration that metrics needs, validated.

use std::net::SocketAddr;
use std::path::PathBuf;

use vigie_common::config::{ConfigError, Loaded};
use vigie_web::serve::address;

/// What metrics needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Address of API and dashboard.
    pub listen: SocketAddr,
    /// The read model.
    pub database: PathBuf,
    /// The archive.
    pub archive: PathBuf,
    /// Ingest pauses while fewer octets are free there.
    pub min_free: u64,
}

impl Settings {
    /// Validates the parts of the configuration that metrics needs.
    ///
    /// # Errors
    /// The first fault found, with its place.
    pub fn from_config(loaded: &Loaded) -> Result<Self, ConfigError> {
        let config = &loaded.config;
        let fault = |fault: String| ConfigError::Invalid {
            place: loaded.file.display().to_string(),
            fault: format!("[metrics] {fault}"),
        };
        let listen = address(&config.metrics.listen).map_err(|e| fault(format!("listen: {e}")))?;
        if config.metrics.database.file_name().is_none() {
            return Err(fault("database: name a file, such as metrics.db".into()));
        }
        Ok(Self {
            listen,
            database: absolute(loaded.in_data(&config.metrics.database)),
            archive: absolute(loaded.in_data(&config.archive.path)),
            min_free: config.archive.min_free.0,
        })
    }
}

/// From the root: people read it in logs.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(text: &str) -> Result<Settings, String> {
        let loaded = Loaded::parse(Path::new("/conf/vigie.toml"), text.to_owned(), []).unwrap();
        Settings::from_config(&loaded).map_err(|e| e.to_string())
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        let settings = settings("").unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:2813");
        assert_eq!(settings.database, Path::new("/conf/metrics.db"));
        assert_eq!(settings.archive, Path::new("/conf/archive"));
    }

    #[test]
    fn a_fault_names_file_table_and_key() {
        let error = settings("[metrics]\nlisten = \"here\"\n").unwrap_err();
        assert!(error.starts_with("/conf/vigie.toml: [metrics] listen: `here` is no address"), "{error}");
        let error = settings("[metrics]\ndatabase = \"..\"\n").unwrap_err();
        assert!(error.contains("[metrics] database"), "{error}");
    }
}
