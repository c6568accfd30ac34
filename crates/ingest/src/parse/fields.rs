//! The header fields of a message that a document names: who, when, about what.

use vigie_common::document::{Address, Code, Document, Header};

use super::defects::{Defects, quote};
use super::header::{Block, Field};
use super::words::{self, Flaws};
use super::{addresses, dates, limits, message_ids, parameters};

/// Fills in everything that the header block tells.
pub(crate) fn fill(document: &mut Document, block: &Block<'_>, defects: &mut Defects) {
    document.headers = block.fields.iter().map(|field| header(field, defects)).collect();
    block_defects(block, defects);

    let mut addresses = |name| block.first(name).map(|field| address_list(name, field, defects));
    document.from = addresses("From");
    document.sender = addresses("Sender");
    document.reply_to = addresses("Reply-To");
    document.to = addresses("To");
    document.cc = addresses("Cc");
    document.bcc = addresses("Bcc");

    let ids = |name| block.first(name).and_then(|field| message_ids::read(&field.value()));
    document.message_id = ids("Message-ID");
    document.in_reply_to = ids("In-Reply-To");
    document.references = ids("References");
    if document.message_id.is_none() {
        defects.note(Code::NoMessageId, "the message has no usable Message-ID");
    }
    document.subject = block.first("Subject").map(|field| {
        let mut flaws = Flaws::default();
        let mut subject = words::decode(&field.value(), &mut flaws).into_owned();
        subject.retain(|c| c != '\0');
        flawed("Subject", flaws, defects);
        subject
    });
    document.sent_at = block.first("Date").and_then(|field| {
        let value = String::from_utf8_lossy(&parameters::without_comments(&field.value())).into_owned();
        let date = dates::read(&value);
        if date.is_none() {
            defects.note(Code::BadDate, format!("{} is no credible date", quote(&value)));
        }
        date
    });
}

fn header(field: &Field<'_>, defects: &mut Defects) -> Header {
    let name = String::from_utf8_lossy(field.name()).into_owned();
    let (value, raw) = field.text();
    if raw {
        defects.note(Code::Raw8bitHeader, format!("{}: read as windows-1252", quote(&name)));
    }
    if value.contains('\0') {
        defects.note(Code::NulByte, format!("in {}", quote(&name)));
    }
    if field.cut {
        defects.note(Code::HeaderTooLong, format!("{} was cut to {} bytes", quote(&name), limits::FIELD));
    }
    Header { name, value }
}

fn block_defects(block: &Block<'_>, defects: &mut Defects) {
    if block.fields.is_empty() {
        defects.note(Code::NoHeader, "the message has no header");
    } else if let Some(stray) = block.stray {
        let stray = stray.get(..limits::LABEL).unwrap_or(stray);
        let detail = format!("{} is no field; left out", quote(&String::from_utf8_lossy(stray)));
        defects.note(Code::BadHeader, detail);
    }
    if block.too_many {
        let detail =
            format!("more than {} fields or {} bytes; the rest was not read", limits::FIELDS, limits::BLOCK);
        defects.note(Code::TooManyHeaders, detail);
    }
}

fn address_list(name: &str, field: &Field<'_>, defects: &mut Defects) -> Vec<Address> {
    let mut flaws = Flaws::default();
    let read = addresses::read(&field.value(), &mut flaws);
    flawed(name, flaws, defects);
    for bad in &read.bad {
        defects.note(Code::BadAddress, format!("{name}: {} is no address", quote(bad)));
    }
    if read.too_many {
        let detail = format!("{name}: more than {}; the rest was left out", limits::ADDRESSES);
        defects.note(Code::TooManyAddresses, detail);
    }
    read.list
}

fn flawed(name: &str, flaws: Flaws, defects: &mut Defects) {
    if flaws.word {
        defects.note(Code::BadEncodedWord, format!("{name}: an encoded word was kept as written"));
    }
    if flaws.charset {
        defects.note(Code::BadCharset, format!("{name}: a charset is unknown or not what its bytes are"));
    }
}
