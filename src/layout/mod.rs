//! Which byte of a file lies in which unit: cells, stripes, block groups and their lengths.
//!
//! A code knows units of equal length and nothing else. Files are cut into units in two ways:
//! *striped*, small cells dealt round-robin over the data units ([`StripedLayout`] for one block
//! group, [`StripedFile`] for a file of several), and *contiguous*, where each data unit is a
//! block that exists already ([`ContiguousLayout`]). In both, units of one group may differ in
//! length, and what a unit lacks counts as zero. [`Layout`] is all that repairing a group needs
//! to know of either; [`Policy`] is what HDFS calls a striped layout and its code.
//!
//! All lengths and offsets are bytes. Data units are counted from 0, parity units follow them.
//!
//! ```
//! use restripe::layout::{Layout, Policy};
//!
//! let policy: Policy = "RS-6-3-1024k".parse()?;
//! let group = policy.group(7 * 1024 * 1024 + 5); // seven full cells and five bytes
//! assert_eq!(group.unit_len(0), 2 * 1024 * 1024); // cells 0 and 6
//! assert_eq!(group.unit_len(1), 1024 * 1024 + 5); // cell 1, and what there is of cell 7
//! assert_eq!(group.unit_len(2), 1024 * 1024);
//! assert_eq!(group.unit_len(8), 2 * 1024 * 1024); // parity is as long as the longest
//! # Ok::<(), restripe::Error>(())
//! ```
//!
//! Rebuilding a range of a lost unit reads as many units as
//! [`required_units`](Layout::required_units) says; data units that have ended there are known to
//! be zero and take part as empty slices:
//!
//! ```
//! use restripe::ErasureCode;
//! use restripe::layout::{Layout, Policy};
//!
//! let policy: Policy = "RS-6-3-1k".parse()?;
//! let code = policy.code()?;
//! let group = policy.group(2500); // cells of 1024, 1024 and 452 bytes: units 3, 4, 5 are empty
//! let mut units: Vec<Vec<u8>> =
//!     (0..9).map(|unit| vec![unit as u8 + 1; group.unit_len(unit) as usize]).collect();
//! let (data, parity) = units.split_at_mut(6);
//! code.encode(data, parity)?;
//!
//! // Unit 1 is lost; units 0, 2 and 7 could be read. Three are enough.
//! assert_eq!(group.required_units(0), 3);
//! let known_zero = (0..6).filter(|&unit| group.known_zero(unit, 0));
//! let available: Vec<usize> = known_zero.chain([0, 2, 7]).collect();
//! let plan = code.plan(&available, &[1])?;
//! let inputs: Vec<&[u8]> = plan.reads().iter().map(|read| &units[read.unit][..]).collect();
//! let mut rebuilt = vec![0; group.unit_len(1) as usize];
//! plan.apply(&inputs, &mut [&mut rebuilt])?;
//! assert_eq!(rebuilt, units[1]);
//! # Ok::<(), restripe::Error>(())
//! ```

mod contiguous;
mod file;
mod policy;
mod ranges;
mod striped;

pub use contiguous::ContiguousLayout;
pub use file::{GroupPosition, StripedFile};
pub use policy::{Codec, Policy};
pub use ranges::{AlignedRange, AlignedRanges, Piece, Pieces};
pub use striped::{Position, StripedLayout};

use core::ops::Range;

use crate::{Error, MAX_UNITS, Result};

/// The units of one group and how long each of them is.
///
/// Whoever reads, checks or rebuilds a group asks this and assumes nothing else, above all not
/// that unit 0 is the longest.
pub trait Layout {
    /// Number of data units, k.
    fn data_units(&self) -> usize;

    /// Number of parity units, m.
    fn parity_units(&self) -> usize;

    /// Length of a unit in bytes; 0 for a unit that the group does not have.
    ///
    /// Parity units are as long as the longest data unit; those of codes with sub-shards may be
    /// longer (see [`StripedLayout::with_whole_parity_cells`]).
    fn unit_len(&self, unit: usize) -> u64;

    /// Length of the data in bytes: of all data units together.
    fn group_len(&self) -> u64;

    /// Bytes of the cells that units are made of, and that codes with sub-shards divide; `None`
    /// where units are not made of cells.
    fn cell_len(&self) -> Option<u64> {
        None
    }

    /// Whether a unit's byte at `offset` is zero without being read: true past the end of a data
    /// unit, lost or not.
    ///
    /// ```
    /// use restripe::layout::{ContiguousLayout, Layout};
    /// let group = ContiguousLayout::new([100, 300, 200], 2)?;
    /// assert!(group.known_zero(0, 100));
    /// assert!(!group.known_zero(1, 100));
    /// assert!(!group.known_zero(3, 100)); // parity is computed, never known
    /// # Ok::<(), restripe::Error>(())
    /// ```
    fn known_zero(&self, unit: usize, offset: u64) -> bool {
        unit < self.data_units() && offset >= self.unit_len(unit)
    }

    /// How many units have to be read to rebuild any bytes from `offset` on where any k units give
    /// back the rest: k less the data units that are known to be zero there. (Of a locally
    /// repairable code fewer may do, or more may not.)
    ///
    /// It never grows with the offset. At 0 it is what a group needs at least; for a striped
    /// group that is min(k, its number of cells).
    ///
    /// ```
    /// use restripe::layout::{ContiguousLayout, Layout};
    /// let group = ContiguousLayout::new([100, 300, 200], 2)?;
    /// assert_eq!([0, 100, 200, 300].map(|offset| group.required_units(offset)), [3, 2, 1, 0]);
    /// # Ok::<(), restripe::Error>(())
    /// ```
    fn required_units(&self, offset: u64) -> usize {
        (0..self.data_units()).filter(|&unit| !self.known_zero(unit, offset)).count()
    }
}

/// Refuses what no code has: `kind` names the layout in the error.
fn check_units(
    kind: &'static str,
    data_units: usize,
    parity_units: usize,
    max_units: usize,
) -> Result<()> {
    let fits = data_units.checked_add(parity_units).is_some_and(|units| units <= max_units);
    if data_units == 0 || parity_units == 0 || !fits {
        return Err(Error::UnitCounts { kind, data_units, parity_units, max_units });
    }
    Ok(())
}

fn check_range(range: &Range<u64>, len: u64) -> Result<()> {
    if range.start > range.end || range.end > len {
        return Err(Error::Range { start: range.start, end: range.end, len });
    }
    Ok(())
}

/// Refuses a striping that is none, and gives the length of its stripes.
fn check_striping(data_units: usize, parity_units: usize, cell_size: u64) -> Result<u64> {
    check_units("a striped layout", data_units, parity_units, MAX_UNITS)?;
    if cell_size == 0 {
        return Err(Error::OutOfBounds { what: "cell size", got: 0, expected: "1 byte or more" });
    }
    cell_size.checked_mul(data_units as u64).ok_or(Error::Overflow { what: "length of a stripe" })
}
