//! Charts of mail flow and host.
//!
//! # Layout
//!
//! - [`settings`]: the configuration that metrics needs, validated
//! - [`model`]: the read model: one disposable SQLite file, written by one thread
//! - [`index`]: that thread: it follows the catalog
//! - [`host`]: the task that looks at the host
//! - [`standing`], [`alarms`] (pure): how all that stands
//! - [`readers`], [`query`]: questions to the read model
//! - [`api`]: what is answered over HTTP; [`table`], [`chart`] (pure): the same as CSV and SVG
//! - [`assets`], [`page`]: the front end, and the page where there is none
//! - [`cli`]: the command line: one file a command

pub mod alarms;
pub mod api;
pub mod assets;
pub mod chart;
pub mod cli;
pub mod error;
pub mod host;
pub mod index;
pub mod model;
pub mod page;
pub mod query;
pub mod readers;
pub mod settings;
pub mod standing;
pub mod table;
