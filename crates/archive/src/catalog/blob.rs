//! Blobs, where their bytes lie, and the segments that they lie in.

use rusqlite::{Connection, OptionalExtension};
use vigie_common::id::{BlobId, Id};

use super::value::{blob_id, hash, maybe_text};
use crate::reader::Location;
use crate::segment::SegmentName;

/// What is known of a blob of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlobRow {
    /// The first instance that was stored with these bytes.
    pub(crate) first: Option<Id>,
    /// Whether the bytes are kept.
    pub(crate) kept: bool,
}

/// Where bytes lie: number of the segment, offset and length of the frame.
pub(crate) type Place = (i64, u64, u64);

pub(crate) fn blob(db: &Connection, account: &str, blob: &BlobId) -> rusqlite::Result<Option<BlobRow>> {
    db.prepare_cached("SELECT first, segment IS NOT NULL FROM blob WHERE account = ?1 AND hash = ?2")?
        .query_row((account, hash(blob)), |row| Ok(BlobRow { first: maybe_text(row, 0)?, kept: row.get(1)? }))
        .optional()
}

/// Records a blob. What is known already of it stays.
pub(crate) fn insert_blob(
    db: &Connection,
    account: &str,
    blob: &BlobId,
    size: u64,
    first: Option<&Id>,
    place: Option<Place>,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO blob (account, hash, size, first, segment, offset, length) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (account, hash) DO UPDATE SET
           offset = iif(segment IS NULL, excluded.offset, offset),
           length = iif(segment IS NULL, excluded.length, length),
           segment = coalesce(segment, excluded.segment),
           first = coalesce(first, excluded.first)",
    )?
    .execute((
        account,
        hash(blob),
        size.cast_signed(),
        first.map(Id::as_str),
        place.map(|(segment, ..)| segment),
        place.map(|(_, offset, _)| offset.cast_signed()),
        place.map(|(.., length)| length.cast_signed()),
    ))
    .map(drop)
}

/// Where the bytes of a blob lie.
pub(crate) fn locate(db: &Connection, account: &str, blob: &BlobId) -> rusqlite::Result<Option<Location>> {
    db.prepare_cached(
        "SELECT s.account, s.month, s.number, b.offset, b.length, b.size
         FROM blob b JOIN segment s ON s.id = b.segment WHERE b.account = ?1 AND b.hash = ?2",
    )?
    .query_row((account, hash(blob)), |row| {
        let segment = SegmentName { account: row.get(0)?, month: row.get(1)?, number: row.get(2)? };
        Ok(Location { segment: segment.path(), offset: row.get(3)?, length: row.get(4)?, size: row.get(5)? })
    })
    .optional()
}

/// The bytes of a blob are not where they were said to be: they are kept nowhere, until they are found.
pub(crate) fn forget_place(db: &Connection, account: &str, blob: &BlobId) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE blob SET segment = NULL, offset = NULL, length = NULL WHERE account = ?1 AND hash = ?2",
    )?
    .execute((account, hash(blob)))
    .map(drop)
}

/// Blobs that should lie in a segment, by their place.
pub(crate) fn places(db: &Connection, segment: i64) -> rusqlite::Result<Vec<(u64, u64, BlobId)>> {
    db.prepare_cached("SELECT offset, length, hash FROM blob WHERE segment = ?1 ORDER BY offset")?
        .query_map([segment], |row| Ok((row.get(0)?, row.get(1)?, blob_id(row, 2)?)))?
        .collect()
}

/// All segments: number, name, and how far they are recorded.
pub(crate) fn segments(db: &Connection) -> rusqlite::Result<Vec<(i64, SegmentName, u64)>> {
    db.prepare_cached("SELECT id, account, month, number, length FROM segment ORDER BY id")?
        .query_map([], |row| {
            let name = SegmentName { account: row.get(1)?, month: row.get(2)?, number: row.get(3)? };
            Ok((row.get(0)?, name, row.get(4)?))
        })?
        .collect()
}

/// The number of a segment, if it is recorded.
pub(crate) fn segment_number(db: &Connection, name: &SegmentName) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT id FROM segment WHERE account = ?1 AND month = ?2 AND number = ?3")?
        .query_row((&name.account, &name.month, name.number), |row| row.get(0))
        .optional()
}

/// A segment is gone, and nothing lies in it.
pub(crate) fn forget_segment(db: &Connection, number: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM segment WHERE id = ?1")?.execute([number]).map(drop)
}

/// The last segment of an account, and how far it is recorded.
pub(crate) fn last_segment(db: &Connection, account: &str) -> rusqlite::Result<Option<(SegmentName, u64)>> {
    db.prepare_cached(
        "SELECT account, month, number, length FROM segment WHERE account = ?1
         ORDER BY month DESC, number DESC LIMIT 1",
    )?
    .query_row([account], |row| {
        let name = SegmentName { account: row.get(0)?, month: row.get(1)?, number: row.get(2)? };
        Ok((name, row.get(3)?))
    })
    .optional()
}

/// Records how far a segment reaches; gives its number.
pub(crate) fn set_segment(db: &Connection, name: &SegmentName, length: u64) -> rusqlite::Result<i64> {
    db.prepare_cached(
        "INSERT INTO segment (account, month, number, length) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (account, month, number) DO UPDATE SET length = excluded.length RETURNING id",
    )?
    .query_row((&name.account, &name.month, name.number, length.cast_signed()), |row| row.get(0))
}

/// Attachments behind a hash, in their order, with their octets.
pub(crate) fn attachments(
    db: &Connection,
    after: Option<&BlobId>,
    limit: u32,
) -> rusqlite::Result<Vec<(BlobId, u64)>> {
    db.prepare_cached("SELECT hash, size FROM attachment WHERE hash > ?1 ORDER BY hash LIMIT ?2")?
        .query_map((after.map(hash).unwrap_or_default(), limit), |row| Ok((blob_id(row, 0)?, row.get(1)?)))?
        .collect()
}

/// An attachment is not whole: the next message that brings it writes it again.
pub(crate) fn forget_attachment(db: &Connection, blob: &BlobId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM attachment WHERE hash = ?1")?.execute([hash(blob)]).map(drop)
}

/// Whether an attachment is durable.
pub(crate) fn attachment_known(db: &Connection, blob: &BlobId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM attachment WHERE hash = ?1")?.exists([hash(blob)])
}

/// Records that an attachment is durable.
pub(crate) fn insert_attachment(db: &Connection, blob: &BlobId, size: u64) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO attachment (hash, size) VALUES (?1, ?2)")?
        .execute((hash(blob), size.cast_signed()))
        .map(drop)
}
