//! UID FETCH (RFC 3501 section 6.4.8): which messages there are, and their bytes.
//!
//! Never ENVELOPE, BODYSTRUCTURE or RFC822: servers get them wrong, and the parser does not survive all of them.

use std::collections::BTreeMap;

use async_imap::imap_proto::{AttributeValue, Response};
use vigie_archive::UidSet;
use vigie_common::document::{Gmail, ObjectId};

use super::{Session, mutf7};
use crate::command::{Sent, flags_of};
use crate::error::{Error, Result};
use crate::matching::Identified;

/// Large messages are fetched in slices of this.
pub const SLICE: u32 = 1 << 20;
/// Messages that are listed at once at most.
const LISTED: usize = 100_000;

/// Characters of a date that are kept.
const DATE: usize = 100;
/// Labels of a message that are kept at most.
const LABELS: usize = 64;
/// Characters of a Gmail label (Gmail allows 225), and of a name that the server gives to a message (RFC 8474: 255).
const LABEL: usize = 225;
const OBJECT: usize = 255;

/// What every listing asks for.
const ITEMS: &str = "UID FLAGS INTERNALDATE RFC822.SIZE";

/// What the server says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// UID.
    pub uid: u32,
    /// RFC822.SIZE: only a hint, servers get it wrong.
    pub size: u32,
    /// INTERNALDATE as sent.
    pub internal_date: Option<String>,
    /// FLAGS as sent.
    pub flags: Vec<String>,
    /// Gmail's names, where the server has X-GM-EXT-1.
    pub gmail: Option<Gmail>,
    /// The server's names, where it has OBJECTID.
    pub object_id: Option<ObjectId>,
}

/// The flags of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flagged {
    /// UID.
    pub uid: u32,
    /// INTERNALDATE as sent.
    pub internal_date: Option<String>,
    /// FLAGS as sent.
    pub flags: Vec<String>,
}

/// A message's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// UID.
    pub uid: u32,
    /// Exactly what the server sent.
    pub bytes: Vec<u8>,
}

/// How a message in slices ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slices {
    /// All of it is there.
    Whole,
    /// The server does not show it.
    Absent,
    /// It is larger than is taken.
    TooLarge,
}

impl Session {
    /// Lists the messages with UIDs from `low` to `high` (`None`: to the last), in ascending order. An `OK` means
    /// that these are all that the server shows in this range.
    ///
    /// # Errors
    /// The connection is lost, or refused.
    pub async fn list(&mut self, low: u32, high: Option<u32>) -> Result<Vec<Listed>> {
        let range = high.map_or_else(|| format!("{low}:*"), |high| format!("{low}:{high}"));
        let items = self.items();
        // `n:*` always gives the last message, even below n.
        self.list_set(&range, &items, |uid| uid >= low && high.is_none_or(|high| uid <= high)).await
    }

    /// What the server shows of `uids`, in ascending order.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn list_of(&mut self, uids: &UidSet) -> Result<Vec<Listed>> {
        let items = self.items();
        self.list_set(&uids.to_string(), &items, |uid| uids.contains(uid)).await
    }

    /// What is asked of a message: more of a server that has more to tell.
    fn items(&self) -> String {
        let mut items = ITEMS.to_owned();
        if self.capabilities().has("X-GM-EXT-1") {
            items.push_str(" X-GM-MSGID X-GM-THRID X-GM-LABELS");
        }
        if self.capabilities().has("OBJECTID") {
            items.push_str(" EMAILID THREADID");
        }
        items
    }

    /// Those of `uids` that the server still shows.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn still_there(&mut self, uids: &UidSet) -> Result<UidSet> {
        let listed = self.list_of(uids).await?;
        Ok(listed.into_iter().map(|l| l.uid).collect())
    }

    /// The highest UID that the server shows; the mailbox must not be empty.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn highest_uid(&mut self) -> Result<Option<u32>> {
        let mut highest = None;
        self.channel
            .run("UID FETCH", &format!("UID FETCH * ({ITEMS})"), |response| {
                if let Response::Fetch(_, attributes) = response {
                    highest = highest.max(uid_of(attributes));
                }
            })
            .await?;
        Ok(highest)
    }

    /// Asks for the flags of messages: with `since`, of those alone that changed after
    /// that MODSEQ (RFC 7162). They come as [changes](Session::take_changes).
    ///
    /// # Errors
    /// The connection is lost, or refused.
    pub async fn flags(&mut self, uids: &UidSet, since: Option<u64>) -> Result<()> {
        let since = since.map(|modseq| format!(" (CHANGEDSINCE {modseq})")).unwrap_or_default();
        let command = format!("UID FETCH {uids} (UID FLAGS){since}");
        self.channel.run("UID FETCH", &command, |_| ()).await
    }

    /// The same by number, where no UID was told.
    ///
    /// # Errors
    /// The connection is lost, or refused.
    pub async fn flags_of_numbers(&mut self, numbers: &UidSet) -> Result<()> {
        self.channel.run("FETCH", &format!("FETCH {numbers} (UID FLAGS)"), |_| ()).await
    }

    /// Flags and dates of messages.
    ///
    /// # Errors
    /// The connection is lost, or refused.
    pub async fn flags_and_dates(&mut self, uids: &UidSet) -> Result<Vec<Flagged>> {
        let command = format!("UID FETCH {uids} (UID FLAGS INTERNALDATE)");
        let mut flagged = Vec::new();
        self.channel
            .run("UID FETCH", &command, |response| {
                if let Response::Fetch(_, attributes) = response
                    && let Some(listed) = read_listed(attributes)
                    && let Some(flags) = flags_of(attributes)
                    && uids.contains(listed.uid)
                {
                    flagged.push(Flagged { uid: listed.uid, internal_date: listed.internal_date, flags });
                }
            })
            .await?;
        Ok(flagged)
    }

    /// What the server shows of `uids` with their Message-IDs, in ascending order.
    ///
    /// # Errors
    /// The connection is lost, or refused.
    pub async fn identify(&mut self, uids: &UidSet) -> Result<Vec<Identified>> {
        let items = self.items();
        let command = format!("UID FETCH {uids} ({items} BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])");
        let mut shown = BTreeMap::new();
        self.channel
            .run("UID FETCH", &command, |response| {
                if let Response::Fetch(_, attributes) = response
                    && let Some(listed) = read_listed(attributes)
                    && uids.contains(listed.uid)
                    && let Some(field) = header(attributes)
                {
                    shown.entry(listed.uid).or_insert_with(|| Identified::new(listed, field));
                }
            })
            .await?;
        Ok(shown.into_values().collect())
    }

    async fn list_set(
        &mut self,
        set: &str,
        items: &str,
        wanted: impl Fn(u32) -> bool,
    ) -> Result<Vec<Listed>> {
        let command = format!("UID FETCH {set} ({items})");
        let mut listed = BTreeMap::new();
        self.channel
            .run("UID FETCH", &command, |response| {
                if let Response::Fetch(_, attributes) = response
                    && let Some(message) = read_listed(attributes)
                    && wanted(message.uid)
                {
                    listed.entry(message.uid).or_insert(message);
                    // No window is that wide. Of a list without an upper end the rest is listed another time.
                    if listed.len() > LISTED {
                        listed.pop_last();
                    }
                }
            })
            .await?;
        Ok(listed.into_values().collect())
    }

    /// Asks for whole messages; `most` is the size of the largest.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn ask_bodies(&mut self, uids: &UidSet, most: u32) -> Result<Sent> {
        self.channel.expect_literal(u64::from(most));
        self.channel.send("UID FETCH", &format!("UID FETCH {uids} (UID BODY.PEEK[])")).await
    }

    /// Reads up to the end of what [`ask_bodies`](Self::ask_bodies) asked for by `sent`, and gives every message of
    /// `wanted` that comes by, each once: servers may answer commands on the wire intermingled. `bytes` is what all of
    /// these are announced to have. What came whole is good, however it ends.
    ///
    /// # Errors
    /// Beside what came: the connection is lost, or the command refused.
    pub async fn read_bodies(&mut self, sent: Sent, wanted: &UidSet, bytes: u64) -> (Vec<Body>, Result<()>) {
        // Sizes are announced wrongly, but not by this much.
        let most = bytes
            .saturating_mul(2)
            .saturating_add(wanted.len().saturating_mul(64 << 10))
            .saturating_add(4 << 20);
        let mut bodies: BTreeMap<u32, Body> = BTreeMap::new();
        let ended = self
            .channel
            .finish(sent, most, |response| {
                if let Response::Fetch(_, attributes) = response
                    && let (Some(uid), Some((_, bytes))) = (uid_of(attributes), section(attributes))
                    && wanted.contains(uid)
                {
                    bodies.entry(uid).or_insert_with(|| Body { uid, bytes: bytes.to_vec() });
                }
            })
            .await;
        (bodies.into_values().collect(), ended)
    }

    /// Asks for the first octet of a message, for nothing but the answer: whether the server still gives any.
    ///
    /// # Errors
    /// The connection is lost, or the command refused.
    pub async fn touch(&mut self, uid: u32) -> Result<()> {
        self.channel.run("UID FETCH", &format!("UID FETCH {uid} (UID BODY.PEEK[]<0.1>)"), |_| ()).await
    }

    /// One message in slices, into `bytes`; what came is there also after an error. A short slice is the last one, unless more was
    /// announced: there are servers that give less than they are asked for. An empty one is the end. `came` hears of
    /// each slice.
    ///
    /// # Errors
    /// The connection is lost, the command refused, or a slice is not the one that was asked for.
    pub async fn large_body(
        &mut self,
        uid: u32,
        announced: u32,
        most: u64,
        bytes: &mut Vec<u8>,
        came: impl Fn(),
    ) -> Result<Slices> {
        const NAME: &str = "UID FETCH";
        let refused = |text: String| Error::Refused { command: NAME, text };
        self.channel.expect_literal(u64::from(SLICE));
        bytes.reserve_exact(usize::try_from(u64::from(announced).min(most)).unwrap_or_default());
        loop {
            let offset = u32::try_from(bytes.len()).map_err(|e| refused(e.to_string()))?;
            let command = format!("UID FETCH {uid} (UID BODY.PEEK[]<{offset}.{SLICE}>)");
            // Length of the slice, and whether it is the one that was asked for.
            let mut slice: Option<(usize, bool)> = None;
            self.channel
                .run(NAME, &command, |response| {
                    if let Response::Fetch(_, attributes) = response
                        && uid_of(attributes) == Some(uid)
                        && slice.is_none()
                        && let Some((origin, data)) = section(attributes)
                    {
                        let fits = data.len() <= SLICE as usize
                            && (origin.unwrap_or(0) == offset || data.is_empty());
                        slice = Some((data.len(), fits));
                        if fits {
                            bytes.extend_from_slice(data);
                        }
                    }
                })
                .await?;
            came();
            let length = match slice {
                Some((length, true)) => length,
                Some(_) => return Err(refused(format!("asked for a slice at {offset}, got another"))),
                None if offset == 0 => return Ok(Slices::Absent),
                None if offset >= announced => return Ok(Slices::Whole),
                None => return Err(refused(format!("no slice at {offset} of {announced}"))),
            };
            let short = length < SLICE as usize;
            if length == 0 || (short && bytes.len() as u64 >= u64::from(announced)) {
                return Ok(Slices::Whole);
            }
            if bytes.len() as u64 > most {
                return Ok(Slices::TooLarge);
            }
        }
    }
}

fn uid_of(attributes: &[AttributeValue<'_>]) -> Option<u32> {
    attributes
        .iter()
        .find_map(|a| if let AttributeValue::Uid(uid) = a { Some(*uid).filter(|&uid| uid > 0) } else { None })
}

/// The bytes of `BODY[]` (none for NIL) and where they begin.
fn section<'a>(attributes: &'a [AttributeValue<'_>]) -> Option<(Option<u32>, &'a [u8])> {
    attributes.iter().find_map(|a| match a {
        AttributeValue::BodySection { section: None, index, data } => {
            Some((*index, data.as_deref().unwrap_or_default()))
        }
        _ => None,
    })
}

/// The bytes of a part of the header.
fn header<'a>(attributes: &'a [AttributeValue<'_>]) -> Option<&'a [u8]> {
    attributes.iter().find_map(|a| match a {
        AttributeValue::BodySection { section: Some(_), data, .. } => data.as_deref(),
        _ => None,
    })
}

/// Nothing without a UID: such a line is about flags and was not asked for (Cyrus).
fn read_listed(attributes: &[AttributeValue<'_>]) -> Option<Listed> {
    let mut listed = Listed {
        uid: uid_of(attributes)?,
        size: 0,
        internal_date: None,
        flags: flags_of(attributes).unwrap_or_default(),
        gmail: gmail(attributes),
        object_id: object_id(attributes),
    };
    for attribute in attributes {
        match attribute {
            AttributeValue::Rfc822Size(size) => listed.size = *size,
            AttributeValue::InternalDate(date) => {
                listed.internal_date = Some(date.chars().take(DATE).collect())
            }
            _ => {}
        }
    }
    Some(listed)
}

/// Gmail's names for a message; without the first of them there are none.
fn gmail(attributes: &[AttributeValue<'_>]) -> Option<Gmail> {
    let msg_id = attributes.iter().find_map(|a| match a {
        AttributeValue::GmailMsgId(id) => Some(id.to_string()),
        _ => None,
    })?;
    let mut gmail = Gmail { msg_id, thr_id: None, labels: Vec::new() };
    for attribute in attributes {
        match attribute {
            AttributeValue::GmailThrId(id) => gmail.thr_id = Some(id.to_string()),
            AttributeValue::GmailLabels(labels) => {
                gmail.labels = labels.iter().take(LABELS).map(|label| read_label(label)).collect();
            }
            _ => {}
        }
    }
    Some(gmail)
}

/// A label in Unicode. The parser leaves the backslashes of a quoted string where they are; one before an atom
/// (`\Inbox`) is part of it.
fn read_label(label: &str) -> String {
    let mut plain = String::with_capacity(label.len());
    let mut chars = label.chars().peekable();
    while let Some(c) = chars.next() {
        plain.push(match (c, chars.peek()) {
            ('\\', Some('\\' | '"')) => chars.next().unwrap_or(c),
            _ => c,
        });
    }
    mutf7::decode(&plain).chars().take(LABEL).collect()
}

/// The server's names for a message (RFC 8474); without the first of them there are none.
fn object_id(attributes: &[AttributeValue<'_>]) -> Option<ObjectId> {
    let short = |id: &str| id.chars().take(OBJECT).collect::<String>();
    let email_id = attributes.iter().find_map(|a| match a {
        AttributeValue::EmailId(id) => Some(short(id)),
        _ => None,
    })?;
    let thread_id = attributes.iter().find_map(|a| match a {
        AttributeValue::ThreadId(Some(id)) => Some(short(id)),
        _ => None,
    });
    Some(ObjectId { email_id: Some(email_id), thread_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(line: &str) -> Listed {
        let (_, response) = Response::parse(line.as_bytes()).unwrap();
        let Response::Fetch(_, attributes) = response else { panic!("{response:?}") };
        read_listed(&attributes).unwrap()
    }

    #[test]
    fn gmail_tells_its_names() {
        let line = "* 1 FETCH (X-GM-THRID 1266894439832287888 X-GM-MSGID 1278455344230334865 X-GM-LABELS (\\Inbox \"\\\\Sent\" Work \"Caf&AOk- \\\"x\\\"\" \"a\\\\b\") UID 4 RFC822.SIZE 9)\r\n";
        let gmail = listed(line).gmail.unwrap();
        assert_eq!(gmail.msg_id, "1278455344230334865");
        assert_eq!(gmail.thr_id.as_deref(), Some("1266894439832287888"));
        assert_eq!(gmail.labels, ["\\Inbox", "\\Sent", "Work", "Café \"x\"", "a\\b"]);
        assert_eq!(
            listed("* 1 FETCH (X-GM-MSGID 7 X-GM-LABELS () UID 4)\r\n").gmail.unwrap().labels,
            [""; 0]
        );
        assert_eq!(listed("* 1 FETCH (UID 4)\r\n").gmail, None);
    }

    #[test]
    fn any_server_may_tell_its_names() {
        let names = listed("* 1 FETCH (UID 4 EMAILID (M6d99) THREADID (T64b))\r\n").object_id.unwrap();
        assert_eq!((names.email_id.as_deref(), names.thread_id.as_deref()), (Some("M6d99"), Some("T64b")));
        let names = listed("* 1 FETCH (UID 4 EMAILID (M6d99) THREADID NIL)\r\n").object_id.unwrap();
        assert_eq!(names.thread_id, None);
    }
}
