//! A message of a mailbox: its bytes, kept or made when asked for, and what IMAP says about it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;

/// The INTERNALDATE of a message whose draft names none: 2026-01-02 03:04:05 UTC.
const RECEIVED: i64 = 1_767_323_045;

#[derive(Clone)]
enum Body {
    Kept(Bytes),
    Made(Arc<dyn Fn() -> Vec<u8> + Send + Sync>),
}

/// A message on its way into a mailbox.
#[derive(Clone)]
pub struct Draft {
    body: Body,
    received: Timestamp,
    flags: Vec<String>,
}

impl Draft {
    /// A message with these bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self::with(Body::Kept(bytes.into()))
    }

    /// A message whose bytes are made each time somebody asks; they must always be the same.
    pub fn made(make: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::with(Body::Made(Arc::new(make)))
    }

    fn with(body: Body) -> Self {
        let received = Timestamp::from_second(RECEIVED).unwrap_or_default();
        Self { body, received, flags: Vec::new() }
    }

    /// Sets its INTERNALDATE.
    #[must_use]
    pub fn received(mut self, when: Timestamp) -> Self {
        self.received = when;
        self
    }

    /// Adds a flag or keyword.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }
}

impl<T: Into<Bytes>> From<T> for Draft {
    fn from(bytes: T) -> Self {
        Self::new(bytes)
    }
}

/// A message in a mailbox.
pub(super) struct Message {
    pub(super) uid: u32,
    pub(super) received: Timestamp,
    body: Body,
    size: OnceLock<usize>,
    flags: Mutex<Vec<String>>,
}

impl Message {
    pub(super) fn new(uid: u32, draft: Draft) -> Self {
        let Draft { body, received, flags } = draft;
        Self { uid, received, body, size: OnceLock::new(), flags: Mutex::new(flags) }
    }

    pub(super) fn bytes(&self) -> Bytes {
        match &self.body {
            Body::Kept(bytes) => bytes.clone(),
            Body::Made(make) => make().into(),
        }
    }

    pub(super) fn size(&self) -> usize {
        *self.size.get_or_init(|| self.bytes().len())
    }

    pub(super) fn flags(&self) -> String {
        self.flags.lock().unwrap_or_else(PoisonError::into_inner).join(" ")
    }

    pub(super) fn set_flags(&self, flags: Vec<String>) {
        *self.flags.lock().unwrap_or_else(PoisonError::into_inner) = flags;
    }

    pub(super) fn seen(&self) -> bool {
        let flags = self.flags.lock().unwrap_or_else(PoisonError::into_inner);
        flags.iter().any(|flag| flag.eq_ignore_ascii_case("\\Seen"))
    }

    pub(super) fn see(&self) {
        if !self.seen() {
            self.flags.lock().unwrap_or_else(PoisonError::into_inner).push(String::from("\\Seen"));
        }
    }
}
