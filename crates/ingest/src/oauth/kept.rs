//! What is kept of a login: the refresh token, in one file an account. It is replaced as a whole and durably, so that a
//! token that the provider has put in place of another one is never lost.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use vigie_common::config::Provider;

use super::answer::Grant;

/// Microsoft forgets a refresh token that was not used for so long.
const UNUSED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What is kept of a login.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// What access tokens are got by.
    #[serde(serialize_with = "exposed")]
    pub refresh_token: SecretString,
    /// The application that it was given to.
    pub client_id: String,
    /// What it is good for, where that was said.
    pub scope: Option<String>,
    /// When a person logged in.
    pub logged_in_at: Timestamp,
    /// When it was used last.
    pub renewed_at: Timestamp,
    /// When it ends, as far as is known; being used may put that off.
    pub expires_at: Option<Timestamp>,
}

/// Written into its own file, and nowhere else.
fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// Tells one content of a file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(u64, i64, i64, u64);

impl Stamp {
    /// Of the file as it is now, if it is there.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Self(file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
    }
}

impl Kept {
    /// What is to be kept once `grant` was given at `now`; `before` is what was kept till then, and without it a person
    /// has just logged in. `None`: there is nothing to get the next token by.
    pub(super) fn after(
        grant: &Grant,
        before: Option<&Self>,
        client_id: &str,
        provider: Provider,
        now: Timestamp,
    ) -> Option<Self> {
        let refresh_token = grant.refresh.clone().or_else(|| before.map(|b| b.refresh_token.clone()))?;
        let later = |length: Duration| now.checked_add(length).ok();
        let told = grant.refresh_lifetime.and_then(later);
        let expires_at = match provider {
            _ if told.is_some() => told,
            Provider::Microsoft => now.checked_add(UNUSED).ok(),
            // One that was put in its place begins its own life; of the same one what was told before still holds.
            _ if grant.refresh.is_some() => None,
            _ => before.and_then(|b| b.expires_at),
        };
        Some(Self {
            refresh_token,
            client_id: client_id.to_owned(),
            scope: grant.scope.clone().or_else(|| before.and_then(|b| b.scope.clone())),
            logged_in_at: before.map_or(now, |b| b.logged_in_at),
            renewed_at: now,
            expires_at,
        })
    }

    /// Reads what is kept in `path`, if anything.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged; nothing of it is repeated.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
        serde_json::from_slice(&text).map(Some).map_err(damaged)
    }

    /// Puts it into `path`, durably. The caller holds the [`lock`].
    ///
    /// # Errors
    /// The disk does not take it; what was there before still is.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let (folder, new) = (folder(path), beside(path, "new")?);
        let written = (|| {
            // What a crash left behind.
            match std::fs::remove_file(&new) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            std::fs::rename(&new, path)
        })();
        if written.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        written.and_then(|()| File::open(folder)?.sync_all())
    }
}

/// One process at a time gets a token by what is in `path`: a refresh token that is put in place of another one may be
/// used but once. Waits for its turn, blocking; the file returned is it.
pub(super) fn lock(path: &Path) -> io::Result<File> {
    let folder = folder(path);
    if !folder.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
            File::open(above)?.sync_all()?;
        }
    }
    let name = beside(path, "lock")?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(name)?;
    file.lock()?;
    Ok(file)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(path: &Path, what: &str) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    Ok(path.with_file_name(format!(".{}.{what}", name.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn grant(refresh: Option<&str>, lifetime: Option<u64>) -> Grant {
        Grant {
            access: "a".into(),
            lifetime: Duration::from_mins(60),
            refresh: refresh.map(Into::into),
            refresh_lifetime: lifetime.map(Duration::from_secs),
            scope: None,
        }
    }

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    #[test]
    fn when_it_ends_follows_from_what_was_told() {
        let google = Provider::Google;
        let first = Kept::after(&grant(Some("r1"), Some(7 * 86_400)), None, "c", google, at(0)).unwrap();
        assert_eq!(first.expires_at, Some(at(7 * 24)));
        let same = Kept::after(&grant(None, None), Some(&first), "c", google, at(5)).unwrap();
        assert_eq!((same.expires_at, same.logged_in_at, same.renewed_at), (first.expires_at, at(0), at(5)));
        let rotated = Kept::after(&grant(Some("r2"), None), Some(&same), "c", google, at(6)).unwrap();
        assert_eq!((rotated.expires_at, rotated.refresh_token.expose_secret()), (None, "r2"));
        let microsoft =
            Kept::after(&grant(None, None), Some(&first), "c", Provider::Microsoft, at(24)).unwrap();
        assert_eq!(microsoft.expires_at, Some(at(91 * 24)));
        assert!(Kept::after(&grant(None, None), None, "c", google, at(0)).is_none());
    }

    #[test]
    fn it_is_replaced_whole_for_its_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("tokens/a.json");
        assert!(Kept::read(&path).unwrap().is_none());
        let kept = Kept::after(&grant(Some("canary"), None), None, "c", Provider::Custom, at(0)).unwrap();
        let turn = lock(&path).unwrap();
        // Left by a crash, and by somebody who wants to have it elsewhere.
        let new = place.path().join("tokens/.a.json.new");
        std::os::unix::fs::symlink(place.path().join("elsewhere"), &new).unwrap();
        kept.write(&path).unwrap();
        let before = Stamp::of(&path);
        kept.write(&path).unwrap();
        assert_ne!(Stamp::of(&path), before);
        drop(turn);
        assert!(!new.exists() && !place.path().join("elsewhere").exists());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(Kept::read(&path).unwrap().unwrap().refresh_token.expose_secret(), "canary");
        assert!(!format!("{kept:?}").contains("canary"));
        std::fs::write(&path, "{\"refreshToken\": \"canary").unwrap();
        assert_eq!(Kept::read(&path).unwrap_err().to_string(), "it is damaged");
    }

    #[test]
    fn one_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.json");
        let turn = lock(&path).unwrap();
        let other = File::open(place.path().join(".a.json.lock")).unwrap();
        assert!(other.try_lock().is_err());
        drop(turn);
        assert!(other.try_lock().is_ok());
    }
}
