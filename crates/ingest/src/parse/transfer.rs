//! Content-Transfer-Encoding: strict decoding first, and what can be saved where that fails.

use std::borrow::Cow;

use mailparse::ParsedContentType;
use mailparse::body::Body;
use memchr::{memchr, memchr2};
use vigie_common::document::Code;

/// What is decoded at once where content is decoded in pieces.
const PIECE: usize = 48 << 10;

/// How a part's content is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// 7bit, 8bit, binary, or none named.
    Identity,
    /// base64.
    Base64,
    /// quoted-printable.
    QuotedPrintable,
    /// One that is not known here: the content stays as it is.
    Unknown,
}

impl Encoding {
    /// Reads the value of Content-Transfer-Encoding, comments already gone.
    pub(crate) fn of(value: &str) -> Self {
        let word = value.split([';', ' ', '\t']).find(|word| !word.is_empty()).unwrap_or_default();
        let is = |names: &[&str]| names.iter().any(|name| word.trim_matches('"').eq_ignore_ascii_case(name));
        if is(&["base64", "base-64"]) {
            Self::Base64
        } else if is(&["quoted-printable", "quotedprintable"]) {
            Self::QuotedPrintable
        } else if is(&["", "7bit", "8bit", "binary", "7-bit", "8-bit", "7bits", "8bits"]) {
            Self::Identity
        } else {
            Self::Unknown
        }
    }

    /// Decodes `content` piece by piece, so that it is never there twice; and says what could not be. None for an encoding
    /// of which that is not known.
    pub(crate) fn decode_to<E>(
        self,
        content: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Option<Result<Option<Code>, E>> {
        match self {
            Self::Identity => Some(each(content).map(|()| None)),
            Self::Unknown => Some(each(content).map(|()| Some(Code::UnknownEncoding))),
            Self::Base64 => Some(base64_to(content, each)),
            Self::QuotedPrintable => None,
        }
    }

    /// Decodes `content`, and says what could not be.
    pub(crate) fn decode(self, content: &[u8]) -> (Cow<'_, [u8]>, Option<Code>) {
        match self {
            Self::Identity => (Cow::Borrowed(content), None),
            Self::Unknown => (Cow::Borrowed(content), Some(Code::UnknownEncoding)),
            Self::Base64 => base64(content),
            Self::QuotedPrintable => quoted_printable(content),
        }
    }
}

/// Decodes base64: what is sound in one go, anything else byte by byte, to the first padding.
pub(crate) fn base64(content: &[u8]) -> (Cow<'_, [u8]>, Option<Code>) {
    if content.is_empty() {
        return (Cow::Borrowed(content), None);
    }
    let (media_type, encoding) = (ParsedContentType::default(), Some("base64".to_owned()));
    if let Body::Base64(body) = Body::new(content, &media_type, &encoding)
        && let Ok(bytes) = body.get_decoded()
    {
        return (Cow::Owned(bytes), None);
    }
    let (bytes, problem) = base64_leniently(content);
    (Cow::Owned(bytes), problem)
}

fn base64_leniently(content: &[u8]) -> (Vec<u8>, Option<Code>) {
    let mut out = Vec::with_capacity(content.len() / 4 * 3 + 3);
    let Ok(problem) = base64_to(content, |piece| {
        out.extend_from_slice(piece);
        Ok::<_, std::convert::Infallible>(())
    });
    (out, problem)
}

/// Decodes base64 piece by piece, and says what could not be.
///
/// # Errors
/// Of `each`.
fn base64_to<E>(content: &[u8], mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<Option<Code>, E> {
    let mut out = Vec::with_capacity(PIECE + 3);
    let (mut group, mut held, mut stray) = (0u32, 0, false);
    let mut rest = content.iter();
    let mut padded = false;
    for byte in rest.by_ref() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if held >= 2 => {
                padded = true;
                break;
            }
            _ => {
                stray |= !byte.is_ascii_whitespace();
                continue;
            }
        };
        group = group << 6 | u32::from(six);
        held += 1;
        if held == 4 {
            let [_, a, b, c] = group.to_be_bytes();
            out.extend([a, b, c]);
            (group, held) = (0, 0);
            if out.len() >= PIECE {
                each(&out)?;
                out.clear();
            }
        }
    }
    let [_, a, b, _] = (group << (6 * (4 - held.min(4)))).to_be_bytes();
    match held {
        2 => out.push(a),
        3 => out.extend([a, b]),
        _ => {}
    }
    each(&out)?;
    // Padding ends the content; more than padding after it is not part of it.
    stray |= rest.any(|byte| !byte.is_ascii_whitespace() && *byte != b'=');
    Ok(if stray {
        Some(Code::Base64Invalid)
    } else {
        (held != 0 && !padded).then_some(Code::Base64Truncated)
    })
}

/// Decodes quoted-printable line by line; line ends stay as they are, invalid escapes too.
fn quoted_printable(content: &[u8]) -> (Cow<'_, [u8]>, Option<Code>) {
    let mut out = Vec::with_capacity(content.len());
    let mut invalid = false;
    let mut rest = content;
    while !rest.is_empty() {
        let length = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, following) = rest.split_at_checked(length).unwrap_or((rest, b""));
        rest = following;
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let end = line.get(text.len()..).unwrap_or_default();
        // Blanks at the end of a line were added on the way.
        let text = if end.is_empty() { text } else { text.trim_ascii_end() };
        let soft = text.strip_suffix(b"=");
        invalid |= unescape(soft.unwrap_or(text), &mut out);
        if soft.is_none() {
            out.extend_from_slice(end);
        }
    }
    (Cow::Owned(out), invalid.then_some(Code::QuotedPrintableInvalid))
}

/// Undoes `=XX` and says whether one was invalid.
fn unescape(mut text: &[u8], out: &mut Vec<u8>) -> bool {
    let mut invalid = false;
    while let Some(at) = memchr(b'=', text) {
        let (plain, escape) = text.split_at_checked(at).unwrap_or((text, b""));
        out.extend_from_slice(plain);
        match hex(escape) {
            Some((byte, following)) => {
                out.push(byte);
                text = following;
            }
            None => {
                invalid = true;
                out.push(b'=');
                text = escape.get(1..).unwrap_or_default();
            }
        }
    }
    out.extend_from_slice(text);
    invalid
}

/// The byte of an escape (`=E9`, `%E9`) at the beginning, and what follows.
pub(crate) fn hex(escape: &[u8]) -> Option<(u8, &[u8])> {
    let [_, high, low, following @ ..] = escape else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(high)? << 4 | digit(low)?, following))
}

/// The Q encoding of RFC 2047: `_` is a space.
pub(crate) fn decode_q(mut text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    while let Some(at) = memchr2(b'=', b'_', text) {
        let (plain, mark) = text.split_at_checked(at).unwrap_or((text, b""));
        out.extend_from_slice(plain);
        text = mark.get(1..).unwrap_or_default();
        match (mark.first(), hex(mark)) {
            (Some(b'_'), _) => out.push(b' '),
            (_, Some((byte, following))) => {
                out.push(byte);
                text = following;
            }
            _ => out.push(b'='),
        }
    }
    out.extend_from_slice(text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn decodes(encoding: Encoding, content: &[u8], bytes: &[u8], problem: Option<Code>) {
        let (decoded, found) = encoding.decode(content);
        assert_eq!((String::from_utf8_lossy(&decoded), found), (String::from_utf8_lossy(bytes), problem));
    }

    #[test]
    fn names() {
        for (value, encoding) in [
            ("BASE64", Encoding::Base64),
            (" quoted-printable ; x", Encoding::QuotedPrintable),
            ("", Encoding::Identity),
            ("8Bit", Encoding::Identity),
            ("x-uuencode", Encoding::Unknown),
        ] {
            assert_eq!(Encoding::of(value), encoding, "{value}");
        }
    }

    #[test]
    fn sound_base64() {
        decodes(Encoding::Base64, b"SGVs\r\nbG8=\r\n", b"Hello", None);
        decodes(Encoding::Base64, b"", b"", None);
        decodes(Encoding::Base64, b"\r\n", b"", None);
    }

    #[test]
    fn what_is_left_of_broken_base64() {
        decodes(Encoding::Base64, b"SGVsbG8", b"Hello", Some(Code::Base64Truncated));
        decodes(Encoding::Base64, b"SGVs!bG8=", b"Hello", Some(Code::Base64Invalid));
        decodes(
            Encoding::Base64,
            b"SGVsbG8=\r\n-- \r\nfooter of a list",
            b"Hello",
            Some(Code::Base64Invalid),
        );
        decodes(Encoding::Base64, b"SGVsb", b"Hel", Some(Code::Base64Truncated));
        decodes(Encoding::Base64, b"\xff\xfe", b"", Some(Code::Base64Invalid));
    }

    #[test]
    fn quoted_printable_keeps_what_is_not_an_escape() {
        let qp = Encoding::QuotedPrintable;
        decodes(qp, b"a=3Db =\r\nc=e9 \t\r\nd\n", b"a=b c\xe9\r\nd\n", None);
        decodes(qp, b"a=\nb=", b"ab", None);
        decodes(qp, b"100 =% =GG=4", b"100 =% =GG=4", Some(Code::QuotedPrintableInvalid));
        decodes(qp, b"blank at the end ", b"blank at the end ", None);
    }

    #[test]
    fn q_encoding() {
        assert_eq!(decode_q(b"a_b=20c=5F=zz"), b"a b c_=zz");
    }
}
