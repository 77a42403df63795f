//! Damaged byte ranges: gathered by many threads in any order, merged, and never more than a
//! report can use.

use std::collections::BTreeMap;
use std::ops::Range;

/// Ranges kept at the most; beyond that only their bytes are counted.
const MOST: usize = 4096;

/// Byte ranges, merged where they touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Start to end.
    ranges: BTreeMap<u64, u64>,
    bytes: u64,
    not_listed: u64,
}

impl Ranges {
    /// Adds a range that overlaps none of those added before.
    pub fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        self.bytes += range.end - range.start;
        let before = self.ranges.range(..=range.start).next_back();
        let start = match before {
            Some((&start, &end)) if end == range.start => start,
            _ if self.ranges.contains_key(&range.end) => range.start,
            _ if self.ranges.len() >= MOST => {
                self.not_listed += range.end - range.start;
                return;
            }
            _ => range.start,
        };
        let end = self.ranges.remove(&range.end).unwrap_or(range.end);
        self.ranges.insert(start, end);
    }

    /// Adds all that another has.
    pub fn add_all(&mut self, other: &Self) {
        other.iter().for_each(|range| self.add(range));
        self.bytes += other.not_listed;
        self.not_listed += other.not_listed;
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.iter().map(|(&start, &end)| start..end)
    }

    /// Bytes in all of them, listed or not.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes in ranges that are not listed because there were too many.
    #[must_use]
    pub fn not_listed(&self) -> u64 {
        self.not_listed
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one_in_whatever_order_they_come() {
        let parts = [0..10, 10..20, 20..30, 40..50];
        for order in [[0, 1, 2, 3], [2, 0, 1, 3], [3, 2, 1, 0], [0, 2, 3, 1]] {
            let mut ranges = Ranges::default();
            order.into_iter().for_each(|part: usize| ranges.add(parts[part].clone()));
            assert_eq!(ranges.iter().collect::<Vec<_>>(), [0..30, 40..50], "{order:?}");
            assert_eq!(ranges.bytes(), 40);
        }
    }

    #[test]
    fn past_the_most_only_bytes_are_counted() {
        let mut ranges = Ranges::default();
        (0..MOST as u64 + 10).for_each(|index| ranges.add(index * 10..index * 10 + 1));
        assert_eq!(ranges.iter().count(), MOST);
        assert_eq!((ranges.bytes(), ranges.not_listed()), (MOST as u64 + 10, 10));
    }
}
