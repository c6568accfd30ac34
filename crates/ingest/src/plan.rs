//! What to ask for next: windows of UIDs, and batches of messages. Pure.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use vigie_archive::UidSet;

use crate::session::{Body, Listed, SLICE};

/// UIDs that are listed at once, where they are dense.
const WINDOW: u32 = 5_000;
/// UIDs that are listed at once at most, where most are gone. In a mailbox of no more messages than this a window may be
/// of any width: no answer is longer.
const WIDEST: u32 = 80_000;
/// Octets of messages that are fetched by one command, as announced.
pub const BATCH: u64 = 1 << 20;
/// Messages that are fetched by one command: their UIDs, even without two that touch, fit a line of 1,000
/// characters (RFC 2683 section 3.2.1.5) when they have six digits.
const MESSAGES: usize = 140;

/// Characters of the UIDs of one command.
const LINE: usize = 900;

/// Messages that a connection was lost on are asked for in parts of so many, then each alone. Halves would find the one
/// that is at fault in fewer commands, but with more connections lost, and each of these costs a wait.
const PART: usize = 12;
/// A window that a connection was lost on is listed in so many parts.
const NARROWER: u32 = 16;

/// How wide the next window is: wider where the last ones held little.
#[derive(Debug, Clone, Copy)]
pub struct Width {
    now: u32,
    most: u32,
}

impl Width {
    /// In a mailbox of so many messages.
    #[must_use]
    pub fn among(exists: u32) -> Self {
        Self { now: WINDOW, most: if exists > WIDEST { WIDEST } else { u32::MAX } }
    }

    /// Learns from a window that held `listed` messages.
    pub fn learn(&mut self, listed: usize) {
        let dense = u32::try_from(listed).unwrap_or(u32::MAX) > self.now / 4;
        self.now = if dense { WINDOW } else { self.now.saturating_mul(2).min(self.most) };
    }
}

/// The newest range of UIDs up to `top` that is not dealt with, at most `width` wide.
#[must_use]
pub fn next_window(dealt: &UidSet, top: u32, width: Width) -> Option<RangeInclusive<u32>> {
    let gap = dealt.missing(1, top).newest_first().next()?;
    let (low, high) = gap.into_inner();
    Some(low.max(high.saturating_sub(width.now - 1))..=high)
}

/// A set in parts that each fit a command line; none where it is empty.
#[must_use]
pub fn lines(uids: &UidSet) -> Vec<UidSet> {
    let (mut lines, mut line, mut length) = (Vec::new(), UidSet::new(), 0);
    for range in uids.iter() {
        let range_length = UidSet::of(range.clone()).to_string().len() + 1;
        if length + range_length > LINE && length > 0 {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        line.insert(range);
        length += range_length;
    }
    if length > 0 {
        lines.push(line);
    }
    lines
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

    /// Those of its messages that are not among `bodies`.
    #[must_use]
    pub fn without(&self, bodies: &[Body]) -> Self {
        let rest = self.messages.iter().filter(|m| bodies.iter().all(|body| body.uid != m.uid));
        let messages: Vec<Listed> = rest.cloned().collect();
        Self { bytes: messages.iter().map(|m| u64::from(m.size)).sum(), messages }
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

/// The upper part of a window of which one that a connection was lost on is listed in parts.
#[must_use]
pub fn narrowed(window: RangeInclusive<u32>, lost: &RangeInclusive<u32>) -> RangeInclusive<u32> {
    let (low, high) = window.into_inner();
    if lost.contains(&high) {
        let part = (lost.end().saturating_sub(*lost.start()) / NARROWER).max(1);
        low.max(high.saturating_sub(part - 1))..=high
    } else if lost.contains(&low) || (low < *lost.start() && *lost.end() < high) {
        lost.end() + 1..=high
    } else {
        low..=high
    }
}

/// Messages that a connection was lost on, in the parts that they are asked for in.
#[derive(Debug, Clone, Default)]
pub struct Suspects(Vec<BTreeSet<u32>>);

impl Suspects {
    /// A connection was lost while these were fetched together.
    pub fn add(&mut self, uids: &[u32]) {
        uids.iter().for_each(|&uid| self.remove(uid));
        let part = if uids.len() > PART { PART } else { 1 };
        self.0.extend(uids.chunks(part).map(|part| part.iter().copied().collect()));
    }

    /// Whether a connection was lost on it.
    #[must_use]
    pub fn contains(&self, uid: u32) -> bool {
        self.0.iter().any(|part| part.contains(&uid))
    }

    /// It is no longer suspected.
    pub fn remove(&mut self, uid: u32) {
        self.0.retain_mut(|part| {
            part.remove(&uid);
            !part.is_empty()
        });
    }
}

/// Packs messages into batches, newest first. Large messages are alone; those that a connection was lost on before come
/// last, in their parts.
#[must_use]
pub fn batches(listed: Vec<Listed>, suspects: &Suspects) -> Vec<Batch> {
    let (mut suspected, plain): (Vec<_>, Vec<_>) = listed.into_iter().partition(|l| suspects.contains(l.uid));
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
    for part in suspects.0.iter().rev() {
        let part = suspected.extract_if(.., |l| part.contains(&l.uid)).collect();
        let (large, small): (Vec<_>, Vec<_>) = Vec::into_iter(part).partition(|l: &Listed| l.size > SLICE);
        batches.push(Batch { bytes: small.iter().map(|m| u64::from(m.size)).sum(), messages: small });
        batches.extend(large.into_iter().map(Batch::of));
    }
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
        let mut width = Width::among(9_000);
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

    #[test]
    fn a_set_of_many_holes_is_asked_for_in_lines() {
        let all: UidSet = (1..4_000).map(|n| n * 1_000_003).collect();
        let lines = lines(&all);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.to_string().len() <= LINE));
        let mut asked = UidSet::new();
        lines.iter().for_each(|line| asked.union(line));
        assert_eq!(asked, all);
        assert_eq!(super::lines(&UidSet::new()), []);
        assert_eq!(super::lines(&UidSet::of(1..=9)), [UidSet::of(1..=9)]);
    }

    /// A million UIDs that are gone are few commands, and in a mailbox that is not large all UIDs that there can be.
    #[test]
    fn a_gap_is_crossed_in_few_windows() {
        for (exists, top) in [(1_000_000, u32::MAX / 4000), (1_000, u32::MAX)] {
            let mut dealt = UidSet::new();
            let mut width = Width::among(exists);
            let mut asked = 0;
            while let Some(window) = next_window(&dealt, top, width) {
                dealt.insert(window);
                width.learn(0);
                asked += 1;
            }
            assert!(asked < 25, "{exists}: {asked}");
        }
    }

    /// However wide the window, few connections are lost until the one UID is found.
    #[test]
    fn one_that_no_listing_survives_is_found() {
        for poison in [1, 2, 311, 312, 313, 4_999, 5_000] {
            let (mut dealt, mut lost, mut losses) = (UidSet::new(), None::<RangeInclusive<u32>>, 0);
            loop {
                let Some(mut window) = next_window(&dealt, 5_000, Width::among(1)) else {
                    panic!("not found")
                };
                if let Some(lost) = &lost {
                    window = narrowed(window, lost);
                }
                if !window.contains(&poison) {
                    dealt.insert(window);
                } else if window.start() == window.end() {
                    break;
                } else {
                    lost = Some(window);
                    losses += 1;
                }
            }
            assert!(losses <= 4, "{poison}: {losses}");
        }
    }

    proptest! {
        #[test]
        fn every_message_is_in_one_batch(sizes in prop::collection::vec(0u32..3_000_000, 0..400), lost in prop::collection::vec(prop::collection::btree_set(1u32..400, 1..30), 0..5)) {
            let mut suspect = Suspects::default();
            lost.into_iter().for_each(|uids| suspect.add(&uids.into_iter().collect::<Vec<_>>()));
            let all: Vec<Listed> = sizes.iter().zip(1..).map(|(&size, uid)| listed(uid, size)).collect();
            let packed = batches(all.clone(), &suspect);
            let mut got: Vec<u32> = packed.iter().flat_map(|b| b.messages.iter().map(|m| m.uid)).collect();
            got.sort_unstable();
            prop_assert_eq!(got, all.iter().map(|l| l.uid).collect::<Vec<_>>());
            for batch in packed {
                prop_assert_eq!(batch.bytes, batch.messages.iter().map(|m| u64::from(m.size)).sum::<u64>());
                let suspected = batch.messages.iter().filter(|m| suspect.contains(m.uid)).count();
                prop_assert!(suspected == 0 || suspected == batch.messages.len());
                let large = batch.messages.iter().any(|m| m.size > SLICE);
                let most = if suspected > 0 { PART } else { MESSAGES };
                prop_assert!(batch.messages.len() == 1 || (!large && batch.messages.len() <= most));
                prop_assert!(suspected > 0 || batch.messages.len() == 1 || batch.bytes <= BATCH);
                let halves: usize = batch.clone().halves().iter().map(|h| h.messages.len()).sum();
                prop_assert_eq!(halves, batch.messages.len());
            }
        }
    }
}
