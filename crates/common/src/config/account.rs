//! `[[account]]`: a login on an IMAP server, and which of its mailboxes to watch.

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::Duration;
use super::OAuth2;
use super::Size;

/// `[[account]]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Names the account everywhere: paths, labels, pages. `[a-z0-9][a-z0-9-]{0,31}`.
    pub id: String,
    /// Who provides the mailboxes (`gmail`, `outlook`, ...): fills in what is not written of `host`, `port`, `tls`,
    /// `connections`, `idle`, `poll` and, for `gmail`, `daily_bytes`. Without it, the host is looked up among those that are
    /// known.
    pub provider: Option<String>,
    /// Host name or address of the IMAP server.
    pub host: Option<String>,
    /// Port. Default: 993, or 143 when `tls` is `starttls` or `none`.
    pub port: Option<u16>,
    /// How the connection is protected. Default: implicit.
    pub tls: Option<Tls>,
    /// PEM file of the only authorities to trust for this account, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Fingerprint of the only certificate to take, `sha256:<hex>` of its DER, or a list of them; no authority is asked
    /// then. `vigie-ingest check` tells it.
    pub pin: Option<Pins>,
    /// PEM file of a certificate that shows the server who we are, where it asks.
    pub client_certificate: Option<PathBuf>,
    /// PEM file of its key, PKCS#8.
    pub client_key: Option<PathBuf>,
    /// Connect through a proxy, which looks the host up: `socks5://host:port` or `http://host:port`. Access tokens are asked
    /// for through it, too.
    pub proxy: Option<String>,
    /// Compress what goes over the wire where the server can: for slow lines.
    #[serde(default)]
    pub compress: bool,
    /// Login name.
    pub user: String,
    /// File that holds the password; relative to the file that names it.
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    pub password_env: Option<String>,
    /// Command that prints the password: program and arguments.
    pub password_command: Option<Vec<String>>,
    /// Name of a systemd credential that holds the password.
    pub password_credential: Option<String>,
    /// The password itself: works, but everybody who can read the file has it.
    #[schemars(with = "Option<String>")]
    pub password: Option<SecretString>,
    /// Instead of a password: command that prints an access token, alone or as JSON with `access_token` and
    /// `expires_in`.
    pub token_command: Option<Vec<String>>,
    /// Instead of a password: access tokens that are got here.
    pub oauth2: Option<OAuth2>,
    /// Patterns of mailboxes: `/` for the delimiter, `*` anything, `%` one level, `!` excludes, the last
    /// match wins. `\Sent` and the like stand for the mailbox of this special use; `\All`, `\Flagged` and `\Important`,
    /// which show messages of other mailboxes again, are watched only when named so or by name.
    #[serde(default = "inbox")]
    pub mailboxes: Vec<String>,
    /// Leave out what arrived before: a date (`2026-01-01`) or `now`.
    pub since: Option<String>,
    /// Connections at once, from 1 to 10. Default: 3.
    pub connections: Option<u8>,
    /// IDLE is begun anew after this, with a look at the mailbox: from 30 s to 25 min, or 0 s for no IDLE at all.
    /// Default: 5 min.
    pub idle: Option<Duration>,
    /// How often mailboxes without IDLE are looked at: from 10 s to 15 min. Default: 1 min.
    pub poll: Option<Duration>,
    /// Octets that may be fetched within 24 hours, for providers that count; a fifth of them is kept for new mail.
    /// `"0"` for no budget. Default: 2,500 MB for Gmail, none elsewhere.
    pub daily_bytes: Option<Size>,
}

fn inbox() -> Vec<String> {
    vec!["INBOX".into()]
}

/// One fingerprint, or several: the next certificate may be told before it is used.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Pins {
    /// One.
    One(String),
    /// Any of these.
    Any(Vec<String>),
}

impl Pins {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let all = match self {
            Self::One(pin) => std::slice::from_ref(pin),
            Self::Any(pins) => pins,
        };
        all.iter().map(String::as_str)
    }
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// TLS from the first byte.
    #[default]
    Implicit,
    /// Plain text first, then STARTTLS; without it no login is tried.
    Starttls,
    /// None: to loopback addresses alone.
    None,
}
