//! Which byte of which file lies in which unit of which group, and where parity lies.
//!
//! The files of a set stand one behind the other in a *stream*. It is cut into groups of k units;
//! a unit is a range of the stream. Of a long file that is: k blocks at a time are a group. Of many
//! small files in one group: unit u is the files, and parts of files, in its range. Files that are
//! neighbours in the stream lie in one unit, so the loss of a row of them is the loss of one unit.
//!
//! The last group's units share what is left evenly: its parity is then as short as can be.

use std::ops::Range;

use restripe::layout::ContiguousLayout;

use crate::error::Result;

/// How a stream is cut, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Data units of a group.
    pub data_units: usize,
    /// Parity units of a group.
    pub parity_units: usize,
    /// Parity units are a multiple of this long: the sub-shards of the code.
    pub sub_shards: u64,
    /// Bytes of a data unit of every group but the last.
    pub unit_len: u64,
    /// Bytes of the stream.
    pub stream_len: u64,
    /// Bytes under one checksum.
    pub chunk_len: u64,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its bytes of the stream.
    pub stream: Range<u64>,
    /// Bytes of the stream from one data unit to the next; the last that has any has what is left.
    pub unit_len: u64,
    /// Bytes of a parity unit.
    pub parity_len: u64,
    /// Where its parity units begin in the parity file, one behind the other.
    pub parity_start: u64,
}

impl Geometry {
    /// Bytes of the stream in a group but the last.
    #[must_use]
    pub fn group_len(&self) -> u64 {
        self.unit_len * self.data_units as u64
    }

    /// Groups.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.stream_len.div_ceil(self.group_len())
    }

    /// The group with a number below [`groups`](Self::groups).
    #[must_use]
    pub fn group(&self, number: u64) -> Group {
        let start = number * self.group_len();
        let end = self.stream_len.min(start + self.group_len());
        // A chunk longer than a unit would take several units of its columns with it.
        let even = (end - start).div_ceil(self.data_units as u64).max(self.chunk_len);
        let unit_len = self.unit_len.min(even);
        Group {
            stream: start..end,
            unit_len,
            parity_len: unit_len.min(end - start).next_multiple_of(self.sub_shards),
            parity_start: number * self.full_parity_len(),
        }
    }

    fn full_parity_len(&self) -> u64 {
        self.unit_len.next_multiple_of(self.sub_shards) * self.parity_units as u64
    }

    /// Bytes of all parity units.
    #[must_use]
    pub fn parity_len(&self) -> u64 {
        match self.groups() {
            0 => 0,
            groups => {
                let last = self.group(groups - 1);
                last.parity_start + last.parity_len * self.parity_units as u64
            }
        }
    }

    /// Bytes of checksums of a member with `len` bytes.
    #[must_use]
    pub fn sums_len(&self, len: u64) -> u64 {
        len.div_ceil(self.chunk_len) * 4
    }

    /// Bytes of the checksums of all parity units; those of a group stand together.
    #[must_use]
    pub fn parity_sums_len(&self) -> u64 {
        match self.groups() {
            0 => 0,
            groups => {
                let last = self.group(groups - 1);
                self.parity_sums_start(groups - 1)
                    + self.sums_len(last.parity_len) * self.parity_units as u64
            }
        }
    }

    /// Where the checksums of a group's parity units begin among those of all.
    #[must_use]
    pub fn parity_sums_start(&self, group: u64) -> u64 {
        let unit = self.unit_len.next_multiple_of(self.sub_shards);
        group * self.sums_len(unit) * self.parity_units as u64
    }

    /// The engine's layout of a group.
    ///
    /// # Errors
    ///
    /// For more units than a code can have.
    pub fn layout(&self, group: &Group) -> Result<ContiguousLayout> {
        let len = group.stream.end - group.stream.start;
        let lens: Vec<u64> = (0..self.data_units as u64)
            .map(|unit| len.saturating_sub(unit * group.unit_len).min(group.unit_len))
            .collect();
        Ok(ContiguousLayout::new(lens, self.parity_units)?)
    }

    /// Bytes of a data unit of a group.
    #[must_use]
    pub fn data_unit(&self, group: &Group, unit: usize) -> Range<u64> {
        let start = (group.stream.start + unit as u64 * group.unit_len).min(group.stream.end);
        start..(start + group.unit_len).min(group.stream.end)
    }
}

/// Bytes under one checksum for a stream: 4 KiB; more where there would be more than 2^18 of them;
/// less where units are shorter. Always a divisor of the unit.
pub(crate) fn chunk_len(stream_len: u64, unit_len: u64, data_units: usize) -> u64 {
    const SMALLEST: u64 = 4 << 10;
    let wanted = (stream_len >> 18).next_power_of_two().max(SMALLEST);
    // The largest power of two in the unit: policies have units of whole KiB.
    let share = stream_len.div_ceil(data_units as u64).max(1);
    let fits = 1 << share.ilog2();
    wanted.min(fits).min(unit_len & unit_len.wrapping_neg())
}

/// Checks what the arithmetic here relies on: numbers that came from a file.
pub(crate) fn check(geometry: &Geometry) -> std::result::Result<(), &'static str> {
    const LONGEST: u64 = 1 << 62;
    let Geometry { data_units, parity_units, unit_len, stream_len, chunk_len, .. } = *geometry;
    if data_units == 0 || parity_units == 0 || data_units + parity_units > restripe::MAX_UNITS {
        return Err("its policy has no such units");
    }
    if unit_len == 0 || unit_len > 1 << 31 || stream_len > LONGEST {
        return Err("its units or its data are too long");
    }
    if chunk_len == 0 || !unit_len.is_multiple_of(chunk_len) || chunk_len > 16 << 20 {
        return Err("its chunks do not fit into its units");
    }
    // Nothing is longer than the checksums of parity can be: four bytes for every byte, where units
    // are two sub-shards of one byte each made of one byte of data.
    let longest = (stream_len + unit_len).checked_mul(8 * parity_units as u64);
    longest.map(|_| ()).ok_or("its data are too long")
}

#[cfg(test)]
mod tests {
    use super::*;
    use restripe::layout::Layout;

    fn geometry(stream_len: u64) -> Geometry {
        Geometry {
            data_units: 3,
            parity_units: 2,
            sub_shards: 1,
            unit_len: 1000,
            stream_len,
            chunk_len: 100,
        }
    }

    #[test]
    fn groups_units_and_parity_follow_each_other_without_gaps() {
        for stream_len in [0, 1, 2, 3, 4, 2999, 3000, 3001, 3002, 8999, 9000, 9500] {
            let geometry = geometry(stream_len);
            let (mut stream, mut parity, mut sums) = (0, 0, 0);
            for number in 0..geometry.groups() {
                let group = geometry.group(number);
                assert_eq!((group.stream.start, group.parity_start), (stream, parity));
                assert_eq!(geometry.parity_sums_start(number), sums);
                let layout = geometry.layout(&group).unwrap();
                for unit in 0..3 {
                    let range = geometry.data_unit(&group, unit);
                    assert_eq!(range.start, stream);
                    assert_eq!(range.end - range.start, layout.unit_len(unit));
                    stream = range.end;
                }
                assert_eq!(group.parity_len, layout.unit_len(3));
                parity += 2 * group.parity_len;
                sums += 2 * geometry.sums_len(group.parity_len);
            }
            assert_eq!((stream, parity), (stream_len, geometry.parity_len()));
            assert_eq!(sums, geometry.parity_sums_len());
        }
    }

    #[test]
    fn parity_of_what_is_left_is_no_longer_than_it_must_be() {
        assert_eq!(geometry(3300).parity_len(), 2 * 1000 + 2 * 100);
        assert_eq!(geometry(3330).parity_len(), 2 * 1000 + 2 * 110);
        // A chunk is never cut among several units.
        assert_eq!(geometry(3120).parity_len(), 2 * 1000 + 2 * 100);
        assert_eq!(geometry(2).parity_len(), 4);
        let halves = Geometry { sub_shards: 2, ..geometry(3003) };
        assert_eq!(halves.group(1).parity_len, 4);
    }

    #[test]
    fn lengths_that_cannot_be_counted_with_are_refused() {
        let with = |stream_len, unit_len, chunk_len, parity_units| Geometry {
            data_units: 1,
            parity_units,
            sub_shards: 2,
            unit_len,
            stream_len,
            chunk_len,
        };
        assert!(check(&with(1 << 62, 1, 1, 1)).is_err());
        assert!(check(&with(1 << 56, 1, 1, 100)).is_err());
        // As long as may be: all that is computed of it fits.
        let longest = with((1 << 61) - (1 << 31), 1, 1, 1);
        assert_eq!(check(&longest), Ok(()));
        assert_eq!(longest.sums_len(longest.stream_len), longest.stream_len * 4);
        assert_eq!(longest.parity_len(), longest.stream_len * 2);
        assert_eq!(longest.parity_sums_len(), longest.stream_len * 8);
    }

    #[test]
    fn chunks_grow_with_the_stream_and_divide_the_unit() {
        assert_eq!(chunk_len(0, 4 << 20, 6), 1);
        assert_eq!(chunk_len(2000, 4 << 20, 3), 512);
        assert_eq!(chunk_len(6 << 12, 4 << 20, 6), 4 << 10);
        assert_eq!(chunk_len(1 << 30, 4 << 20, 6), 4 << 10);
        assert_eq!(chunk_len(1 << 40, 4 << 20, 6), 4 << 20);
        assert_eq!(chunk_len(1 << 50, 4 << 20, 6), 4 << 20);
        assert_eq!(chunk_len(1 << 30, 3 << 10, 6), 1 << 10);
    }
}
