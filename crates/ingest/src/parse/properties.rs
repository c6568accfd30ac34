//! What holds of every document, whatever the bytes are.

use proptest::collection::vec;
use proptest::prelude::*;
use vigie_common::document::{Code, Document, Part, Status};
use vigie_common::id::{BlobId, Id};

use super::{Bytes, Encoding, Parsed, failed, limits, parse, set_paths};

/// Checks a document and its attachments against the bytes that they were made from.
#[track_caller]
pub(super) fn holds(raw: &[u8], parsed: &Parsed) {
    let document = &parsed.document;
    assert_eq!(document.blob_id, BlobId::of(raw));
    assert_eq!(document.id, Id::of_parse(&document.blob_id));
    assert_eq!(document.size, raw.len() as u64);

    let json = serde_json::to_string(document).unwrap();
    assert_eq!(&serde_json::from_str::<Document>(&json).unwrap(), document);

    let kept: usize = parsed.attachments.iter().map(|attachment| attachment.decoded(raw).len()).sum();
    assert!(kept <= raw.len(), "{kept} bytes of attachments in {}", raw.len());
    for part in &document.attachments {
        let mut of_it = parsed.attachments.iter().filter(|a| Some(&a.blob_id) == part.blob_id.as_ref());
        let (Some(content), None) = (of_it.next(), of_it.next()) else {
            panic!("{part:?} has not one content")
        };
        let bytes = content.decoded(raw);
        assert_eq!(BlobId::of(&bytes), content.blob_id);
        assert_eq!(bytes.len() as u64, part.size);
        assert_eq!(part.sha256.as_deref(), Some(content.blob_id.hex()));
    }

    let mut leaves = 0;
    let mut parts: Vec<&Part> = vec![&document.body_structure];
    while let Some(part) = parts.pop() {
        assert_eq!(part.part_id.is_none(), part.sub_parts.is_some());
        assert_eq!(part.media_type.starts_with("multipart/"), part.sub_parts.is_some());
        leaves += u64::from(part.part_id.is_some());
        parts.extend(part.sub_parts.iter().flatten());
        assert!(parts.len() <= limits::PARTS);
    }
    let shown = document.text_body.iter().chain(&document.html_body).chain(&document.attachments);
    let mut ids: Vec<_> = shown.map(|part| part.part_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() as u64, leaves, "each leaf is in a list");
    assert!(document.preview.chars().count() <= limits::PREVIEW);
    assert!(document.vigie.parse.defects.iter().all(|defect| defect.detail.chars().count() <= 200));
    assert_eq!(document.vigie.parse.defects.is_empty(), document.vigie.parse.status == Status::Ok);
}

/// A message that has something of everything, to be broken.
const MESSAGE: &str = "Received: from a\r\n\tby b\r\nFrom: =?utf-8?Q?J=C3=BC?= <a@b>, g: c@d, \"x, y\" <e@f>;\r\n\
To: (x) a@b, MAILER-DAEMON\r\nSubject: =?iso-8859-1?B?5Pb8?= =?utf-8?Q?=E2=82?=\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\n\
Message-ID: <1@b>\r\nContent-Type: multipart/mixed; boundary=\"out\"\r\n\r\n--out\r\nContent-Type: multipart/alternative;\r\n\
 boundary=out2\r\n\r\n--out2\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$3$s\x1b(B\r\n--out2\r\n\
Content-Type: text/html; charset=\"utf-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>=C3=A4&auml;</p>=\r\n\r\n\
--out2--\r\n--out\r\nContent-Type: application/pdf; name*0*=utf-8''a%C3; name*1*=%A4.pdf\r\nContent-ID: <c@d>\r\n\
Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n--out--\r\n";

/// Pieces that mean something to a parser.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "\r\n",
        "\n",
        "\r",
        " ",
        "--out",
        "--out2",
        "--",
        "\"",
        "(",
        ")",
        "<",
        ">",
        ";",
        ":",
        "=",
        "=?",
        "?=",
        "?",
        "%",
        "*",
        "\\",
        "@",
        ",",
        "\0",
        "Content-Type: multipart/digest; boundary=x",
        "--x\n",
        "From ",
        "ü",
        "\u{feff}",
        "charset=utf-7",
        "base64",
        "Subject: ",
        "\n\n",
    ];
    prop_oneof![
        proptest::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        vec(any::<u8>(), 0..6),
    ]
}

proptest! {
    #[test]
    fn any_bytes(raw in vec(any::<u8>(), 0..600)) {
        holds(&raw, &parse(&raw));
    }

    #[test]
    fn any_pieces(pieces in vec(piece(), 0..60)) {
        let raw = pieces.concat();
        holds(&raw, &parse(&raw));
    }

    #[test]
    fn a_message_broken_in_places(
        breaks in vec((any::<prop::sample::Index>(), 0usize..40, piece()), 1..8)
    ) {
        let mut raw = MESSAGE.as_bytes().to_vec();
        for (place, length, piece) in breaks {
            let start = place.index(raw.len() + 1);
            let end = (start + length).min(raw.len());
            raw.splice(start..end, piece);
        }
        holds(&raw, &parse(&raw));
    }

    #[test]
    fn a_message_cut_anywhere(length in 0..=MESSAGE.len()) {
        let raw = &MESSAGE.as_bytes()[..length];
        let parsed = parse(raw);
        holds(raw, &parsed);
        prop_assert_eq!(parsed.document, parse(raw).document);
    }

    #[test]
    fn a_failure_is_a_document(raw in vec(any::<u8>(), 0..300), reason in ".*") {
        let document = failed(&raw, &reason).document;
        prop_assert_eq!(document.vigie.parse.status, Status::Failed);
        let json = serde_json::to_string(&document).unwrap();
        prop_assert_eq!(serde_json::from_str::<Document>(&json).unwrap(), document);
    }
}

#[test]
fn a_failure_keeps_headers() {
    let document = failed(b"From: a@b\r\nSubject: one\r\n two\r\n\r\nbody", "it \u{1b}broke").document;
    assert_eq!(document.headers.len(), 2);
    assert_eq!(document.subject.as_deref(), Some("one two"));
}

#[test]
fn paths_are_of_attachments_alone() {
    let mut document = parse(MESSAGE.as_bytes()).document;
    set_paths(&mut document, |blob| format!("attachments/{}", blob.hex()));
    assert!(document.attachments.iter().all(|part| part.path.is_some()));
    assert_eq!(document.attachments[0].name.as_deref(), Some("aä.pdf"));
    assert!(document.text_body.iter().chain(&document.html_body).all(|part| part.path.is_none()));
    assert_eq!((document.text_body.len(), document.html_body.len()), (1, 1));
}

/// What is too large to be there twice is the same as what is decoded at once, whatever is wrong with it.
#[test]
fn large_parts_are_decoded_later_and_alike() {
    let line = format!("{}\r\n", "QUJD".repeat(19));
    let long = line.repeat(limits::TWICE / line.len() + 2);
    for (encoding, content, code) in [
        ("base64", long.clone(), None),
        ("base64", format!("{long}QQ"), Some(Code::Base64Truncated)),
        ("base64", format!("{long}!QUI="), Some(Code::Base64Invalid)),
        ("8bit", long.clone(), None),
        ("x-odd", long.clone(), Some(Code::UnknownEncoding)),
        ("quoted-printable", long.clone(), None),
    ] {
        let raw = format!(
            "Content-Type: image/png\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{content}"
        );
        let parsed = parse(raw.as_bytes());
        let later = matches!(parsed.attachments[0].bytes, Bytes::Later(_));
        assert_eq!(later, encoding != "quoted-printable", "{encoding}");
        let (bytes, found) = Encoding::of(encoding).decode(content.as_bytes());
        assert_eq!(parsed.attachments[0].decoded(raw.as_bytes()), *bytes, "{encoding}");
        assert_eq!(found, code, "{encoding}");
        assert_eq!(parsed.attachments[0].blob_id, BlobId::of(&bytes));
        assert!(code.is_none_or(|code| parsed.document.vigie.parse.defects.iter().any(|d| d.code == code)));
        // Line ends that had to be made others: there are no such bytes in the message.
        let raw = raw.replace("\r\n", "\r");
        let parsed = parse(raw.as_bytes());
        assert_eq!(BlobId::of(&parsed.attachments[0].decoded(raw.as_bytes())), parsed.attachments[0].blob_id);
    }
}
