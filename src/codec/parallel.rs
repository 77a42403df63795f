//! Plans on several cores: byte ranges of large shards, in the caller's rayon pool.

use alloc::vec::Vec;
use std::sync::{Mutex, PoisonError};

use super::Plan;
use super::plan::check_count;
use super::shards::part;
use crate::Result;

/// Bytes of inputs and outputs together below which one core is used. Waking another takes some
/// microseconds, in which one core gets a megabyte done: see the part `cores` of
/// `differential/benches/codes`.
pub(crate) const WORTH_SHARING: usize = 2 * 1024 * 1024;

/// Bytes of inputs and outputs together that a core takes at a time, at the least: few enough that
/// cores which begin late or are slow find less to do.
const PIECE: usize = 256 * 1024;

/// Pieces that there are of a call at the most, for each core.
const PIECES_A_CORE: usize = 8;

/// Ranges begin at multiples of this many bytes, so that no two cores write one page or meet
/// partial vectors in mid-shard.
pub(crate) const GRAIN: usize = 4096;

impl Plan {
    /// [`apply`](Self::apply) on several cores: the shards are cut into byte ranges, which the calling
    /// thread and the rayon pool that the call is made in take in turn.
    ///
    /// Below 2 MiB of inputs and outputs together, and for plans with sub-shards or several
    /// steps, the calling core works alone. Shards far larger than the caches are bound by memory:
    /// there the gain is small, and with few cores none.
    ///
    /// ```
    /// use restripe::{ErasureCode, ReedSolomon};
    /// let code = ReedSolomon::new(6, 3)?;
    /// let data = vec![vec![1; 1 << 20]; 6];
    /// let mut parity = vec![vec![0; 1 << 20]; 3];
    /// code.encode_plan().apply_parallel(&data, &mut parity)?;
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn apply_parallel<I: AsRef<[u8]>, O: AsMut<[u8]>>(
        &self,
        inputs: &[I],
        outputs: &mut [O],
    ) -> Result<()> {
        let cores = rayon::current_num_threads();
        let mut len = 0;
        for output in outputs.iter_mut() {
            len = len.max(output.as_mut().len());
        }
        let total = len.saturating_mul(inputs.len() + outputs.len());
        if cores == 1 || total < WORTH_SHARING || !self.is_dense_over_whole_shards() {
            return self.apply(inputs, outputs);
        }
        check_count("inputs", self.reads().len(), inputs.len())?;
        check_count("outputs", self.outputs().len(), outputs.len())?;
        let inputs: Vec<&[u8]> = inputs.iter().map(AsRef::as_ref).collect();
        let mut rest: Vec<&mut [u8]> = outputs.iter_mut().map(AsMut::as_mut).collect();
        let pieces = (total / PIECE).clamp(cores, PIECES_A_CORE * cores);
        let range_len = len.div_ceil(pieces).next_multiple_of(GRAIN);
        let mut ranges = Vec::with_capacity(pieces);
        for start in (0..len).step_by(range_len) {
            let mut heads = Vec::with_capacity(rest.len());
            for output in &mut rest {
                let cut = output.len().min(range_len);
                heads.push(output.split_off_mut(..cut).unwrap_or_default());
            }
            ranges.push((start, heads));
        }
        let helpers = (cores - 1).min(ranges.len() - 1);
        let ranges = Mutex::new(ranges.into_iter());
        let take_ranges = || {
            // A statement of its own, so that the lock is not held while a range is computed.
            let next = || ranges.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some((start, mut heads)) = next() {
                let inputs = inputs.iter().map(|input| part(input, start, start + range_len));
                let outputs = heads.iter_mut().map(|head| &mut **head);
                self.run_dense_part(inputs, outputs, len);
            }
        };
        // The caller begins at once; who is still asleep comes to what is left then.
        rayon::in_place_scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(|_| take_ranges());
            }
            take_ranges();
        });
        Ok(())
    }
}
