//! Reading a file through its damage: what is right comes from the file, what is not is computed
//! from the rest of its group. Nothing is written.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::metastore::FileRecord;
use crate::protection::Protection;
use crate::run::Run;
use crate::set::{Chunk, Loaded, Set};
use crate::store::Source;

/// Bytes that are read at a time.
const PIECE: u64 = 1 << 20;

/// What reading a file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadReport {
    /// Bytes given out.
    pub bytes: u64,
    /// How they were had.
    pub healing: Healing,
}

/// How the bytes of a file were had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Healing {
    /// From the file, each chunk verified.
    None,
    /// So many chunks were computed from the rest of their group, and verified.
    Chunks(u64),
    /// From the file, and nothing proves them: it has no parity of what it is now.
    Unproven,
}

impl Protection {
    /// Gives the bytes of a file from `start` up to `end`, or to its end, to `output`, piece by
    /// piece.
    ///
    /// A file that is gone is given back, too, as long as its parity is there and suffices. One
    /// that its owner has changed since it was protected is given as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] for damage beyond repair: what came before it has been given out.
    /// [`Error::Refused`] for a range that the file does not have, and where there is no such file.
    pub fn read(
        &self,
        path: &str,
        start: u64,
        end: Option<u64>,
        run: &Run<'_>,
        output: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<ReadReport> {
        let record = self.metastore.file(path)?;
        let source = self.data.open(path)?;
        let now = source.as_ref().map(|source| source.identity()).transpose()?;
        let set = match &record {
            Some(FileRecord { parity: Some((parity, member)), identity, .. })
                if now.as_ref().is_none_or(|now| now == identity) =>
            {
                self.set(*parity)?.map(|set| (set, *member))
            }
            _ => None,
        };
        let len = match (&set, &now) {
            (Some((set, member)), _) => set.header.members.get(*member).map(|m| m.identity.len),
            (None, Some(now)) => Some(now.len),
            (None, None) => None,
        };
        let Some(len) = len else {
            return Err(Error::Refused(format!("there is no file {path}, and no parity of one")));
        };
        let end = end.unwrap_or(len);
        if start > end || end > len {
            return Err(Error::Refused(format!(
                "{path} has {len} bytes; there are none from {start} to {end}"
            )));
        }
        let healing = match (set, source) {
            (Some((set, member)), source) => {
                let mut reader =
                    Reader { protection: self, set: &set, member, source: source.as_deref(), run };
                match reader.read(start..end, output)? {
                    0 => Healing::None,
                    chunks => Healing::Chunks(chunks),
                }
            }
            (None, Some(source)) => {
                copy(&*source, path, start..end, run, output)?;
                Healing::Unproven
            }
            (None, None) => Healing::Unproven,
        };
        Ok(ReadReport { bytes: end - start, healing })
    }
}

fn copy(
    source: &dyn Source,
    path: &str,
    range: Range<u64>,
    run: &Run<'_>,
    output: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut buffer = vec![0; PIECE.min(range.end - range.start) as usize];
    let mut at = range.start;
    while at < range.end {
        let len = PIECE.min(range.end - at) as usize;
        run.before_reading(len as u64)?;
        let read = source.read_at(&mut buffer[..len], at).map_err(Error::store("read", path))?;
        if read < len {
            return Err(Error::Changed { path: path.to_owned() });
        }
        output(&buffer[..len])?;
        at += len as u64;
    }
    Ok(())
}

struct Reader<'a> {
    protection: &'a Protection,
    set: &'a Set,
    member: usize,
    source: Option<&'a dyn Source>,
    run: &'a Run<'a>,
}

impl Reader<'_> {
    /// Gives out a range of the file; returns how many chunks were rebuilt for it.
    fn read(
        &mut self,
        range: Range<u64>,
        output: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<u64> {
        let len = self.set.header.members[self.member].identity.len;
        let chunk_len = self.set.header.geometry.chunk_len;
        let step = (PIECE / chunk_len).max(1);
        let chunks = range.start / chunk_len..range.end.div_ceil(chunk_len);
        let (mut buffer, mut rebuilt) = (Vec::new(), 0);
        let mut first = chunks.start;
        while first < chunks.end && !range.is_empty() {
            let piece = first..chunks.end.min(first + step);
            let bytes = piece.start * chunk_len..len.min(piece.end * chunk_len);
            buffer.resize((bytes.end - bytes.start) as usize, 0);
            self.run.before_reading(buffer.len() as u64)?;
            let bad: Vec<Chunk> = match self.source {
                Some(source) => {
                    self.set.read_chunks(source, self.member, piece.clone(), &mut buffer)
                }
                None => piece.clone().map(|number| Chunk { of: self.member, number }).collect(),
            };
            if !bad.is_empty() {
                self.rebuild(&bad, bytes.start, &mut buffer)?;
                rebuilt += bad.len() as u64;
            }
            let wanted = range.start.max(bytes.start)..range.end.min(bytes.end);
            output(
                &buffer[(wanted.start - bytes.start) as usize..(wanted.end - bytes.start) as usize],
            )?;
            first = piece.end;
        }
        Ok(rebuilt)
    }

    /// Puts chunks where they belong in a buffer that begins at an offset of the file.
    fn rebuild(&self, bad: &[Chunk], offset: u64, buffer: &mut [u8]) -> Result<()> {
        let (set, member) = (self.set, &self.set.header.members[self.member]);
        if let (Some(source), Some(record)) = (self.source, &set.records[self.member])
            && source.identity()? != record.identity
        {
            // What differs is its owner's work and no damage.
            return Err(Error::Changed { path: record.path.clone() });
        }
        let geometry = &set.header.geometry;
        let mut by_group: BTreeMap<u64, Vec<Chunk>> = BTreeMap::new();
        for &chunk in bad {
            let group = set.chunk_stream(chunk).start / geometry.group_len();
            by_group.entry(group).or_default().push(chunk);
        }
        let mut loaded = Loaded::default();
        for (number, chunks) in by_group {
            let group = geometry.group(number);
            let mut columns: Vec<Range<u64>> =
                chunks.iter().flat_map(|chunk| set.chunk_columns(*chunk, &group)).collect();
            // Cells of codes with sub-shards are rebuilt as a whole.
            if geometry.sub_shards > 1 {
                for column in &mut columns {
                    *column = set.whole_cells(column, &group);
                }
            }
            columns.sort_by_key(|column| column.start);
            columns.dedup();
            set.load(number, Some(&columns), self.protection.stores(), self.run, &mut loaded)?;
            set.repair(number, &mut loaded)?;
            for chunk in chunks {
                let range = set.chunk_stream(chunk);
                let file = range.start - member.start..range.end - member.start;
                if loaded.bad_data.contains(&chunk) {
                    let path = set.path(self.member);
                    return Err(Error::Lost { path, start: file.start, end: file.end });
                }
                let from = (range.start - group.stream.start) as usize
                    ..(range.end - group.stream.start) as usize;
                let to = (file.start - offset) as usize..(file.end - offset) as usize;
                buffer[to].copy_from_slice(&loaded.data[from]);
            }
        }
        Ok(())
    }
}
