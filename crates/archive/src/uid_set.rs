//! A set of UIDs as ranges. Pure.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// UIDs as sorted, disjoint, inclusive ranges that do not touch: equal sets are equal values.
///
/// Written as IMAP's `sequence-set` without `*`: `1:5,7`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct UidSet {
    ranges: Vec<(u32, u32)>,
}

impl UidSet {
    /// No UID.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The UIDs of one range; none if it is empty.
    #[must_use]
    pub fn of(range: RangeInclusive<u32>) -> Self {
        let mut set = Self::new();
        set.insert(range);
        set
    }

    /// Adds a range.
    pub fn insert(&mut self, range: RangeInclusive<u32>) {
        let (mut first, mut last) = range.into_inner();
        if first > last {
            return;
        }
        // Those that the new range touches are replaced by one.
        let from = self.ranges.partition_point(|&(_, l)| l.saturating_add(1) < first);
        let to = self.ranges.partition_point(|&(f, _)| f <= last.saturating_add(1));
        if let Some(touched) = self.ranges.get(from..to) {
            first = touched.first().map_or(first, |&(f, _)| f.min(first));
            last = touched.last().map_or(last, |&(_, l)| l.max(last));
        }
        self.ranges.splice(from..to.max(from), [(first, last)]);
    }

    /// Adds all of another set.
    pub fn union(&mut self, other: &Self) {
        if self.ranges.is_empty() {
            self.ranges.clone_from(&other.ranges);
        } else {
            for range in other.iter() {
                self.insert(range);
            }
        }
    }

    /// Whether a UID is in it.
    #[must_use]
    pub fn contains(&self, uid: u32) -> bool {
        let at = self.ranges.partition_point(|&(_, last)| last < uid);
        self.ranges.get(at).is_some_and(|&(first, _)| first <= uid)
    }

    /// The UIDs from `lo` to `hi` that are not in it.
    #[must_use]
    pub fn missing(&self, lo: u32, hi: u32) -> Self {
        let mut gaps = Vec::new();
        // The lowest UID not yet looked at, beyond u32 when there is none left.
        let mut next = u64::from(lo);
        let from = self.ranges.partition_point(|&(_, last)| last < lo);
        for &(first, last) in self.ranges.iter().skip(from).take_while(|&&(first, _)| first <= hi) {
            gaps.extend(before(next, u64::from(first)));
            next = u64::from(last) + 1;
        }
        gaps.extend(before(next, u64::from(hi) + 1));
        Self { ranges: gaps }
    }

    /// The UIDs that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let both = |range: RangeInclusive<u32>| {
            let (lo, hi) = range.into_inner();
            self.missing(lo, hi).missing(lo, hi).ranges
        };
        Self { ranges: other.iter().flat_map(both).collect() }
    }

    /// The UIDs that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self {
            ranges: self
                .iter()
                .flat_map(|range| other.missing(*range.start(), *range.end()).ranges)
                .collect(),
        }
    }

    /// How many UIDs.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|&(first, last)| u64::from(last - first) + 1).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The highest UID.
    #[must_use]
    pub fn highest(&self) -> Option<u32> {
        self.ranges.last().map(|&(_, last)| last)
    }

    /// The lowest UID.
    #[must_use]
    pub fn lowest(&self) -> Option<u32> {
        self.ranges.first().map(|&(first, _)| first)
    }

    /// The ranges, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = RangeInclusive<u32>> + ExactSizeIterator + '_ {
        self.ranges.iter().map(|&(first, last)| first..=last)
    }

    /// The ranges, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        self.iter().rev()
    }
}

/// The range from `first` up to, not including, `end`.
fn before(first: u64, end: u64) -> Option<(u32, u32)> {
    if first >= end { None } else { Some((u32::try_from(first).ok()?, u32::try_from(end - 1).ok()?)) }
}

impl FromIterator<u32> for UidSet {
    fn from_iter<T: IntoIterator<Item = u32>>(uids: T) -> Self {
        uids.into_iter().map(|uid| uid..=uid).collect()
    }
}

impl FromIterator<RangeInclusive<u32>> for UidSet {
    fn from_iter<T: IntoIterator<Item = RangeInclusive<u32>>>(ranges: T) -> Self {
        let mut set = Self::new();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }
}

impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, &(first, last)) in self.ranges.iter().enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            if first == last { write!(f, "{first}")? } else { write!(f, "{first}:{last}")? }
        }
        Ok(())
    }
}

/// A text that is no set of UIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a set of UIDs (expected ranges like 1:5,7)")]
pub struct NotAUidSet;

impl FromStr for UidSet {
    type Err = NotAUidSet;

    /// Reads what `Display` writes, and any other order of ranges. The empty text is the empty set.
    fn from_str(text: &str) -> Result<Self, NotAUidSet> {
        // `parse` alone would take "+1".
        let uid = |text: &str| match text.as_bytes() {
            [b'1'..=b'9', ..] => text.parse().map_err(|_| NotAUidSet),
            _ => Err(NotAUidSet),
        };
        if text.is_empty() {
            return Ok(Self::new());
        }
        text.split(',')
            .map(|range| {
                let (first, last) = range.split_once(':').unwrap_or((range, range));
                let (first, last): (u32, u32) = (uid(first)?, uid(last)?);
                Ok(first.min(last)..=first.max(last))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Ranges near the bottom and near the top, where arithmetic overflows.
    fn ranges() -> impl Strategy<Value = Vec<RangeInclusive<u32>>> {
        let near = prop_oneof![Just(0), Just(u32::MAX - 60)];
        prop::collection::vec(
            (near, 0u32..60, 0u32..8).prop_map(|(base, from, n)| {
                let first = base + from;
                first..=first.saturating_add(n)
            }),
            0..12,
        )
    }

    fn plain(ranges: &[RangeInclusive<u32>]) -> BTreeSet<u32> {
        ranges.iter().cloned().flatten().collect()
    }

    proptest! {
        #[test]
        fn it_is_a_set(a in ranges(), b in ranges(), lo in 0u32..70, n in 0u32..70, top: bool) {
            let (mut set, mut model) = (a.iter().cloned().collect::<UidSet>(), plain(&a));
            set.union(&b.iter().cloned().collect());
            model.extend(plain(&b));
            prop_assert_eq!(set.iter().flatten().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.len(), model.len() as u64);
            prop_assert_eq!((set.lowest(), set.highest()), (model.first().copied(), model.last().copied()));
            prop_assert_eq!(model.iter().copied().collect::<UidSet>(), set.clone(), "one value a set");
            let (one, two): (UidSet, UidSet) = (a.iter().cloned().collect(), b.iter().cloned().collect());
            let (left, right) = (plain(&a), plain(&b));
            prop_assert_eq!(one.intersection(&two), left.intersection(&right).copied().collect::<UidSet>());
            prop_assert_eq!(one.difference(&two), left.difference(&right).copied().collect::<UidSet>());
            let lo = if top { u32::MAX - 70 + lo } else { lo };
            let hi = lo.saturating_add(n);
            let missing: Vec<u32> = (lo..=hi).filter(|uid| !model.contains(uid)).collect();
            prop_assert_eq!(set.missing(lo, hi).iter().flatten().collect::<Vec<_>>(), missing);
            prop_assert!((lo..=hi).all(|uid| set.contains(uid) == model.contains(&uid)));
            prop_assert!(set.newest_first().map(|r| *r.end()).is_sorted_by(|a, b| a > b));
        }

        #[test]
        fn it_reads_back(a in ranges()) {
            let mut set: UidSet = a.into_iter().collect();
            if set.contains(0) { set = set.missing(1, 200) }
            prop_assert_eq!(set.to_string().parse(), Ok(set));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9:,*+ ]{0,20}") {
            if let Ok(set) = text.parse::<UidSet>() { prop_assert_eq!(set.to_string().parse(), Ok(set)); }
        }
    }

    #[test]
    fn imap_text() {
        assert_eq!("7,5:1,3:6".parse::<UidSet>().unwrap().to_string(), "1:7");
        assert_eq!("".parse(), Ok(UidSet::new()));
        for wrong in ["0", "1:", ":", "1:*", "+1", "01", "4294967296", "1,,2", " 1"] {
            assert_eq!(wrong.parse::<UidSet>(), Err(NotAUidSet), "{wrong}");
        }
        assert_eq!(UidSet::of(0..=u32::MAX).len(), 1 << 32);
        assert!(UidSet::of(0..=0).missing(0, 0).is_empty());
    }
}
