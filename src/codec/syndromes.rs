//! Syndromes: what each surplus shard differs by from what the others say it should be.

use alloc::sync::Arc;
use alloc::vec;
use core::ops::{ControlFlow, Range};

use super::shards::{Units, check_present, longest, part};
use super::{ErasureCode, Plan, solve, sub_shards};
use crate::{Error, Result};

/// Bytes of all syndromes together that are computed at a time: they stay in cache while they
/// are looked at.
const TILE: usize = 16 * 1024;

/// Bytes that [`verify`] looks at together where shards do not agree.
const ALIGN: usize = 64;

/// What [`ErasureCode::verify`] found.
///
/// ```
/// use restripe::{Consistency, ErasureCode, ReedSolomon};
///
/// let code = ReedSolomon::new(2, 1)?;
/// let mut parity = [[0; 4]];
/// code.encode(&[b"abcd", b"efgh"], &mut parity)?;
/// let mut shards = [Some(*b"abcd"), Some(*b"efgh"), Some(parity[0])];
/// assert_eq!(code.verify(&shards)?, Consistency::Consistent);
/// shards[1] = Some(*b"efgH");
/// assert_eq!(code.verify(&shards)?, Consistency::Inconsistent);
/// shards[0] = None; // two units determine the third, and nothing is left to compare
/// assert_eq!(code.verify(&shards)?, Consistency::NothingToCheck);
/// # Ok::<(), restripe::Error>(())
/// ```
#[must_use = "disagreement is not an error but this value"]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Consistency {
    /// All shards agree. (More wrong shards than there are surplus ones can agree by accident,
    /// or be made to.)
    Consistent,
    /// At least one shard is wrong.
    Inconsistent,
    /// There is no shard beyond those that determine the rest, so nothing was compared.
    NothingToCheck,
}

/// The shards that are there, as a basis that determines the others and the surplus to compare.
pub(super) struct Syndromes {
    /// Computes the surplus units from the basis.
    pub(super) plan: Arc<Plan>,
}

impl Syndromes {
    pub(super) fn new<S>(code: &impl ErasureCode, shards: &[Option<S>]) -> Result<Self> {
        check_present(code, shards)?;
        if code.sub_shards() != 1 {
            return Err(Error::Invalid {
                what: "code",
                got: "with sub-shards".into(),
                expected: "one without; take the code of its sub-shards (over_sub_shards)",
            });
        }
        let present = Units::present(shards);
        let plan = if code.mds().is_known() {
            let (basis, surplus) = present.split_at(code.data_units());
            code.plan(basis, surplus)?
        } else {
            let basis = solve::independent(code.parity_rows(), &present);
            let surplus = Units::collect(present.iter().copied().filter(|u| !basis.contains(u)));
            code.plan(&basis, &surplus)?
        };
        Ok(Self { plan })
    }

    /// Calls `look` with byte ranges and the syndromes of each, a slice for each surplus unit.
    /// Ranges are at most `TILE` bytes over all syndromes and do not cross a multiple of `align`.
    /// Where `align` is no more than that, ranges in which all agree may be left out.
    pub(super) fn for_each<S: AsRef<[u8]>>(
        &self,
        shards: &[Option<S>],
        align: usize,
        mut look: impl FnMut(Range<usize>, &[&[u8]]) -> ControlFlow<()>,
    ) {
        let surplus = self.plan.outputs();
        let len = longest(shards);
        if surplus.is_empty() {
            return;
        }
        let mut tile = (TILE / surplus.len()).max(64);
        if align < tile {
            tile -= tile % align;
        }
        let mut buffer = vec![0; tile * surplus.len()];
        let shard = |unit: usize| shards[unit].as_ref().map_or(&[][..], AsRef::as_ref);
        let mut start = 0;
        while start < len {
            let to_boundary = if align < tile { tile } else { align - start % align };
            let end = len.min(start + tile.min(to_boundary));
            let piece = end - start;
            let inputs = self.plan.reads().iter().map(|read| part(shard(read.unit), start, end));
            let outputs = buffer.chunks_exact_mut(tile).map(|computed| &mut computed[..piece]);
            self.plan.run_dense(inputs, outputs, false);
            let stored = |unit: usize| part(shard(unit), start, end);
            let agree = buffer.chunks_exact(tile).zip(surplus).all(|(computed, &unit)| {
                let (there, missing) = computed[..piece].split_at(stored(unit).len());
                there == stored(unit) && is_zero(missing)
            });
            if !agree || align > tile {
                for (computed, &unit) in buffer.chunks_exact_mut(tile).zip(surplus) {
                    let pairs = computed.iter_mut().zip(stored(unit));
                    pairs.for_each(|(computed, stored)| *computed ^= stored);
                }
                let mut first = 0;
                while first < piece {
                    let last = piece.min(first + (align - (start + first) % align));
                    let mut syndromes = [&[][..]; super::MAX_UNITS];
                    for (slot, syndrome) in syndromes.iter_mut().zip(buffer.chunks_exact(tile)) {
                        *slot = &syndrome[first..last];
                    }
                    let range = start + first..start + last;
                    if look(range, &syndromes[..surplus.len()]).is_break() {
                        return;
                    }
                    first = last;
                }
            }
            start = end;
        }
    }
}

/// Whether all bytes are 0.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |all, byte| all | byte) == 0
}

pub(super) fn verify<S: AsRef<[u8]>>(
    code: &impl ErasureCode,
    shards: &[Option<S>],
) -> Result<Consistency> {
    if code.sub_shards() != 1 {
        return sub_shards::verify(code, shards);
    }
    let syndromes = Syndromes::new(code, shards)?;
    if syndromes.plan.outputs().is_empty() {
        return Ok(Consistency::NothingToCheck);
    }
    let mut consistency = Consistency::Consistent;
    syndromes.for_each(shards, ALIGN, |_, syndromes| {
        if syndromes.iter().all(|syndrome| is_zero(syndrome)) {
            return ControlFlow::Continue(());
        }
        consistency = Consistency::Inconsistent;
        ControlFlow::Break(())
    });
    Ok(consistency)
}
