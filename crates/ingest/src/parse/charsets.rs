//! Bytes to text: by the charset that is declared where it fits, by what the bytes show where it does not.

use std::borrow::Cow;

use charset::Charset;
use encoding_rs::{EUC_KR, ISO_2022_JP, UTF_8, WINDOWS_1252, mem};

/// Text made from bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded<'a> {
    /// The text.
    pub(crate) text: Cow<'a, str>,
    /// What was wrong with the declared charset, if anything was.
    pub(crate) problem: Option<Problem>,
}

/// How a declared charset failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Nobody knows it.
    Unknown,
    /// The bytes are UTF-8 instead.
    IsUtf8,
    /// The bytes were read as windows-1252 instead.
    ReadAsWindows1252,
    /// Some bytes are not of it; they became U+FFFD.
    Replaced,
}

impl Problem {
    /// For a person, after the name of the charset.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "is not known",
            Self::IsUtf8 => "is declared, but the text is UTF-8, and was read so",
            Self::ReadAsWindows1252 => "does not fit, the text was read as windows-1252",
            Self::Replaced => "does not fit all of the text, other bytes became U+FFFD",
        }
    }
}

/// Decodes `bytes` that are declared to be of the charset `label`.
pub(crate) fn decode<'a>(label: &str, bytes: &'a [u8]) -> Decoded<'a> {
    let declared = lookup(label);
    if mem::is_ascii(bytes) && declared.is_none_or(Charset::is_ascii_compatible) {
        return sound(decode_utf8_lossy(bytes));
    }
    if is_plain(label) {
        return guess(bytes);
    }
    let Some(charset) = declared else { return Decoded { problem: Some(Problem::Unknown), ..guess(bytes) } };
    if charset == Charset::for_encoding(UTF_8) {
        return utf8(bytes);
    }
    if charset == Charset::for_encoding(WINDOWS_1252) && is_surely_utf8(bytes) {
        return Decoded { text: decode_utf8_lossy(bytes), problem: Some(Problem::IsUtf8) };
    }
    let (text, wrong) = charset.decode_with_bom_removal(bytes);
    if !wrong {
        return sound(text);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_ascii() => Decoded { text: Cow::Borrowed(text), problem: Some(Problem::IsUtf8) },
        _ => Decoded { text, problem: Some(Problem::Replaced) },
    }
}

/// Decodes bytes above 127 that nobody declared: UTF-8 where they are, windows-1252 where they are not.
pub(crate) fn undeclared(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Cow::Borrowed(text), false);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    (Cow::Owned(text), true)
}

/// The charset of a label, with the names that mail uses beside the registered ones.
fn lookup(label: &str) -> Option<Charset> {
    let label = label.trim_matches(|c: char| c.is_ascii_whitespace() || c == '"' || c == '\'');
    Charset::for_label_no_replacement(label.as_bytes()).or_else(|| {
        let is = |names: &[&str]| names.iter().any(|name| label.eq_ignore_ascii_case(name));
        if is(&["cp932", "ms932", "windows-932"]) {
            Charset::for_label(b"shift_jis")
        } else if is(&["cp936", "ms936", "windows-936"]) {
            Charset::for_label(b"gbk")
        } else if is(&["cp949", "ms949", "windows-949", "ks_c_5601", "iso-2022-kr"]) {
            Some(Charset::for_encoding(EUC_KR))
        } else if is(&["cp950", "windows-950"]) {
            Charset::for_label(b"big5")
        } else if is(&["iso-2022-jp-2", "iso-2022-jp-1", "iso-2022-jp-ms", "cp50220", "cp50221"]) {
            Some(Charset::for_encoding(ISO_2022_JP))
        } else if is(&["utf8mb4", "utf_8", "utf-8-bom", "utf8-8"]) {
            Some(Charset::for_encoding(UTF_8))
        } else {
            // `cp-850`, `iso8859_1` and `8859-1` are written, too.
            let plain: String = label.chars().map(|c| if c == '_' { '-' } else { c }).collect();
            Charset::for_label_no_replacement(plain.as_bytes())
                .or_else(|| Charset::for_label_no_replacement(format!("iso-{plain}").as_bytes()))
        }
    })
}

/// Whether text of this charset begins in a state of its own, so that pieces of it cannot be joined.
pub(crate) fn has_states(label: &[u8]) -> bool {
    let begins = |name: &[u8]| label.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name));
    begins(b"iso-2022") || begins(b"utf-7")
}

/// Labels that only say "not more than ASCII".
fn is_plain(label: &str) -> bool {
    label.is_empty() || label.eq_ignore_ascii_case("us-ascii") || label.eq_ignore_ascii_case("ascii")
}

fn sound(text: Cow<'_, str>) -> Decoded<'_> {
    Decoded { text, problem: None }
}

fn guess(bytes: &[u8]) -> Decoded<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Decoded { text: Cow::Borrowed(text), problem: Some(Problem::IsUtf8) },
        Err(_) => Decoded { text: windows_1252(bytes), problem: Some(Problem::ReadAsWindows1252) },
    }
}

fn utf8(bytes: &[u8]) -> Decoded<'_> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return sound(Cow::Borrowed(text));
    }
    // Without a single character that is UTF-8, the declaration is wrong rather than the bytes.
    if bytes.utf8_chunks().all(|chunk| chunk.valid().is_ascii()) {
        return Decoded { text: windows_1252(bytes), problem: Some(Problem::ReadAsWindows1252) };
    }
    Decoded { text: decode_utf8_lossy(bytes), problem: Some(Problem::Replaced) }
}

/// Several characters, all of them UTF-8, are no accident in a text declared as latin-1.
fn is_surely_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().filter(|c| !c.is_ascii()).take(3).count() == 3)
}

fn decode_utf8_lossy(bytes: &[u8]) -> Cow<'_, str> {
    // Sound text, nearly all there is, takes a fast way.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn windows_1252(bytes: &[u8]) -> Cow<'_, str> {
    WINDOWS_1252.decode_without_bom_handling(bytes).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(label: &str, bytes: &[u8], text: &str, problem: Option<Problem>) {
        assert_eq!(decode(label, bytes), Decoded { text: text.into(), problem }, "{label}");
    }

    #[test]
    fn declared_and_true() {
        reads("utf-8", "Grüße".as_bytes(), "Grüße", None);
        reads("ISO-8859-1", b"Gr\xfc\xdfe", "Grüße", None);
        reads("\"iso-8859-15\"", b"\xa4", "€", None);
        reads("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет", None);
        reads("iso-2022-jp", b"\x1b$B$3$s\x1b(B", "こん", None);
        reads("cp932", b"\x82\xb1", "こ", None);
        reads("gb2312", b"\xc4\xe3", "你", None);
        reads("utf-7", b"Hi +AOQ-!", "Hi ä!", None);
        reads("utf-16be", b"\0H\0i", "Hi", None);
        reads("utf-8", b"\xef\xbb\xbfx", "x", None);
    }

    #[test]
    fn declared_and_false() {
        reads("us-ascii", "é".as_bytes(), "é", Some(Problem::IsUtf8));
        reads("us-ascii", b"\xe9", "é", Some(Problem::ReadAsWindows1252));
        reads("utf-8", b"\xe9t\xe9", "été", Some(Problem::ReadAsWindows1252));
        reads("utf-8", b"\xc3\xa9t\xe9", "ét\u{fffd}", Some(Problem::Replaced));
        reads("iso-8859-1", "äöü".as_bytes(), "äöü", Some(Problem::IsUtf8));
        reads("shift_jis", "日本語".as_bytes(), "日本語", Some(Problem::IsUtf8));
        reads("x-nobody", b"\xe9", "é", Some(Problem::Unknown));
        reads("x-nobody", b"plain", "plain", None);
    }

    #[test]
    fn undeclared_bytes_keep_their_number() {
        assert_eq!(undeclared(b"a\xe9\x81z"), ("aé\u{81}z".into(), true));
        assert_eq!(undeclared("né".as_bytes()), ("né".into(), false));
    }
}
