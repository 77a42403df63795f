//! A striped file: one block group after another.

use super::{StripedLayout, check_striping};
use crate::{Error, Result};

/// A striped file of a given length, cut into block groups.
///
/// A group holds k internal blocks of `block_size` bytes of data; the file's last group may be
/// shorter. Each group is striped by itself, beginning with unit 0.
///
/// ```
/// use restripe::layout::{GroupPosition, Layout, StripedFile};
///
/// // RS-3-2, cells of 64 KiB, blocks of 1 MiB, a file of 4 MiB
/// let file = StripedFile::new(3, 2, 64 << 10, 1 << 20, 4 << 20)?;
/// assert_eq!(file.groups(), 2);
/// assert_eq!(file.group(0).unwrap().group_len(), 3 << 20);
/// assert_eq!(file.group(1).unwrap().group_len(), 1 << 20);
/// assert_eq!(file.group_position((3 << 20) + 7), Some(GroupPosition { group: 1, offset: 7 }));
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StripedFile {
    data_units: usize,
    parity_units: usize,
    cell_size: u64,
    /// Data in a full group: k blocks.
    max_group_len: u64,
    file_len: u64,
    whole_parity_cells: bool,
}

/// Where one byte of a file lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupPosition {
    /// Which group of the file, from 0.
    pub group: u64,
    /// The byte's offset in that group.
    pub offset: u64,
}

impl StripedFile {
    /// The layout of a file of `file_len` bytes with internal blocks of up to `block_size` bytes.
    ///
    /// # Errors
    ///
    /// Those of [`StripedLayout::new`]; [`Error::OutOfBounds`] unless `block_size` is a multiple
    /// of `cell_size` and not 0; [`Error::Overflow`] where k blocks do not fit into 64 bits.
    pub fn new(
        data_units: usize,
        parity_units: usize,
        cell_size: u64,
        block_size: u64,
        file_len: u64,
    ) -> Result<Self> {
        check_striping(data_units, parity_units, cell_size)?;
        if block_size == 0 || !block_size.is_multiple_of(cell_size) {
            return Err(Error::OutOfBounds {
                what: "block size",
                got: block_size,
                expected: "a multiple of the cell size, not 0",
            });
        }
        let max_group_len = block_size
            .checked_mul(data_units as u64)
            .ok_or(Error::Overflow { what: "length of a block group" })?;
        Ok(Self {
            data_units,
            parity_units,
            cell_size,
            max_group_len,
            file_len,
            whole_parity_cells: false,
        })
    }

    /// The same with [`StripedLayout::with_whole_parity_cells`] for its groups.
    #[must_use]
    pub const fn with_whole_parity_cells(self) -> Self {
        Self { whole_parity_cells: true, ..self }
    }

    /// Length of the file in bytes.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Bytes of data in a full group: k internal blocks.
    #[must_use]
    pub fn max_group_len(&self) -> u64 {
        self.max_group_len
    }

    /// Number of block groups; an empty file has none.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.file_len.div_ceil(self.max_group_len)
    }

    /// Offset in the file of a group's first byte; `None` past the last group.
    #[must_use]
    pub fn group_start(&self, group: u64) -> Option<u64> {
        (group < self.groups()).then(|| group * self.max_group_len)
    }

    /// The layout of one group; `None` past the last.
    #[must_use]
    pub fn group(&self, group: u64) -> Option<StripedLayout> {
        let len = (self.file_len - self.group_start(group)?).min(self.max_group_len);
        let group =
            StripedLayout::from_checked(self.data_units, self.parity_units, self.cell_size, len);
        Some(if self.whole_parity_cells { group.with_whole_parity_cells() } else { group })
    }

    /// The group that an offset in the file lies in; `None` past the file's end.
    #[must_use]
    pub fn group_position(&self, file_offset: u64) -> Option<GroupPosition> {
        (file_offset < self.file_len).then(|| GroupPosition {
            group: file_offset / self.max_group_len,
            offset: file_offset % self.max_group_len,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;

    #[test]
    fn groups_cover_the_file_without_a_gap() {
        for file_len in [0, 1, 59, 60, 61, 119, 120, 121, 1000] {
            let file = StripedFile::new(3, 2, 5, 20, file_len).unwrap();
            let mut next = 0;
            for group in 0..file.groups() {
                assert_eq!(file.group_start(group), Some(next));
                let layout = file.group(group).unwrap();
                assert!(layout.group_len() > 0);
                assert!(layout.unit_len(0) <= 20, "no internal block exceeds the block size");
                assert_eq!(
                    (layout.data_units(), layout.parity_units(), layout.cell_size()),
                    (3, 2, 5)
                );
                for offset in 0..layout.group_len() {
                    let position = file.group_position(next + offset);
                    assert_eq!(position, Some(GroupPosition { group, offset }));
                }
                next += layout.group_len();
            }
            assert_eq!(next, file_len);
            assert_eq!(file.group(file.groups()), None);
            assert_eq!(file.group_start(u64::MAX), None);
            assert_eq!(file.group_position(file_len), None);
        }
    }

    #[test]
    fn the_longest_file_ends_with_a_group() {
        let file = StripedFile::new(6, 3, 1 << 20, 1 << 30, u64::MAX).unwrap();
        let last = file.group_position(u64::MAX - 1).unwrap();
        assert_eq!(last.group + 1, file.groups());
        assert_eq!(file.group(last.group).unwrap().group_len(), last.offset + 1);
    }

    #[test]
    fn blocks_that_cut_a_cell_are_refused() {
        for block_size in [0, 4, 21] {
            assert_eq!(
                StripedFile::new(3, 2, 5, block_size, 100),
                Err(Error::OutOfBounds {
                    what: "block size",
                    got: block_size,
                    expected: "a multiple of the cell size, not 0"
                })
            );
        }
        assert_eq!(
            StripedFile::new(3, 2, 1, 1 << 63, 100),
            Err(Error::Overflow { what: "length of a block group" })
        );
    }
}
