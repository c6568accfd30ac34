//! Where everything lies in an archive. Pure, and frozen: every archive in the world is laid out so.
//!
//! Paths are relative to the archive and made only of account ids, dates, numbers and hashes: no text
//! of a server or a sender is ever part of one.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use vigie_common::id::{BlobId, Id};

/// The catalog.
pub const CATALOG: &str = "catalog.db";
/// The writer's lock; its pid is written in it.
pub const LOCK: &str = ".lock";
/// Files in the making.
pub const TMP: &str = ".tmp";
/// Documents.
pub const MESSAGES: &str = "messages";
/// Raw segments.
pub const RAW: &str = "raw";
/// Attachments.
pub const ATTACHMENTS: &str = "attachments";
/// What could not be taken.
pub const QUARANTINE: &str = "quarantine";

/// Where a document lies: `messages/<account>/<YYYY>/<MM>/<DD>/<HHMMSS>-<id>.json` by its INTERNALDATE in
/// UTC, or `messages/<account>/undated/<id>.json`.
#[must_use]
pub fn document(account: &str, received_at: Option<Timestamp>, id: &Id) -> String {
    match received_at {
        None => format!("{MESSAGES}/{account}/undated/{id}.json"),
        Some(at) => {
            let at = at.to_zoned(TimeZone::UTC);
            format!(
                "{MESSAGES}/{account}/{:04}/{:02}/{:02}/{:02}{:02}{:02}-{id}.json",
                at.year(),
                at.month(),
                at.day(),
                at.hour(),
                at.minute(),
                at.second()
            )
        }
    }
}

/// Where an attachment lies: `attachments/<first two digits>/<sha256>`.
#[must_use]
pub fn attachment(blob: &BlobId) -> String {
    let hex = blob.hex();
    format!("{ATTACHMENTS}/{}/{hex}", hex.get(..2).unwrap_or_default())
}

/// Ending of what is known of a message that could not be taken.
pub const NOTE: &str = "json";
/// Endings in the quarantine: the bytes that came, and what is known.
pub const QUARANTINED: [&str; 2] = ["eml", NOTE];

/// Where a file about a message that could not be taken lies: `quarantine/<account>/<id>.<ending>`.
#[must_use]
pub fn quarantine(account: &str, id: &Id, ending: &str) -> String {
    format!("{QUARANTINE}/{account}/{id}.{ending}")
}

/// Where a raw segment lies: `raw/<account>/<YYYY-MM>/<NNNN>.mail.zst`.
#[must_use]
pub fn segment(account: &str, month: &str, number: u32) -> String {
    format!("{RAW}/{account}/{month}/{number:04}.mail.zst")
}

/// The month of a segment, `YYYY-MM`: that of the round which begins it, in UTC.
#[must_use]
pub fn month(now: Timestamp) -> String {
    let now = now.to_zoned(TimeZone::UTC);
    format!("{:04}-{:02}", now.year(), now.month())
}

/// Whether a text may name an account, and so be part of a path.
#[must_use]
pub fn is_account(text: &str) -> bool {
    let ours = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(ours)
}
