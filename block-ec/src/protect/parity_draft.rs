//! A parity file in the making: parity units, then header and footer, then all of it read back.

use crate::error::{Error, Result};
use crate::geometry::Geometry;
use crate::header::Header;
use crate::protection::parity_path;
use crate::run::{Run, for_each};
use crate::set::Set;
use crate::store::{Draft, Publish, Published, Source, Store};

/// Bytes that are read back at a time: little enough to stay in a core's cache.
const PIECE: u64 = 256 << 10;

/// A parity file that is not yet at its path.
pub(crate) struct ParityDraft {
    path: String,
    draft: Box<dyn Draft>,
}

impl ParityDraft {
    /// Begins the parity file with a number; `len` is that of its parity units.
    pub(crate) fn begin(store: &dyn Store, sequence: u64, len: u64) -> Result<Self> {
        let path = parity_path(sequence);
        let draft = store.create(&path, sequence, len)?;
        Ok(Self { path, draft })
    }

    /// Writes parity of a group.
    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.draft.write_at(bytes, offset)
    }

    /// Ends it: header and footer are written, everything is put on the disk, read back and
    /// verified, and only then the file gets its path. Returns its length.
    pub(crate) fn finish(
        mut self,
        header: &Header,
        store: &dyn Store,
        threads: usize,
        run: &Run<'_>,
    ) -> Result<u64> {
        let tail = header.tail();
        let parity_len = header.geometry.parity_len();
        self.draft.write_at(&tail, parity_len)?;
        self.draft.sync()?;
        let len = parity_len + tail.len() as u64;
        let read_back = self.draft.read_back()?;
        if let Some(source) = &read_back {
            verify(&**source, header, len, &self.path, threads, run)?;
        }
        match self.draft.publish(Publish::New)? {
            Published::Done(_) => {}
            Published::Changed => return Err(Error::Changed { path: self.path }),
        }
        if read_back.is_none() {
            let missing = || Error::Format { path: self.path.clone(), what: "it is not there" };
            let source = store.open(&self.path)?.ok_or_else(missing)?;
            verify(&*source, header, len, &self.path, threads, run)?;
        }
        Ok(len)
    }
}

/// Holds what is on the disk against what was to be written.
fn verify(
    source: &dyn Source,
    header: &Header,
    len: u64,
    path: &str,
    threads: usize,
    run: &Run<'_>,
) -> Result<()> {
    let wrong = |what| Error::Format { path: path.to_owned(), what };
    if Header::read(source, len, path)? != *header {
        return Err(wrong("its header was not read back as it was written"));
    }
    let set = Set::new(0, header.clone(), path.to_owned(), Vec::new())?;
    let Geometry { parity_units, chunk_len, .. } = header.geometry;
    let piece_len = (PIECE / chunk_len).max(1) * chunk_len;
    for_each(header.geometry.groups() as usize, threads, Vec::new, |buffer, number| {
        let group = header.geometry.group(number as u64);
        run.before_reading(0)?;
        for unit in 0..parity_units {
            let unit_start = group.parity_start + unit as u64 * group.parity_len;
            for start in (0..group.parity_len).step_by(piece_len as usize) {
                buffer.resize(piece_len.min(group.parity_len - start) as usize, 0);
                let read = source.read_at(buffer, unit_start + start);
                let read = read.map_err(Error::store("read back", path))?;
                let first = start / chunk_len;
                if read < buffer.len() || !set.parity_is_good(number as u64, unit, first, buffer) {
                    return Err(wrong("it was not read back as it was written"));
                }
            }
        }
        Ok(())
    })
}
