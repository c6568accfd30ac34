//! The frozen formats: golden files and schemas.
#![expect(clippy::unwrap_used, reason = "tests")]

mod golden;
mod process;
