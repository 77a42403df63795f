//! A set: a parity file and the files that it protects. Its groups are read, verified chunk by
//! chunk, and rebuilt in memory; what is written, and where, is for others to decide.
//!
//! A chunk is good when it has its checksum, whatever has become of its file: what a file had when
//! its parity was made helps the others for as long as it is there, renamed, appended to or not.

use std::ops::Range;
use std::sync::Arc;

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::layout::Layout as _;
use restripe::{ErasureCode, Plan};

use crate::error::{Error, Result};
use crate::geometry::Group;
use crate::header::Header;
use crate::metastore::FileRecord;
use crate::run::Run;
use crate::store::{Source, Store};

/// What codes with sub-shards divide: a unit's bytes are coded this many at a time.
pub(crate) const CELL: u64 = 64 << 10;

/// A parity file, its files and its code.
#[derive(Debug)]
pub(crate) struct Set {
    /// Its number in the metastore.
    pub(crate) id: i64,
    pub(crate) header: Header,
    /// Where its parity file is.
    pub(crate) parity_path: String,
    /// The file that is now what each member was, where there is one.
    pub(crate) records: Vec<Option<FileRecord>>,
    pub(crate) code: Arc<dyn ErasureCode>,
    pub(crate) checksum: ChunkedChecksum,
    sum_starts: Vec<usize>,
}

/// A group in memory.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Its bytes of the stream.
    pub(crate) data: Vec<u8>,
    /// Its parity units, one behind the other.
    pub(crate) parity: Vec<u8>,
    /// Chunks of members that are wrong or not there.
    pub(crate) bad_data: Vec<Chunk>,
    /// Chunks of parity units that are wrong or not there.
    pub(crate) bad_parity: Vec<Chunk>,
    /// Bytes that were read.
    pub(crate) bytes_read: u64,
}

/// A chunk of a member, or of a parity unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Chunk {
    /// Which member, or which parity unit.
    pub(crate) of: usize,
    pub(crate) number: u64,
}

impl Set {
    pub(crate) fn new(
        id: i64,
        header: Header,
        parity_path: String,
        members: Vec<FileRecord>,
    ) -> Result<Self> {
        let code = header.policy.code()?;
        let chunk_len = header.geometry.chunk_len as usize;
        let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, chunk_len)?;
        let mut records = vec![None; header.members.len()];
        for record in members {
            let member = record.parity.map(|(_, member)| member);
            if let Some(place) = member.and_then(|member| records.get_mut(member)) {
                *place = Some(record);
            }
        }
        let sum_starts = header.sum_starts();
        Ok(Self { id, header, parity_path, records, code, checksum, sum_starts })
    }

    /// Where a member is now, or was.
    pub(crate) fn path(&self, member: usize) -> String {
        match &self.records[member] {
            Some(record) => record.path.clone(),
            None => self.header.path(member),
        }
    }

    /// Bytes that a group takes in memory.
    pub(crate) fn group_bytes(&self) -> u64 {
        match self.header.geometry.groups() {
            0 => 0,
            _ => {
                let group = self.header.geometry.group(0);
                let parity_units = self.header.geometry.parity_units as u64;
                group.stream.end + group.parity_len * parity_units
            }
        }
    }

    /// The members with bytes in a range of the stream, and these ranges.
    pub(crate) fn members_in(
        &self,
        stream: Range<u64>,
    ) -> impl Iterator<Item = (usize, Range<u64>)> {
        let members = &self.header.members;
        let first = members.partition_point(|member| member.stream().end <= stream.start);
        members[first..]
            .iter()
            .enumerate()
            .map(move |(index, member)| {
                let Range { start, end } = member.stream();
                (first + index, start.max(stream.start)..end.min(stream.end))
            })
            .take_while(move |(_, range)| range.start < stream.end)
            .filter(|(_, range)| !range.is_empty())
    }

    /// A chunk's bytes of the stream.
    pub(crate) fn chunk_stream(&self, chunk: Chunk) -> Range<u64> {
        let member = self.header.members[chunk.of].stream();
        let start = member.start + chunk.number * self.header.geometry.chunk_len;
        start..member.end.min(start + self.header.geometry.chunk_len)
    }

    fn data_sums(&self, member: usize, chunks: Range<u64>) -> &[u8] {
        let start = self.sum_starts[member];
        &self.header.data_sums[start + 4 * chunks.start as usize..start + 4 * chunks.end as usize]
    }

    fn parity_sums(&self, number: u64, group: &Group, unit: usize) -> &[u8] {
        let geometry = &self.header.geometry;
        let len = geometry.sums_len(group.parity_len) as usize;
        let start = geometry.parity_sums_start(number) as usize + unit * len;
        &self.header.parity_sums[start..start + len]
    }

    /// Reads and verifies a group: all of it, or only what `columns` (ranges within a unit) need.
    pub(crate) fn load(
        &self,
        number: u64,
        columns: Option<&[Range<u64>]>,
        stores: (&dyn Store, &dyn Store),
        run: &Run<'_>,
        loaded: &mut Loaded,
    ) -> Result<()> {
        let geometry = &self.header.geometry;
        let group = geometry.group(number);
        loaded.bad_data.clear();
        loaded.bad_parity.clear();
        loaded.bytes_read = 0;
        loaded.data.resize((group.stream.end - group.stream.start) as usize, 0);
        loaded.parity.resize(group.parity_len as usize * geometry.parity_units, 0);
        let wanted: Vec<Range<u64>> = match columns {
            None => vec![group.stream.clone()],
            Some(columns) => (0..geometry.data_units)
                .flat_map(|unit| {
                    let Range { start, end } = geometry.data_unit(&group, unit);
                    columns.iter().map(move |column| {
                        (start + column.start).min(end)..(start + column.end).min(end)
                    })
                })
                .collect(),
        };
        let mut members: Vec<(usize, Range<u64>)> =
            wanted.into_iter().flat_map(|range| self.members_in(range)).collect();
        members.sort_by_key(|(member, range)| (*member, range.start));
        let mut open = None;
        for (member, range) in members {
            let source = match open.take() {
                Some((before, source)) if before == member => source,
                _ => stores.0.open(&self.path(member)).unwrap_or(None),
            };
            self.load_member(member, range, &group, source.as_deref(), run, loaded)?;
            open = Some((member, source));
        }
        loaded.bad_data.sort_unstable();
        loaded.bad_data.dedup();
        self.load_parity(number, &group, columns, stores.1, run, loaded)
    }

    /// Reads the chunks of a member that a range of the stream touches.
    fn load_member(
        &self,
        member: usize,
        range: Range<u64>,
        group: &Group,
        source: Option<&dyn Source>,
        run: &Run<'_>,
        loaded: &mut Loaded,
    ) -> Result<()> {
        let (whole, chunk_len) =
            (self.header.members[member].stream(), self.header.geometry.chunk_len);
        let chunks =
            (range.start - whole.start) / chunk_len..(range.end - whole.start).div_ceil(chunk_len);
        let file = chunks.start * chunk_len..(chunks.end * chunk_len).min(whole.end - whole.start);
        let at = (whole.start + file.start - group.stream.start) as usize;
        run.before_reading(file.end - file.start)?;
        let bytes = &mut loaded.data[at..at + (file.end - file.start) as usize];
        let sums = self.data_sums(member, chunks.clone());
        let (read, good) = match source {
            Some(source) => self.read(source, bytes, file.start, sums),
            None => (0, vec![false; sums.len() / 4]),
        };
        loaded.bytes_read += read;
        let bad = chunks.zip(good).filter(|(_, good)| !good);
        loaded.bad_data.extend(bad.map(|(number, _)| Chunk { of: member, number }));
        Ok(())
    }

    fn load_parity(
        &self,
        number: u64,
        group: &Group,
        columns: Option<&[Range<u64>]>,
        store: &dyn Store,
        run: &Run<'_>,
        loaded: &mut Loaded,
    ) -> Result<()> {
        let chunk_len = self.header.geometry.chunk_len;
        let source = store.open(&self.parity_path).unwrap_or(None);
        let whole = 0..group.parity_len;
        for unit in 0..self.header.geometry.parity_units {
            let sums = self.parity_sums(number, group, unit);
            for column in columns.unwrap_or(std::slice::from_ref(&whole)) {
                let end = column.end.min(group.parity_len);
                let chunks = column.start.min(end) / chunk_len..end.div_ceil(chunk_len);
                let range =
                    chunks.start * chunk_len..(chunks.end * chunk_len).min(group.parity_len);
                run.before_reading(range.end - range.start)?;
                let unit_at = unit as u64 * group.parity_len;
                let at = (unit_at + range.start) as usize;
                let bytes = &mut loaded.parity[at..at + (range.end - range.start) as usize];
                let sums = &sums[4 * chunks.start as usize..4 * chunks.end as usize];
                let (read, good) = match &source {
                    Some(source) => {
                        let offset = group.parity_start + unit_at + range.start;
                        self.read(&**source, bytes, offset, sums)
                    }
                    None => (0, vec![false; sums.len() / 4]),
                };
                loaded.bytes_read += read;
                let bad = chunks.zip(good).filter(|(_, good)| !good);
                loaded.bad_parity.extend(bad.map(|(number, _)| Chunk { of: unit, number }));
            }
        }
        loaded.bad_parity.sort_unstable();
        loaded.bad_parity.dedup();
        Ok(())
    }

    /// Whether bytes of a parity unit of a group, from its chunk `first` on, have their checksums.
    pub(crate) fn parity_is_good(
        &self,
        number: u64,
        unit: usize,
        first: u64,
        bytes: &[u8],
    ) -> bool {
        let group = self.header.geometry.group(number);
        let sums = &self.parity_sums(number, &group, unit)[4 * first as usize..];
        let len = self.header.geometry.sums_len(bytes.len() as u64) as usize;
        self.checksum.verify(bytes, &sums[..len]).is_ok()
    }

    /// Reads whole chunks of a member, and says which are bad.
    pub(crate) fn read_chunks(
        &self,
        source: &dyn Source,
        member: usize,
        chunks: Range<u64>,
        bytes: &mut [u8],
    ) -> Vec<Chunk> {
        let offset = chunks.start * self.header.geometry.chunk_len;
        let (_, good) = self.read(source, bytes, offset, self.data_sums(member, chunks.clone()));
        let bad = chunks.zip(good).filter(|(_, good)| !good);
        bad.map(|(number, _)| Chunk { of: member, number }).collect()
    }

    /// The columns of its units that a chunk lies in.
    pub(crate) fn chunk_columns(&self, chunk: Chunk, group: &Group) -> Vec<Range<u64>> {
        self.unit_ranges(self.chunk_stream(chunk), group).map(|(_, range)| range).collect()
    }

    /// The cells that columns lie in, from their first byte to their last.
    pub(crate) fn whole_cells(&self, columns: &Range<u64>, group: &Group) -> Range<u64> {
        let end = columns.end.next_multiple_of(CELL).min(group.parity_len);
        columns.start / CELL * CELL..end
    }

    /// The units that a range of the stream lies in, and its columns in each.
    pub(crate) fn unit_ranges(
        &self,
        stream: Range<u64>,
        group: &Group,
    ) -> impl Iterator<Item = (usize, Range<u64>)> {
        let (start, end) = (stream.start - group.stream.start, stream.end - group.stream.start);
        let unit_len = group.unit_len;
        (start / unit_len..end.div_ceil(unit_len)).map(move |unit| {
            let unit_start = unit * unit_len;
            let range =
                start.max(unit_start) - unit_start..end.min(unit_start + unit_len) - unit_start;
            (unit as usize, range)
        })
    }

    /// Reads whole chunks, and says which of them are good.
    fn read(
        &self,
        source: &dyn Source,
        bytes: &mut [u8],
        offset: u64,
        sums: &[u8],
    ) -> (u64, Vec<bool>) {
        let chunk_len = self.checksum.bytes_per_checksum();
        if let Ok(read) = source.read_at(bytes, offset) {
            // What the file lacks is not to be taken for what an earlier group had there.
            bytes[read..].fill(0);
            let mut good = self.compare(bytes, sums);
            // A chunk of zeros that is not there is not good.
            for good in good.iter_mut().skip(read / chunk_len) {
                *good &= read == bytes.len();
            }
            return (read as u64, good);
        }
        // Somewhere in it something cannot be read: chunk by chunk it shows where.
        let mut total = 0;
        let good = bytes.chunks_mut(chunk_len).zip(sums.chunks(4)).enumerate().map(
            |(number, (chunk, sum))| {
                let read = source.read_at(chunk, offset + (number * chunk_len) as u64);
                total += read.as_ref().copied().unwrap_or(0) as u64;
                read.is_ok_and(|read| read == chunk.len()) && self.compare(chunk, sum) == [true]
            },
        );
        let good = good.collect();
        (total, good)
    }

    /// Which chunks have their checksums.
    fn compare(&self, bytes: &[u8], sums: &[u8]) -> Vec<bool> {
        let mut found = vec![0; sums.len()];
        // The lengths fit by construction; where they did not, nothing would be good.
        if self.checksum.compute(bytes, &mut found).is_err() {
            return vec![false; sums.len() / 4];
        }
        found.chunks(4).zip(sums.chunks(4)).map(|(found, sum)| found == sum).collect()
    }

    /// Rebuilds what is bad in memory. What stays in `bad_data` and `bad_parity` cannot be rebuilt.
    pub(crate) fn repair(&self, number: u64, loaded: &mut Loaded) -> Result<()> {
        if loaded.bad_data.is_empty() && loaded.bad_parity.is_empty() {
            return Ok(());
        }
        let geometry = &self.header.geometry;
        let group = geometry.group(number);
        let layout = geometry.layout(&group)?;
        let bad = self.bad_ranges(&group, loaded);
        let cell = if geometry.sub_shards > 1 { Some(CELL) } else { None };
        // Between two cuts, each unit is all good, all bad, or known to be zero.
        let mut cuts: Vec<u64> =
            bad.iter().flatten().flat_map(|bad| [bad.start, bad.end]).collect();
        match cell {
            Some(cell) => {
                // Cells with something bad, from their first byte to their last.
                cuts = bad
                    .iter()
                    .flatten()
                    .flat_map(|bad| bad.start / cell..bad.end.div_ceil(cell))
                    .flat_map(|number| [number * cell, (number + 1) * cell])
                    .map(|cut| cut.min(group.parity_len))
                    .collect();
            }
            None => cuts.extend((0..geometry.data_units).map(|unit| layout.unit_len(unit))),
        }
        cuts.sort_unstable();
        cuts.dedup();
        for pair in cuts.windows(2) {
            let columns = pair[0]..pair[1];
            let is_bad = |unit: usize| {
                bad[unit].iter().any(|bad| bad.start < columns.end && columns.start < bad.end)
            };
            let wanted: Vec<usize> = (0..bad.len()).filter(|&unit| is_bad(unit)).collect();
            if wanted.is_empty() {
                continue;
            }
            let zero = |unit: usize| layout.known_zero(unit, columns.start);
            // Zeros cost nothing, so they come first.
            let mut available: Vec<usize> = (0..bad.len()).filter(|&unit| zero(unit)).collect();
            available.extend((0..bad.len()).filter(|&unit| !zero(unit) && !is_bad(unit)));
            if let Some(plan) = self.plan(&available, wanted)? {
                apply(&plan, &columns, &group, geometry.data_units, loaded)?;
            }
        }
        self.verify_again(number, &group, loaded);
        Ok(())
    }

    /// A plan for those wanted that can be had.
    fn plan(&self, available: &[usize], mut wanted: Vec<usize>) -> Result<Option<Arc<Plan>>> {
        if !self.code.is_recoverable(&wanted)? {
            let determined = self.code.determined_by(available)?;
            wanted.retain(|unit| determined.contains(unit));
        }
        match self.code.plan(available, &wanted) {
            Ok(_) if wanted.is_empty() => Ok(None),
            Ok(plan) => Ok(Some(plan)),
            Err(restripe::Error::TooFewUnits { .. } | restripe::Error::NotRecoverable { .. }) => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The bad ranges of every unit.
    fn bad_ranges(&self, group: &Group, loaded: &Loaded) -> Vec<Vec<Range<u64>>> {
        let geometry = &self.header.geometry;
        let mut bad = vec![Vec::new(); geometry.data_units + geometry.parity_units];
        for chunk in &loaded.bad_data {
            for (unit, range) in self.unit_ranges(self.chunk_stream(*chunk), group) {
                bad[unit].push(range);
            }
        }
        for chunk in &loaded.bad_parity {
            let start = chunk.number * geometry.chunk_len;
            let range = start..(start + geometry.chunk_len).min(group.parity_len);
            bad[geometry.data_units + chunk.of].push(range);
        }
        bad
    }

    /// Leaves in the lists of what is bad only what still does not have its checksum.
    fn verify_again(&self, number: u64, group: &Group, loaded: &mut Loaded) {
        let Loaded { data, parity, bad_data, bad_parity, .. } = loaded;
        bad_data.retain(|&chunk| {
            let Range { start, end } = self.chunk_stream(chunk);
            let at = (start - group.stream.start) as usize..(end - group.stream.start) as usize;
            let sum = self.data_sums(chunk.of, chunk.number..chunk.number + 1);
            self.compare(&data[at], sum) != [true]
        });
        bad_parity.retain(|&chunk| {
            let start = chunk.number * self.header.geometry.chunk_len;
            let end = (start + self.header.geometry.chunk_len).min(group.parity_len);
            let unit = chunk.of as u64 * group.parity_len;
            let sum = &self.parity_sums(number, group, chunk.of)[4 * chunk.number as usize..][..4];
            self.compare(&parity[(unit + start) as usize..(unit + end) as usize], sum) != [true]
        });
    }
}

/// The part of a unit's bytes in `columns`, in the buffer that it lies in.
fn unit_range(unit: usize, columns: &Range<u64>, group: &Group, data_units: usize) -> Range<usize> {
    let (start, len) = if unit < data_units {
        let stream_len = group.stream.end - group.stream.start;
        let start = unit as u64 * group.unit_len;
        (start, stream_len.saturating_sub(start).min(group.unit_len))
    } else {
        ((unit - data_units) as u64 * group.parity_len, group.parity_len)
    };
    (start + columns.start.min(len)) as usize..(start + columns.end.min(len)) as usize
}

/// Computes what a plan gives over some columns, and puts it in its place.
fn apply(
    plan: &Plan,
    columns: &Range<u64>,
    group: &Group,
    data_units: usize,
    loaded: &mut Loaded,
) -> Result<()> {
    let len = (columns.end - columns.start) as usize;
    let sub_len = len / plan.sub_shards();
    let inputs: Vec<&[u8]> = plan
        .reads()
        .iter()
        .map(|read| {
            let range = unit_range(read.unit, columns, group, data_units);
            let buffer = if read.unit < data_units { &loaded.data } else { &loaded.parity };
            // A unit that ends within its cell goes on with zeros.
            let unit = buffer.get(range).unwrap_or_default();
            let part = read.first_sub * sub_len..(read.first_sub + read.count) * sub_len;
            &unit[part.start.min(unit.len())..part.end.min(unit.len())]
        })
        .collect();
    let mut outputs = vec![vec![0; len]; plan.outputs().len()];
    plan.apply(&inputs, &mut outputs)?;
    for (&unit, output) in plan.outputs().iter().zip(&outputs) {
        let range = unit_range(unit, columns, group, data_units);
        let buffer = if unit < data_units { &mut loaded.data } else { &mut loaded.parity };
        let place = buffer.get_mut(range).unwrap_or_default();
        let len = place.len();
        place.copy_from_slice(&output[..len]);
    }
    Ok(())
}

/// Computes the parity units of a group, one behind the other in `parity`.
pub(crate) fn encode(
    code: &dyn ErasureCode,
    group: &Group,
    data: &[u8],
    parity: &mut [u8],
) -> Result<()> {
    let (data_units, parity_units) = (code.data_units(), code.parity_units());
    let whole = if code.sub_shards() > 1 { CELL } else { group.parity_len.max(1) };
    let mut start = 0;
    while start < group.parity_len {
        let columns = start..(start + whole).min(group.parity_len);
        let units: Vec<&[u8]> = (0..data_units)
            .map(|unit| data.get(unit_range(unit, &columns, group, data_units)).unwrap_or_default())
            .collect();
        let mut outputs: Vec<&mut [u8]> = parity
            .chunks_mut(group.parity_len as usize)
            .take(parity_units)
            .map(|unit| &mut unit[columns.start as usize..columns.end as usize])
            .collect();
        // Not `encode`: of the last cell all units may end before the parity's last byte.
        code.encode_plan().apply(&units, &mut outputs).map_err(Error::Engine)?;
        start = columns.end;
    }
    Ok(())
}
