//! The supervisor with real processes.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

mod door;
mod fleet;
mod life;
mod logs;
mod needs;
mod notify;
mod place;
mod probe;
mod restart;
mod stop;
