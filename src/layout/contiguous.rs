//! Groups of blocks that exist already, each with a length of its own.

use alloc::boxed::Box;

use super::{Layout, check_units};
use crate::{Error, MAX_UNITS, Result};

/// A group whose data units are whole blocks of any lengths.
///
/// This is how files that stay as they are get parity: k of their blocks are a group. Any of
/// them may be the longest; the parity units are as long as that one.
///
/// ```
/// use restripe::layout::{ContiguousLayout, Layout};
///
/// let group = ContiguousLayout::new([128, 500, 0], 2)?;
/// assert_eq!((group.data_units(), group.parity_units(), group.group_len()), (3, 2, 628));
/// assert_eq!([0, 1, 2, 3, 4].map(|unit| group.unit_len(unit)), [128, 500, 0, 500, 500]);
/// assert_eq!(group.required_units(0), 2); // unit 2 has no bytes at all
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContiguousLayout {
    data_lens: Box<[u64]>,
    parity_units: usize,
    parity_len: u64,
    group_len: u64,
}

impl ContiguousLayout {
    /// The layout of data units of these lengths, in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::UnitCounts`] unless there are 1 to 256 units in all with at least one of each
    /// sort, [`Error::Overflow`] where the lengths together do not fit into 64 bits.
    pub fn new(data_lens: impl Into<Box<[u64]>>, parity_units: usize) -> Result<Self> {
        let data_lens = data_lens.into();
        check_units("a contiguous layout", data_lens.len(), parity_units, MAX_UNITS)?;
        let parity_len = data_lens.iter().copied().max().unwrap_or(0);
        let group_len = data_lens
            .iter()
            .try_fold(0u64, |sum, &len| sum.checked_add(len))
            .ok_or(Error::Overflow { what: "length of a block group" })?;
        Ok(Self { data_lens, parity_units, parity_len, group_len })
    }
}

impl Layout for ContiguousLayout {
    fn data_units(&self) -> usize {
        self.data_lens.len()
    }

    fn parity_units(&self) -> usize {
        self.parity_units
    }

    fn unit_len(&self, unit: usize) -> u64 {
        match self.data_lens.get(unit) {
            Some(&len) => len,
            None if unit - self.data_lens.len() < self.parity_units => self.parity_len,
            None => 0,
        }
    }

    fn group_len(&self) -> u64 {
        self.group_len
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn parity_is_as_long_as_the_longest_unit_wherever_it_is() {
        for longest in 0..4 {
            let mut lens = Vec::from([10u64, 20, 0, 15]);
            lens[longest] = 77;
            let group = ContiguousLayout::new(lens, 3).unwrap();
            assert_eq!([4, 5, 6].map(|unit| group.unit_len(unit)), [77; 3]);
            assert_eq!(group.required_units(76), 1);
            assert_eq!(group.required_units(77), 0);
        }
    }

    #[test]
    fn a_unit_that_the_group_does_not_have_is_empty() {
        let group = ContiguousLayout::new([10, 20], 1).unwrap();
        assert_eq!(group.unit_len(3), 0);
        assert_eq!(group.unit_len(usize::MAX), 0);
    }

    #[test]
    fn lengths_that_add_up_to_more_than_64_bits_are_refused() {
        assert!(ContiguousLayout::new([u64::MAX, 0], 1).is_ok());
        assert_eq!(
            ContiguousLayout::new([u64::MAX, 1], 1),
            Err(Error::Overflow { what: "length of a block group" })
        );
    }

    #[test]
    fn a_group_of_no_blocks_or_too_many_is_refused() {
        let none = ContiguousLayout::new(Vec::new(), 1);
        assert!(matches!(none, Err(Error::UnitCounts { data_units: 0, .. })));
        let no_parity = ContiguousLayout::new([1], 0);
        assert!(matches!(no_parity, Err(Error::UnitCounts { parity_units: 0, .. })));
        let many = ContiguousLayout::new([1; 256], 1);
        assert!(matches!(many, Err(Error::UnitCounts { max_units: 256, .. })));
    }
}
