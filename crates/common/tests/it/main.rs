//! The frozen formats: golden files and schemas.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod golden;
mod process;
