//! Plans: made, asked, restricted, sent, applied.

use alloc::sync::Arc;
use core::ffi::c_int;
use core::ptr;

use rayon::ThreadPool;

use super::arguments::{
    self, Handle, Outcome, borrow, check_count, give, input, inputs, outputs, values, write,
};
use super::codec::Codec;
use super::status::{Failure, guard};
use crate::{ErasureCode, Error, ReadCost};

/// How to compute some units of a code from others: which units to read, what of them, and which
/// come out. Immutable: any number of threads may use one at the same time, and only
/// restripe_plan_free must be alone. It does not need the codec that made it.
pub struct Plan {
    plan: Arc<crate::Plan>,
    threads: Option<Arc<ThreadPool>>,
}

impl Handle for Plan {
    const MARK: u64 = u64::from_be_bytes(*b"rs plan ");
    const NAME: &'static str = "plan";
}

/// What a plan reads of one unit: `count` sub-shards from `first_sub` on. Where a shard has one
/// sub-shard, as in all codes but Hitchhiker's, that is always 0 and 1: the whole shard.
#[repr(C)]
pub struct ReadOut {
    /// The unit.
    pub unit: usize,
    /// The first sub-shard that is read.
    pub first_sub: usize,
    /// How many, one behind the other.
    pub count: usize,
}

/// Makes the plan that computes the units `wanted`, in that order, from some of `available`, and
/// writes its handle to `plan`. It is the caller's, to be freed by restripe_plan_free.
///
/// Both lists may be in any order and hold data and parity units. Exactly the units wanted are
/// computed. `available` is taken as an order of preference: where any k units do, the first k are
/// read; codes that can read less for a repair read the fewest bytes. A data unit that is known to
/// be all zeros costs nothing: name it first, and give it 0 bytes when the plan is applied.
///
/// RESTRIPE_ERROR_UNIT, RESTRIPE_ERROR_DUPLICATE_UNIT: in the lists;
/// RESTRIPE_ERROR_TOO_FEW_UNITS, RESTRIPE_ERROR_NOT_RECOVERABLE: `available` does not give them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_new(
    codec: *const Codec,
    available: *const usize,
    available_count: usize,
    wanted: *const usize,
    wanted_count: usize,
    plan: *mut *mut Plan,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let codec = borrow(codec)?;
            let available = values("available", available, available_count)?;
            let wanted = values("wanted", wanted, wanted_count)?;
            let made = codec.code.plan(available, wanted)?;
            give(plan, Plan { plan: made, threads: codec.threads.clone() })
        }
    })
}

/// As restripe_plan_new, from those of `available` that cost least to read: `costs` has a number
/// for every unit of the code, the cost of reading all of it (0 for what costs nothing), and
/// `cost_count` says how many; NULL and 0 stand for one byte being as dear as another. Where
/// several choices cost the same, the first of `available` are read.
///
/// Also RESTRIPE_ERROR_COUNT: another number of costs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_new_cheapest(
    codec: *const Codec,
    available: *const usize,
    available_count: usize,
    wanted: *const usize,
    wanted_count: usize,
    costs: *const u64,
    cost_count: usize,
    plan: *mut *mut Plan,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let codec = borrow(codec)?;
            let available = values("available", available, available_count)?;
            let wanted = values("wanted", wanted, wanted_count)?;
            let costs = values("costs", costs, cost_count)?;
            let cost = if costs.is_empty() { ReadCost::Bytes } else { ReadCost::Sources(costs) };
            let made = codec.code.cheapest_plan(available, wanted, cost)?;
            give(plan, Plan { plan: made, threads: codec.threads.clone() })
        }
    })
}

/// Writes the share of some of the units that `plan` reads to `restricted`: a plan over those
/// alone, in the order of `plan`, whose outputs xor with the shares of the other units to what
/// `plan` computes. So machines that hold a few units each can send one sum instead of their
/// units. It is the caller's, to be freed by restripe_plan_free.
///
/// RESTRIPE_ERROR_DUPLICATE_UNIT, RESTRIPE_ERROR_NOT_READ: in `units`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_restrict(
    plan: *const Plan,
    units: *const usize,
    unit_count: usize,
    restricted: *mut *mut Plan,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let plan = borrow(plan)?;
            let units = values("units", units, unit_count)?;
            let share = Arc::new(plan.plan.restrict(units)?);
            give(restricted, Plan { plan: share, threads: plan.threads.clone() })
        }
    })
}

/// Writes the plan as bytes to `bytes`: to be kept, or carried out on another machine. They are the
/// same on every machine, and every later version of restripe reads them.
///
/// `capacity` is the buffer's length in bytes; how many the plan takes is written to `len`, also
/// where that is more than there are. So a call with NULL and 0 asks for the length.
///
/// RESTRIPE_ERROR_BUFFER_TOO_SMALL: nothing was written to `bytes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_to_bytes(
    plan: *const Plan,
    bytes: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises; of the buffer, for as many bytes as there are.
        unsafe {
            let made = borrow(plan)?.plan.to_bytes();
            write(len, "len", made.len())?;
            if capacity < made.len() {
                let what = "the plan";
                return Err(Failure::TooSmall { what, needed: made.len(), got: capacity });
            }
            arguments::output("bytes", bytes, made.len(), &[])?.copy_from_slice(&made);
            Ok(())
        }
    })
}

/// Makes the plan that restripe_plan_to_bytes wrote, to run on the selected kernel and the calling
/// thread alone, and writes its handle to `plan`. It is the caller's, to be freed by
/// restripe_plan_free.
///
/// The checksum in the bytes finds damage, not malice: a plan from somebody who is not trusted
/// computes what they like, though nothing outside its buffers.
///
/// RESTRIPE_ERROR_BYTES: they are not those of a plan; RESTRIPE_ERROR_KERNEL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_from_bytes(
    bytes: *const u8,
    len: usize,
    plan: *mut *mut Plan,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let made = crate::Plan::from_bytes(input("bytes", bytes, len)?)?;
            give(plan, Plan { plan: Arc::new(made), threads: None })
        }
    })
}

/// Frees a plan. Does nothing to NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_free(plan: *mut Plan) {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { arguments::free(plan) };
        Ok(())
    });
}

/// How many reads a plan has, which is how many inputs it takes; 0 for what is no plan.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_read_count(plan: *const Plan) -> usize {
    // SAFETY: the caller's promise.
    unsafe { borrow(plan) }.map_or(0, |plan| plan.plan.reads().len())
}

/// Writes what a plan reads as input `index`, counted from 0, to `read`.
///
/// RESTRIPE_ERROR_RANGE: the plan has no such index.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_read(
    plan: *const Plan,
    index: usize,
    read: *mut ReadOut,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let reads = borrow(plan)?.plan.reads();
            let entry = reads.get(index).ok_or_else(|| no_index(index, reads.len()))?;
            let (unit, first_sub, count) = (entry.unit, entry.first_sub, entry.count);
            write(read, "read", ReadOut { unit, first_sub, count })
        }
    })
}

/// How many units come out of a plan; 0 for what is no plan.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_output_count(plan: *const Plan) -> usize {
    // SAFETY: the caller's promise.
    unsafe { borrow(plan) }.map_or(0, |plan| plan.plan.outputs().len())
}

/// Writes the unit that comes out as output `index`, counted from 0, to `unit`.
///
/// RESTRIPE_ERROR_RANGE: the plan has no such index.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_output(
    plan: *const Plan,
    index: usize,
    unit: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let units = borrow(plan)?.plan.outputs();
            let output = *units.get(index).ok_or_else(|| no_index(index, units.len()))?;
            write(unit, "unit", output)
        }
    })
}

fn no_index(index: usize, len: usize) -> Failure {
    let start = index as u64;
    Error::Range { start, end: start.saturating_add(1), len: len as u64 }.into()
}

/// Sub-shards that the plan's code divides shards into, mostly 1; 0 for what is no plan.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_sub_shards(plan: *const Plan) -> usize {
    // SAFETY: the caller's promise.
    unsafe { borrow(plan) }.map_or(0, |plan| plan.plan.sub_shards())
}

/// Computes the outputs of a plan from its inputs.
///
/// `inputs` has `input_count` buffers, those of restripe_plan_read in order (of each its sub-shards
/// that are read, one behind the other); `outputs` has `output_count`, those of
/// restripe_plan_output. Shards have `len` bytes, and so has every output. `input_lens` has the
/// length of each input in bytes, or is NULL: then each is as long as what is read of a shard. A
/// shorter input counts as continued with zeros; one of no bytes may be NULL.
///
/// A plan computes every byte on its own (where there are no sub-shards), so all buffers may be
/// the same range of longer shards.
///
/// RESTRIPE_ERROR_COUNT: another number of inputs or outputs; RESTRIPE_ERROR_LENGTH: `len` is no
/// multiple of the number of sub-shards, or an input is longer than it may be;
/// RESTRIPE_ERROR_OVERLAP. The outputs are then unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_apply(
    plan: *const Plan,
    inputs: *const *const u8,
    input_lens: *const usize,
    input_count: usize,
    outputs: *const *mut u8,
    output_count: usize,
    len: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let plan = borrow(plan)?;
            let inputs = plan.inputs(inputs, input_lens, input_count, len)?;
            let mut outputs = plan.outputs(outputs, output_count, len, &inputs)?;
            match &plan.threads {
                None => plan.plan.apply(&inputs, &mut outputs)?,
                Some(pool) => pool.install(|| plan.plan.apply_parallel(&inputs, &mut outputs))?,
            }
            Ok(())
        }
    })
}

/// As restripe_plan_apply, but adds (by xor) what it computes to what the outputs hold: for shares
/// of a plan that was restricted.
///
/// Also RESTRIPE_ERROR_VALUE: a plan of several steps, as some with sub-shards are;
/// restripe_plan_restrict to all its units makes it one of one step.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_accumulate(
    plan: *const Plan,
    inputs: *const *const u8,
    input_lens: *const usize,
    input_count: usize,
    outputs: *const *mut u8,
    output_count: usize,
    len: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let plan = borrow(plan)?;
            let inputs = plan.inputs(inputs, input_lens, input_count, len)?;
            let mut outputs = plan.outputs(outputs, output_count, len, &inputs)?;
            Ok(plan.plan.apply_accumulate(&inputs, &mut outputs)?)
        }
    })
}

/// Adds the share of one input, counted from 0 as in restripe_plan_read, to the outputs, which
/// began as zeros. Once every input was added, in any order, they hold what restripe_plan_apply
/// computes. `input` has `input_len` bytes, at most `len`; every output has `len`.
///
/// RESTRIPE_ERROR_UNIT: no such input; RESTRIPE_ERROR_VALUE: a plan with sub-shards or of several
/// steps; RESTRIPE_ERROR_COUNT, RESTRIPE_ERROR_LENGTH, RESTRIPE_ERROR_OVERLAP. The outputs are then
/// unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_add_input(
    plan: *const Plan,
    index: usize,
    input: *const u8,
    input_len: usize,
    outputs: *const *mut u8,
    output_count: usize,
    len: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let plan = borrow(plan)?;
            if input_len > len {
                let what = "input";
                return Err(Error::TooLong { what, index, most: len, got: input_len }.into());
            }
            let input = arguments::input("input", input, input_len)?;
            let mut outputs = plan.outputs(outputs, output_count, len, &[input])?;
            Ok(plan.plan.add_input(index, input, &mut outputs)?)
        }
    })
}

impl Plan {
    pub(super) fn plan(&self) -> &crate::Plan {
        &self.plan
    }

    /// # Safety
    ///
    /// As [`arguments::inputs`].
    pub(super) unsafe fn inputs<'a>(
        &self,
        starts: *const *const u8,
        lens: *const usize,
        count: usize,
        len: usize,
    ) -> Outcome<arguments::List<&'a [u8]>> {
        check_count("inputs", self.plan.reads().len(), count)?;
        let len_of = |index: usize| match self.plan.sub_shards() {
            1 => len,
            sub_shards => len / sub_shards * self.plan.reads()[index].count,
        };
        // SAFETY: the caller's promise.
        unsafe { inputs("input", starts, lens, count, len_of) }
    }

    /// # Safety
    ///
    /// As [`arguments::outputs`].
    pub(super) unsafe fn outputs<'a>(
        &self,
        starts: *const *mut u8,
        count: usize,
        len: usize,
        inputs: &[&[u8]],
    ) -> Outcome<arguments::List<&'a mut [u8]>> {
        check_count("outputs", self.plan.outputs().len(), count)?;
        // SAFETY: the caller's promise.
        unsafe { outputs("output", starts, ptr::null(), count, len, inputs, &[]) }
    }
}
