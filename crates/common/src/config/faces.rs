//! `[metrics]`, `[supervisor]`, `[web]`, `[[user]]`: what people look at, and who may.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[metrics]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Address of API and dashboard.
    pub listen: String,
    /// The read model; it can be deleted at any time.
    pub database: PathBuf,
    /// Whether the supervisor runs it.
    pub enabled: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: "127.0.0.1:2813".into(), database: "metrics.db".into(), enabled: true }
    }
}

/// `[supervisor]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Supervisor {
    /// The one address to publish.
    pub listen: String,
    /// Socket of its command line.
    pub socket: PathBuf,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self { listen: "127.0.0.1:2812".into(), socket: "run/supervisor.sock".into() }
    }
}

/// `[web]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// The address that people type: for the Host check and for links.
    pub origin: Option<String>,
    /// Plain http beyond loopback is refused without this.
    pub insecure_http: bool,
    /// Whether the first operator may be made at `/setup`, by the link that each start shows while there is no user.
    pub setup: bool,
}

/// `[[user]]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Argon2 hash in PHC form.
    pub password_hash: String,
    /// What the user may do.
    pub role: Role,
    /// Accounts that the user may see; `*` for all.
    #[serde(default = "all")]
    pub accounts: Vec<String>,
}

fn all() -> Vec<String> {
    vec!["*".into()]
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See numbers only, no subjects or addresses.
    Charts,
    /// Read messages.
    Reader,
    /// Stop, start and restart services.
    Operator,
}

impl Role {
    /// The word in configuration and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charts => "charts",
            Self::Reader => "reader",
            Self::Operator => "operator",
        }
    }
}
