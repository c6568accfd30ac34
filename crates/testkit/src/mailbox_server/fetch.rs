//! FETCH: the items that a reading client asks for, and how one message is answered.

use std::fmt::Write as _;
use std::io;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::message::Message;

/// An item of a FETCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Uid,
    Flags,
    InternalDate,
    Size,
    Body { section: Section, partial: Option<(usize, usize)>, peek: bool },
}

/// A part of a message that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Whole,
    Header,
    Text,
}

/// Reads one item or a list of them in parentheses; `None` when one is not known.
pub(super) fn items(text: &str) -> Option<Vec<Item>> {
    let inner = match text.strip_prefix('(') {
        Some(list) => list.strip_suffix(')')?,
        None => text,
    };
    let items: Option<Vec<Item>> = inner.split_ascii_whitespace().map(item).collect();
    items.filter(|items| !items.is_empty())
}

fn item(word: &str) -> Option<Item> {
    let word = word.to_ascii_uppercase();
    match word.as_str() {
        "UID" => return Some(Item::Uid),
        "FLAGS" => return Some(Item::Flags),
        "INTERNALDATE" => return Some(Item::InternalDate),
        "RFC822.SIZE" => return Some(Item::Size),
        _ => {}
    }
    let peeked = word.strip_prefix("BODY.PEEK[");
    let (section, after) = peeked.or_else(|| word.strip_prefix("BODY["))?.split_once(']')?;
    let section = match section {
        "" => Section::Whole,
        "HEADER" => Section::Header,
        "TEXT" => Section::Text,
        _ => return None,
    };
    let partial = match after {
        "" => None,
        range => {
            let (offset, count) = range.strip_prefix('<')?.strip_suffix('>')?.split_once('.')?;
            Some((offset.parse().ok()?, count.parse().ok().filter(|count| *count > 0)?))
        }
    };
    Some(Item::Body { section, partial, peek: peeked.is_some() })
}

/// Writes the answer for one message; `head` is room that is used again for each.
pub(super) async fn answer(
    stream: &mut (impl AsyncWrite + Unpin),
    head: &mut String,
    number: usize,
    message: &Message,
    items: &[Item],
) -> io::Result<()> {
    let mut bytes: Option<Bytes> = None;
    head.clear();
    let _ = write!(head, "* {number} FETCH (");
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            head.push(' ');
        }
        // Writing to a string cannot fail.
        let _ = match item {
            Item::Uid => write!(head, "UID {}", message.uid),
            Item::Flags => write!(head, "FLAGS ({})", message.flags()),
            Item::InternalDate => {
                write!(head, "INTERNALDATE \"{}\"", message.received.strftime("%e-%b-%Y %H:%M:%S +0000"))
            }
            Item::Size => write!(head, "RFC822.SIZE {}", message.size()),
            Item::Body { section, partial, .. } => {
                let whole = bytes.get_or_insert_with(|| message.bytes());
                let (name, part) = cut(whole, *section);
                let (suffix, part) = sliced(part, *partial);
                let _ = write!(head, "BODY[{name}]{suffix} {{{}}}\r\n", part.len());
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(part).await?;
                head.clear();
                Ok(())
            }
        };
    }
    head.push_str(")\r\n");
    stream.write_all(head.as_bytes()).await
}

fn cut(bytes: &[u8], section: Section) -> (&'static str, &[u8]) {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let (header, text) = bytes.split_at(end);
    match section {
        Section::Whole => ("", bytes),
        Section::Header => ("HEADER", header),
        Section::Text => ("TEXT", text),
    }
}

fn sliced(bytes: &[u8], partial: Option<(usize, usize)>) -> (String, &[u8]) {
    let Some((offset, count)) = partial else { return (String::new(), bytes) };
    let start = offset.min(bytes.len());
    let end = offset.saturating_add(count).min(bytes.len());
    (format!("<{offset}>"), bytes.get(start..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{Item, Section, items};

    #[test]
    fn items_are_read_or_refused() {
        let body = |section, partial, peek| Item::Body { section, partial, peek };
        assert_eq!(
            items("(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[]<5.10>)").unwrap(),
            [
                Item::Uid,
                Item::Flags,
                Item::InternalDate,
                Item::Size,
                body(Section::Whole, Some((5, 10)), true)
            ]
        );
        assert_eq!(items("body[header]").unwrap(), [body(Section::Header, None, false)]);
        for wrong in ["", "()", "(UID", "ENVELOPE", "BODY[1]", "BODY[]<1>", "BODY[]<1.0>"] {
            assert!(items(wrong).is_none(), "{wrong}");
        }
    }
}
