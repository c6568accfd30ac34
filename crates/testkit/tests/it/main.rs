//! The testkit's own tests: its servers are spoken to in raw bytes, its messages are counted and hashed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod client;
mod demo;
mod generate;
mod mailbox_server;
mod server;
mod tls;
