//! The rows of a group: what of a unit goes together with what of the others.
//!
//! For most codes a row is a unit. A code with sub-shards divides every cell of a unit into as
//! many parts, and the same part of every cell is a row. Rows are units of the code of the
//! sub-shards ([`ErasureCode::over_sub_shards`]) and numbered as that numbers them: those of a
//! unit one behind the other.

use core::ops::Range;

use crate::layout::Layout;
use crate::{ErasureCode, Error, Result};

/// How units are rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// Rows of a unit.
    pub(super) subs: usize,
    /// Bytes of a cell that belong to one row; 0 where a unit is one row.
    pub(super) part: u64,
}

impl Rows {
    /// Refuses a layout whose cells the code cannot divide.
    pub(super) fn new(code: &impl ErasureCode, layout: &(impl Layout + ?Sized)) -> Result<Self> {
        let subs = code.sub_shards();
        if subs == 1 {
            return Ok(Self { subs, part: 0 });
        }
        let refused = |got: &str, expected| {
            Err(Error::Invalid {
                what: "layout for a code with sub-shards",
                got: got.into(),
                expected,
            })
        };
        let Some(cell) = layout.cell_len().filter(|&cell| cell > 0) else {
            return refused("without cells", "a striped one");
        };
        if !cell.is_multiple_of(subs as u64) {
            return refused("with cells that it cannot divide", "cells of as many equal parts");
        }
        let parity = layout.data_units()..layout.data_units() + layout.parity_units();
        if parity.into_iter().any(|unit| !layout.unit_len(unit).is_multiple_of(cell)) {
            return refused("with short parity cells", "whole parity cells");
        }
        Ok(Self { subs, part: cell / subs as u64 })
    }

    pub(super) fn unit(&self, row: usize) -> usize {
        row / self.subs
    }

    pub(super) fn of_unit(&self, unit: usize) -> Range<usize> {
        unit * self.subs..(unit + 1) * self.subs
    }

    /// The row that has a byte of a unit, where the bytes of the unit's first row lie that go with
    /// it, and how many bytes of the row begin with it.
    pub(super) fn of_byte(&self, unit: usize, offset: u64) -> (usize, u64, u64) {
        if self.subs == 1 {
            return (unit, offset, u64::MAX);
        }
        let within = offset - self.cell_start(offset);
        let place = within / self.part;
        let row = unit * self.subs + place as usize;
        (row, offset - place * self.part, self.part - within % self.part)
    }

    /// Where the cell begins that has a byte; the byte itself where units are no cells here.
    pub(super) fn cell_start(&self, offset: u64) -> u64 {
        if self.subs == 1 { offset } else { offset - offset % (self.part * self.subs as u64) }
    }

    /// Where in its unit a row lies whose unit's first row lies at `start`.
    pub(super) fn offset(&self, row: usize, start: u64) -> u64 {
        start + (row % self.subs) as u64 * self.part
    }

    /// The bytes of a round, which is one part of a cell, where units have several rows.
    pub(super) fn round_len(&self) -> Option<u64> {
        (self.subs > 1).then_some(self.part)
    }

    /// Where the round behind one of `len` bytes at `offset` begins.
    pub(super) fn behind(&self, offset: u64, len: usize) -> u64 {
        offset + len as u64 * self.subs as u64
    }
}
