//! Decodes the content of the leaves: bytes, their hash, and the text of text parts.

use std::borrow::Cow;
use std::convert::Infallible;

use memchr::memchr;
use sha2::{Digest, Sha256};
use vigie_common::document::{BodyValue, Code};
use vigie_common::id::BlobId;

use super::defects::{Defects, quote};
use super::transfer::Encoding;
use super::walk::Node;
use super::{charsets, limits};

/// The decoded content of a leaf.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    /// The bytes; none where they are [left](Self::later) for later.
    pub(crate) bytes: Cow<'a, [u8]>,
    /// They are too many to be there twice: how they are encoded, and what they are decoded from.
    pub(crate) later: Option<(Encoding, &'a [u8])>,
    /// What could not be decoded, for a person.
    pub(crate) error: Option<&'static str>,
    /// The text, where the part is one.
    pub(crate) text: Option<BodyValue>,
}

/// Decodes the content of a leaf, and writes down in its part what that tells.
pub(crate) fn decode<'a>(node: &mut Node<'a>, defects: &mut Defects) -> Content<'a> {
    if let Some(content) = large(node, defects) {
        return content;
    }
    let (bytes, code) = node.encoding.decode(node.content);
    let error = code.map(explain);
    if let (Some(code), Some(error)) = (code, error) {
        defects.note_in(&node.id, code, error);
    }
    node.part.size = bytes.len() as u64;
    node.part.blob_id = Some(BlobId::of(&bytes));
    let text = node.part.charset.as_deref().map(|charset| {
        let mut text = text(charset, &bytes, &node.id, defects);
        text.is_encoding_problem |= code.is_some();
        text
    });
    Content { bytes, later: None, error, text }
}

/// A large leaf that is no text is hashed while it is decoded, and kept as it is.
fn large<'a>(node: &mut Node<'a>, defects: &mut Defects) -> Option<Content<'a>> {
    if node.content.len() < limits::TWICE || node.part.charset.is_some() {
        return None;
    }
    let (mut hash, mut size) = (Sha256::new(), 0);
    let Ok(code) = node.encoding.decode_to(node.content, |piece| {
        hash.update(piece);
        size += piece.len() as u64;
        Ok::<_, Infallible>(())
    })?;
    let error = code.map(explain);
    if let (Some(code), Some(error)) = (code, error) {
        defects.note_in(&node.id, code, error);
    }
    node.part.size = size;
    node.part.blob_id = Some(BlobId::from_digest(&hash.finalize().into()));
    Some(Content { bytes: Cow::Borrowed(&[]), later: Some((node.encoding, node.content)), error, text: None })
}

const fn explain(code: Code) -> &'static str {
    match code {
        Code::Base64Invalid => "base64 with bytes that do not belong there; what decodes is kept",
        Code::Base64Truncated => "base64 that ends inside a group; what decodes is kept",
        Code::QuotedPrintableInvalid => "quoted-printable with invalid escapes; they are kept as written",
        _ => "the transfer encoding is not known; the content is kept undecoded",
    }
}

fn text(charset: &str, bytes: &[u8], id: &str, defects: &mut Defects) -> BodyValue {
    // Two bytes of a character at most make three; a character more is read and cut again below.
    let near = bytes.get(..limits::BODY + 4).unwrap_or(bytes);
    let decoded = charsets::decode(charset, near);
    if let Some(problem) = decoded.problem {
        defects.note_in(id, Code::BadCharset, format!("{} {}", quote(charset), problem.as_str()));
    }
    let mut value = unix_lines(&decoded.text);
    let is_truncated = near.len() < bytes.len() || value.len() > limits::BODY;
    if is_truncated {
        value.truncate(value.floor_char_boundary(limits::BODY));
        defects.note_in(id, Code::TooLarge, format!("the text was cut to {} bytes", limits::BODY));
    }
    let is_encoding_problem = !matches!(decoded.problem, None | Some(charsets::Problem::IsUtf8));
    BodyValue { value, is_encoding_problem, is_truncated }
}

/// Line ends as `\n`.
fn unix_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((line, following)) =
        memchr(b'\r', rest.as_bytes()).and_then(|at| Some((rest.get(..at)?, rest.get(at + 1..)?)))
    {
        out.push_str(line);
        if !following.starts_with('\n') {
            out.push('\r');
        }
        rest = following;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends() {
        assert_eq!(unix_lines("a\r\nb\rc\n\r\n\r"), "a\nb\rc\n\n\r");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let mut defects = Defects::default();
        let long = "ü".repeat(limits::BODY);
        let text = text("utf-8", long.as_bytes(), "1", &mut defects);
        assert!(text.is_truncated && !text.is_encoding_problem);
        assert_eq!(text.value.len(), limits::BODY);
        assert_eq!(defects.into_vec()[0].code, Code::TooLarge);
    }
}
