//! What the web faces of Vigie share.
//!
//! # Layout
//!
//! For every process:
//! - [`mod@serve`]: listening, with time-outs and caps
//! - [`health`]: `/healthz` and `/readyz`, alarms
//! - [`host`]: what only this machine may ask for
//! - [`problem`]: errors as `application/problem+json`
//! - [`token`]: comparing what only some may know
//!
//! For those that people look at (feature `faces`):
//! - [`access`]: who may do what: users, sessions, Host, Origin and CSRF checks, headers, the log-in page

#[cfg(feature = "faces")]
pub mod access;
pub mod health;
pub mod host;
pub mod problem;
pub mod serve;
pub mod token;

#[cfg(feature = "faces")]
pub use self::access::{Access, AccessError, Visitor};
pub use self::health::{Alarm, Health};
pub use self::host::local_only;
pub use self::problem::{Parameters, Problem};
pub use self::serve::{BindError, Listener, Peer, serve};
