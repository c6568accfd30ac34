//! lifeline.
