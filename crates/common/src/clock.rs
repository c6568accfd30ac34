//! Where wall time enters. Pure modules take it as an argument.

use jiff::Timestamp;

/// Now, by the wall clock.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::now()
}
