//! Who may log in: `[[user]]` of the configuration, and `users.toml` of the data folder, which `/setup` writes.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use serde::Deserialize;
use vigie_common::config::{self, Loaded, Role};
use vigie_common::text::inert;

use super::{AccessError, password};

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password_hash: String,
    pub(super) role: Role,
    pub(super) accounts: Vec<String>,
}

/// All who may log in, as of now.
#[derive(Debug)]
pub(super) struct Users {
    configured: Vec<User>,
    file: PathBuf,
    read: RwLock<Read>,
}

/// `users.toml` as it was read last.
#[derive(Debug, Default)]
struct Read {
    version: Option<Version>,
    all: Arc<Vec<User>>,
}

/// Another file has another of these: device, inode, length, change time.
type Version = (u64, u64, u64, i64, i64);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    user: Vec<config::User>,
}

impl Users {
    /// Reads both.
    pub(super) fn open(loaded: &Loaded) -> Result<Self, AccessError> {
        let mut configured = Vec::new();
        for raw in &loaded.config.user {
            let fault = |fault: String| AccessError::Config(loaded.fault(raw.span(), fault));
            configured.push(User::from_config(raw.get_ref()).map_err(fault)?);
        }
        let users =
            Self { configured, file: loaded.in_data(Path::new("users.toml")), read: RwLock::default() };
        users.look()?;
        Ok(users)
    }

    /// All as they are now. A file that has become unreadable changes nothing, and is told.
    pub(super) fn now(&self) -> Arc<Vec<User>> {
        self.look().unwrap_or_else(|error| {
            tracing::error!(%error, "the users stay as they were");
            self.read.read().map(|read| Arc::clone(&read.all)).unwrap_or_default()
        })
    }

    fn look(&self) -> Result<Arc<Vec<User>>, AccessError> {
        let fault = |fault: String| AccessError::Users { file: self.file.clone(), fault };
        let failed = |error: std::io::Error| fault(error.to_string());
        let version = match std::fs::metadata(&self.file) {
            Ok(m) => Some((m.dev(), m.ino(), m.len(), m.ctime(), m.ctime_nsec())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        if let Ok(read) = self.read.read()
            && read.version == version
            && !read.all.is_empty()
        {
            return Ok(Arc::clone(&read.all));
        }
        let mut all = self.configured.clone();
        if version.is_some() {
            let text = std::fs::read_to_string(&self.file).map_err(failed)?;
            all.extend(parse(&text).map_err(fault)?);
        }
        let all = Arc::new(all);
        if let Ok(mut read) = self.read.write() {
            *read = Read { version, all: Arc::clone(&all) };
        }
        Ok(all)
    }
}

fn parse(text: &str) -> Result<Vec<User>, String> {
    let file: File = toml::from_str(text).map_err(|e| e.message().to_owned())?;
    file.user.iter().map(User::from_config).collect()
}

impl User {
    fn from_config(raw: &config::User) -> Result<Self, String> {
        let shown = inert(&raw.name, 40);
        if !is_name(&raw.name) {
            return Err(format!("user `{shown}`: a name has 1 to 64 letters, digits, or . _ - @ +"));
        }
        if !password::is_hash(&raw.password_hash) {
            return Err(format!(
                "user {shown}: password_hash is no Argon2 hash; `vigie-supervisor hash-password` makes one"
            ));
        }
        Ok(Self {
            name: raw.name.clone(),
            password_hash: raw.password_hash.clone(),
            role: raw.role,
            accounts: raw.accounts.clone(),
        })
    }
}

/// Whether a user may be called so: 1 to 64 letters, digits, or `. _ - @ +`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "._-@+".contains(c);
    (1..=64).contains(&name.chars().count()) && name.chars().all(plain)
}

/// What `users.toml` holds for one operator.
#[must_use]
pub fn first_operator(name: &str, password_hash: &str) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    format!(
        "# People who may log in, beside the [[user]] tables of the configuration.\n[[user]]\nname = {}\npassword_hash = {}\nrole = \"operator\"\naccounts = [\"*\"]\n",
        quoted(name),
        quoted(password_hash)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(folder: &Path, text: &str) -> Loaded {
        Loaded::parse(&folder.join("vigie.toml"), text.into(), []).unwrap()
    }

    #[test]
    fn the_first_operator_is_seen_as_soon_as_the_file_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let users = Users::open(&loaded(folder.path(), "")).unwrap();
        assert!(users.now().is_empty());
        let hash = password::hash("canary").unwrap();
        std::fs::write(folder.path().join("users.toml"), first_operator("ada", &hash)).unwrap();
        let now = users.now();
        assert_eq!((now.len(), now[0].name.as_str(), now[0].role), (1, "ada", Role::Operator));
        std::fs::write(folder.path().join("users.toml"), "nonsense").unwrap();
        assert_eq!(users.now().len(), 1);
    }

    #[test]
    fn a_password_in_place_of_its_hash_is_refused_without_being_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[[user]]\nname = \"ada\"\npassword_hash = \"canary\"\nrole = \"reader\"\n";
        let error = Users::open(&loaded(folder.path(), text)).unwrap_err().to_string();
        assert!(error.contains("vigie.toml:1: user ada: password_hash is no Argon2 hash"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}
