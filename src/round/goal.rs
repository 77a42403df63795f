//! What is to be brought: whole units for targets, or ranges of units for a reader; and the next
//! round's share of it.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use super::buffer::{Buffer, Lent};
use super::rows::Rows;
use super::stage::Round;
use super::{Reconstruction, target};
use crate::layout::AlignedRange;

#[derive(Debug)]
pub(super) enum Goal {
    /// Every byte of the live targets; the offset at which the next round begins.
    Targets(u64),
    /// Bytes for whoever reads.
    Ranges(Ranges),
}

/// Ranges of units that are to be delivered, lost or not.
#[derive(Debug)]
pub(super) struct Ranges {
    list: Vec<Part>,
    /// The part that the next round is of, and where in it that begins.
    current: usize,
    next: u64,
    /// Buffers that were delivered and are not back.
    pub(super) held: usize,
}

/// The same range of several rows.
#[derive(Debug)]
struct Part {
    /// Where the bytes of the units' first rows lie that go with it.
    range: Range<u64>,
    rows: Arc<[usize]>,
}

/// What one round is to bring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// First byte that is read of each unit: the start of a chunk.
    pub(super) offset: u64,
    /// Bytes of it that nobody asked for.
    pub(super) skip: usize,
    /// Bytes, those among them.
    pub(super) len: usize,
    /// The rows to be delivered; none where it is for targets.
    pub(super) rows: Arc<[usize]>,
}

/// A run of bytes of one unit: taken out of [`Action::Deliver`](super::Action::Deliver),
/// brought back with [`Event::Delivered`](super::Event::Delivered).
#[derive(Debug)]
#[must_use = "it comes back with Event::Delivered"]
pub struct Delivery<B> {
    pub(super) unit: usize,
    pub(super) offset: u64,
    pub(super) is_rebuilt: bool,
    pub(super) buffer: Lent<B>,
    pub(super) range: Range<usize>,
}

impl<B: Buffer> Delivery<B> {
    /// The unit that the bytes are of.
    #[must_use]
    pub fn unit(&self) -> usize {
        self.unit
    }

    /// Where in the unit they begin.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether they were computed from other units, and not read.
    #[must_use]
    pub fn is_rebuilt(&self) -> bool {
        self.is_rebuilt
    }

    /// The bytes.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.buffer.bytes(self.range.clone())
    }

    /// The bytes, for whoever goes on working with them in place.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut [u8] {
        self.buffer.bytes_mut(self.range.clone())
    }
}

impl Span {
    /// The first byte that was asked for.
    pub(super) fn start(&self) -> u64 {
        self.offset + self.skip as u64
    }
}

impl Ranges {
    pub(super) fn new(ranges: &[AlignedRange], rows: &Rows) -> Self {
        let list = if rows.subs == 1 {
            let ranges = ranges.iter().filter(|range| !range.unit_range.is_empty());
            let part = |range: &AlignedRange| Part {
                range: range.unit_range.clone(),
                rows: range.units.clone().collect(),
            };
            ranges.map(part).collect()
        } else {
            parts_of_cells(ranges, rows)
        };
        let next = list.first().map_or(0, |part| part.range.start);
        Self { list, current: 0, next, held: 0 }
    }

    /// One range of several units; where those have several rows, all of the cells that it touches.
    pub(super) fn of_units(units: &[usize], range: &Range<u64>, rows: &Rows) -> Self {
        let of_rows: Arc<[usize]> = units.iter().flat_map(|&unit| rows.of_unit(unit)).collect();
        let mut list = Vec::new();
        let mut start = rows.cell_start(range.start);
        while start < range.end && !of_rows.is_empty() {
            let end = rows.round_len().map_or(range.end, |part| start + part);
            // Arrays of their own: that is what tells parts apart.
            list.push(Part { range: start..end, rows: of_rows.iter().copied().collect() });
            start = rows.round_len().map_or(end, |part| start + part * rows.subs as u64);
        }
        let next = list.first().map_or(0, |part| part.range.start);
        Self { list, current: 0, next, held: 0 }
    }

    /// Rows that any one part has, at the most.
    pub(super) fn widest(&self) -> usize {
        self.list.iter().map(|part| part.rows.len()).max().unwrap_or(0)
    }

    /// The longest part, with the beginning of its first chunk.
    fn longest(&self, chunk: u64) -> u64 {
        let len = |part: &Part| part.range.end - part.range.start + part.range.start % chunk;
        self.list.iter().map(len).max().unwrap_or(0)
    }

    fn next_span(&self, chunk: usize, round_len: usize) -> Option<Span> {
        let part = self.list.get(self.current)?;
        let skip = self.next % chunk as u64;
        let offset = self.next - skip;
        let rest = usize::try_from(part.range.end - offset).unwrap_or(usize::MAX);
        Some(Span {
            offset,
            // Less than a chunk.
            skip: skip as usize,
            len: rest.min(round_len),
            rows: Arc::clone(&part.rows),
        })
    }

    /// Goes back to the part that a span is of.
    fn go_back(&mut self, span: &Span) {
        let is_of = |part: &Part| Arc::ptr_eq(&part.rows, &span.rows);
        self.current = self.list.iter().position(is_of).unwrap_or(self.current);
    }

    fn pass(&mut self, span: &Span) {
        self.next = span.offset + span.len as u64;
        let is_over = |part: &Part| self.next >= part.range.end;
        if self.list.get(self.current).is_some_and(is_over) {
            self.current += 1;
            self.next = self.list.get(self.current).map_or(0, |part| part.range.start);
        }
    }
}

/// Ranges of units as ranges of rows. Bytes at one place of a cell's parts depend on each other, so
/// all that is wanted of a place comes together: what is read for one of them serves the others.
fn parts_of_cells(ranges: &[AlignedRange], rows: &Rows) -> Vec<Part> {
    // What is wanted of each cell: where, and of which row.
    let mut cells: BTreeMap<u64, Vec<(Range<u64>, usize)>> = BTreeMap::new();
    for range in ranges {
        for unit in range.units.clone() {
            let mut start = range.unit_range.start;
            while start < range.unit_range.end {
                let (row, from, left) = rows.of_byte(unit, start);
                let len = left.min(range.unit_range.end - start);
                let wanted = cells.entry(rows.cell_start(start)).or_default();
                wanted.push((from..from + len, row));
                start += len;
            }
        }
    }
    let mut parts: Vec<Part> = Vec::new();
    for wanted in cells.values() {
        let mut ends: Vec<u64> =
            wanted.iter().flat_map(|(range, _)| [range.start, range.end]).collect();
        ends.sort_unstable();
        ends.dedup();
        for (&start, &end) in ends.iter().zip(&ends[1..]) {
            let is_wanted = |(range, _): &&(Range<u64>, usize)| range.contains(&start);
            let mut rows: Vec<usize> = wanted.iter().filter(is_wanted).map(|one| one.1).collect();
            rows.sort_unstable();
            rows.dedup();
            if !rows.is_empty() {
                parts.push(Part { range: start..end, rows: rows.into() });
            }
        }
    }
    parts
}

impl<B: Buffer> Reconstruction<B> {
    /// The longest live target's length.
    pub(super) fn end_of_targets(&self) -> u64 {
        let live = self.targets.iter().filter(|target| target.is_live());
        live.map(|target| target.len).max().unwrap_or(0)
    }

    /// The most bytes of a unit that any round could be of.
    pub(super) fn longest_round(&self, chunk: usize) -> u64 {
        match &self.goal {
            Goal::Targets(_) => self.rows.round_len().unwrap_or_else(|| self.end_of_targets()),
            Goal::Ranges(ranges) => ranges.longest(chunk as u64),
        }
    }

    /// What the next round is to bring; `None` after the last.
    pub(super) fn next_span(&self, chunk: usize, round_len: usize) -> Option<Span> {
        let mut span = match &self.goal {
            Goal::Targets(next) => {
                let rest = self.end_of_targets().checked_sub(*next).filter(|&rest| rest > 0)?;
                // Of a part of a cell all is computed, and what is past a target's end left out.
                let rest = self.rows.round_len().unwrap_or(rest);
                let len = usize::try_from(rest).unwrap_or(usize::MAX).min(round_len);
                Span { offset: *next, len, ..Span::default() }
            }
            Goal::Ranges(ranges) => ranges.next_span(chunk, round_len)?,
        };
        span.len = self.len_before_change(&span);
        Some(span)
    }

    /// Goes on behind a span that has become shorter.
    pub(super) fn go_back_behind(&mut self, span: &Span) {
        if let Goal::Ranges(ranges) = &mut self.goal {
            ranges.go_back(span);
        }
        self.pass(span);
    }

    /// Goes on behind a span.
    pub(super) fn pass(&mut self, span: &Span) {
        match &mut self.goal {
            Goal::Targets(next) => *next = self.rows.behind(span.offset, span.len),
            Goal::Ranges(ranges) => ranges.pass(span),
        }
    }

    /// Whether a row's bytes of a round are zero without being read.
    pub(super) fn is_zero(&self, row: usize, span: &Span) -> bool {
        self.layout.known_zero(self.rows.unit(row), self.rows.offset(row, span.start()))
    }

    /// The rows whose bytes a round is to bring: those of live targets that are not over, or
    /// those of its range.
    pub(super) fn wanted(&self, span: &Span) -> Vec<usize> {
        if !span.rows.is_empty() {
            return span.rows.to_vec();
        }
        let needing = self.targets.iter().filter(|target| target.needs(span.offset));
        let rows = needing.flat_map(|target| {
            let is_needed = move |row: &usize| target.needs(self.rows.offset(*row, span.offset));
            self.rows.of_unit(target.unit).filter(is_needed)
        });
        rows.collect()
    }

    /// Whether no live target needs a round any more.
    pub(super) fn is_needless(&self, round: &Round<B>) -> bool {
        match self.goal {
            Goal::Targets(_) => round.span.offset >= self.end_of_targets(),
            Goal::Ranges(_) => false,
        }
    }

    /// Buffers that results may take: computed into, on their way, waiting.
    pub(super) fn buffers_for_results(&self) -> usize {
        match &self.goal {
            Goal::Targets(_) => target::MAX_HELD * self.rows.subs * self.targets.len(),
            Goal::Ranges(ranges) => (1 + MAX_DELIVERED) * ranges.widest(),
        }
    }
}

/// Rounds whose buffers a reader may hold.
pub(super) const MAX_DELIVERED: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_divided_into_what_depends_on_each_other() {
        // Cells of three parts of ten bytes, two units.
        let rows = Rows { subs: 3, part: 10 };
        for start in 0..70 {
            for end in start..70 {
                let ranges = [
                    AlignedRange { unit_range: start..end, units: 0..1 },
                    AlignedRange { unit_range: 15..end.max(15), units: 1..2 },
                ];
                let mut bytes = [Vec::new(), Vec::new()];
                let mut places = Vec::new();
                for Part { range, rows: of } in parts_of_cells(&ranges, &rows) {
                    places.extend(range.clone());
                    for &row in &*of {
                        bytes[row / 3].extend(range.clone().map(|byte| rows.offset(row, byte)));
                    }
                }
                bytes.iter_mut().for_each(|bytes| bytes.sort_unstable());
                assert_eq!(bytes[0], (start..end).collect::<Vec<u64>>(), "{start}..{end}");
                assert_eq!(bytes[1], (15..end).collect::<Vec<u64>>());
                // No place is gone to twice.
                assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
            }
        }
    }
}
