//! The archive as its users meet it: rounds, readers, verification, and every fault of the disk.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod checker;
mod fixture;
mod golden;
mod interrupted;
mod place;
mod power;
mod pushed;
mod quarantine;
mod readers;
mod rebuilding;
mod recovery;
mod repairing;
mod rounds;
mod scenario;
mod verification;
