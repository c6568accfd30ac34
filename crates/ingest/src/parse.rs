//! Bytes of a message to its document. Never fails and never panics: what could not be understood
//! is a defect in the document.
//!
//! Time is linear in the size of the message, whatever it holds, and nothing recurses as deep as a
//! message asks for: the caps are in `limits`.

mod addresses;
mod bodies;
mod boundaries;
mod charsets;
mod content;
mod dates;
mod defects;
mod fields;
mod header;
mod limits;
mod markup;
mod message_ids;
mod names;
mod parameters;
mod part;
mod preview;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod torture;
mod transfer;
mod tree;
mod walk;
mod words;

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;

use memchr::memchr;
use vigie_common::document::{Code, Defect, Document, Header, Parse, Part, Raw, Schema, Status, Vigie};
use vigie_common::id::{BlobId, Id};

use self::defects::Defects;
use self::transfer::Encoding;
use self::tree::Found;

/// Grows whenever the same bytes would give another document.
const WALKER: u32 = 1;

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
    /// SHA-256 of the decoded content.
    pub blob_id: BlobId,
    /// The content.
    pub bytes: Bytes,
}

/// The content of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bytes {
    /// Decoded.
    Here(Vec<u8>),
    /// So much that it is not to be there twice: it is decoded from the message once that is all that is left to do.
    Later(Encoded),
}

/// Content within the bytes of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    range: Range<usize>,
    encoding: Encoding,
}

impl Encoded {
    /// Decodes it from the bytes that were parsed.
    ///
    /// # Errors
    /// Of `out`.
    pub fn decode(&self, raw: &[u8], out: &mut impl Write) -> io::Result<()> {
        let content = raw.get(self.range.clone()).unwrap_or_default();
        match self.encoding.decode_to(content, |piece| out.write_all(piece)) {
            Some(done) => done.map(drop),
            None => out.write_all(&self.encoding.decode(content).0),
        }
    }
}

impl Attachment {
    /// What was walked are the bytes themselves, unless their line ends had to be made others.
    fn of(found: Found<'_>, raw: &[u8]) -> Self {
        let bytes = match found.later {
            None => Bytes::Here(found.bytes),
            Some((encoding, content)) => {
                let start = content.as_ptr().addr().wrapping_sub(raw.as_ptr().addr());
                let range = start..start.saturating_add(content.len());
                match raw.get(range.clone()) {
                    Some(there) if std::ptr::eq(there, content) => Bytes::Later(Encoded { range, encoding }),
                    _ => Bytes::Here(encoding.decode(content).0.into_owned()),
                }
            }
        };
        Self { blob_id: found.blob_id, bytes }
    }

    /// All of it.
    #[cfg(test)]
    pub(crate) fn decoded(&self, raw: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.bytes {
            Bytes::Here(bytes) => out.clone_from(bytes),
            Bytes::Later(encoded) => encoded.decode(raw, &mut out).unwrap(),
        }
        out
    }
}

/// Makes the document of a message.
#[must_use]
pub fn parse(raw: &[u8]) -> Parsed {
    let mut document = empty(raw);
    let mut defects = Defects::default();
    let text = with_line_feeds(raw);
    let walked = walk::walk(&text, message_start(&text, &mut defects), &mut defects);
    fields::fill(&mut document, &walked.header, &mut defects);
    let found = tree::fill(&mut document, walked.nodes, &mut defects);
    let attachments = found.into_iter().map(|found| Attachment::of(found, raw)).collect();
    let defects = defects.into_vec();
    let status = if defects.is_empty() { Status::Ok } else { Status::Partial };
    document.vigie.parse = Parse { status, walker: WALKER, defects };
    Parsed { document, attachments }
}

/// Makes the document of a message that could not be parsed because of `reason`: its header fields as far
/// as the simplest means get, and its bytes as one opaque part.
#[must_use]
pub fn failed(raw: &[u8], reason: &str) -> Parsed {
    let mut document = empty(raw);
    let near = raw.get(..limits::FIELD).unwrap_or(raw);
    for line in String::from_utf8_lossy(near).lines().take_while(|line| !line.trim().is_empty()) {
        match (line.split_once(':'), document.headers.last_mut()) {
            (_, Some(header)) if line.starts_with([' ', '\t']) => header.value.push_str(line.trim_end()),
            (Some((name, value)), _) if !name.contains(' ') => {
                document.headers.push(Header { name: name.to_owned(), value: value.trim().to_owned() });
            }
            _ => {}
        }
    }
    let is_subject = |header: &&Header| header.name.eq_ignore_ascii_case("subject");
    document.subject = document.headers.iter().find(is_subject).map(|header| header.value.clone());
    let detail = format!("{}; the header is best effort", defects::quote(reason));
    document.vigie.parse.defects.push(Defect { code: Code::ParserFailure, part: None, detail });
    Parsed { document, attachments: Vec::new() }
}

/// Writes down where the content of each attachment lies.
pub fn set_paths(document: &mut Document, path: impl Fn(&BlobId) -> String) {
    for part in &mut document.attachments {
        part.path = part.blob_id.as_ref().map(&path);
    }
}

/// The document of a message of which nothing but its bytes is known.
fn empty(raw: &[u8]) -> Document {
    let blob_id = BlobId::of(raw);
    Document {
        schema: Schema::Message1,
        id: Id::of_parse(&blob_id),
        thread_id: None,
        mailbox_ids: Default::default(),
        keywords: Default::default(),
        size: raw.len() as u64,
        received_at: None,
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
        body_structure: Part {
            part_id: Some("1".to_owned()),
            blob_id: Some(blob_id.clone()),
            size: raw.len() as u64,
            media_type: "application/octet-stream".to_owned(),
            ..Part::default()
        },
        blob_id,
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
            parse: Parse { status: Status::Failed, walker: WALKER, defects: Vec::new() },
        },
    }
}

/// Some old systems end lines by a carriage return alone.
fn with_line_feeds(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\n', raw).is_some() || memchr(b'\r', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(raw.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect())
}

/// Where the message begins: after the line by which an mbox separates messages, if that was left in.
fn message_start(raw: &[u8], defects: &mut Defects) -> usize {
    let rest = raw.strip_prefix(b">").unwrap_or(raw).strip_prefix(b"From ");
    // `From : a@b` is a field.
    if rest.is_none_or(|rest| rest.trim_ascii_start().starts_with(b":")) {
        return 0;
    }
    defects.note(Code::BadHeader, "the separator line of an mbox stood before the header; left out");
    memchr(b'\n', raw).map_or(raw.len(), |end| end + 1)
}
