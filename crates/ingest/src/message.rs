//! From fetched bytes to a message that is ready to be stored: document, entry, raw frame, attachments. Pure, but for the files
//! without a name that hold what is too large to be in memory twice.

mod anew;
mod internal_date;

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use jiff::Timestamp;
use vigie_archive::{Content, Frame, Header, Message, RawPolicy, Spool, layout};
use vigie_common::document::{Code, Document, Ingest, MailboxSource, Mode, Raw, Source, Status, Vigie};
use vigie_common::id::{Id, Instance};
use vigie_common::record::Entry;

pub use self::anew::Anew;
pub use self::internal_date::parse as parse_internal_date;
use crate::parse::{self, Bytes, Parsed};
use crate::session::{Body, Listed};

/// Recipients that an entry names at most.
const RECIPIENTS: usize = 100;
/// The compressed bytes of messages that are larger than this are not kept in memory beside them.
const SPOOLED: usize = 4 << 20;
/// Characters of the subject that an entry keeps.
const SUBJECT: usize = 1000;

/// Where messages come from; the same for a whole batch.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Account id.
    pub account: String,
    /// Host of the account.
    pub host: String,
    /// The mailbox.
    pub mailbox: MailboxSource,
    /// UIDVALIDITY.
    pub uidvalidity: u32,
    /// Generation within it.
    pub generation: u32,
    /// On which occasion.
    pub mode: Mode,
    /// Which messages keep their bytes.
    pub raw: RawPolicy,
    /// Where files without a name may be made, for what is too large to be in memory twice.
    pub spool: Option<PathBuf>,
}

/// When a batch was asked for and how long it took.
#[derive(Debug, Clone, Copy)]
pub struct Fetched {
    /// When its last byte arrived.
    pub at: Timestamp,
    /// From the request to the last byte, in milliseconds.
    pub took: u64,
}

/// Parses without ever failing: should the walker do so after all, the document says it and the bytes are kept.
#[must_use]
pub fn parse_bytes(bytes: &[u8]) -> Parsed {
    catch_unwind(AssertUnwindSafe(|| parse::parse(bytes)))
        .unwrap_or_else(|_| parse::failed(bytes, "the parser met with a fault of its own"))
}

/// Makes one message ready.
///
/// # Errors
/// The document cannot be written as JSON, or the bytes not compressed: a fault of ours.
pub fn prepare(origin: &Origin, listed: &Listed, body: &Body, fetched: Fetched) -> io::Result<Message> {
    let Parsed { mut document, attachments } = parse_bytes(&body.bytes);
    let instance = Instance {
        account: origin.account.clone(),
        mailbox: origin.mailbox.raw_name.clone(),
        uidvalidity: origin.uidvalidity,
        generation: origin.generation,
        uid: body.uid,
    };
    let defects = &document.vigie.parse.defects;
    let lost = document.vigie.parse.status == Status::Failed
        || defects.iter().any(|d| loses(d.code))
        || has_content_of_its_own(&document);
    let keep = vigie_archive::round::keeps(origin.raw, !defects.is_empty(), lost);
    let received_at = listed.internal_date.as_deref().and_then(parse_internal_date);
    document.id = instance.id();
    document.mailbox_ids =
        [(Id::of_mailbox(&origin.account, &origin.mailbox.raw_name).to_string(), true)].into();
    document.keywords = keywords(listed);
    document.received_at = received_at;
    let server_thread = listed.object_id.as_ref().and_then(|names| names.thread_id.clone());
    document.thread_id =
        server_thread.or_else(|| listed.gmail.as_ref().and_then(|names| names.thr_id.clone()));
    parse::set_paths(&mut document, layout::attachment);
    document.vigie = Vigie {
        source: Some(source(origin, listed)),
        ingest: Some(Ingest {
            version: env!("CARGO_PKG_VERSION").into(),
            fetched_at: fetched.at,
            duration_ms: fetched.took,
            mode: origin.mode,
            attempts: 1,
        }),
        raw: Raw { kept: keep },
        parse: document.vigie.parse,
    };
    let entry = entry(&document, &instance, origin.mode);
    let header = Header::new(
        document.id.clone(),
        document.blob_id.clone(),
        document.size,
        document.vigie.source.clone(),
    );
    let mut json = serde_json::to_vec(&document)?;
    json.push(b'\n');
    // It may wait for its round.
    json.shrink_to_fit();
    Ok(Message {
        entry,
        document: json,
        raw: if keep {
            frame(origin, header, &body.bytes)?
        } else {
            Frame::bare(Header { kept: false, ..header })
        },
        keep,
        attachments: attachments
            .into_iter()
            .map(|a| Ok((a.blob_id, content(origin, a.bytes, &body.bytes)?)))
            .collect::<io::Result<_>>()?,
    })
}

/// The compressed bytes: those of a large message in a file, where one can be had.
fn frame(origin: &Origin, header: Header, bytes: &[u8]) -> io::Result<Frame> {
    let spool = origin.spool.as_deref().filter(|_| bytes.len() >= SPOOLED);
    if let Some(spool) = spool.and_then(|folder| Spool::new(folder).ok())
        && let Ok(frame) = Frame::encode_to(spool, header.clone(), bytes)
    {
        return Ok(frame);
    }
    Frame::encode(header, bytes)
}

/// The content of an attachment: what is decoded only now goes to a file, where one can be had.
fn content(origin: &Origin, bytes: Bytes, raw: &[u8]) -> io::Result<Content> {
    let encoded = match bytes {
        Bytes::Here(bytes) => return Ok(bytes.into()),
        Bytes::Later(encoded) => encoded,
    };
    if let Some(mut spool) = origin.spool.as_deref().and_then(|folder| Spool::new(folder).ok())
        && encoded.decode(raw, &mut spool).is_ok()
        && let Ok(content) = spool.finish()
    {
        return Ok(content);
    }
    let mut bytes = Vec::new();
    encoded.decode(raw, &mut bytes)?;
    Ok(bytes.into())
}

/// Makes a message ready that is known from an earlier generation: its document is the one of then, its bytes lie where
/// they are.
///
/// # Errors
/// The document cannot be written as JSON: a fault of ours.
pub fn rematched(
    origin: &Origin,
    listed: &Listed,
    mut document: Document,
    at: Timestamp,
) -> io::Result<Message> {
    let instance = Instance {
        account: origin.account.clone(),
        mailbox: origin.mailbox.raw_name.clone(),
        uidvalidity: origin.uidvalidity,
        generation: origin.generation,
        uid: listed.uid,
    };
    document.id = instance.id();
    document.keywords = keywords(listed);
    document.vigie.source = Some(Source { matched: true, ..source(origin, listed) });
    document.vigie.ingest = Some(Ingest {
        version: env!("CARGO_PKG_VERSION").into(),
        fetched_at: at,
        duration_ms: 0,
        mode: origin.mode,
        attempts: 0,
    });
    let entry = entry(&document, &instance, origin.mode);
    let source = document.vigie.source.clone();
    let header = Header::new(document.id.clone(), document.blob_id.clone(), document.size, source);
    let mut json = serde_json::to_vec(&document)?;
    json.push(b'\n');
    Ok(Message {
        entry,
        document: json,
        raw: Frame::bare(Header { kept: false, ..header }),
        keep: false,
        attachments: Vec::new(),
    })
}

fn keywords(listed: &Listed) -> BTreeMap<String, bool> {
    listed.flags.iter().filter_map(|flag| keyword(flag)).map(|k| (k, true)).collect()
}

fn source(origin: &Origin, listed: &Listed) -> Source {
    Source {
        account: origin.account.clone(),
        host: origin.host.clone(),
        mailbox: origin.mailbox.clone(),
        uid_validity: origin.uidvalidity,
        generation: origin.generation,
        uid: listed.uid,
        modseq: None,
        internal_date_raw: listed.internal_date.clone(),
        rfc822_size: Some(u64::from(listed.size)),
        flags_raw: listed.flags.clone(),
        gmail: listed.gmail.clone(),
        object_id: listed.object_id.clone(),
        matched: false,
    }
}

/// Whether a document with this defect says less than the bytes do.
fn loses(code: Code) -> bool {
    !matches!(code, Code::NoMessageId | Code::NoHeader | Code::BadAddress | Code::UnclosedMultipart)
}

/// Whether a part that is no text is shown in the body and so is not among the attachments (an inline picture):
/// its content is nowhere but in the bytes.
fn has_content_of_its_own(document: &Document) -> bool {
    let shown = [&document.text_body, &document.html_body];
    shown.into_iter().flatten().any(|part| {
        !part.media_type.starts_with("text/")
            && !document.attachments.iter().any(|a| a.part_id == part.part_id)
    })
}

/// All that a chart needs, taken from the document.
fn entry(document: &Document, instance: &Instance, mode: Mode) -> Entry {
    let first = |list: &Option<Vec<String>>| list.as_ref().and_then(|l| l.first().cloned());
    let from =
        document.from.iter().flatten().find_map(|address| address.email.as_deref()).map(str::to_lowercase);
    let recipients = [&document.to, &document.cc];
    let recipients =
        recipients.into_iter().flatten().flatten().filter_map(|a| a.email.as_deref()).map(str::to_lowercase);
    let mut defects: Vec<_> = document.vigie.parse.defects.iter().map(|d| d.code).collect();
    defects.sort_unstable();
    defects.dedup();
    Entry {
        id: document.id.clone(),
        blob_id: document.blob_id.clone(),
        duplicate_of: None,
        account: instance.account.clone(),
        mailbox: instance.mailbox.clone(),
        uidvalidity: instance.uidvalidity,
        generation: instance.generation,
        uid: instance.uid,
        received_at: document.received_at,
        sent_at: document.sent_at.as_deref().and_then(|at| at.parse().ok()),
        stored_at: Timestamp::UNIX_EPOCH,
        size: document.size,
        domain: from.as_deref().and_then(|a| a.rsplit_once('@')).map(|(_, domain)| domain.to_owned()),
        from,
        recipients: recipients.take(RECIPIENTS).collect(),
        subject: document.subject.as_deref().map(|s| s.chars().take(SUBJECT).collect()),
        message_id: first(&document.message_id),
        in_reply_to: first(&document.in_reply_to),
        list_id: list_id(document),
        attachments: u32::try_from(document.attachments.len()).unwrap_or(u32::MAX),
        attachment_bytes: document.attachments.iter().map(|part| part.size).sum(),
        keywords: document.keywords.keys().cloned().collect(),
        defects,
        mode,
        path: String::new(),
    }
}

/// What stands in the angle brackets of List-Id (RFC 2919), lower case.
fn list_id(document: &Document) -> Option<String> {
    let field = document.headers.iter().find(|h| h.name.eq_ignore_ascii_case("List-Id"))?;
    let inner = field
        .value
        .rsplit_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or(field.value.as_str(), |(id, _)| id);
    let id: String = inner.trim().chars().take(SUBJECT).collect();
    (!id.is_empty()).then(|| id.to_lowercase())
}

/// A flag as a JMAP keyword (RFC 8621 section 4.1.1); `\Recent` and `\Deleted` are none.
pub fn keyword(flag: &str) -> Option<String> {
    match flag.to_lowercase().as_str() {
        "\\recent" | "\\deleted" => None,
        system => {
            Some(system.strip_prefix('\\').map_or_else(|| system.to_owned(), |name| format!("${name}")))
        }
    }
}

#[cfg(test)]
mod tests;
