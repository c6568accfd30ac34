//! Entities: text, attachments and multiparts, put together to a message.

use super::encoding::{Charset, Transfer};
use super::head::{Head, parameter};

/// A part of a message, or its whole body, with its content fields.
pub(super) struct Entity {
    head: Head,
    body: Vec<u8>,
}

impl Entity {
    /// Text with `\n` at the end of its lines.
    pub(super) fn text(subtype: &str, charset: Charset, transfer: Transfer, text: &str) -> Self {
        let mut head = Head::default();
        head.field("Content-Type", format!("text/{subtype}; charset={}", charset.name()));
        head.field("Content-Transfer-Encoding", transfer.name());
        let body = transfer.encode(&charset.encode(&text.replace('\n', "\r\n")));
        Self { head, body }
    }

    /// An attachment with a file name.
    pub(super) fn attachment(media_type: &str, name: &str, bytes: &[u8]) -> Self {
        let mut head = Head::default();
        head.field("Content-Type", format!("{media_type};\r\n\t{}", parameter("name", name)));
        head.field("Content-Disposition", format!("attachment;\r\n\t{}", parameter("filename", name)));
        head.field("Content-Transfer-Encoding", Transfer::Base64.name());
        Self { head, body: Transfer::Base64.encode(bytes) }
    }

    /// An entity whose body stands as it is, in ASCII with CRLF.
    pub(super) fn plain(media_type: &str, body: &str) -> Self {
        let mut head = Head::default();
        head.field("Content-Type", media_type);
        Self { head, body: body.as_bytes().to_vec() }
    }

    /// Several parts; the subtype may bring parameters along.
    pub(super) fn multipart(subtype: &str, boundary: &str, parts: &[Self]) -> Self {
        let mut head = Head::default();
        head.field("Content-Type", format!("multipart/{subtype};\r\n\tboundary=\"{boundary}\""));
        let size: usize =
            parts.iter().map(|part| part.head.0.len() + part.body.len() + boundary.len() + 8).sum();
        let mut body = Vec::with_capacity(size + boundary.len() + 8);
        for part in parts {
            body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            body.extend_from_slice(part.head.0.as_bytes());
            body.extend_from_slice(b"\r\n");
            body.extend_from_slice(&part.body);
            if !part.body.ends_with(b"\r\n") {
                body.extend_from_slice(b"\r\n");
            }
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Self { head, body }
    }

    /// Adds a content field.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.head.field(name, value);
        self
    }

    /// The message with this header and this body.
    pub(super) fn into_message(self, head: Head) -> Vec<u8> {
        let mut message = head.0.into_bytes();
        message.reserve_exact(self.head.0.len() + self.body.len() + 20);
        message.extend_from_slice(b"MIME-Version: 1.0\r\n");
        message.extend_from_slice(self.head.0.as_bytes());
        message.extend_from_slice(b"\r\n");
        message.extend_from_slice(&self.body);
        message
    }
}
