//! Keeps processes up.
