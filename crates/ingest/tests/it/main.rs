//! The built `vigie-ingest` against servers: honest, hostile, and a real Dovecot.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod account;
mod any_order;
mod certificates;
mod change;
mod changes;
mod control;
mod corpus;
mod coverage;
mod dovecot;
mod faults;
mod faulty;
mod follow;
mod generations;
mod health;
mod hostile;
mod idle;
mod kill;
mod large;
mod limits;
mod messages;
mod moved;
mod oauth;
mod place;
mod providers;
mod proxies;
mod quarantine;
mod quiet;
mod quirks;
mod rebuild;
mod reload;
mod run;
mod security;
mod starttls;
mod steps;
mod sync;
