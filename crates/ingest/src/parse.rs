//! Bytes of a message to its document. Never fails and never panics: what could not be understood
//! is a defect in the document.

use jiff::Timestamp;
use vigie_common::document::{Document, Part, Parse, Raw, Schema, Status, Vigie};
use vigie_common::id::{BlobId, Id};

/// A message understood: its document, and the decoded content of its attachments.
#[derive(Debug)]
pub struct Parsed {
    /// The document, as of a parsed file.
    pub document: Document,
    /// Decoded content of the leaves in `attachments`, each content once.
    pub attachments: Vec<Attachment>,
}

/// Decoded content of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// SHA-256 of `bytes`.
    pub blob_id: BlobId,
    /// The content.
    pub bytes: Vec<u8>,
}

/// Makes the document of a message.
#[must_use]
pub fn parse(raw: &[u8]) -> Parsed {
    failed(raw, "")
}

/// Makes the document of a message that could not be parsed because of `reason`.
#[must_use]
pub fn failed(raw: &[u8], reason: &str) -> Parsed {
    let _ = reason;
    let blob_id = BlobId::of(raw);
    let document = Document {
        schema: Schema::Message1,
        id: Id::of_parse(&blob_id),
        blob_id,
        thread_id: None,
        mailbox_ids: Default::default(),
        keywords: Default::default(),
        size: raw.len() as u64,
        received_at: None::<Timestamp>,
        headers: Vec::new(),
        message_id: None,
        in_reply_to: None,
        references: None,
        sender: None,
        from: None,
        to: None,
        cc: None,
        bcc: None,
        reply_to: None,
        subject: None,
        sent_at: None,
        body_structure: Part::default(),
        body_values: Default::default(),
        text_body: Vec::new(),
        html_body: Vec::new(),
        attachments: Vec::new(),
        has_attachment: false,
        preview: String::new(),
        vigie: Vigie {
            source: None,
            ingest: None,
            raw: Raw { kept: false },
            parse: Parse { status: Status::Failed, walker: 1, defects: Vec::new() },
        },
    };
    Parsed { document, attachments: Vec::new() }
}

/// Writes down where the content of each attachment lies.
pub fn set_paths(document: &mut Document, path: impl Fn(&BlobId) -> String) {
    for part in &mut document.attachments {
        part.path = part.blob_id.as_ref().map(&path);
    }
}
