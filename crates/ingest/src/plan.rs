//! What to ask for next: windows of UIDs, and batches of messages. Pure.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use vigie_archive::UidSet;

use crate::session::{Listed, SLICE};

/// UIDs that are listed at once, where they are dense.
const WINDOW: u32 = 5_000;
/// UIDs that are listed at once at most, where most are gone.
const WIDEST: u32 = 80_000;
/// Octets of messages that are fetched by one command, as announced.
pub const BATCH: u64 = 1 << 20;
/// Messages that are fetched by one command: their UIDs, even without two that touch, fit a line of 1,000
/// characters (RFC 2683 section 3.2.1.5) when they have six digits.
const MESSAGES: usize = 140;

/// How wide the next window is: wider where the last ones held little.
#[derive(Debug, Clone, Copy)]
pub struct Width(u32);

impl Default for Width {
    fn default() -> Self {
        Self(WINDOW)
    }
}

impl Width {
    /// Learns from a window that held `listed` messages.
    pub fn learn(&mut self, listed: usize) {
        let dense = u32::try_from(listed).unwrap_or(u32::MAX) > self.0 / 4;
        self.0 = if dense { WINDOW } else { (self.0 * 2).min(WIDEST) };
    }
}

/// The newest range of UIDs up to `top` that is not dealt with, at most `width` wide.
#[must_use]
pub fn next_window(dealt: &UidSet, top: u32, width: Width) -> Option<RangeInclusive<u32>> {
    let gap = dealt.missing(1, top).newest_first().next()?;
    let (low, high) = gap.into_inner();
    Some(low.max(high.saturating_sub(width.0 - 1))..=high)
}

/// Messages that are fetched by one command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The messages, in ascending order.
    pub messages: Vec<Listed>,
    /// Octets of them, as announced.
    pub bytes: u64,
}

impl Batch {
    /// One message.
    #[must_use]
    pub fn of(message: Listed) -> Self {
        Self { bytes: u64::from(message.size), messages: vec![message] }
    }

    /// Their UIDs.
    #[must_use]
    pub fn uids(&self) -> UidSet {
        self.messages.iter().map(|m| m.uid).collect()
    }

    /// Announced size of the largest.
    #[must_use]
    pub fn largest(&self) -> u32 {
        self.messages.iter().map(|m| m.size).max().unwrap_or(0)
    }

    /// Whether it is one message that is fetched in slices.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.messages.len() == 1 && self.largest() > SLICE
    }

    /// Two halves, or itself if it is one message: to find the one that the server refuses.
    #[must_use]
    pub fn halves(mut self) -> Vec<Self> {
        let upper = self.messages.split_off(self.messages.len() / 2);
        [self.messages, upper]
            .into_iter()
            .filter(|m| !m.is_empty())
            .map(|messages| Self { bytes: messages.iter().map(|m| u64::from(m.size)).sum(), messages })
            .collect()
    }
}

/// Packs messages into batches, newest first. Large messages, and those that a connection was lost on before, are
/// alone; the latter come last.
#[must_use]
pub fn batches(listed: Vec<Listed>, suspects: &BTreeMap<u32, u32>) -> Vec<Batch> {
    let (suspected, plain): (Vec<_>, Vec<_>) =
        listed.into_iter().partition(|l| suspects.contains_key(&l.uid));
    let mut batches: Vec<Batch> = Vec::new();
    let mut open = Batch::default();
    for message in plain.into_iter().rev() {
        if message.size > SLICE {
            batches.push(Batch::of(message));
            continue;
        }
        let size = u64::from(message.size);
        if open.messages.len() == MESSAGES || open.bytes + size > BATCH {
            batches.push(std::mem::take(&mut open));
        }
        open.bytes += size;
        open.messages.push(message);
    }
    batches.push(open);
    batches.extend(suspected.into_iter().rev().map(Batch::of));
    batches.retain(|b| !b.messages.is_empty());
    for batch in &mut batches {
        batch.messages.sort_by_key(|m| m.uid);
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(uid: u32, size: u32) -> Listed {
        Listed { uid, size, internal_date: None, flags: Vec::new(), gmail: None, object_id: None }
    }

    #[test]
    fn windows_go_down_and_grow_over_gaps() {
        let mut dealt = UidSet::new();
        let mut width = Width::default();
        assert_eq!(next_window(&dealt, 12_000, width), Some(7_001..=12_000));
        dealt.insert(7_001..=12_000);
        width.learn(0);
        assert_eq!(next_window(&dealt, 12_000, width), Some(1..=7_000));
        width.learn(5_000);
        dealt.insert(1..=7_000);
        assert_eq!(next_window(&dealt, 12_000, width), None);
        assert_eq!(next_window(&dealt, 12_001, width), Some(12_001..=12_001));
        assert_eq!(next_window(&UidSet::new(), 0, width), None);
    }

    /// A million UIDs that are gone are few commands.
    #[test]
    fn a_gap_of_a_million_is_crossed_in_few_windows() {
        let mut dealt = UidSet::new();
        let mut width = Width::default();
        let mut asked = 0;
        while let Some(window) = next_window(&dealt, u32::MAX / 4000, width) {
            dealt.insert(window);
            width.learn(0);
            asked += 1;
        }
        assert!(asked < 25, "{asked}");
    }

    proptest! {
        #[test]
        fn every_message_is_in_one_batch(sizes in prop::collection::vec(0u32..3_000_000, 0..400), suspect in prop::collection::btree_map(1u32..400, 1u32..3, 0..20)) {
            let all: Vec<Listed> = sizes.iter().zip(1..).map(|(&size, uid)| listed(uid, size)).collect();
            let packed = batches(all.clone(), &suspect);
            let mut got: Vec<u32> = packed.iter().flat_map(|b| b.messages.iter().map(|m| m.uid)).collect();
            got.sort_unstable();
            prop_assert_eq!(got, all.iter().map(|l| l.uid).collect::<Vec<_>>());
            for batch in packed {
                prop_assert_eq!(batch.bytes, batch.messages.iter().map(|m| u64::from(m.size)).sum::<u64>());
                let alone = batch.messages.iter().any(|m| m.size > SLICE || suspect.contains_key(&m.uid));
                prop_assert!(batch.messages.len() == 1 || (!alone && batch.bytes <= BATCH && batch.messages.len() <= MESSAGES));
                let halves: usize = batch.clone().halves().iter().map(|h| h.messages.len()).sum();
                prop_assert_eq!(halves, batch.messages.len());
            }
        }
    }
}
