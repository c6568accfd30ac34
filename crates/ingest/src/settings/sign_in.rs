//! How an account shows who it is: a password, or an access token.

use std::path::PathBuf;
use std::sync::Arc;

use vigie_common::config::{self, Loaded};
use vigie_common::secret::Secret;

use super::OAuth2;

/// How an account shows who it is.
#[derive(Debug, Clone, PartialEq)]
pub enum SignIn {
    /// By a password.
    Password(Secret),
    /// By an access token that a command prints.
    TokenCommand(Secret),
    /// By an access token that is got here.
    OAuth2(Arc<OAuth2>),
}

impl SignIn {
    pub(super) fn from_config(raw: &config::Account, loaded: &Loaded) -> Result<Self, String> {
        let password = [
            raw.password_file.as_deref().map(|path| Secret::File(loaded.beside(path))),
            raw.password_env.clone().map(Secret::Env),
            raw.password_command.clone().map(Secret::Command),
            raw.password_credential.clone().map(Secret::Credential),
            raw.password.clone().map(Secret::Inline),
        ];
        let mut given = password.into_iter().flatten().map(Self::Password).collect::<Vec<_>>();
        given.extend(raw.token_command.clone().map(|words| Self::TokenCommand(Secret::Command(words))));
        if let Some(oauth2) = &raw.oauth2 {
            let settings = OAuth2::from_config(&raw.id, oauth2, loaded);
            given.push(Self::OAuth2(Arc::new(
                settings.map_err(|fault| format!("[account.oauth2]: {fault}"))?,
            )));
        }
        match (given.pop(), given.pop()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err("no password: set password_file (or password_env, password_command, password_credential), token_command or [account.oauth2]".into()),
            (Some(_), Some(_)) => Err("more than one of password_file, password_env, password_command, password_credential, password, token_command and [account.oauth2] is set; keep one".into()),
        }
    }

    /// Where it comes from, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Password(secret) => secret.place("password"),
            Self::TokenCommand(secret) => secret.place("token"),
            Self::OAuth2(_) => "[account.oauth2]".into(),
        }
    }

    /// Where others than its owner can read a secret of it.
    pub(super) fn exposed(&self) -> Vec<String> {
        let all = match self {
            Self::Password(secret) => vec![("password", secret.clone())],
            Self::TokenCommand(_) => Vec::new(),
            Self::OAuth2(oauth2) => {
                let key = oauth2.key_file.clone().map(|path| ("key", Secret::File(path)));
                let secret = oauth2.client_secret.clone().map(|secret| ("client secret", secret));
                key.into_iter().chain(secret).collect()
            }
        };
        all.iter()
            .filter(|(_, secret)| secret.is_exposed())
            .map(|(what, secret)| secret.place(what))
            .collect()
    }

    /// The files that somebody changes who corrects it.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let file = |secret: &Secret| match secret {
            Secret::File(path) => Some(path.clone()),
            _ => None,
        };
        match self {
            Self::Password(secret) => file(secret).into_iter().collect(),
            Self::TokenCommand(_) => Vec::new(),
            Self::OAuth2(oauth2) => {
                let kept = oauth2.flow.needs_login().then(|| oauth2.kept.clone());
                let secret = oauth2.client_secret.as_ref().and_then(file);
                kept.into_iter().chain(secret).chain(oauth2.key_file.clone()).collect()
            }
        }
    }
}
