//! Charsets and transfer encodings, the sending way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::{Encoding, GB18030, ISO_2022_JP, KOI8_R, UTF_8, WINDOWS_1252};

/// A charset in which text is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Charset {
    #[default]
    Utf8,
    Ascii,
    Latin1,
    Windows1252,
    Iso2022Jp,
    Koi8R,
    Gb18030,
}

impl Charset {
    /// Its name in a header field.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Ascii => "us-ascii",
            Self::Latin1 => "iso-8859-1",
            Self::Windows1252 => "windows-1252",
            Self::Iso2022Jp => "iso-2022-jp",
            Self::Koi8R => "koi8-r",
            Self::Gb18030 => "gb18030",
        }
    }

    /// A text in this charset.
    pub(super) fn encode(self, text: &str) -> Vec<u8> {
        let encoding: &Encoding = match self {
            Self::Utf8 | Self::Ascii => UTF_8,
            // Latin 1 is a part of it, and nothing here goes beyond.
            Self::Latin1 | Self::Windows1252 => WINDOWS_1252,
            Self::Iso2022Jp => ISO_2022_JP,
            Self::Koi8R => KOI8_R,
            Self::Gb18030 => GB18030,
        };
        encoding.encode(text).0.into_owned()
    }
}

/// How a body travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Transfer {
    SevenBit,
    EightBit,
    #[default]
    Quoted,
    Base64,
}

impl Transfer {
    /// Its name in a header field.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::Quoted => "quoted-printable",
            Self::Base64 => "base64",
        }
    }

    /// A body as it travels.
    pub(super) fn encode(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::SevenBit | Self::EightBit => bytes.to_vec(),
            Self::Quoted => quoted_printable(bytes),
            Self::Base64 => base64_lines(bytes),
        }
    }
}

/// Base64 in lines of 76 characters.
fn base64_lines(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 57 * 78 + 80);
    let mut line = String::with_capacity(76);
    for chunk in bytes.chunks(57) {
        line.clear();
        STANDARD.encode_string(chunk, &mut line);
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 4);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let (content, end) = match line.strip_suffix(b"\r\n") {
            Some(content) => (content, b"\r\n".as_slice()),
            None => (line, b"".as_slice()),
        };
        let mut width = 0;
        for (at, byte) in content.iter().enumerate() {
            let last = at + 1 == content.len();
            let plain = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || (matches!(byte, b' ' | b'\t') && !last);
            let size = if plain { 1 } else { 3 };
            if width + size > 75 {
                out.extend_from_slice(b"=\r\n");
                width = 0;
            }
            if plain {
                out.push(*byte)
            } else {
                out.extend_from_slice(format!("={byte:02X}").as_bytes())
            }
            width += size;
        }
        out.extend_from_slice(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Charset, Transfer};

    #[test]
    fn quoted_printable_breaks_long_lines_and_keeps_ends() {
        let encoded = Transfer::Quoted.encode("é=x \r\n".as_bytes());
        assert_eq!(encoded, b"=C3=A9=3Dx=20\r\n");
        let long = Transfer::Quoted.encode("a".repeat(200).as_bytes());
        assert!(long.split(|byte| *byte == b'\n').all(|line| line.len() <= 77));
        assert_eq!(long.iter().filter(|byte| **byte == b'a').count(), 200);
    }

    #[test]
    fn charsets_are_what_they_say() {
        assert_eq!(Charset::Latin1.encode("é"), [0xe9]);
        assert_eq!(Charset::Koi8R.encode("да"), [0xc4, 0xc1]);
        assert_eq!(Charset::Iso2022Jp.encode("日"), b"\x1b$BF|\x1b(B");
    }
}
