//! Encoding, and changing parity as one data unit changes.

use super::plan::{check_count, check_length};
use super::shards::part_mut;
use super::{ErasureCode, sub_shards};
use crate::{Error, Result};

/// Checks what [`ErasureCode::encode`] asks of its shards.
pub(super) fn check<D: AsRef<[u8]>, P: AsMut<[u8]>>(
    code: &impl ErasureCode,
    data: &[D],
    parity: &mut [P],
) -> Result<()> {
    check_count("data shards", code.data_units(), data.len())?;
    check_count("parity shards", code.parity_units(), parity.len())?;
    let longest = data.iter().map(|shard| shard.as_ref().len()).max().unwrap_or(0);
    // Where it does not fit, the error tells the length that was asked for.
    let whole = longest.checked_next_multiple_of(code.sub_shards()).unwrap_or(longest);
    check_parity(parity, whole)
}

/// Checks that every parity shard has `expected` bytes.
pub(super) fn check_parity<P: AsMut<[u8]>>(parity: &mut [P], expected: usize) -> Result<()> {
    for (index, shard) in parity.iter_mut().enumerate() {
        check_length("parity shard", index, expected, shard.as_mut().len())?;
    }
    Ok(())
}

#[inline]
pub(super) fn encode<D: AsRef<[u8]>, P: AsMut<[u8]>>(
    code: &impl ErasureCode,
    data: &[D],
    parity: &mut [P],
) -> Result<()> {
    // Shards of one length in the right numbers are all that `check` could ask for.
    if code.encode_plan().apply_uniform(data, parity, false) {
        return Ok(());
    }
    check(code, data, parity)?;
    code.encode_plan().apply(data, parity)
}

pub(super) fn update<P: AsMut<[u8]>>(
    code: &impl ErasureCode,
    unit: usize,
    old: &[u8],
    new: &[u8],
    parity: &mut [P],
) -> Result<()> {
    if unit >= code.data_units() {
        return Err(Error::NotADataUnit { unit, data_units: code.data_units() });
    }
    check_count("parity shards", code.parity_units(), parity.len())?;
    if code.sub_shards() != 1 {
        return sub_shards::update(code, unit, old, new, parity);
    }
    let longest = old.len().max(new.len());
    check_parity(parity, longest)?;
    let plan = code.encode_plan();
    // Both are added: what was there goes, what comes is put in its place. Beyond the end of the
    // shorter only the longer counts.
    let both = old.len().min(new.len());
    let outputs = parity.iter_mut().map(|shard| part_mut(shard.as_mut(), 0, both));
    plan.change_input(unit, &old[..both], &new[..both], outputs);
    let rest = if old.len() > both { &old[both..] } else { &new[both..] };
    if !rest.is_empty() {
        let outputs = parity.iter_mut().map(|shard| part_mut(shard.as_mut(), both, longest));
        plan.add_input_to(unit, rest, outputs);
    }
    Ok(())
}
