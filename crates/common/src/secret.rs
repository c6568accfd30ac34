//! Where secrets come from: a file, the environment, a command, a systemd credential, or (with a warning) the
//! configuration itself. Never an argument, never in a log or an error.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

/// A command that does not answer within this is a fault.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);

/// Where a secret is to be found: the first line there, unless said otherwise. Read anew at each use, so that a changed password needs no restart.
#[derive(Debug, Clone)]
pub enum Secret {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// What a program prints: program and arguments.
    Command(Vec<String>),
    /// A file in `$CREDENTIALS_DIRECTORY` (systemd.exec(5)).
    Credential(String),
    /// Written in the configuration.
    Inline(SecretString),
}

/// A secret that cannot be had. Says where it was sought, never what it is.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct SecretError {
    place: String,
    fault: String,
}

/// Whether it is sought at the same place, or is the same where it is written in the configuration.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(a), Self::File(b)) => a == b,
            (Self::Env(a), Self::Env(b)) | (Self::Credential(a), Self::Credential(b)) => a == b,
            (Self::Command(a), Self::Command(b)) => a == b,
            (Self::Inline(a), Self::Inline(b)) => a.expose_secret() == b.expose_secret(),
            _ => false,
        }
    }
}

impl Secret {
    /// Reads the secret: its first line. `what` it is ("password") is for the error's words.
    ///
    /// # Errors
    /// It is not there, is empty, or the command failed or took longer than 30 s.
    pub async fn read(&self, what: &str) -> Result<SecretString, SecretError> {
        let text = self.text(what).await?;
        match text.expose_secret().lines().next().filter(|line| !line.is_empty()) {
            Some(line) => Ok(line.into()),
            None => Err(self.fault(what, "it is empty".into())),
        }
    }

    /// All that stands there.
    ///
    /// # Errors
    /// As for [`read`](Self::read), but for what is empty.
    pub async fn text(&self, what: &str) -> Result<SecretString, SecretError> {
        let fault = |fault: String| self.fault(what, fault);
        let bytes = match self {
            Self::File(path) => tokio::fs::read(path).await.map_err(|e| fault(e.to_string()))?,
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| fault("CREDENTIALS_DIRECTORY is not set: this process was not started by systemd with credentials".into()))?;
                let path = PathBuf::from(folder).join(name);
                tokio::fs::read(path).await.map_err(|e| fault(e.to_string()))?
            }
            Self::Env(name) => {
                std::env::var(name).map_err(|_| fault("it is not set, or not UTF-8".into()))?.into_bytes()
            }
            Self::Command(words) => run(words).await.map_err(fault)?,
            Self::Inline(secret) => return Ok(secret.clone()),
        };
        String::from_utf8(bytes).map(SecretString::from).map_err(|_| fault("it is not UTF-8".into()))
    }

    /// Whether others than its owner may read the file that holds it.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        use std::os::unix::fs::PermissionsExt;
        match self {
            Self::File(path) => std::fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o077 != 0),
            Self::Inline(_) => true,
            Self::Env(_) | Self::Command(_) | Self::Credential(_) => false,
        }
    }

    /// Where it is sought, for messages; `what` it is comes first.
    #[must_use]
    pub fn place(&self, what: &str) -> String {
        match self {
            Self::File(path) => format!("{what} file {}", path.display()),
            Self::Env(name) => format!("environment variable {name}"),
            Self::Command(words) => format!("{what} command {}", words.first().map_or("", String::as_str)),
            Self::Credential(name) => format!("systemd credential {name}"),
            Self::Inline(_) => format!("{what} in the configuration"),
        }
    }

    fn fault(&self, what: &str, fault: String) -> SecretError {
        SecretError { place: self.place(what), fault }
    }
}

/// What a program prints. Its own words of a failure may hold the secret, so they are not repeated.
async fn run(words: &[String]) -> Result<Vec<u8>, String> {
    let (program, arguments) = words.split_first().ok_or("it is empty")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(COMMAND_DEADLINE, command.output())
        .await
        .map_err(|_| format!("no answer within {} s", COMMAND_DEADLINE.as_secs()))?
        .map_err(|e| e.to_string())?;
    if output.status.success() { Ok(output.stdout) } else { Err(format!("it ended with {}", output.status)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_gives_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "canary with space \r\nmore\n").unwrap();
        let secret = Secret::File(path).read("password").await.unwrap();
        assert_eq!(secret.expose_secret(), "canary with space ");
    }

    #[tokio::test]
    async fn a_command_gives_its_first_line_and_its_failure_is_named_without_its_output() {
        let command = |script: &str| Secret::Command(vec!["sh".into(), "-c".into(), script.into()]);
        assert_eq!(command("echo canary").read("password").await.unwrap().expose_secret(), "canary");
        let error = command("echo canary; exit 3").read("password").await.unwrap_err().to_string();
        assert_eq!(error, "password command sh: it ended with exit status: 3");
    }

    #[tokio::test]
    async fn what_is_missing_or_empty_is_said() {
        let error = Secret::Env("VIGIE_TEST_NO_SUCH".into()).read("password").await.unwrap_err().to_string();
        assert_eq!(error, "environment variable VIGIE_TEST_NO_SUCH: it is not set, or not UTF-8");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        std::fs::write(&path, "\n").unwrap();
        assert!(Secret::File(path).read("password").await.unwrap_err().to_string().ends_with("it is empty"));
    }
}
