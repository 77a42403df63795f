//! `restripe.ReedSolomon`.

use jni::objects::{JIntArray, JObject, JObjectArray, JString};
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, EnvUnowned};
use restripe::{ErasureCode as _, Error, MatrixKind, Plan, ReedSolomon};

use super::arguments::{checksum, count, numbers, units};
use super::failure::{Outcome, call};
use super::handles::Table;
use super::memory::{List, Memory, Stretch, elements};
use super::plan::PLANS;

static CODES: Table<ReedSolomon> = Table::new("ReedSolomon");

/// `static long open(int dataUnits, int parityUnits, String matrix, boolean acceptUnchecked)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ReedSolomon_open<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    data_units: jint,
    parity_units: jint,
    matrix: JString<'local>,
    accept_unchecked: jboolean,
) -> jlong {
    call(&mut env, |env| {
        let kind: MatrixKind = matrix.try_to_string(env)?.parse()?;
        let data_units = count("number of data units", data_units)?;
        let parity_units = count("number of parity units", parity_units)?;
        let mut builder = ReedSolomon::builder(data_units, parity_units).matrix(kind);
        if accept_unchecked {
            builder = builder.accept_unchecked();
        }
        CODES.insert(builder.build()?)
    })
}

/// `static void close(long handle)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ReedSolomon_close<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) {
    call(&mut env, |_| {
        CODES.close(handle);
        Ok(())
    });
}

/// `long plan(long handle, int[] available, int[] wanted)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ReedSolomon_plan<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    available: JIntArray<'local>,
    wanted: JIntArray<'local>,
) -> jlong {
    call(&mut env, |env| {
        let code = CODES.get(handle)?;
        let plan = code.plan(&units(env, &available)?, &units(env, &wanted)?)?;
        PLANS.insert(plan)
    })
}

/// `void encode(long handle, Object[] data, Object[] parity, int[] positions, int length,
/// boolean direct)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ReedSolomon_encode<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    data: JObjectArray<'local>,
    parity: JObjectArray<'local>,
    positions: JIntArray<'local>,
    len: jint,
    direct: jboolean,
) {
    call(&mut env, |env| {
        let code = CODES.get(handle)?;
        // SAFETY: Java gives arrays of direct buffers where it says so, else of arrays.
        let memory = unsafe { two_lists(env, &data, &parity, &positions, len, direct) }?;
        let check_count = |what, expected, got| match expected == got {
            true => Ok(()),
            false => Err(Error::Count { what, expected, got }),
        };
        check_count("data shards", code.data_units(), data.len(env)?)?;
        check_count("parity shards", code.parity_units(), parity.len(env)?)?;
        memory.run(1, |inputs, outputs, _| Ok(code.encode_plan().apply(inputs, outputs)?))
    });
}

/// `void reconstruct(long handle, Object[] units, int[] erased, Object[] outputs, int[] positions,
/// int length, boolean direct)`
///
/// Units that are erased are read where there are not enough others, and then copied.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ReedSolomon_reconstruct<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    shards: JObjectArray<'local>,
    erased: JIntArray<'local>,
    outputs: JObjectArray<'local>,
    positions: JIntArray<'local>,
    len: jint,
    direct: jboolean,
) {
    call(&mut env, |env| {
        let code = CODES.get(handle)?;
        let (shards, outputs) = (elements(env, &shards)?, elements(env, &outputs)?);
        let positions = numbers(env, &positions, shards.len() + outputs.len())?;
        let erased = units(env, &erased)?;
        let refused = |what, expected, got| Err(Error::Count { what, expected, got }.into());
        if shards.len() != code.total_units() {
            return refused("shards", code.total_units(), shards.len());
        }
        if outputs.len() != erased.len() {
            return refused("outputs", erased.len(), outputs.len());
        }
        let present = |&unit: &usize| !shards[unit].is_null();
        let is_erased = |unit: &usize| erased.contains(unit);
        let units = (0..shards.len()).filter(present);
        let mut available: List<usize> = units.clone().filter(|unit| !is_erased(unit)).collect();
        if available.len() < code.data_units() {
            available.extend(units.filter(is_erased));
        }
        available.truncate(code.data_units());
        let rebuilt: List<usize> =
            erased.iter().copied().filter(|unit| !available.contains(unit)).collect();
        let plan = code.plan(&available, &rebuilt)?;
        let mut memory = Memory::new(env, direct, len)?;
        // What is read comes first, then what is only copied, of which there is seldom any.
        let reads = plan.reads().len();
        let copied = || erased.iter().filter(|unit| available.contains(unit));
        for &unit in plan.reads().iter().map(|read| &read.unit).chain(copied()) {
            // SAFETY: a local reference to a buffer, or an array, as `direct` says.
            unsafe { memory.input("unit", unit, shards[unit], positions[unit], Stretch::Data) }?;
        }
        for wants_copies in [false, true] {
            for (index, unit) in erased.iter().enumerate() {
                if available.contains(unit) == wants_copies {
                    let position = positions[shards.len() + index];
                    // SAFETY: as above.
                    unsafe {
                        memory.output("output", index, outputs[index], position, Stretch::Data)
                    }?;
                }
            }
        }
        memory.run(1, |inputs, outputs, _| {
            let (outputs, copies) = outputs.split_at_mut(rebuilt.len());
            plan.apply(&inputs[..reads], outputs)?;
            copies.iter_mut().zip(&inputs[reads..]).for_each(|(to, from)| to.copy_from_slice(from));
            Ok(())
        })
    });
}

/// `void encodeWithChecksums(long handle, int kind, int bytesPerChecksum, Object[] data,
/// Object[] parity, Object[] dataSums, Object[] paritySums, int[] positions, int length,
/// boolean direct)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ReedSolomon_encodeWithChecksums<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    kind: jint,
    bytes_per_checksum: jint,
    data: JObjectArray<'local>,
    parity: JObjectArray<'local>,
    data_sums: JObjectArray<'local>,
    parity_sums: JObjectArray<'local>,
    positions: JIntArray<'local>,
    len: jint,
    direct: jboolean,
) {
    call(&mut env, |env| {
        let code = CODES.get(handle)?;
        let checksum = checksum(kind, bytes_per_checksum)?;
        let lists = [&data, &parity, &data_sums, &parity_sums];
        let [data, parity, data_sums, parity_sums] = {
            let mut all = lists.map(|_| List::new());
            for (list, array) in all.iter_mut().zip(lists) {
                *list = elements(env, array)?;
            }
            all
        };
        let lens = [data.len(), parity.len(), data_sums.len(), parity_sums.len()];
        let positions = numbers(env, &positions, lens.iter().sum())?;
        let (data_at, rest) = positions.split_at(lens[0]);
        let (parity_at, rest) = rest.split_at(lens[1]);
        let (data_sums_at, parity_sums_at) = rest.split_at(lens[2]);
        let mut memory = Memory::new(env, direct, len)?;
        let sums = Stretch::sums(&checksum);
        // SAFETY: local references to buffers, or arrays, as `direct` says.
        unsafe {
            memory.inputs("data shard", &data, data_at, Stretch::Data)?;
            memory.outputs("parity shard", &parity, parity_at, Stretch::Data)?;
            memory.outputs("checksums of data shard", &data_sums, data_sums_at, sums)?;
            memory.outputs("checksums of parity shard", &parity_sums, parity_sums_at, sums)?;
        }
        memory.run(checksum.bytes_per_checksum(), |inputs, outputs, _| {
            let (parity, rest) = outputs.split_at_mut(lens[1]);
            let (data_sums, parity_sums) = rest.split_at_mut(lens[2]);
            code.encode_with_checksums(&checksum, inputs, parity, data_sums, parity_sums)?;
            Ok(())
        })
    });
}

/// The memory of a call with inputs and outputs; their positions stand one behind the other.
///
/// # Safety
///
/// The arrays hold direct byte buffers, or byte arrays, as `direct` says.
pub(crate) unsafe fn two_lists(
    env: &Env<'_>,
    inputs: &JObjectArray<'_>,
    outputs: &JObjectArray<'_>,
    positions: &JIntArray<'_>,
    len: jint,
    direct: jboolean,
) -> Outcome<Memory> {
    let (inputs, outputs) = (elements(env, inputs)?, elements(env, outputs)?);
    let positions = numbers(env, positions, inputs.len() + outputs.len())?;
    let (inputs_at, outputs_at) = positions.split_at(inputs.len());
    let mut memory = Memory::new(env, direct, len)?;
    // SAFETY: local references, by the caller's promise to what they should be.
    unsafe {
        memory.inputs("input", &inputs, inputs_at, Stretch::Data)?;
        memory.outputs("output", &outputs, outputs_at, Stretch::Data)?;
    }
    Ok(memory)
}

/// Keeps the type of what [`PLANS`] holds in one place.
pub(crate) type KeptPlan = std::sync::Arc<Plan>;
