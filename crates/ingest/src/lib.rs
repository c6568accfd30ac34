//! Watches mailboxes over IMAP and keeps every message as a JSON document.

pub mod guard;
