//! A session's view of its selected mailbox: message numbers change only when the client is told.

use std::sync::Arc;

use tokio::sync::watch;

use super::message::Message;
use super::set::Set;
use super::store::Mailbox;

/// The selected mailbox as the client knows it.
pub(super) struct View {
    mailbox: Mailbox,
    messages: Vec<Arc<Message>>,
    version: u64,
    life: u64,
    pub(super) read_only: bool,
    pub(super) changes: watch::Receiver<()>,
}

/// What the client has to be told.
pub(super) enum News {
    Nothing,
    /// Numbers of messages that went, in the order in which to tell them, and then how many exist.
    Changed {
        expunged: Vec<usize>,
        exists: usize,
    },
    /// The mailbox is not the one that was selected any more.
    Gone,
}

impl View {
    pub(super) fn new(mailbox: Mailbox, read_only: bool) -> Self {
        let changes = mailbox.changes();
        let (messages, version, life) = {
            let content = mailbox.content();
            (content.messages.clone(), content.version, content.life)
        };
        Self { mailbox, messages, version, life, read_only, changes }
    }

    pub(super) fn exists(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = (usize, &Arc<Message>)> {
        (1..).zip(&self.messages)
    }

    /// Moves the view to the mailbox's present state.
    pub(super) fn update(&mut self) -> News {
        let (current, life) = {
            let content = self.mailbox.content();
            if content.version == self.version {
                return News::Nothing;
            }
            self.version = content.version;
            (content.messages.clone(), content.life)
        };
        if life != self.life {
            return News::Gone;
        }
        let is_there = |uid: u32| current.binary_search_by_key(&uid, |message| message.uid).is_ok();
        let expunged: Vec<usize> =
            self.messages().filter(|(_, message)| !is_there(message.uid)).map(|(number, _)| number).collect();
        let grown = current.len() + expunged.len() > self.messages.len();
        self.messages = current;
        if expunged.is_empty() && !grown {
            return News::Nothing;
        }
        // From the highest down, each number is still the one that the client knows.
        let expunged = expunged.into_iter().rev().collect();
        News::Changed { expunged, exists: self.messages.len() }
    }

    /// The messages of a set of UIDs or numbers, with their numbers.
    pub(super) fn chosen(&self, set: &Set, by_uid: bool) -> Vec<(usize, Arc<Message>)> {
        let last =
            if by_uid { self.messages.last().map_or(0, |m| m.uid) } else { count(self.messages.len()) };
        let mut chosen = Vec::new();
        for (from, to) in set.ranges(last) {
            let (start, end) = if by_uid {
                let start = self.messages.partition_point(|message| message.uid < from);
                (start, self.messages.partition_point(|message| message.uid <= to))
            } else {
                (index(from).saturating_sub(1), index(to).min(self.messages.len()))
            };
            let range = self.messages.get(start..end).unwrap_or_default();
            chosen.extend((start + 1..).zip(range.iter().cloned()));
        }
        chosen
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
