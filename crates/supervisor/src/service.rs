//! One service: the pure machine that decides, and the task that owns its process and obeys.

pub(crate) mod handle;
pub mod numbers;
pub mod state;
pub(crate) mod task;
pub mod words;
