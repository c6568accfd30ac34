//! How much of a message is looked at: past these, the rest is kept as opaque bytes and a defect says so.

/// Bytes of one header field that are decoded and kept in `headers`.
pub(crate) const FIELD: usize = 16 * 1024;
/// Bytes of one header block that are read as fields.
pub(crate) const BLOCK: usize = 256 * 1024;
/// Fields of one header block.
pub(crate) const FIELDS: usize = 1_000;
/// Parts of one message, multiparts counted.
pub(crate) const PARTS: usize = 1_000;
/// Levels of parts; a reader of JSON gives up at 128 levels, of which each part takes two.
pub(crate) const DEPTH: usize = 50;
/// Addresses of one field.
pub(crate) const ADDRESSES: usize = 1_000;
/// Message-IDs of one field.
pub(crate) const IDS: usize = 1_000;
/// Bytes of text kept of one part.
pub(crate) const BODY: usize = 1024 * 1024;
/// A part of so many bytes is not there decoded and encoded at once.
pub(crate) const TWICE: usize = 4 << 20;
/// Bytes of a name or another text that describes a part.
pub(crate) const LABEL: usize = 1_024;
/// Parameters of one field, continuations counted.
pub(crate) const PARAMETERS: usize = 1_000;
/// Characters of the preview.
pub(crate) const PREVIEW: usize = 256;
/// Defects told of one code.
pub(crate) const DEFECTS_OF_A_CODE: usize = 16;

/// The longest beginning of `text` that has at most `limit` bytes and ends between characters.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or_default()
}
