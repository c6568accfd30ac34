//! `[account.oauth2]`: access tokens instead of a password.

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

/// `[account.oauth2]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// Who gives out the tokens; addresses and scope follow from it.
    pub provider: Provider,
    /// How they are got. Default: `device` for Microsoft, `loopback` for Google, `service_account` where there is a
    /// `key_file`.
    pub flow: Option<Flow>,
    /// The application, as registered with the provider.
    pub client_id: Option<String>,
    /// File that holds the application's secret; relative to the file that names it.
    pub client_secret_file: Option<PathBuf>,
    /// Environment variable that holds the application's secret.
    pub client_secret_env: Option<String>,
    /// Command that prints the application's secret: program and arguments.
    pub client_secret_command: Option<Vec<String>>,
    /// Name of a systemd credential that holds the application's secret.
    pub client_secret_credential: Option<String>,
    /// The application's secret itself: works, but everybody who can read the file has it.
    #[schemars(with = "Option<String>")]
    pub client_secret: Option<SecretString>,
    /// Microsoft: the directory, by id or domain. Default: `common`, which serves every flow but
    /// `client_credentials`.
    pub tenant: Option<String>,
    /// What is asked for, where it is not what the provider documents for IMAP.
    pub scope: Option<String>,
    /// Google: JSON key of a service account that may act for `user`.
    pub key_file: Option<PathBuf>,
    /// Address that gives out tokens.
    pub token_url: Option<String>,
    /// Address that begins `flow = "device"`.
    pub device_url: Option<String>,
    /// Address of the page where a person agrees, for `flow = "loopback"`.
    pub auth_url: Option<String>,
}

/// Who gives out tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Exchange Online and Outlook.com.
    Microsoft,
    /// Gmail and Google Workspace.
    Google,
    /// Another, by its addresses.
    Custom,
}

/// How tokens are got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// `login` shows a code, and a person types it into a page on any machine.
    Device,
    /// `login` shows an address; the browser brings the answer back to this machine, or a person pastes it.
    Loopback,
    /// `login` reads a refresh token that was got elsewhere from its input.
    RefreshToken,
    /// The application signs in by its own secret, without any person (Microsoft: shared mailboxes).
    ClientCredentials,
    /// A service account signs in by its key, without any person (Google Workspace).
    ServiceAccount,
}

impl Flow {
    /// As it is written in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Loopback => "loopback",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::ServiceAccount => "service_account",
        }
    }

    /// Whether a person signs in first, so that there is a refresh token to keep.
    #[must_use]
    pub const fn needs_login(self) -> bool {
        matches!(self, Self::Device | Self::Loopback | Self::RefreshToken)
    }
}
