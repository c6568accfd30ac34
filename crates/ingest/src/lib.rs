//! Watches mailboxes over IMAP and keeps every message as a JSON document.

pub mod alarms;
pub mod beat;
pub mod board;
pub mod budget;
pub mod cli;
pub mod command;
pub mod control;
pub mod discover;
pub mod error;
pub mod guard;
pub mod health;
pub mod mailbox;
pub mod matching;
pub mod message;
pub mod oauth;
pub mod parse;
pub mod plan;
pub mod progress;
pub mod providers;
pub mod reason;
pub mod session;
pub mod settings;
pub mod store;
pub mod transport;
pub mod watcher;
