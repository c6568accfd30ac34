//! Which messages of a mailbox that began anew are known from before. Pure.
//!
//! As mbsync does: by INTERNALDATE, Message-ID and size together, and only where nothing is ambiguous. It is
//! believed when many agree and none contradicts; a message that is not matched is fetched, which is always right.

use std::collections::HashMap;

use jiff::Timestamp;
use vigie_archive::Earlier;

use crate::message::{parse_bytes, parse_internal_date};
use crate::session::Listed;

/// With fewer that agree, nothing is believed.
pub const AGREE: usize = 20;

/// A message as the server lists it, with the name that its sender gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// What the server says.
    pub listed: Listed,
    /// INTERNALDATE, where it is one.
    pub received_at: Option<Timestamp>,
    /// First Message-ID, as documents have it.
    pub message_id: Option<String>,
}

impl Identified {
    /// From what was listed, and the header field as it was sent.
    #[must_use]
    pub fn new(listed: Listed, field: &[u8]) -> Self {
        let received_at = listed.internal_date.as_deref().and_then(parse_internal_date);
        let ids = parse_bytes(field).document.message_id;
        Self { listed, received_at, message_id: ids.and_then(|ids| ids.into_iter().next()) }
    }
}

/// A message and what it seems to be.
pub type Pair = (Identified, Earlier);

/// The pairs of which Message-ID and INTERNALDATE say the same, each unambiguously on both sides; none when any
/// Message-ID that names one message on each side has another INTERNALDATE: then dates, or names, mean nothing here.
#[must_use]
pub fn pair(listed: Vec<Identified>, earlier: Vec<Earlier>) -> Vec<Pair> {
    let mut known: HashMap<String, Option<Earlier>> = HashMap::new();
    for old in earlier {
        let Some(name) = old.message_id.clone() else { continue };
        known
            .entry(name)
            .and_modify(|first| {
                // The same bytes in several generations are one message.
                first.take_if(|first| first.blob_id != old.blob_id || first.received_at != old.received_at);
            })
            .or_insert(Some(old));
    }
    let mut shown: HashMap<String, Option<Identified>> = HashMap::new();
    for new in listed {
        let Some(name) = new.message_id.clone() else { continue };
        shown.entry(name).and_modify(|first| *first = None).or_insert(Some(new));
    }
    let mut pairs = Vec::new();
    for (name, new) in shown {
        let (Some(new), Some(Some(old))) = (new, known.remove(&name)) else { continue };
        if new.received_at.is_none() || old.received_at.is_none() {
            continue;
        }
        if new.received_at != old.received_at {
            return Vec::new();
        }
        pairs.push((new, old));
    }
    pairs.sort_unstable_by_key(|(new, _)| new.listed.uid);
    pairs
}

/// Whether a UID of the same generation names another message than the one that is stored. What only the dates or only the
/// sizes say is no proof where the Message-ID is the same, or there is none.
#[must_use]
pub fn is_another(new: &Identified, old: &Earlier, announced: Option<u64>) -> bool {
    let size = u64::from(new.listed.size);
    let same_size = size == old.size || Some(size) == announced;
    let same_date = new.received_at == old.received_at;
    match (&new.message_id, &old.message_id) {
        _ if same_size && same_date => false,
        (Some(new), Some(old)) => new != old,
        (None, None) => !same_size && !same_date,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use vigie_common::id::{BlobId, Id};

    use super::*;

    fn at(minute: i64) -> Option<Timestamp> {
        Timestamp::from_second(1_800_000_000 + 60 * minute).ok()
    }

    fn new(uid: u32, name: &str, minute: i64) -> Identified {
        let listed =
            Listed { uid, size: 10, internal_date: None, flags: Vec::new(), gmail: None, object_id: None };
        let message_id = (!name.is_empty()).then(|| name.to_owned());
        Identified { listed, received_at: at(minute), message_id }
    }

    fn old(uid: u32, name: &str, minute: i64, bytes: &str) -> Earlier {
        let blob_id = BlobId::of(bytes.as_bytes());
        let message_id = (!name.is_empty()).then(|| name.to_owned());
        let (received_at, path) = (at(minute), String::new());
        Earlier { id: Id::of_parse(&blob_id), blob_id, uid, received_at, size: 10, message_id, path }
    }

    fn uids(pairs: &[Pair]) -> Vec<(u32, u32)> {
        pairs.iter().map(|(new, old)| (new.listed.uid, old.uid)).collect()
    }

    #[test]
    fn only_what_is_unambiguous_on_both_sides_is_a_pair() {
        let earlier = vec![
            old(1, "a", 1, "a"),
            old(2, "twice", 2, "x"),
            old(3, "twice", 2, "y"),
            old(4, "", 4, "nameless"),
            old(5, "again", 5, "same"),
            old(6, "again", 5, "same"),
            old(7, "shown twice", 7, "z"),
            old(8, "gone", 8, "g"),
        ];
        let listed = vec![
            new(11, "a", 1),
            new(12, "twice", 2),
            new(14, "", 4),
            new(15, "again", 5),
            new(16, "shown twice", 7),
            new(17, "shown twice", 7),
            new(18, "not known", 9),
        ];
        assert_eq!(uids(&pair(listed, earlier)), [(11, 1), (15, 5)]);
    }

    #[test]
    fn one_contradiction_is_enough() {
        let earlier = vec![old(1, "a", 1, "a"), old(2, "b", 2, "b")];
        assert_eq!(pair(vec![new(1, "a", 1), new(2, "b", 3)], earlier), []);
    }

    #[test]
    fn another_message_under_the_same_uid() {
        let stored = old(1, "a", 1, "a");
        let larger = |mut new: Identified| {
            new.listed.size = 11;
            new
        };
        assert!(!is_another(&new(1, "a", 1), &stored, None));
        assert!(!is_another(&larger(new(1, "a", 9)), &stored, None), "the same name");
        assert!(!is_another(&larger(new(1, "a", 1)), &stored, Some(11)), "announced so before");
        assert!(is_another(&new(1, "b", 9), &stored, None));
        assert!(is_another(&larger(new(1, "b", 1)), &stored, None));
        assert!(!is_another(&new(1, "b", 1), &stored, None), "nothing but the name differs: not asked for");
        let nameless = old(1, "", 1, "a");
        assert!(!is_another(&new(1, "", 9), &nameless, None), "a date alone");
        assert!(is_another(&larger(new(1, "", 9)), &nameless, None));
        assert!(is_another(&new(1, "b", 9), &nameless, None));
    }

    #[test]
    fn a_field_is_read_as_documents_are() {
        let listed =
            Listed { uid: 1, size: 1, internal_date: None, flags: Vec::new(), gmail: None, object_id: None };
        for (field, id) in [
            ("Message-ID: <a@b>\r\n\r\n", Some("a@b")),
            ("message-id:\r\n <a@b>\r\n\r\n", Some("a@b")),
            ("\r\n", None),
            ("", None),
        ] {
            assert_eq!(
                Identified::new(listed.clone(), field.as_bytes()).message_id.as_deref(),
                id,
                "{field:?}"
            );
        }
    }
}
