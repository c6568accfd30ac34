//! Metrics as its users meet it: an archive that is written, counted, and asked about.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod counting;
mod place;
mod process;
mod recount;
mod roles;
mod samples;
