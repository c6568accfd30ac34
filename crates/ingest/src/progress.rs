//! How far a long fetch has come, for people: counts that anybody may read at any time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts since the start of the process.
#[derive(Debug, Default)]
pub struct Progress {
    expected: AtomicU64,
    stored: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    /// So many more messages are to be fetched.
    pub fn expect(&self, messages: u64) {
        self.expected.fetch_add(messages, Relaxed);
    }

    /// So many were dealt with.
    pub fn stored(&self, messages: u64, bytes: u64) {
        self.stored.fetch_add(messages, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// Expected, dealt with, and octets of the latter.
    pub fn read(&self) -> (u64, u64, u64) {
        (self.expected.load(Relaxed), self.stored.load(Relaxed), self.bytes.load(Relaxed))
    }
}
