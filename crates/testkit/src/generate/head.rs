//! The header of a message: fields, encoded words (RFC 2047), parameters (RFC 2231), dates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::encoding::Charset;

/// How long an encoded word may be (RFC 2047, section 2).
const LONGEST_WORD: usize = 75;

/// Header fields, in the order in which they were added.
#[derive(Default)]
pub(super) struct Head(pub(super) String);

impl Head {
    /// Adds a field as it stands; a fold is the value's own.
    pub(super) fn field(&mut self, name: &str, value: impl AsRef<str>) {
        self.0.push_str(name);
        self.0.push_str(": ");
        self.0.push_str(value.as_ref());
        self.0.push_str("\r\n");
    }

    /// Adds a field of text, in encoded words where it has to be.
    pub(super) fn text(&mut self, name: &str, charset: Charset, value: &str) {
        self.field(name, words(charset, value));
    }
}

/// A mailbox with its display name.
pub(super) fn address(charset: Charset, name: &str, mailbox: &str) -> String {
    if !name.is_ascii() {
        return format!("{} <{mailbox}>", words(charset, name));
    }
    if name.is_empty() {
        return mailbox.to_owned();
    }
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ' || byte == b'-');
    if plain { format!("{name} <{mailbox}>") } else { format!("\"{name}\" <{mailbox}>") }
}

/// Text as it may stand in a header field: encoded when it is not ASCII, folded when it is long.
pub(super) fn words(charset: Charset, text: &str) -> String {
    if text.is_ascii() {
        return folded(text);
    }
    // A word is encoded on its own, so that it ends in the charset's first state.
    let mut encoded = Vec::new();
    let mut piece = String::new();
    for character in text.chars() {
        piece.push(character);
        if word(charset, &piece).len() > LONGEST_WORD {
            piece.pop();
            encoded.push(word(charset, &piece));
            piece = String::from(character);
        }
    }
    encoded.push(word(charset, &piece));
    encoded.join("\r\n ")
}

fn word(charset: Charset, text: &str) -> String {
    let bytes = charset.encode(text);
    if matches!(charset, Charset::Latin1 | Charset::Windows1252) {
        let mut out = format!("=?{}?Q?", charset.name());
        for byte in bytes {
            match byte {
                b' ' => out.push('_'),
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => out.push(char::from(byte)),
                _ => out.push_str(&format!("={byte:02X}")),
            }
        }
        return out + "?=";
    }
    format!("=?{}?B?{}?=", charset.name(), STANDARD.encode(bytes))
}

fn folded(text: &str) -> String {
    let mut out = String::new();
    let mut width = 12;
    for word in text.split(' ') {
        if !out.is_empty() {
            if width + word.len() > 74 {
                out.push_str("\r\n");
                width = 0;
            }
            out.push(' ');
        }
        out.push_str(word);
        width += word.len() + 1;
    }
    out
}

/// A parameter, after its `;`: quoted when it is ASCII, else by RFC 2231, in sections when long.
pub(super) fn parameter(name: &str, value: &str) -> String {
    if value.is_ascii() {
        return format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    }
    let pieces: Vec<String> = value.chars().collect::<Vec<_>>().chunks(16).map(percent).collect();
    match pieces.as_slice() {
        [single] => format!("{name}*=utf-8''{single}"),
        several => {
            let section = |(at, piece): (usize, &String)| {
                let start = if at == 0 { "utf-8''" } else { "" };
                format!("{name}*{at}*={start}{piece}")
            };
            several.iter().enumerate().map(section).collect::<Vec<_>>().join(";\r\n\t")
        }
    }
}

fn percent(characters: &[char]) -> String {
    let mut out = String::new();
    for byte in String::from_iter(characters).bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A date as in a header field, at an offset of so many hours.
pub(super) fn date(when: Timestamp, hours: i8) -> String {
    let offset = Offset::from_hours(hours).unwrap_or(Offset::UTC);
    when.to_zoned(TimeZone::fixed(offset)).strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

#[cfg(test)]
mod tests {
    use super::{address, parameter, words};
    use crate::generate::encoding::Charset;

    #[test]
    fn names_and_subjects() {
        assert_eq!(words(Charset::Utf8, "plain"), "plain");
        assert_eq!(words(Charset::Latin1, "été x"), "=?iso-8859-1?Q?=E9t=E9_x?=");
        assert_eq!(
            address(Charset::Utf8, "O'Brien, Pat", "p@example.org"),
            "\"O'Brien, Pat\" <p@example.org>"
        );
        let long = words(Charset::Gb18030, &"关于账单的问题".repeat(6));
        assert!(long.split("\r\n ").all(|word| word.len() <= 75), "{long}");
    }

    #[test]
    fn parameters_are_cut_into_sections() {
        assert_eq!(parameter("name", "a\"b"), "name=\"a\\\"b\"");
        assert_eq!(parameter("filename", "é.txt"), "filename*=utf-8''%C3%A9.txt");
        let long = parameter("filename", "Отчёт о продажах за квартал.pdf");
        assert!(
            long.starts_with("filename*0*=utf-8''%D0") && long.contains(";\r\n\tfilename*1*=%20%D0"),
            "{long}"
        );
    }
}
