//! Tests of the faces' checks over real sockets.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod access;
mod face;
mod serving;
