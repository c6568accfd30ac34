//! LIST (RFC 3501 section 6.3.8): which mailboxes there are.

use std::collections::BTreeMap;

use async_imap::imap_proto::{MailboxDatum, NameAttribute, Response};
use vigie_common::document::MailboxSource;

use super::{Session, mutf7};
use crate::error::{Error, Result};

/// Mailboxes of one account at most: somebody's pattern or server is wrong when there are more.
const MOST: usize = 5_000;

/// A mailbox that can be selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its names.
    pub source: MailboxSource,
}

impl Session {
    /// All mailboxes that can be selected, INBOX first, then by name.
    ///
    /// # Errors
    /// The connection is lost, or the command refused: never an empty list instead.
    pub async fn mailboxes(&mut self) -> Result<Vec<Found>> {
        self.mailboxes_named(|_| true).await
    }

    /// Those of them that are wanted: no room is made for others.
    ///
    /// # Errors
    /// As [`mailboxes`](Self::mailboxes); [`Error::Unsuitable`] when there are more than anybody has.
    pub async fn mailboxes_named(&mut self, wanted: impl Fn(&MailboxSource) -> bool) -> Result<Vec<Found>> {
        let mut found = BTreeMap::new();
        let mut more = false;
        self.channel
            .run("LIST", "LIST \"\" \"*\"", |response| {
                if let Response::MailboxData(MailboxDatum::List(list)) = response {
                    let attributes = &list.name_attributes;
                    if attributes.iter().any(unselectable) {
                        return;
                    }
                    let source = source(&list.name, list.delimiter.as_deref(), attributes);
                    if wanted(&source) {
                        more |= found.len() >= MOST;
                        if !more {
                            found.insert(source.raw_name.clone(), Found { source });
                        }
                    }
                }
            })
            .await?;
        if more {
            return Err(Error::Unsuitable(format!(
                "the server lists more than {MOST} mailboxes that `mailboxes` includes: name fewer"
            )));
        }
        let mut found: Vec<Found> = found.into_values().collect();
        found.sort_by(|a, b| {
            let rank = |f: &Found| (f.source.raw_name != "INBOX", f.source.name.clone());
            rank(a).cmp(&rank(b))
        });
        Ok(found)
    }
}

fn unselectable(attribute: &NameAttribute<'_>) -> bool {
    match attribute {
        NameAttribute::NoSelect => true,
        NameAttribute::Extension(name) => name.eq_ignore_ascii_case("\\NonExistent"),
        _ => false,
    }
}

fn source(raw: &str, delimiter: Option<&str>, attributes: &[NameAttribute<'_>]) -> MailboxSource {
    let raw = unescape(raw);
    let raw = if raw.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { raw };
    // Levels are decoded one by one: an encoded delimiter inside a level is no delimiter.
    let name = match delimiter.filter(|d| !d.is_empty()) {
        Some(delimiter) => raw.split(delimiter).map(mutf7::decode).collect::<Vec<_>>().join("/"),
        None => mutf7::decode(&raw),
    };
    let special_use = attributes.iter().find_map(|attribute| {
        let word = match attribute {
            NameAttribute::All => "all",
            NameAttribute::Archive => "archive",
            NameAttribute::Drafts => "drafts",
            NameAttribute::Flagged => "flagged",
            NameAttribute::Junk => "junk",
            NameAttribute::Sent => "sent",
            NameAttribute::Trash => "trash",
            // RFC 8457.
            NameAttribute::Extension(name) if name.eq_ignore_ascii_case("\\Important") => "important",
            _ => return None,
        };
        Some(word.to_owned())
    });
    MailboxSource { name, raw_name: raw, delimiter: delimiter.map(str::to_owned), special_use }
}

/// The parser leaves the backslashes of a quoted string where they are.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}
