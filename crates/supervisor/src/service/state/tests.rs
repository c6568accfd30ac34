//! The machine, transition by transition.
