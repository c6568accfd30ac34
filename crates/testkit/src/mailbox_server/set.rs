//! Sequence sets: `1:5,9,12:*`.

/// A sequence set, with `*` still open.
pub(super) struct Set(Vec<(Option<u32>, Option<u32>)>);

impl Set {
    /// Reads a set; `None` when it is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bound = |text: &str| match text {
            "*" => Some(None),
            number => number.parse().ok().filter(|number| *number > 0).map(Some),
        };
        let range = |text: &str| match text.split_once(':') {
            Some((first, last)) => Some((bound(first)?, bound(last)?)),
            None => bound(text).map(|single| (single, single)),
        };
        text.split(',').map(range).collect::<Option<Vec<_>>>().map(Self)
    }

    /// The ranges that it means where `last` is the highest number there is: in order, apart from
    /// each other.
    pub(super) fn ranges(&self, last: u32) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = self
            .0
            .iter()
            .map(|(a, b)| {
                let (a, b) = (a.unwrap_or(last), b.unwrap_or(last));
                (a.min(b), a.max(b))
            })
            .collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::Set;

    #[test]
    fn ranges_are_ordered_and_apart() {
        let ranges = |text: &str| Set::parse(text).unwrap().ranges(20);
        assert_eq!(ranges("7,1:3,4"), [(1, 4), (7, 7)]);
        assert_eq!(ranges("*"), [(20, 20)]);
        assert_eq!(ranges("30:*"), [(20, 30)]);
        assert_eq!(ranges("5:1,2:9"), [(1, 9)]);
        assert!(Set::parse("").is_none());
        assert!(Set::parse("0").is_none());
        assert!(Set::parse("1:").is_none());
        assert!(Set::parse("1 2").is_none());
    }
}
