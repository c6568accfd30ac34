//! The configuration that an account is added to.

use std::path::{Path, PathBuf};

use vigie_common::cli::Failure;
use vigie_common::config::{self, ConfigError, Loaded};
use vigie_common::exit::Exit;

use super::table::{Draft, appended, named};
use crate::settings::{Account, Settings};

/// What becomes of a configuration that is not there yet.
const NEW: &str = "# Vigie's configuration. What is not written here has its default.\n";

/// The configuration that the account goes into.
pub(super) struct Place {
    pub(super) file: PathBuf,
    /// What is in it; `None` when there is none yet.
    pub(super) before: Option<String>,
    /// Ids that it has.
    pub(super) ids: Vec<String>,
}

impl Place {
    pub(super) fn find(given: Option<&Path>) -> Result<Self, Failure> {
        let bad = |error: ConfigError| Failure::new(Exit::Config, error);
        let file = match config::find(given) {
            Ok(file) => file,
            Err(ConfigError::None(_)) => "vigie.toml".into(),
            Err(error) => return Err(bad(error)),
        };
        let before = match std::fs::read_to_string(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(bad(ConfigError::Unreadable { file, error })),
        };
        let mut place = Self { file, before, ids: Vec::new() };
        // A file that is broken already would be blamed on the new table.
        let text = place.before.clone().unwrap_or_else(|| NEW.into());
        let settings = place.settings(text)?;
        place.ids = settings.accounts.into_iter().map(|account| account.id).collect();
        Ok(place)
    }

    fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    pub(super) fn named(&self, path: &Path) -> String {
        named(path, self.folder())
    }

    pub(super) fn secret(&self, draft: &Draft) -> PathBuf {
        self.folder().join("secrets").join(&draft.id)
    }

    /// The configuration with the account in it.
    pub(super) fn with(&self, draft: &Draft) -> String {
        appended(self.before.as_deref().unwrap_or(NEW), &draft.table())
    }

    pub(super) fn settings(&self, text: String) -> Result<Settings, Failure> {
        let loaded = Loaded::parse_here(&self.file, text);
        loaded.and_then(|loaded| Settings::from_config(&loaded)).map_err(|e| Failure::new(Exit::Config, e))
    }

    /// The account as it will be read from there.
    pub(super) fn account(&self, draft: &Draft) -> Result<Account, Failure> {
        let accounts = self.settings(self.with(draft))?.accounts;
        accounts
            .into_iter()
            .find(|account| account.id == draft.id)
            .ok_or_else(|| Failure::new(Exit::Internal, "the new account is not in the configuration"))
    }

    /// How what is in `text` comes to be watched.
    pub(super) fn next(&self, text: String) -> String {
        let running = Loaded::parse_here(&self.file, text).is_ok_and(|loaded| {
            let socket = loaded.in_data(&loaded.config.supervisor.socket);
            std::os::unix::net::UnixStream::connect(socket).is_ok()
        });
        let config = self.file.display();
        if running {
            format!("it is watched after: vigie-supervisor restart ingest --config {config}")
        } else {
            format!(
                "it is watched by: vigie-supervisor run --config {config}, or vigie-ingest run alone; one that runs already reads it on SIGHUP"
            )
        }
    }
}
