//! Messages made to break parsers: each gives a document within its caps, whatever it asks for.

use vigie_common::document::{Code, Document};

use super::{limits, parse};

/// Parses, and checks what must hold of every document.
fn survives(raw: &[u8]) -> Document {
    let parsed = parse(raw);
    super::properties::holds(raw, &parsed);
    let json = serde_json::to_string(&parsed.document).unwrap();
    assert!(json.len() <= 8 * raw.len() + 4 * 1024 * 1024, "{} bytes of JSON", json.len());
    parsed.document
}

#[track_caller]
fn has(document: &Document, code: Code) {
    let defects = &document.vigie.parse.defects;
    assert!(defects.iter().any(|defect| defect.code == code), "{code:?} in {defects:?}");
}

fn nested(levels: usize) -> Vec<u8> {
    let mut raw = String::from("Message-ID: <a@b>\n");
    for level in 0..levels {
        raw += &format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n");
    }
    raw += "\ninnermost\n";
    raw.into_bytes()
}

#[test]
fn ten_thousand_nested_multiparts() {
    let document = survives(&nested(10_000));
    has(&document, Code::DepthLimit);
    let (mut part, mut depth) = (&document.body_structure, 1);
    while let Some(first) = part.sub_parts.as_ref().and_then(|parts| parts.first()) {
        (part, depth) = (first, depth + 1);
    }
    assert_eq!((depth, &*part.media_type), (limits::DEPTH, "application/octet-stream"));
}

#[test]
fn nested_messages_are_one_leaf() {
    let raw = "Content-Type: message/rfc822\n\n".repeat(20_000);
    let document = survives(raw.as_bytes());
    assert_eq!(document.attachments.len(), 1);
}

#[test]
fn two_hundred_thousand_parts() {
    let raw = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(200_000));
    let document = survives(raw.as_bytes());
    has(&document, Code::TooManyParts);
    assert_eq!(document.body_structure.sub_parts.unwrap().len(), limits::PARTS - 1);
}

#[test]
fn one_boundary_at_every_level() {
    let raw = "Content-Type: multipart/mixed; boundary=b\n\n--b\n".repeat(20_000);
    has(&survives(raw.as_bytes()), Code::DepthLimit);
}

#[test]
fn boundaries_that_begin_with_each_other() {
    let mut raw = String::from("Content-Type: multipart/mixed; boundary=b\n\n");
    for length in 1..600 {
        let boundary = "b".repeat(length);
        raw += &format!("--{boundary}\nContent-Type: multipart/mixed; boundary={boundary}b\n\n");
    }
    survives(raw.as_bytes());
}

#[test]
fn parts_with_long_names() {
    let name = "n".repeat(limits::FIELD - 100);
    let part = format!("--b\nContent-Type: a/b; name={name}\nContent-ID: <{name}>\n\nx\n");
    let raw = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", part.repeat(300));
    survives(raw.as_bytes());
}

#[test]
fn headers_without_end() {
    has(&survives("To: a@b\n".repeat(100_000).as_bytes()), Code::TooManyHeaders);
    has(&survives("a\n".repeat(500_000).as_bytes()), Code::NoHeader);
    has(&survives(format!("Subject: {}", "x".repeat(4_000_000)).as_bytes()), Code::HeaderTooLong);
    has(&survives(format!("Subject: x\n{}", " \n".repeat(500_000)).as_bytes()), Code::HeaderTooLong);
    has(&survives("A: \0\n".repeat(1_000).as_bytes()), Code::NulByte);
    survives("\r".repeat(1_000_000).as_bytes());
    survives(":".repeat(1_000_000).as_bytes());
}

#[test]
fn address_fields() {
    has(&survives(format!("To: {}", "a@b,".repeat(500_000)).as_bytes()), Code::TooManyAddresses);
    for piece in ["(", "<", "\"", "g:", "\\", "[", ",", "@", "<>,", "=?", "a b ", "((a)", "()"] {
        let text = piece.repeat(100_000);
        survives(format!("From: {text}\nTo: {text} <a@b>\nDate: {text}\nSubject: {text}\n\n").as_bytes());
    }
}

#[test]
fn encoded_words() {
    for piece in ["=?utf-8?Q?=C3?= ", "=?", "=?a?q?", "=?a?q?b", "?=", "=?utf-8?B?", "=?x?b?=?=", "=??q??="] {
        let text = piece.repeat(200_000 / piece.len());
        survives(format!("Subject: {text}\n {text}?=\nFrom: {text}\n\n").as_bytes());
    }
}

#[test]
fn parameters() {
    let mut continued = String::from("Content-Type: a/b");
    for place in 0..20_000 {
        continued += &format!("; name*{place}*=%41");
    }
    survives(format!("{continued}\n\n").as_bytes());
    for piece in ["; name=a", "; name*0=a", "; name*=''a", ";", "(", "\"", "; boundary=", "%", "'", "\\"] {
        let text = piece.repeat(100_000);
        survives(
            format!("Content-Type: multipart/mixed{text}\nContent-Disposition: x{text}\n\n--\n--").as_bytes(),
        );
    }
}

#[test]
fn bodies() {
    let pieces = ["<", "<div>", "<!--", "<style>", "</", "&", "&#", "=\n", "\r\n", "= \n", "\0", "\u{202e}"];
    for piece in pieces {
        for encoding in ["7bit", "quoted-printable", "base64"] {
            let head = format!("Content-Type: text/html\nContent-Transfer-Encoding: {encoding}\n\n");
            survives((head + &piece.repeat(1_500_000 / piece.len())).as_bytes());
        }
    }
    survives(format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--\n".repeat(500_000)).as_bytes());
    survives(
        format!("Content-Type: multipart/mixed; boundary=\"\"\n\n{}", "--\n".repeat(500_000)).as_bytes(),
    );
}

#[test]
fn charsets_without_end() {
    let labels = ["utf-7", "iso-2022-jp", "utf-16", "hz-gb-2312", "gb18030", "shift_jis", "x-user-defined"];
    for label in labels {
        for piece in ["+", "+AAA", "\u{1b}$B", "\u{1b}(B", "\u{1b}", "\u{ff}", "~{"] {
            let head = format!("Content-Type: text/plain; charset={label}\n\n");
            survives((head + &piece.repeat(50_000)).as_bytes());
        }
    }
}
