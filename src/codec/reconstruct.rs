//! Rebuilding lost shards in place of `None`, or into the caller's buffers.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::plan::{check_count, check_length};
use super::shards::{Units, check_present, longest, part};
use super::sub_shards::read_part;
use super::{ErasureCode, Plan};
use crate::{Error, Result};

/// Puts back the lost shards among the first `units`.
pub(super) fn reconstruct(
    code: &impl ErasureCode,
    shards: &mut [Option<Vec<u8>>],
    units: usize,
) -> Result<()> {
    reconstruct_with(code, shards, units, |plan, inputs, outputs| plan.apply(inputs, outputs))
}

/// [`reconstruct`] with the function that applies the plan.
pub(super) fn reconstruct_with(
    code: &impl ErasureCode,
    shards: &mut [Option<Vec<u8>>],
    units: usize,
    apply: impl FnOnce(&Plan, &[&[u8]], &mut [Vec<u8>]) -> Result<()>,
) -> Result<()> {
    check_present(code, shards)?;
    check_lengths(code, shards)?;
    let lost = Units::collect((0..units).filter(|&unit| shards[unit].is_none()));
    let plan = code.plan(&Units::present(shards), &lost)?;
    let sub_len = longest(shards).div_ceil(code.sub_shards());
    let mut rebuilt = vec![vec![0; sub_len * code.sub_shards()]; lost.len()];
    let inputs: Vec<&[u8]> = plan
        .reads()
        .iter()
        .filter_map(|read| Some(read_part(shards[read.unit].as_deref()?, read, sub_len)))
        .collect();
    apply(&plan, &inputs, &mut rebuilt)?;
    for (&unit, shard) in lost.iter().zip(rebuilt) {
        shards[unit] = Some(shard);
    }
    Ok(())
}

/// Parity shards have one length, and no data shard is longer: anything else is a shard that was
/// cut or read short, and would be taken for one that continues with zeros.
fn check_lengths<S: AsRef<[u8]>>(code: &impl ErasureCode, shards: &[Option<S>]) -> Result<()> {
    let lens = |units: Range<usize>| {
        let len = |unit: usize| shards[unit].as_ref().map(|shard| shard.as_ref().len());
        units.filter_map(move |unit| Some((unit, len(unit)?)))
    };
    let k = code.data_units();
    let Some(expected) = lens(k..code.total_units()).map(|(_, len)| len).max() else {
        return Ok(());
    };
    for (index, got) in lens(k..code.total_units()) {
        check_length("parity shard of unit", index, expected, got)?;
    }
    match lens(0..k).find(|&(_, len)| len > expected) {
        Some((index, got)) => {
            Err(Error::TooLong { what: "data shard", index, most: expected, got })
        }
        None => Ok(()),
    }
}

pub(super) fn reconstruct_into<S: AsRef<[u8]>, O: AsMut<[u8]>>(
    code: &impl ErasureCode,
    shards: &[Option<S>],
    range: Range<usize>,
    wanted: &mut [(usize, O)],
) -> Result<()> {
    check_count("shards", code.total_units(), shards.len())?;
    check_lengths(code, shards)?;
    let len = longest(shards);
    if range.start > range.end || range.end > len {
        return Err(Error::Range {
            start: range.start as u64,
            end: range.end as u64,
            len: len as u64,
        });
    }
    for (unit, buffer) in wanted.iter_mut() {
        let got = buffer.as_mut().len();
        if got > range.len() {
            let most = range.len();
            return Err(Error::TooLong { what: "buffer for unit", index: *unit, most, got });
        }
    }
    if wanted.len() > code.total_units() {
        check_count("units wanted", code.total_units(), wanted.len())?;
    }
    let units = Units::collect(wanted.iter().map(|(unit, _)| *unit));
    let available =
        Units::collect(Units::present(shards).iter().copied().filter(|unit| !units.contains(unit)));
    let plan = code.plan(&available, &units)?;
    if code.sub_shards() == 1 {
        let inputs = plan.reads().iter().filter_map(|read| {
            shards[read.unit].as_ref().map(|shard| part(shard.as_ref(), range.start, range.end))
        });
        let outputs = wanted.iter_mut().map(|(_, buffer)| buffer.as_mut());
        plan.run_dense(inputs, outputs, false);
        return Ok(());
    }
    Err(Error::Invalid {
        what: "code",
        got: "with sub-shards".into(),
        expected: "one whose shards can be rebuilt by byte ranges; use its plan",
    })
}
