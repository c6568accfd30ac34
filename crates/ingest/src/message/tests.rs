//! What becomes of a fetched message.

use super::*;

fn origin() -> Origin {
    let mailbox = MailboxSource {
        name: "INBOX".into(),
        raw_name: "INBOX".into(),
        delimiter: Some("/".into()),
        special_use: None,
    };
    Origin {
        account: "demo".into(),
        host: "h".into(),
        mailbox,
        uidvalidity: 1,
        generation: 0,
        mode: Mode::Live,
        raw: RawPolicy::Always,
        spool: None,
    }
}

fn prepared(raw: &[u8], flags: &[&str]) -> (Message, Document) {
    let listed = Listed {
        uid: 1,
        size: 9,
        internal_date: Some("01-Nov-2026 09:15:30 +0100".into()),
        flags: flags.iter().map(|&f| f.to_owned()).collect(),
        gmail: None,
        object_id: None,
    };
    let fetched = Fetched { at: "2026-11-01T08:15:31Z".parse().unwrap(), took: 3 };
    let message = prepare(&origin(), &listed, &Body { uid: 1, bytes: raw.to_vec() }, fetched).unwrap();
    let document = serde_json::from_slice(&message.document).unwrap();
    (message, document)
}

#[test]
fn the_entry_holds_what_charts_need() {
    let raw = b"From: Zo\xc3\xa9 <ZOE@Example.org>\r\nTo: a@x.org\r\nCc: B@x.org\r\nSubject: Hi\r\nMessage-ID: <m@x>\r\nList-Id: News <News.Example.Org>\r\nDate: Sun, 01 Nov 2026 09:15:28 +0100\r\n\r\nhello\r\n";
    let (message, document) = prepared(raw, &["\\Seen", "\\Recent", "$Forwarded", "Work"]);
    let entry = &message.entry;
    assert_eq!(entry.from.as_deref(), Some("zoe@example.org"));
    assert_eq!(entry.domain.as_deref(), Some("example.org"));
    assert_eq!(entry.recipients, ["a@x.org", "b@x.org"]);
    assert_eq!(entry.list_id.as_deref(), Some("news.example.org"));
    assert_eq!(entry.keywords, ["$forwarded", "$seen", "work"]);
    assert_eq!(entry.sent_at.unwrap().to_string(), "2026-11-01T08:15:28Z");
    assert_eq!(entry.received_at.unwrap().to_string(), "2026-11-01T08:15:30Z");
    assert_eq!(entry.id.as_str(), "by6cvfctuvwnkgtcff6pppeaam");
    assert_eq!(document.id, entry.id);
    assert_eq!(document.size, raw.len() as u64);
    assert!(message.keep && document.vigie.raw.kept);
    assert_eq!(document.vigie.source.unwrap().uid, 1);
}

#[test]
fn a_message_of_nothing_is_a_message() {
    let (message, document) = prepared(b"", &[]);
    assert_eq!(message.entry.size, 0);
    assert_eq!(document.blob_id.hex().len(), 64);
}

/// Under `never` the bytes are dropped, unless something is nowhere else.
#[test]
fn an_inline_picture_keeps_the_bytes() {
    let plain = b"Message-ID: <a@b>\r\nDate: Sun, 01 Nov 2026 09:15:28 +0100\r\n\r\nhello\r\n";
    let picture = b"Message-ID: <a@b>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x\r\nContent-Type: image/png\r\nContent-Disposition: inline\r\n\r\npng\r\n--x--\r\n";
    let origin = Origin { raw: RawPolicy::Never, ..origin() };
    let listed =
        Listed { uid: 1, size: 9, internal_date: None, flags: Vec::new(), gmail: None, object_id: None };
    let fetched = Fetched { at: "2026-11-01T08:15:31Z".parse().unwrap(), took: 3 };
    for (raw, kept) in [(&plain[..], false), (&picture[..], true)] {
        let message = prepare(&origin, &listed, &Body { uid: 1, bytes: raw.to_vec() }, fetched).unwrap();
        assert_eq!(message.keep, kept);
    }
}
