//! How values of ours are written in SQLite's types.

use std::fmt::Display;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Row, RowIndex};
use serde::de::DeserializeOwned;
use vigie_common::id::BlobId;

/// Microseconds hold every time that jiff knows; nanoseconds would not fit 64 bits.
pub(crate) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

pub(crate) fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(at)?).map_err(|e| wrong(at, Type::Integer, e))
}

pub(crate) fn maybe_time(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Timestamp>> {
    match row.get::<_, Option<i64>>(at)? {
        None => Ok(None),
        Some(_) => time(row, at).map(Some),
    }
}

/// The 32 bytes of a blobId.
pub(crate) fn hash(blob: &BlobId) -> Vec<u8> {
    // A BlobId is made of hexadecimal digits only.
    HEXLOWER.decode(blob.hex().as_bytes()).unwrap_or_default()
}

pub(crate) fn blob_id(row: &Row<'_>, at: usize) -> rusqlite::Result<BlobId> {
    row.get(at).map(|hash: [u8; 32]| BlobId::from_digest(&hash))
}

/// A value with a text of its own.
pub(crate) fn text<T: FromStr<Err: Display>>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(at)?.as_str()?;
    text.parse().map_err(|e: T::Err| wrong(at, Type::Text, e))
}

pub(crate) fn maybe_text<T: FromStr<Err: Display>>(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<T>> {
    match row.get_ref(at)?.as_str_or_null()? {
        None => Ok(None),
        Some(_) => text(row, at).map(Some),
    }
}

/// A list, written as JSON.
pub(crate) fn json<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(at)?.as_str()?).map_err(|e| wrong(at, Type::Text, e))
}

/// One of a closed list of words.
pub(crate) fn word<T: Copy>(
    row: &Row<'_>,
    at: impl RowIndex,
    all: &[T],
    as_str: impl Fn(T) -> &'static str,
) -> rusqlite::Result<T> {
    let at = at.idx(row.as_ref())?;
    let text = row.get_ref(at)?.as_str()?;
    all.iter()
        .copied()
        .find(|&one| as_str(one) == text)
        .ok_or_else(|| wrong(at, Type::Text, "a word not known"))
}

fn wrong(at: usize, kind: Type, why: impl Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, kind, why.to_string().into())
}
