//! Calls on large shards, cut into byte ranges for the threads of a codec.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::checksum::ChunkedChecksum;
use crate::codec::{GRAIN, WORTH_SHARING};
use crate::{Consistency, ErasureCode, Result};

/// The ranges that shards of `len` bytes are cut into; one where it does not pay.
fn ranges(
    pool: &ThreadPool,
    code: &Arc<dyn ErasureCode>,
    len: usize,
    chunk: usize,
) -> impl Iterator<Item = Range<usize>> {
    let is_worth = len.saturating_mul(code.total_units()) >= WORTH_SHARING;
    // Halves of shards have to be together.
    let threads = if is_worth && code.sub_shards() == 1 { pool.current_num_threads() } else { 1 };
    let share = len.div_ceil(threads).max(1);
    let range_len = share.next_multiple_of(GRAIN.next_multiple_of(chunk).max(chunk));
    (0..len.max(1)).step_by(range_len).map(move |start| start..len.min(start + range_len))
}

fn part<'a>(shard: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    &shard[range.start.min(shard.len())..range.end.min(shard.len())]
}

/// Takes the first bytes of each buffer, as many as `len_of` says of its index.
fn split_off<'a>(
    buffers: &mut [&'a mut [u8]],
    len_of: impl Fn(usize) -> usize,
) -> Vec<&'a mut [u8]> {
    let cut = |(index, buffer): (usize, &mut &'a mut [u8])| {
        let len = len_of(index).min(buffer.len());
        buffer.split_off_mut(..len).unwrap_or_default()
    };
    buffers.iter_mut().enumerate().map(cut).collect()
}

/// [`ErasureCode::encode_with_checksums`], where every shard of checksums has as many bytes as it
/// must.
pub(super) fn encode_with_checksums(
    pool: &ThreadPool,
    code: &Arc<dyn ErasureCode>,
    checksum: &ChunkedChecksum,
    data: &[&[u8]],
    parity: &mut [&mut [u8]],
    data_sums: &mut [&mut [u8]],
    parity_sums: &mut [&mut [u8]],
) -> Result<()> {
    let len = parity.iter().map(|shard| shard.len()).max().unwrap_or(0);
    let is_regular = parity.iter().all(|shard| shard.len() == len)
        && data.iter().all(|shard| shard.len() <= len);
    let chunk = checksum.bytes_per_checksum();
    let cuts: Vec<Range<usize>> = ranges(pool, code, len, chunk).collect();
    if !is_regular || cuts.len() == 1 {
        return code.encode_with_checksums(checksum, data, parity, data_sums, parity_sums);
    }
    let sums_len = |len: usize| len.div_ceil(chunk) * checksum.kind().size();
    let jobs: Vec<_> = cuts
        .into_iter()
        .map(|range| {
            let parts: Vec<&[u8]> = data.iter().map(|shard| part(shard, &range)).collect();
            let of_data = split_off(data_sums, |index| sums_len(parts[index].len()));
            let of_parity = split_off(parity_sums, |_| sums_len(range.len()));
            (parts, split_off(parity, |_| range.len()), of_data, of_parity)
        })
        .collect();
    pool.install(|| {
        jobs.into_par_iter().try_for_each(|(data, mut parity, mut data_sums, mut parity_sums)| {
            code.encode_with_checksums(
                checksum,
                &data,
                &mut parity,
                &mut data_sums,
                &mut parity_sums,
            )
        })
    })
}

/// [`ErasureCode::verify`].
pub(super) fn verify(
    pool: &ThreadPool,
    code: &Arc<dyn ErasureCode>,
    shards: &[Option<&[u8]>],
) -> Result<Consistency> {
    let len = shards.iter().flatten().map(|shard| shard.len()).max().unwrap_or(0);
    let cuts: Vec<Range<usize>> = ranges(pool, code, len, 1).collect();
    if cuts.len() == 1 {
        return code.verify(shards);
    }
    let of_range = |range: Range<usize>| {
        let parts: Vec<Option<&[u8]>> =
            shards.iter().map(|shard| shard.map(|shard| part(shard, &range))).collect();
        code.verify(&parts)
    };
    let answers: Vec<Consistency> =
        pool.install(|| cuts.into_par_iter().map(of_range).collect::<Result<_>>())?;
    let is_wrong = answers.contains(&Consistency::Inconsistent);
    Ok(if is_wrong { Consistency::Inconsistent } else { answers[0] })
}
