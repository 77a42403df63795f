//! Lists of shards: how many there are, which are there, how long they are.

use alloc::vec::Vec;

use super::plan::check_count;
use super::{ErasureCode, MAX_UNITS};
use crate::{Error, Result};

/// All units of a group that are there, in the order in which methods like
/// [`ErasureCode::verify`] take them: the data shards, then the parity shards.
///
/// ```
/// let shards = restripe::present(&["ab", "cd"], &["ef"]);
/// assert_eq!(shards, [Some(&b"ab"[..]), Some(b"cd"), Some(b"ef")]);
/// ```
#[must_use]
pub fn present<'a, D: AsRef<[u8]>, P: AsRef<[u8]>>(
    data: &'a [D],
    parity: &'a [P],
) -> Vec<Option<&'a [u8]>> {
    let data = data.iter().map(|shard| Some(shard.as_ref()));
    data.chain(parity.iter().map(|shard| Some(shard.as_ref()))).collect()
}

/// Up to [`MAX_UNITS`] unit indexes, on the stack.
pub(super) struct Units {
    units: [usize; MAX_UNITS],
    count: usize,
}

impl Units {
    /// The first [`MAX_UNITS`] of the units given: all of them, where they are units of one code
    /// without a repeat.
    pub(super) fn collect(units: impl Iterator<Item = usize>) -> Self {
        let mut list = Self { units: [0; MAX_UNITS], count: 0 };
        for (slot, unit) in list.units.iter_mut().zip(units) {
            *slot = unit;
            list.count += 1;
        }
        list
    }

    /// The units whose shards are there.
    pub(super) fn present<S>(shards: &[Option<S>]) -> Self {
        Self::collect((0..shards.len()).filter(|&unit| shards[unit].is_some()))
    }
}

impl core::ops::Deref for Units {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.units[..self.count]
    }
}

/// Checks that there is an entry for every unit, and shards in at least k of them if the code is
/// MDS. (Of another code only a plan can tell.)
pub(super) fn check_present<S>(
    code: &(impl ErasureCode + ?Sized),
    shards: &[Option<S>],
) -> Result<()> {
    check_count("shards", code.total_units(), shards.len())?;
    let available = shards.iter().flatten().count();
    if available < code.data_units() && code.mds().is_known() {
        return Err(Error::TooFewUnits { required: code.data_units(), available });
    }
    Ok(())
}

/// The length of the longest shard.
pub(super) fn longest<S: AsRef<[u8]>>(shards: &[Option<S>]) -> usize {
    shards.iter().flatten().map(|shard| shard.as_ref().len()).max().unwrap_or(0)
}

/// Bytes `start..end` of a shard, as far as it goes.
pub(super) fn part(shard: &[u8], start: usize, end: usize) -> &[u8] {
    &shard[shard.len().min(start)..shard.len().min(end)]
}

/// The bytes of a shard from `start` on, at most `end - start`.
pub(super) fn part_mut(shard: &mut [u8], start: usize, end: usize) -> &mut [u8] {
    let len = shard.len();
    &mut shard[len.min(start)..len.min(end)]
}
