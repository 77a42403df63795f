//! A tile: the same byte range of every row of a group (see [`rows`](crate::heal::rows)), small enough to stay in a core's cache
//! from reading to writing.

use std::ops::Range;

use crate::heal::marks::{Found, Marks};
use crate::heal::rows::Rows;

/// The bytes of one range of all rows, and what is known of them. What is called a unit here is a
/// unit of the code that heals: a row.
#[derive(Debug)]
pub struct Tile<'a> {
    /// How blocks are rows.
    pub rows: Rows,
    /// Offset in the internal blocks of their first rows, a multiple of the chunk.
    pub start: u64,
    /// Bytes of the longest unit in it.
    pub len: usize,
    /// Bytes of a chunk.
    pub chunk: usize,
    /// Bytes of each unit of the code in it (0 past the unit's end).
    pub lens: &'a [usize],
    /// Each unit's bytes: at least `len` long.
    pub bytes: Vec<&'a mut [u8]>,
    /// What was found and what became of it.
    pub marks: &'a mut Marks,
}

impl Tile<'_> {
    /// Offset in its internal block of a row.
    #[must_use]
    pub fn offset(&self, row: usize) -> u64 {
        self.rows.offset(row, self.start)
    }

    /// Chunks a unit.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.len.div_ceil(self.chunk)
    }

    /// The bytes of some columns, cut to `end`.
    fn span(&self, columns: &Range<usize>, end: usize) -> Range<usize> {
        let start = (columns.start * self.chunk).min(end);
        start..(columns.end * self.chunk).min(end).max(start)
    }

    /// Where the bytes of some columns lie in the longest unit.
    #[must_use]
    pub fn full_span(&self, columns: &Range<usize>) -> Range<usize> {
        self.span(columns, self.len)
    }

    /// Where the bytes of some columns lie in one unit: less than in the others where it ends.
    #[must_use]
    pub fn unit_span(&self, unit: usize, columns: &Range<usize>) -> Range<usize> {
        self.span(columns, self.lens[unit])
    }

    /// The bytes of some columns of one unit, as long as the unit has them.
    #[must_use]
    pub fn unit_bytes(&self, unit: usize, columns: &Range<usize>) -> &[u8] {
        &self.bytes[unit][self.unit_span(unit, columns)]
    }

    /// Marks everything as not looked at, but what lies past a unit's end as zero.
    pub fn begin(&mut self) {
        let columns = self.columns();
        self.marks.reset(self.bytes.len(), columns);
        for (unit, &len) in self.lens.iter().enumerate() {
            let present = len.div_ceil(self.chunk);
            self.marks.found_mut(unit)[present..].fill(Found::Zero);
        }
    }
}
