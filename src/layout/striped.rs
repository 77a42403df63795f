//! One striped block group: cells dealt round-robin over the data units.

use core::ops::Range;

use super::{AlignedRanges, Layout, Piece, Pieces, check_range, check_striping};
use crate::Result;

/// A striped block group of a given length.
///
/// The group's bytes are cut into cells; cell c lies in data unit c mod k, at offset
/// (c div k) · cell size. k cells in a row and the m parity cells computed of them are a
/// *stripe*. Where the last stripe is short, missing bytes count as zero, and its parity cells
/// are as long as its first cell; or whole cells, where
/// [`with_whole_parity_cells`](Self::with_whole_parity_cells) says so.
///
/// "Offset in the group" below counts the group's data bytes in order, parity not among them.
///
/// ```
/// use restripe::layout::{Layout, Position, StripedLayout};
///
/// let group = StripedLayout::new(3, 2, 10, 45)?; // k, m, cell size, length
/// assert_eq!([0, 1, 2, 3, 4].map(|unit| group.unit_len(unit)), [20, 15, 10, 20, 20]);
/// assert_eq!(group.stripes(), 2);
/// assert_eq!(group.position(41), Some(Position { unit: 1, offset: 11 }));
/// assert_eq!(group.required_units(0), 3);
/// assert_eq!(group.required_units(10), 2); // unit 2 ends there
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StripedLayout {
    data_units: usize,
    parity_units: usize,
    cell_size: u64,
    group_len: u64,
    whole_parity_cells: bool,
}

/// Where one byte of a group lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The unit.
    pub unit: usize,
    /// The byte in it.
    pub offset: u64,
}

impl StripedLayout {
    /// The layout of `group_len` bytes; any length is one, 0 too.
    ///
    /// # Errors
    ///
    /// [`Error::UnitCounts`](crate::Error::UnitCounts) unless there are 1 to 256 units in all
    /// with at least one of each sort, [`Error::OutOfBounds`](crate::Error::OutOfBounds) for
    /// cells of no bytes, [`Error::Overflow`](crate::Error::Overflow) where a stripe's length
    /// does not fit into 64 bits.
    pub fn new(
        data_units: usize,
        parity_units: usize,
        cell_size: u64,
        group_len: u64,
    ) -> Result<Self> {
        check_striping(data_units, parity_units, cell_size)?;
        Ok(Self::from_checked(data_units, parity_units, cell_size, group_len))
    }

    /// The same layout with every parity cell a whole cell, the last stripe's, too: for codes that
    /// divide cells into sub-shards.
    ///
    /// ```
    /// use restripe::layout::{Layout, StripedLayout};
    /// let group = StripedLayout::new(3, 2, 10, 33)?;
    /// assert_eq!((group.unit_len(0), group.unit_len(3)), (13, 13));
    /// let group = group.with_whole_parity_cells();
    /// assert_eq!((group.unit_len(0), group.unit_len(3)), (13, 20));
    /// # Ok::<(), restripe::Error>(())
    /// ```
    #[must_use]
    pub const fn with_whole_parity_cells(self) -> Self {
        Self { whole_parity_cells: true, ..self }
    }

    /// As `new`, for numbers that [`check_striping`] has accepted.
    pub(super) const fn from_checked(
        data_units: usize,
        parity_units: usize,
        cell_size: u64,
        group_len: u64,
    ) -> Self {
        Self { data_units, parity_units, cell_size, group_len, whole_parity_cells: false }
    }

    /// Bytes in a cell.
    #[must_use]
    pub fn cell_size(&self) -> u64 {
        self.cell_size
    }

    /// Bytes of data in a full stripe: k cells.
    #[must_use]
    pub fn stripe_len(&self) -> u64 {
        self.cell_size * self.data_units as u64
    }

    /// Number of stripes, the last of which may be short.
    #[must_use]
    pub fn stripes(&self) -> u64 {
        self.group_len.div_ceil(self.stripe_len())
    }

    /// Where the byte at an offset in the group lies; `None` past the group's end.
    #[must_use]
    pub fn position(&self, group_offset: u64) -> Option<Position> {
        (group_offset < self.group_len).then(|| self.dealt_to(group_offset))
    }

    /// The offset in the group of a data unit's byte: the inverse of
    /// [`position`](Self::position). `None` for parity units and past a unit's end.
    ///
    /// ```
    /// use restripe::layout::{Position, StripedLayout};
    /// let group = StripedLayout::new(3, 2, 10, 45)?;
    /// assert_eq!(group.group_offset(Position { unit: 1, offset: 11 }), Some(41));
    /// assert_eq!(group.group_offset(Position { unit: 1, offset: 15 }), None);
    /// assert_eq!(group.group_offset(Position { unit: 3, offset: 0 }), None);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    #[must_use]
    pub fn group_offset(&self, position: Position) -> Option<u64> {
        let Position { unit, offset } = position;
        if unit >= self.data_units || offset >= self.unit_len(unit) {
            return None;
        }
        // A byte of the group, so its offset is below the group's length: nothing overflows.
        let (stripe, in_cell) = (offset / self.cell_size, offset % self.cell_size);
        Some(stripe * self.stripe_len() + unit as u64 * self.cell_size + in_cell)
    }

    /// The pieces, one a cell, that a range of the group lies in, in the group's order.
    ///
    /// ```
    /// use restripe::layout::{Piece, StripedLayout};
    /// let group = StripedLayout::new(3, 2, 10, 45)?;
    /// let pieces: Vec<Piece> = group.pieces(25..35)?.collect();
    /// assert_eq!(
    ///     pieces,
    ///     [
    ///         Piece { unit: 2, offset: 5, group_range: 25..30 },
    ///         Piece { unit: 0, offset: 10, group_range: 30..35 },
    ///     ]
    /// );
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Range`](crate::Error::Range) for a range that does not lie within the group.
    pub fn pieces(&self, group_range: Range<u64>) -> Result<Pieces> {
        check_range(&group_range, self.group_len)?;
        Ok(Pieces { layout: *self, rest: group_range })
    }

    /// The bytes of one unit that belong to a range of the group. They are always one range of
    /// the unit; it is empty where the unit has no part in it, as parity units never have.
    ///
    /// To rebuild these bytes of a lost unit, read the same range of
    /// [`required_units`](Layout::required_units) other units (as much of it as each of them
    /// has).
    ///
    /// ```
    /// use restripe::layout::StripedLayout;
    /// let group = StripedLayout::new(3, 2, 10, 45)?;
    /// assert_eq!(group.unit_range(0, 25..35)?, 10..15);
    /// assert!(group.unit_range(1, 25..35)?.is_empty());
    /// assert_eq!(group.unit_range(2, 25..35)?, 5..10);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Range`](crate::Error::Range) for a range that does not lie within the group.
    pub fn unit_range(&self, unit: usize, group_range: Range<u64>) -> Result<Range<u64>> {
        check_range(&group_range, self.group_len)?;
        if unit >= self.data_units {
            return Ok(0..0);
        }
        Ok(self.unit_part(unit, &group_range))
    }

    /// The ranges of the internal blocks that a range of the group lies in, cut so that within
    /// each of them the same units are touched from its beginning to its end.
    ///
    /// That is what a degraded read goes by: where all the touched units of an
    /// [`AlignedRange`](super::AlignedRange) are there, read just them; where one is lost, read
    /// that range of [`required_units`](Layout::required_units) units, the touched ones among
    /// them, and decode.
    ///
    /// ```
    /// use restripe::layout::{AlignedRange, StripedLayout};
    /// let group = StripedLayout::new(3, 2, 10, 45)?;
    /// let ranges: Vec<AlignedRange> = group.aligned_ranges(8..27)?.collect();
    /// assert_eq!(
    ///     ranges,
    ///     [
    ///         AlignedRange { unit_range: 0..7, units: 1..3 },
    ///         AlignedRange { unit_range: 7..8, units: 1..2 },
    ///         AlignedRange { unit_range: 8..10, units: 0..2 },
    ///     ]
    /// );
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Range`](crate::Error::Range) for a range that does not lie within the group.
    pub fn aligned_ranges(&self, group_range: Range<u64>) -> Result<AlignedRanges> {
        check_range(&group_range, self.group_len)?;
        Ok(AlignedRanges::new(*self, group_range))
    }

    /// The part of a data unit that lies in a range of the group.
    pub(super) fn unit_part(&self, unit: usize, group_range: &Range<u64>) -> Range<u64> {
        self.share(unit, group_range.start)..self.share(unit, group_range.end)
    }

    /// How many of the group's first `bytes` bytes a data unit holds.
    ///
    /// Nothing overflows: the result is a part of `bytes`, and unit · cell size a part of a
    /// stripe.
    fn share(&self, unit: usize, bytes: u64) -> u64 {
        let (stripes, rest) = (bytes / self.stripe_len(), bytes % self.stripe_len());
        let before = unit as u64 * self.cell_size;
        stripes * self.cell_size + rest.saturating_sub(before).min(self.cell_size)
    }

    /// Where a byte of the group lies, for offsets below its length.
    fn dealt_to(&self, group_offset: u64) -> Position {
        let (stripe, in_stripe) =
            (group_offset / self.stripe_len(), group_offset % self.stripe_len());
        Position {
            unit: (in_stripe / self.cell_size) as usize,
            offset: stripe * self.cell_size + in_stripe % self.cell_size,
        }
    }

    /// The piece that a non-empty range of the group begins with.
    pub(super) fn first_piece(&self, group_range: &Range<u64>) -> Piece {
        let start = group_range.start;
        let Position { unit, offset } = self.dealt_to(start);
        let len = (self.cell_size - offset % self.cell_size).min(group_range.end - start);
        Piece { unit, offset, group_range: start..start + len }
    }
}

impl Layout for StripedLayout {
    fn data_units(&self) -> usize {
        self.data_units
    }

    fn parity_units(&self) -> usize {
        self.parity_units
    }

    fn unit_len(&self, unit: usize) -> u64 {
        if unit < self.data_units {
            self.share(unit, self.group_len)
        } else if unit < self.data_units + self.parity_units {
            let longest = self.share(0, self.group_len);
            if self.whole_parity_cells {
                // Rounding up overflows only where cells are nearly as long as 64 bits tell.
                return longest.checked_next_multiple_of(self.cell_size).unwrap_or(longest);
            }
            longest
        } else {
            0
        }
    }

    fn group_len(&self) -> u64 {
        self.group_len
    }

    fn cell_len(&self) -> Option<u64> {
        Some(self.cell_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn the_longest_group_has_exact_lengths() {
        let group = StripedLayout::new(6, 3, 1 << 20, u64::MAX).unwrap();
        let total: u64 = (0..6).map(|unit| group.unit_len(unit)).sum();
        assert_eq!(total, u64::MAX);
        let last = group.position(u64::MAX - 1).unwrap();
        assert_eq!(group.group_offset(last), Some(u64::MAX - 1));
        assert_eq!(group.position(u64::MAX), None);
        let piece = group.pieces(u64::MAX - 1..u64::MAX).unwrap().next().unwrap();
        assert_eq!((piece.unit, piece.offset), (last.unit, last.offset));
        let aligned = group.aligned_ranges(u64::MAX - 1..u64::MAX).unwrap().next().unwrap();
        assert_eq!(aligned.unit_range, last.offset..last.offset + 1);
    }

    #[test]
    fn the_longest_cell_makes_a_group_of_one_cell() {
        let group = StripedLayout::new(1, 1, u64::MAX, u64::MAX).unwrap();
        assert_eq!(
            (group.stripes(), group.unit_len(0), group.unit_len(1)),
            (1, u64::MAX, u64::MAX)
        );
        assert_eq!(group.position(u64::MAX - 1), Some(Position { unit: 0, offset: u64::MAX - 1 }));
    }

    #[test]
    fn a_stripe_longer_than_64_bits_is_refused() {
        assert_eq!(
            StripedLayout::new(2, 1, 1 << 63, 0),
            Err(Error::Overflow { what: "length of a stripe" })
        );
        assert!(StripedLayout::new(2, 1, (1 << 63) - 1, u64::MAX).is_ok());
    }

    #[test]
    fn a_layout_without_cells_or_units_is_refused() {
        assert!(matches!(
            StripedLayout::new(6, 3, 0, 100),
            Err(Error::OutOfBounds { what: "cell size", got: 0, .. })
        ));
        for (data_units, parity_units) in [(0, 1), (1, 0), (200, 57), (usize::MAX, 1)] {
            let layout = StripedLayout::new(data_units, parity_units, 10, 100);
            assert!(matches!(layout, Err(Error::UnitCounts { .. })), "{data_units}+{parity_units}");
        }
        assert!(StripedLayout::new(200, 56, 10, 100).is_ok());
    }

    #[test]
    fn ranges_outside_the_group_are_refused() {
        let group = StripedLayout::new(3, 2, 10, 45).unwrap();
        #[expect(clippy::reversed_empty_ranges)]
        for range in [0..46, 46..46, 30..20, 40..u64::MAX] {
            let refused = Error::Range { start: range.start, end: range.end, len: 45 };
            assert_eq!(group.pieces(range.clone()).err(), Some(refused.clone()));
            assert_eq!(group.unit_range(0, range.clone()).err(), Some(refused.clone()));
            assert_eq!(group.unit_range(9, range.clone()).err(), Some(refused.clone()));
            assert_eq!(group.aligned_ranges(range).err(), Some(refused));
        }
        assert_eq!(group.pieces(45..45).unwrap().next(), None);
        assert_eq!(group.aligned_ranges(45..45).unwrap().next(), None);
    }

    #[test]
    fn a_unit_that_the_group_does_not_have_is_empty() {
        let group = StripedLayout::new(3, 2, 10, 45).unwrap();
        assert_eq!(group.unit_len(5), 0);
        assert_eq!(group.unit_len(usize::MAX), 0);
        assert!(!group.known_zero(5, 0));
    }

    #[test]
    fn an_empty_group_requires_nothing() {
        let group = StripedLayout::new(3, 2, 10, 0).unwrap();
        assert_eq!((group.stripes(), group.required_units(0)), (0, 0));
        assert_eq!(group.position(0), None);
    }
}
