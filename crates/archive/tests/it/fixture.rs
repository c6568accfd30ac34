//! Messages to store, and a folder to store them in.

use std::path::Path;

use jiff::Timestamp;
use tempfile::TempDir;
use vigie_archive::{Archive, Frame, Header, MailboxId, Message, RawPolicy, Rebuilder, Settings, layout};
use vigie_common::document::{
    Code, Document, Ingest, MailboxSource, Mode, Parse, Part, Raw, Source, Status, Vigie,
};
use vigie_common::id::{BlobId, Id, Instance};
use vigie_common::record::Entry;

/// A folder in memory where there is one: what is tested is the order of our steps, not the disk.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

pub(crate) fn settings(root: &Path) -> Settings {
    Settings { root: root.to_owned(), raw: RawPolicy::Always, min_free: 0 }
}

pub(crate) fn open(root: &Path) -> Archive {
    Archive::open(&settings(root), "1.2.3").unwrap()
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn now() -> Timestamp {
    at("2026-03-04T05:06:07.089012Z")
}

pub(crate) fn inbox() -> MailboxSource {
    MailboxSource {
        name: "INBOX".into(),
        raw_name: "INBOX".into(),
        delimiter: Some("/".into()),
        special_use: None,
    }
}

pub(crate) fn register(archive: &mut Archive, account: &str) -> MailboxId {
    archive.mailbox(account, &inbox()).unwrap()
}

/// A message in the making.
pub(crate) struct Mail {
    pub(crate) account: &'static str,
    pub(crate) generation: u32,
    pub(crate) uid: u32,
    pub(crate) body: Vec<u8>,
    pub(crate) attachments: Vec<&'static str>,
    pub(crate) keep: bool,
}

/// A message of the account `one` whose bytes are its own.
pub(crate) fn mail(uid: u32) -> Mail {
    let body = format!("Subject: number {uid}\r\n\r\nbody {uid}\r\n").into_bytes();
    Mail { account: "one", generation: 0, uid, body, attachments: Vec::new(), keep: true }
}

impl Mail {
    pub(crate) fn bytes(mut self, body: &str) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn with(mut self, attachment: &'static str) -> Self {
        self.attachments.push(attachment);
        self
    }

    pub(crate) fn account(mut self, account: &'static str) -> Self {
        self.account = account;
        self
    }

    pub(crate) fn generation(mut self, generation: u32) -> Self {
        self.generation = generation;
        self
    }

    pub(crate) fn not_kept(mut self) -> Self {
        self.keep = false;
        self
    }

    pub(crate) fn id(&self) -> Id {
        Instance {
            account: self.account.into(),
            mailbox: "INBOX".into(),
            uidvalidity: 7,
            generation: self.generation,
            uid: self.uid,
        }
        .id()
    }

    pub(crate) fn received_at(&self) -> Option<Timestamp> {
        // Some have none; the others spread over days.
        (self.uid % 5 != 4).then(|| at("2025-12-30T23:59:58Z") + jiff::Span::new().hours(self.uid * 7 % 96))
    }

    pub(crate) fn path(&self) -> String {
        layout::document(self.account, self.received_at(), &self.id())
    }

    fn source(&self) -> Source {
        Source {
            account: self.account.into(),
            host: "imap.example.org".into(),
            mailbox: inbox(),
            uid_validity: 7,
            generation: self.generation,
            uid: self.uid,
            modseq: None,
            internal_date_raw: None,
            rfc822_size: Some(self.body.len() as u64),
            flags_raw: vec![r"\Seen".into()],
            gmail: None,
            object_id: None,
            matched: false,
        }
    }

    fn document(&self, blob: &BlobId) -> Document {
        let attachments: Vec<Part> = self
            .attachments
            .iter()
            .map(|content| {
                let blob = BlobId::of(content.as_bytes());
                Part {
                    size: content.len() as u64,
                    path: Some(layout::attachment(&blob)),
                    blob_id: Some(blob),
                    media_type: "text/plain".into(),
                    ..Part::default()
                }
            })
            .collect();
        Document {
            schema: Default::default(),
            id: self.id(),
            blob_id: blob.clone(),
            thread_id: None,
            mailbox_ids: Default::default(),
            keywords: Default::default(),
            size: self.body.len() as u64,
            received_at: self.received_at(),
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
            has_attachment: !attachments.is_empty(),
            attachments,
            preview: String::new(),
            vigie: Vigie {
                source: Some(self.source()),
                ingest: Some(Ingest {
                    version: "1.2.3".into(),
                    fetched_at: now(),
                    duration_ms: 1,
                    mode: Mode::Backfill,
                    attempts: 1,
                }),
                raw: Raw { kept: self.keep },
                parse: Parse { status: Status::Ok, walker: 1, defects: Vec::new() },
            },
        }
    }

    fn entry(&self, blob: &BlobId) -> Entry {
        Entry {
            id: self.id(),
            blob_id: blob.clone(),
            duplicate_of: None,
            account: self.account.into(),
            mailbox: "INBOX".into(),
            uidvalidity: 7,
            generation: self.generation,
            uid: self.uid,
            received_at: self.received_at(),
            sent_at: Some(at("2025-12-30T00:00:00Z")),
            stored_at: Timestamp::UNIX_EPOCH,
            size: self.body.len() as u64,
            from: Some("a@example.org".into()),
            domain: Some("example.org".into()),
            recipients: vec!["b@example.org".into(), "\"c,\"@example.org".into()],
            subject: Some("é".into()),
            message_id: None,
            in_reply_to: None,
            list_id: None,
            attachments: u32::try_from(self.attachments.len()).unwrap(),
            attachment_bytes: self.attachments.iter().map(|a| a.len() as u64).sum(),
            keywords: vec!["$seen".into()],
            defects: vec![Code::NoMessageId, Code::Raw8bitHeader],
            mode: Mode::Backfill,
            path: String::new(),
        }
    }

    pub(crate) fn build(&self) -> Message {
        let blob = BlobId::of(&self.body);
        let entry = self.entry(&blob);
        let header = Header::new(self.id(), blob.clone(), self.body.len() as u64, Some(self.source()));
        Message {
            entry,
            document: serde_json::to_vec_pretty(&self.document(&blob)).unwrap(),
            raw: if self.keep { Frame::encode(header, &self.body).unwrap() } else { Frame::bare(header) },
            keep: self.keep,
            attachments: self
                .attachments
                .iter()
                .map(|content| (BlobId::of(content.as_bytes()), content.as_bytes().to_vec().into()))
                .collect(),
        }
    }
}

/// Knows of mail what this fixture makes: these, and those that [`mail`] makes.
#[derive(Debug)]
pub(crate) struct Maker(pub(crate) fn() -> Vec<Mail>);

impl Maker {
    fn mail(&self, id: &Id, source: &Source, body: &[u8]) -> Mail {
        let account = if source.account == "two" { "two" } else { "one" };
        let known = self.0().into_iter().find(|mail| mail.id() == *id);
        let other =
            || Mail { account, body: body.to_vec(), ..mail(source.uid) }.generation(source.generation);
        known.unwrap_or_else(other)
    }
}

impl Rebuilder for Maker {
    fn entry(&self, document: &Document) -> Option<Entry> {
        let mail = self.mail(&document.id, document.vigie.source.as_ref()?, b"");
        let size = document.size;
        Some(Entry { size, ..mail.entry(&document.blob_id) })
    }

    fn message(&self, header: &Header, bytes: &[u8], _: Timestamp) -> std::io::Result<Message> {
        Ok(self.mail(&header.id, header.source.as_ref().unwrap(), bytes).build())
    }

    fn progress(&mut self, done: u64, all: u64) {
        assert!(done <= all, "{done} of {all}");
    }
}

pub(crate) fn open_or_rebuild(root: &Path) -> Archive {
    open_with(root, crate::scenario::mails)
}

pub(crate) fn open_with(root: &Path, mails: fn() -> Vec<Mail>) -> Archive {
    Archive::open_or_rebuild(&settings(root), "1.2.3", Box::new(Maker(mails))).unwrap()
}
