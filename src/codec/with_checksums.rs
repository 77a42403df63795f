//! Coding and chunk checksums in one pass over memory.
//!
//! Shards are gone through by tiles that stay in the second-level cache: what the products of a
//! tile have read and written is still there for its checksums. Out of memory, each byte comes
//! once. The products come first because they read all shards at once, each from its beginning to
//! its end, which prefetchers follow best: the other way round, 16 MiB a shard took a quarter more.

use core::ops::Range;

use super::plan::check_count;
use super::shards::{part, part_mut};
use super::{ErasureCode, MAX_UNITS, Plan, encode};
use crate::checksum::{ChunkedChecksum, Progress};
use crate::kernel::MemoryPolicy;
use crate::{Error, Result};

/// The fewest bytes of one shard that are gone through at a time, unless chunks make it less.
const MIN_TILE: usize = 8 * 1024;

/// Tiles of chunks longer than a tile are multiples of this many bytes, so that vectors are whole.
const GRAIN: usize = 4096;

pub(super) fn encode_with_checksums<D, P, S, T>(
    code: &impl ErasureCode,
    checksum: &ChunkedChecksum,
    data: &[D],
    parity: &mut [P],
    data_sums: &mut [S],
    parity_sums: &mut [T],
) -> Result<()>
where
    D: AsRef<[u8]>,
    P: AsMut<[u8]>,
    S: AsMut<[u8]>,
    T: AsMut<[u8]>,
{
    encode::check(code, data, parity)?;
    check_count("checksums of data shards", data.len(), data_sums.len())?;
    for (index, (shard, sums)) in data.iter().zip(data_sums.iter_mut()).enumerate() {
        let (len, got) = (shard.as_ref().len(), sums.as_mut().len());
        check_sums_len(checksum, "checksums of data shard", index, len, got)?;
    }
    check_outputs(checksum, "checksums of parity shard", parity, parity_sums)?;
    run(code.encode_plan(), checksum, data, parity, parity_sums, |index, range, progress| {
        let sums = data_sums[index].as_mut();
        checksum.compute_part(data[index].as_ref(), range, progress, sums);
        Ok(())
    })
}

impl Plan {
    /// [`apply`](Self::apply), with every input verified against its chunk checksums and those of
    /// the outputs computed, in one pass over memory.
    ///
    /// `input_sums` and `output_sums` have an array of checksums for every input and output, each
    /// as long as [`sums_len`](ChunkedChecksum::sums_len) says for the shard's own length. The
    /// first bytes of all shards begin a chunk. Bytes of an input beyond the longest output are
    /// verified, too.
    ///
    /// Nothing is allocated for plans of one step over whole shards, as all of Reed-Solomon are.
    ///
    /// ```
    /// use restripe::checksum::{ChecksumKind, ChunkedChecksum};
    /// use restripe::{ErasureCode, ReedSolomon};
    ///
    /// let code = ReedSolomon::new(2, 1)?;
    /// let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 4)?;
    /// let data = [*b"restripe", *b"your dat"];
    /// let (mut parity, mut data_sums, mut parity_sums) = ([[0; 8]], [[0; 8]; 2], [[0; 8]]);
    /// code.encode_with_checksums(&checksum, &data, &mut parity, &mut data_sums, &mut parity_sums)?;
    ///
    /// let plan = code.plan(&[1, 2], &[0])?;
    /// let (inputs, input_sums) = ([data[1], parity[0]], [data_sums[1], parity_sums[0]]);
    /// let (mut rebuilt, mut rebuilt_sums) = ([[0; 8]], [[0; 8]]);
    /// plan.apply_with_checksums(
    ///     &checksum, &inputs, &input_sums, &mut rebuilt, &mut rebuilt_sums,
    /// )?;
    /// assert_eq!((rebuilt[0], rebuilt_sums[0]), (data[0], data_sums[0]));
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply); [`Error::Count`] and [`Error::Length`] where the checksums do
    /// not fit the shards; the outputs are then unchanged.
    /// [`Error::UnitChecksumMismatch`] for a chunk of an input that does not have its checksum:
    /// outputs and their checksums are then of no use, for some of them are written.
    pub fn apply_with_checksums<I, S, O, T>(
        &self,
        checksum: &ChunkedChecksum,
        inputs: &[I],
        input_sums: &[S],
        outputs: &mut [O],
        output_sums: &mut [T],
    ) -> Result<()>
    where
        I: AsRef<[u8]>,
        S: AsRef<[u8]>,
        O: AsMut<[u8]>,
        T: AsMut<[u8]>,
    {
        check_count("inputs", self.reads().len(), inputs.len())?;
        check_count("outputs", self.outputs().len(), outputs.len())?;
        check_count("checksums of inputs", inputs.len(), input_sums.len())?;
        for (index, (shard, sums)) in inputs.iter().zip(input_sums).enumerate() {
            let (len, got) = (shard.as_ref().len(), sums.as_ref().len());
            check_sums_len(checksum, "checksums of input", index, len, got)?;
        }
        check_outputs(checksum, "checksums of output", outputs, output_sums)?;
        run(self, checksum, inputs, outputs, output_sums, |index, range, progress| {
            let (shard, sums) = (inputs[index].as_ref(), input_sums[index].as_ref());
            checksum.verify_part(shard, range, progress, sums).map_err(|mismatch| {
                Error::UnitChecksumMismatch {
                    unit: self.reads()[index].unit,
                    chunk: mismatch.chunk,
                    offset: mismatch.chunk * checksum.bytes_per_checksum(),
                    expected: mismatch.expected,
                    found: mismatch.found,
                }
            })
        })
    }
}

fn check_outputs<O: AsMut<[u8]>, T: AsMut<[u8]>>(
    checksum: &ChunkedChecksum,
    what: &'static str,
    outputs: &mut [O],
    sums: &mut [T],
) -> Result<()> {
    check_count("checksums of outputs", outputs.len(), sums.len())?;
    for (index, (shard, sums)) in outputs.iter_mut().zip(sums).enumerate() {
        let (len, got) = (shard.as_mut().len(), sums.as_mut().len());
        check_sums_len(checksum, what, index, len, got)?;
    }
    Ok(())
}

fn check_sums_len(
    checksum: &ChunkedChecksum,
    what: &'static str,
    index: usize,
    shard_len: usize,
    got: usize,
) -> Result<()> {
    let expected = checksum.sums_len(shard_len as u64)?;
    if got as u64 == expected {
        return Ok(());
    }
    let expected = usize::try_from(expected).unwrap_or(usize::MAX);
    Err(Error::Length { what, index, expected, got })
}

/// Applies a plan tile by tile. After every tile `see_input` sees each input, and then come the
/// checksums of the outputs. All buffers have been checked.
fn run<I: AsRef<[u8]>, O: AsMut<[u8]>, T: AsMut<[u8]>>(
    plan: &Plan,
    checksum: &ChunkedChecksum,
    inputs: &[I],
    outputs: &mut [O],
    output_sums: &mut [T],
    mut see_input: impl FnMut(usize, Range<usize>, &mut Progress) -> Result<()>,
) -> Result<()> {
    let mut len = inputs.iter().map(|input| input.as_ref().len()).max().unwrap_or(0);
    for output in outputs.iter_mut() {
        len = len.max(output.as_mut().len());
    }
    let by_tiles = plan.can_be_cut();
    let tile = match by_tiles {
        true => {
            let tile_of_all = MemoryPolicy::selected()?.tile;
            let shards = inputs.len() + outputs.len();
            tile_len(tile_of_all, len, shards, checksum.bytes_per_checksum())
        }
        false => len,
    };
    // A serialised plan may read a unit in many pieces, but no plan of a code does so.
    if inputs.len() > MAX_UNITS {
        return Err(Error::Count { what: "inputs", expected: MAX_UNITS, got: inputs.len() });
    }
    let mut seen = [Progress::START; MAX_UNITS];
    let mut computed = [Progress::START; MAX_UNITS];
    let mut start = 0;
    while start < len {
        let end = len.min(start.saturating_add(tile));
        if by_tiles {
            plan.run_dense(
                inputs.iter().map(|input| part(input.as_ref(), start, end)),
                outputs.iter_mut().map(|output| part_mut(output.as_mut(), start, end)),
                false,
            );
        } else {
            plan.apply(inputs, outputs)?;
        }
        for (index, progress) in seen[..inputs.len()].iter_mut().enumerate() {
            see_input(index, start..end, progress)?;
        }
        let outputs = outputs.iter_mut().zip(output_sums.iter_mut());
        for ((output, sums), progress) in outputs.zip(&mut computed) {
            checksum.compute_part(output.as_mut(), start..end, progress, sums.as_mut());
        }
        start = end;
    }
    Ok(())
}

/// Bytes of every shard that are gone through at a time, of all together at most `tile_of_all` or
/// so: equal parts of `len`, and whole chunks where those are not longer, since a chunk in two pieces
/// costs more.
fn tile_len(tile_of_all: usize, len: usize, shards: usize, bytes_per_checksum: usize) -> usize {
    let most = (tile_of_all / shards.max(1)).max(MIN_TILE);
    let even = len.div_ceil(len.div_ceil(most).max(1));
    let grain = if bytes_per_checksum <= most { bytes_per_checksum } else { GRAIN };
    even.div_ceil(grain).max(1) * grain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_even_and_made_of_whole_chunks() {
        const TILE_OF_ALL: usize = 640 << 10;
        let tile_len = |len, shards, chunk_len| tile_len(TILE_OF_ALL, len, shards, chunk_len);
        assert_eq!(tile_len(65536, 9, 512), 65536);
        assert_eq!(tile_len(65536, 14, 512), 32768);
        assert_eq!(tile_len(16 << 20, 9, 512), 72704);
        assert_eq!(tile_len(1_000_000, 9, 1000), 72_000);
        for len in [0, 1, 511, 70_000, 1_000_000, usize::MAX] {
            for shards in [0, 1, 9, 70, 256] {
                for chunk_len in [1, 512, 1000, 8192] {
                    let tile = tile_len(len, shards, chunk_len);
                    assert!(tile > 0 && tile.is_multiple_of(chunk_len), "{len} {shards}");
                    assert!(tile <= TILE_OF_ALL / shards.max(1) + MIN_TILE + chunk_len);
                }
                assert!(tile_len(len, shards, 1 << 20).is_multiple_of(GRAIN));
            }
        }
    }
}
