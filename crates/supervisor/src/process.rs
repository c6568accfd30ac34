//! Processes as the kernel has them: how they are started, told apart, spoken to, heard and ended.

pub(crate) mod environment;
pub(crate) mod group;
pub(crate) mod leftover;
pub(crate) mod notify;
pub(crate) mod probe;
pub(crate) mod spawn;
pub(crate) mod stat;
