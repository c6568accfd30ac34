//! Comparing what only some may know.

use subtle::ConstantTimeEq;

/// Whether two tokens are the same, without telling by its duration where they differ.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}
