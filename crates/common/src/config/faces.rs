//! `[metrics]`, `[supervisor]`, `[web]`, `[[user]]`: what people look at, and who may.

use std::path::PathBuf;
use std::time;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_spanned::Spanned;

use super::Duration;

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
    /// Ids of services that must be ready before it starts; it is stopped before them.
    #[schemars(with = "Vec<String>")]
    pub needs: Vec<Spanned<String>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:2813".into(),
            database: "metrics.db".into(),
            enabled: true,
            needs: Vec::new(),
        }
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
    /// How long the whole stop may take; the graces of the services shrink to fit.
    pub stop_budget: Duration,
    /// What to do about a service that fails again and again.
    pub give_up: GiveUp,
}

/// What to do about a service that fails again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GiveUp {
    /// Go on trying, once a minute.
    #[default]
    Retry,
    /// Leave it down until a person starts it.
    Hold,
    /// Stop everything and end, so that whatever runs the supervisor can act.
    Exit,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:2812".into(),
            socket: "run/supervisor.sock".into(),
            stop_budget: Duration(time::Duration::from_secs(20)),
            give_up: GiveUp::Retry,
        }
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
