//! SEARCH: the few keys of a client that looks for new or recent messages.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::message::Message;
use super::set::Set;
use super::view::View;

/// The numbers or UIDs that fit all keys; `None` when a key is not known.
pub(super) fn search(view: &View, keys: &str, by_uid: bool) -> Option<Vec<u32>> {
    let mut found = view.chosen(&Set::parse("1:*")?, false);
    let mut words = keys.split_ascii_whitespace();
    let mut any = false;
    while let Some(word) = words.next() {
        any = true;
        match word.to_ascii_uppercase().as_str() {
            "ALL" => {}
            "SEEN" => found.retain(|(_, message)| message.seen()),
            "UNSEEN" => found.retain(|(_, message)| !message.seen()),
            "SINCE" => {
                let date = date(words.next()?)?;
                found.retain(|(_, message)| received(message) >= date);
            }
            "BEFORE" => {
                let date = date(words.next()?)?;
                found.retain(|(_, message)| received(message) < date);
            }
            "UID" => {
                let chosen = view.chosen(&Set::parse(words.next()?)?, true);
                found.retain(|(number, _)| chosen.binary_search_by_key(number, |(n, _)| *n).is_ok());
            }
            set => {
                let chosen = view.chosen(&Set::parse(set)?, false);
                found.retain(|(number, _)| chosen.binary_search_by_key(number, |(n, _)| *n).is_ok());
            }
        }
    }
    let shown = |(number, message): &(usize, std::sync::Arc<Message>)| {
        if by_uid { message.uid } else { u32::try_from(*number).unwrap_or(u32::MAX) }
    };
    any.then(|| found.iter().map(shown).collect())
}

fn date(text: &str) -> Option<Date> {
    Date::strptime("%d-%b-%Y", text.trim_matches('"')).ok()
}

fn received(message: &Message) -> Date {
    message.received.to_zoned(TimeZone::UTC).date()
}
