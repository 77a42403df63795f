//! Walking a range of a striped group: cell by cell, and column by column.

use core::iter::FusedIterator;
use core::ops::Range;

use super::{Layout, StripedLayout};

/// A run of bytes within one cell: they are neighbours in the group and in their unit.
///
/// ```
/// use restripe::layout::{Piece, StripedLayout};
/// let group = StripedLayout::new(3, 2, 10, 60)?; // two stripes of three cells of 10 bytes
/// let mut pieces = group.pieces(25..45)?;
/// assert_eq!(pieces.next(), Some(Piece { unit: 2, offset: 5, group_range: 25..30 }));
/// assert_eq!(pieces.next(), Some(Piece { unit: 0, offset: 10, group_range: 30..40 }));
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// The data unit that holds them.
    pub unit: usize,
    /// The first of them in that unit.
    pub offset: u64,
    /// Where they are in the group; as long in the unit.
    pub group_range: Range<u64>,
}

/// What [`StripedLayout::pieces`] gives: an iterator over [`Piece`]s.
#[derive(Clone, Debug)]
#[must_use = "iterators do nothing unless they are advanced"]
pub struct Pieces {
    pub(super) layout: StripedLayout,
    pub(super) rest: Range<u64>,
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if self.rest.is_empty() {
            return None;
        }
        let piece = self.layout.first_piece(&self.rest);
        self.rest.start = piece.group_range.end;
        Some(piece)
    }
}

impl FusedIterator for Pieces {}

/// The same range of several units, all of it within the range of the group that was asked for.
///
/// ```
/// use restripe::layout::{AlignedRange, StripedLayout};
/// let group = StripedLayout::new(3, 2, 10, 60)?;
/// let mut ranges = group.aligned_ranges(25..45)?;
/// assert_eq!(ranges.next(), Some(AlignedRange { unit_range: 5..10, units: 2..3 }));
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AlignedRange {
    /// The bytes, at the same offsets in each unit.
    pub unit_range: Range<u64>,
    /// The data units whose bytes there were asked for: they are always neighbours.
    pub units: Range<usize>,
}

/// What [`StripedLayout::aligned_ranges`] gives: an iterator over [`AlignedRange`]s, at most
/// five, in ascending order.
#[derive(Clone, Debug)]
#[must_use = "iterators do nothing unless they are advanced"]
pub struct AlignedRanges {
    layout: StripedLayout,
    group_range: Range<u64>,
    /// Offset in the units up to which everything has been given.
    done: u64,
}

impl AlignedRanges {
    pub(super) fn new(layout: StripedLayout, group_range: Range<u64>) -> Self {
        Self { layout, group_range, done: 0 }
    }

    /// The touched part of each data unit.
    fn parts(&self) -> impl Iterator<Item = (usize, Range<u64>)> {
        (0..self.layout.data_units())
            .map(|unit| (unit, self.layout.unit_part(unit, &self.group_range)))
    }
}

impl Iterator for AlignedRanges {
    type Item = AlignedRange;

    fn next(&mut self) -> Option<AlignedRange> {
        loop {
            let start = self.done;
            // The set of touched units changes only where a unit's part begins or ends.
            let end = self
                .parts()
                .flat_map(|(_, part)| [part.start, part.end])
                .filter(|&edge| edge > start)
                .min()?;
            self.done = end;
            // Both ends of the parts fall or stay as units count up, so the units whose part
            // holds `start` are neighbours.
            let mut touched = self.parts().filter(|(_, part)| part.contains(&start));
            if let Some((first, _)) = touched.next() {
                let last = touched.last().map_or(first, |(unit, _)| unit);
                return Some(AlignedRange { unit_range: start..end, units: first..last + 1 });
            }
        }
    }
}

impl FusedIterator for AlignedRanges {}
