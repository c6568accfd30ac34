//! Where tests make the disk fail, or the process die: every disk step asks here first.
//!
//! Without the feature `faults`, which tests alone turn on, nothing of this is compiled in.

#[cfg(feature = "faults")]
pub mod faults;

#[cfg(feature = "faults")]
pub(crate) use self::faults::{halves, roll, step};

/// Asked before a disk step: what is to be done, and to what.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) fn step(_what: &'static str, _path: impl std::fmt::Display) -> std::io::Result<()> {
    Ok(())
}

/// A write in two parts, between which it can be torn: here never.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) const fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    (bytes, &[])
}

/// The size at which a segment is left: here as it is.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) const fn roll(size: u64) -> u64 {
    size
}
