//! The rows of tiles: what of a block goes together with what of the others.
//!
//! For most codes a row is a block. A code with sub-shards divides every cell of a block into as
//! many parts, and the same part of every cell is a row: so each of a block's rows can be good or
//! damaged by itself, and is healed by the code of the sub-shards. Rows of a block are numbered
//! one behind the other, blocks in their order, as that code numbers its units.

use std::ops::Range;

/// How blocks are rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    units: usize,
    /// Rows of a block.
    subs: usize,
    cell: u64,
}

impl Rows {
    /// Rows of `units` blocks, whose cells have `subs` parts.
    #[must_use]
    pub fn new(units: usize, subs: usize, cell: u64) -> Self {
        Self { units, subs, cell }
    }

    /// All rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.units * self.subs
    }

    /// The block that a row is of.
    #[must_use]
    pub fn unit(&self, row: usize) -> usize {
        row / self.subs
    }

    /// The row that a byte of a block is in, and where the byte of the block's first row lies that
    /// goes with it.
    #[must_use]
    pub fn of_byte(&self, unit: usize, offset: u64) -> (usize, u64) {
        if self.subs == 1 {
            return (unit, offset);
        }
        let place = offset % self.cell / self.part();
        (unit * self.subs + place as usize, offset - place * self.part())
    }

    /// The rows of a block.
    #[must_use]
    pub fn of_unit(&self, unit: usize) -> Range<usize> {
        unit * self.subs..(unit + 1) * self.subs
    }

    /// Bytes of a cell that belong to one row.
    #[must_use]
    pub fn part(&self) -> u64 {
        self.cell / self.subs as u64
    }

    /// Where in its block a row lies whose block's first row lies at `start`.
    #[must_use]
    pub fn offset(&self, row: usize, start: u64) -> u64 {
        start + (row % self.subs) as u64 * self.part()
    }

    /// Bytes of each row of a block of `len` bytes: whole cells, where there are several rows.
    #[must_use]
    pub fn row_len(&self, len: u64) -> u64 {
        if self.subs == 1 { len } else { len.div_ceil(self.cell) * self.part() }
    }

    /// Where in a block byte `at` of its first row lies.
    #[must_use]
    pub fn start(&self, at: u64) -> u64 {
        if self.subs == 1 { at } else { at / self.part() * self.cell + at % self.part() }
    }

    /// Where the bytes of a block's first row lie that follow on `len` bytes from `start` on.
    #[must_use]
    pub fn behind(&self, start: u64, len: u64) -> u64 {
        self.start(self.at(start) + len)
    }

    /// The byte of the rows that lies at some offset of a block's first row.
    #[must_use]
    pub fn at(&self, start: u64) -> u64 {
        if self.subs == 1 { start } else { start / self.cell * self.part() + start % self.cell }
    }

    /// Bytes of the rows within which all of a range of the blocks lies: begin and end.
    #[must_use]
    pub fn around(&self, range: Range<u64>) -> (u64, u64) {
        if self.subs == 1 {
            return (range.start, range.end);
        }
        (range.start / self.cell * self.part(), range.end.div_ceil(self.cell) * self.part())
    }

    /// The end of what lies in one piece from byte `at` of the rows on, at most `len` bytes.
    #[must_use]
    pub fn piece_end(&self, at: u64, len: u64) -> u64 {
        if self.subs == 1 { at + len } else { at + len.min(self.part() - at % self.part()) }
    }

    /// The byte of the rows at which the cell begins that has byte `at` of them, where cells are
    /// divided; else that byte.
    #[must_use]
    pub fn cell_start(&self, at: u64) -> u64 {
        if self.subs == 1 { at } else { at - at % self.part() }
    }

    /// The end of the tile of at most `len` bytes that begins at byte `at` of the rows, where cells
    /// are divided that of the part.
    #[must_use]
    pub fn tile_end(&self, at: u64, len: u64) -> u64 {
        if self.subs == 1 { at + len } else { at - at % self.part() + self.part() }
    }

    /// The parts of a block's buffer that its rows have in a tile: `from` bytes from its beginning
    /// the first row's, each of `len` bytes.
    pub fn split<'a>(
        &self,
        block: &'a mut [u8],
        from: usize,
        len: usize,
    ) -> impl Iterator<Item = &'a mut [u8]> {
        let part = self.part() as usize;
        let mut rest = block.get_mut(from..).unwrap_or_default();
        (0..self.subs).map(move |_| {
            let (row, after) = std::mem::take(&mut rest).split_at_mut(len);
            // Where there is one row only, it may be longer than a cell.
            rest = after.get_mut(part.saturating_sub(len)..).unwrap_or_default();
            row
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_its_own_row_where_cells_have_no_parts() {
        let rows = Rows::new(9, 1, 1024);
        assert_eq!((rows.count(), rows.unit(8), rows.of_unit(8)), (9, 8, 8..9));
        assert_eq!(
            (rows.offset(8, 5000), rows.row_len(5001), rows.start(5000)),
            (5000, 5001, 5000)
        );
        assert_eq!((rows.around(7..5000), rows.piece_end(5000, 70)), ((7, 5000), 5070));
        assert_eq!(rows.of_byte(3, 5000), (3, 5000));
        let mut block = vec![7; 3000];
        assert!(rows.split(&mut block, 100, 2000).eq([&mut [7; 2000][..]]));
    }

    #[test]
    fn every_byte_of_a_block_is_in_one_place_of_one_row() {
        let rows = Rows::new(3, 2, 10);
        let mut seen = vec![0; 40];
        let mut at = 0;
        while at < rows.row_len(40) {
            let end = rows.piece_end(at, 3).min(rows.row_len(40));
            for row in rows.of_unit(1) {
                for byte in 0..end - at {
                    let offset = rows.offset(row, rows.start(at)) + byte;
                    let (begin, end) = rows.around(offset..offset + 1);
                    assert!((begin..end).contains(&(at + byte)));
                    assert_eq!(offset % 10 / 5, row as u64 % 2);
                    assert_eq!(rows.of_byte(1, offset), (row, rows.start(at) + byte));
                    seen[offset as usize] += 1;
                }
            }
            at = end;
        }
        assert_eq!(seen, [1; 40]);
        assert_eq!((rows.row_len(31), rows.row_len(0)), (20, 0));
        let mut block: Vec<u8> = (0..40).collect();
        let parts: Vec<Vec<u8>> = rows.split(&mut block, 11, 3).map(|part| part.to_vec()).collect();
        assert_eq!(parts, [[11, 12, 13], [16, 17, 18]]);
    }
}
