//! Who may do what at a face.
//!
//! [`Access::guard`] stands before a router and passes each request through the same checks: Host, session,
//! role, and for anything that may change something Origin and token. While no user exists, a visitor from this
//! machine is an operator; as soon as one does, the address of a visitor grants nothing.

mod attempts;
mod guard;
mod headers;
mod key;
mod login;
mod origin;
mod password;
mod session;
mod users;
mod visitor;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::sync::Semaphore;
use vigie_common::config::{ConfigError, Loaded};

use self::attempts::Attempts;
use self::origin::{Origin, Place};
use self::session::Key;
use self::users::{User, Users};
use crate::serve::address;

pub use self::guard::Token;
pub use self::password::{hash as hash_password, is_hash};
pub use self::users::{first_operator, is_name};
pub use self::visitor::Visitor;
pub use vigie_common::config::Role;

/// Passwords that are compared at the same time: each takes 19 MiB and tens of milliseconds.
const HASHING: usize = 1;

/// The door keeper of one face. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    key: Key,
    users: Users,
    /// Whether the first password may be set over the network.
    setup: bool,
    attempts: Mutex<Attempts>,
    hashing: Semaphore,
}

/// A face that must not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Correct the configuration.
    #[error(transparent)]
    Config(ConfigError),
    /// Correct `users.toml`.
    #[error("{}: {fault}", .file.display())]
    Users {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// Make the data folder usable.
    #[error("{}: {error}", .file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// Why it cannot be read or made.
        error: std::io::Error,
    },
    /// Correct `[web]`.
    #[error("[web] {0}")]
    Web(String),
}

impl Access {
    /// Prepares access to a face that is to listen on `listen`.
    ///
    /// # Errors
    /// A user or `[web]` is not as it must be, the session key cannot be made, or others than this machine could
    /// reach the face though no user exists or the connection is not encrypted.
    pub fn open(loaded: &Loaded, listen: SocketAddr) -> Result<Self, AccessError> {
        let (place, users) = checked(loaded, listen)?;
        let key = key::read_or_make(&loaded.data)
            .map_err(|error| AccessError::Key { file: loaded.data.join("session.key"), error })?;
        Ok(Self(Arc::new(Inner {
            place,
            key,
            users,
            setup: loaded.config.web.setup,
            attempts: Mutex::default(),
            hashing: Semaphore::new(HASHING),
        })))
    }

    /// Whether [`Access::open`] would find users and `[web]` as they must be. Makes nothing.
    ///
    /// # Errors
    /// As [`Access::open`], but for the session key.
    pub fn check(loaded: &Loaded, listen: SocketAddr) -> Result<(), AccessError> {
        checked(loaded, listen).map(drop)
    }

    /// Whether nobody can log in yet, and the first password is to be set at `/setup`.
    #[must_use]
    pub fn needs_setup(&self) -> bool {
        self.0.setup && !self.0.place.is_local() && self.0.users.now().is_empty()
    }

    /// Whether no user exists and this machine's visitors need none.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.place.is_local() && self.0.users.now().is_empty()
    }

    /// `router` behind all checks, with `/login` and `/logout`. `/healthz` and `/readyz` of `router` answer
    /// everybody.
    pub fn guard(&self, router: Router) -> Router {
        router.merge(login::routes(self.clone())).layer(from_fn_with_state(self.clone(), guard::pass))
    }

    fn user(&self, name: &str) -> Option<User> {
        self.0.users.now().iter().find(|user| user.name == name).cloned()
    }
}

/// Where the face is and who may log in, both as they must be.
fn checked(loaded: &Loaded, listen: SocketAddr) -> Result<(Place, Users), AccessError> {
    let web = &loaded.config.web;
    let origin = web.origin.as_deref().map(Origin::parse).transpose();
    let origin = origin.map_err(|fault| AccessError::Web(format!("origin: {fault}")))?;
    let place = Place::new(listen, address(&loaded.config.supervisor.listen).ok(), origin);
    let users = Users::open(loaded)?;
    if !place.is_local() {
        if users.now().is_empty() && !web.setup {
            return Err(AccessError::Web(format!(
                "others than this machine can reach {listen}, and there is no user: add a [[user]] (`vigie-supervisor hash-password` makes the password_hash), or listen on 127.0.0.1 and keep origin local"
            )));
        }
        if !place.is_https() && !web.insecure_http {
            return Err(AccessError::Web(format!(
                "others than this machine can reach {listen} without encryption: put a TLS proxy before it and set origin = \"https://...\", or say insecure_http = true"
            )));
        }
    }
    Ok((place, users))
}
