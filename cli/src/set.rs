//! Sets of units: which of up to 256 are good at some place.

/// A set of unit indexes below 256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct UnitSet([u64; 4]);

impl UnitSet {
    /// The set of nothing.
    pub const EMPTY: Self = Self([0; 4]);

    /// Puts a unit in. Panics at 256 and above, which no code has.
    pub fn insert(&mut self, unit: usize) {
        self.0[unit / 64] |= 1 << (unit % 64);
    }

    /// Takes a unit out.
    pub fn remove(&mut self, unit: usize) {
        self.0[unit / 64] &= !(1 << (unit % 64));
    }

    /// Whether a unit is in it.
    #[must_use]
    pub fn contains(&self, unit: usize) -> bool {
        self.0[unit / 64] >> (unit % 64) & 1 == 1
    }

    /// How many units are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no unit is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// The units of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    /// The units of this one that the other has not.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & !other.0[word]))
    }

    /// The units, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(word, &bits)| {
            let mut bits = bits;
            std::iter::from_fn(move || {
                let unit = (bits != 0).then(|| word * 64 + bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some(unit)
            })
        })
    }
}

impl FromIterator<usize> for UnitSet {
    fn from_iter<I: IntoIterator<Item = usize>>(units: I) -> Self {
        let mut set = Self::EMPTY;
        units.into_iter().for_each(|unit| set.insert(unit));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    proptest::proptest! {
        #[test]
        fn behaves_as_the_set_of_the_standard_library(
            first in proptest::collection::btree_set(0_usize..256, 0..40),
            second in proptest::collection::btree_set(0_usize..256, 0..40),
        ) {
            let sets = [&first, &second].map(|units| units.iter().copied().collect::<UnitSet>());
            let list = |set: UnitSet| set.iter().collect::<BTreeSet<_>>();
            assert_eq!(list(sets[0].union(&sets[1])), &first | &second);
            assert_eq!(list(sets[0].minus(&sets[1])), &first - &second);
            assert_eq!(sets[0].len(), first.len());
            assert_eq!(sets[0].is_empty(), first.is_empty());
            assert!((0..256).all(|unit| sets[0].contains(unit) == first.contains(&unit)));
            let mut less = sets[0];
            second.iter().for_each(|&unit| less.remove(unit));
            assert_eq!(less, sets[0].minus(&sets[1]));
        }
    }
}
