//! How the file of a folder is cut: its policy, size and block size, and what follows from them.

use std::ops::Range;
use std::sync::Arc;

use restripe::ErasureCode;
use restripe::layout::{Codec, Layout as _, Piece, Policy, StripedFile, StripedLayout};

use crate::failure::{Failure, Result};
use crate::heal::rows::Rows;

/// The length of a full internal block where nothing else is said: HDFS's default.
pub const DEFAULT_BLOCK_SIZE: u64 = 128 << 20;

/// A file's policy, size and block size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    policy: Policy,
    file: StripedFile,
    block_size: u64,
}

impl Geometry {
    /// The geometry of a file of `size` bytes whose internal blocks have up to `block_size`.
    ///
    /// # Errors
    ///
    /// The engine's, when the block size is not a multiple of the cell or too large.
    pub fn new(policy: Policy, size: u64, block_size: u64) -> restripe::Result<Self> {
        Ok(Self { policy, file: policy.file(block_size, size)?, block_size })
    }

    /// The erasure-coding policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Bytes of the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.file.file_len()
    }

    /// Bytes of a full internal block.
    #[must_use]
    pub fn block_size(&self) -> u64 {
        self.block_size
    }

    /// Bytes of a cell.
    #[must_use]
    pub fn cell_size(&self) -> u64 {
        self.policy.cell_size()
    }

    /// Data units: k.
    #[must_use]
    pub fn data_units(&self) -> usize {
        self.policy.data_units()
    }

    /// Parity units: m.
    #[must_use]
    pub fn parity_units(&self) -> usize {
        self.policy.parity_units()
    }

    /// All units of a group.
    #[must_use]
    pub fn total_units(&self) -> usize {
        self.data_units() + self.parity_units()
    }

    /// How the blocks of a group are rows of tiles.
    #[must_use]
    pub fn rows(&self) -> Rows {
        let subs = if self.policy.codec() == Codec::HhXor { 2 } else { 1 };
        Rows::new(self.total_units(), subs, self.cell_size())
    }

    /// Bytes of data in a full stripe.
    #[must_use]
    pub fn stripe_len(&self) -> u64 {
        // A policy's cells have 31 bits at most, its units are 256 at most.
        self.cell_size() * self.data_units() as u64
    }

    /// Bytes of data in a full group.
    #[must_use]
    pub fn full_group_len(&self) -> u64 {
        self.file.max_group_len()
    }

    /// Block groups.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.file.groups()
    }

    /// The layout of a group; one past the last has no bytes.
    #[must_use]
    pub fn group(&self, group: u64) -> StripedLayout {
        self.file.group(group).unwrap_or_else(|| self.policy.group(0))
    }

    /// Bytes of the file in a group.
    #[must_use]
    pub fn group_len(&self, group: u64) -> u64 {
        self.group(group).group_len()
    }

    /// Bytes of an internal block.
    #[must_use]
    pub fn unit_len(&self, group: u64, unit: usize) -> u64 {
        self.group(group).unit_len(unit)
    }

    /// Internal blocks of the file, those without bytes not counted.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.sum_over_groups(|layout, unit| u64::from(layout.unit_len(unit) > 0))
    }

    /// Bytes of all internal blocks.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.sum_over_groups(|layout, unit| layout.unit_len(unit))
    }

    /// All groups but the last are alike. Of blocks that are longer together than can be counted, as
    /// a manifest or a command line may have them, it is the largest number.
    fn sum_over_groups(&self, of: impl Fn(&StripedLayout, usize) -> u64) -> u64 {
        let sum = |group| {
            let layout = self.group(group);
            (0..self.total_units()).map(|unit| of(&layout, unit)).fold(0, u64::saturating_add)
        };
        match self.groups() {
            0 => 0,
            groups => sum(0).saturating_mul(groups - 1).saturating_add(sum(groups - 1)),
        }
    }

    /// The parts of blocks that a range of a group lies in, in the order of the file.
    ///
    /// # Errors
    ///
    /// [`Failure::Engine`] for a range that does not lie within the group.
    pub fn pieces(&self, group: u64, range: &Range<u64>) -> Result<impl Iterator<Item = Piece>> {
        self.group(group)
            .pieces(range.clone())
            .map_err(Failure::engine(format!("looking for bytes {range:?} of group {group}")))
    }

    /// The code of its groups.
    ///
    /// # Errors
    ///
    /// [`Failure::Engine`] for a kernel that is not to be had (`RESTRIPE_KERNEL`).
    pub fn code(&self) -> Result<Arc<dyn ErasureCode>> {
        self.policy.code().map_err(Failure::engine(self.policy.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_more_bytes_than_a_number_can_have_are_counted_as_many() {
        let policy = "RS-1-2-1k".parse().unwrap();
        let geometry = Geometry::new(policy, u64::MAX, u64::MAX - 1023).unwrap();
        assert_eq!((geometry.stored(), geometry.blocks()), (u64::MAX, 6));
        let geometry = Geometry::new(policy, 1500, 1024).unwrap();
        assert_eq!((geometry.stored(), geometry.blocks()), (4500, 6));
    }
}
