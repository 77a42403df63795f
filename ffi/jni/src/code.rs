//! `restripe.ReedSolomon`.

use jni::EnvUnowned;
use jni::objects::{JIntArray, JLongArray, JObject, JObjectArray, JString};
use jni::sys::{jboolean, jint, jlong};
use restripe::{ErasureCode as _, Error, MatrixKind, Plan, ReedSolomon};

use super::arguments::{checksum, count, counts, length, units, units_into};
use super::failure::{call, call_raw};
use super::handles::Table;
use super::memory::{Given, List, Memory, Stretch, TwoLists};
use super::plan::PLANS;

pub(crate) static CODES: Table<ReedSolomon> = Table::new("ReedSolomon");

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

/// `void encode(long handle, Object[] memory, long[] starts, int data, int parity, int length,
/// boolean direct)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ReedSolomon_encode<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    memory: JObjectArray<'local>,
    starts: JLongArray<'local>,
    data: jint,
    parity: jint,
    len: jint,
    direct: jboolean,
) {
    call_raw(&mut env, |env| {
        let code = CODES.get(handle)?;
        let (data, parity) = (count("data shards", data)?, count("parity shards", parity)?);
        let check_count = |what, expected, got| match expected == got {
            true => Ok(()),
            false => Err(Error::Count { what, expected, got }),
        };
        check_count("data shards", code.data_units(), data)?;
        check_count("parity shards", code.parity_units(), parity)?;
        let lists = TwoLists { env, memory: &memory, starts: &starts, is_direct: direct, len };
        lists.run(("data shard", data), ("parity shard", parity), |inputs, outputs| {
            code.encode_plan().apply(inputs, outputs)
        })
    });
}

/// `void reconstruct(long handle, Object[] memory, long[] starts, int units, int[] erased,
/// int outputs, int length, boolean direct)`
///
/// Units that are erased are read where there are not enough others, and then copied.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ReedSolomon_reconstruct<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    memory: JObjectArray<'local>,
    starts: JLongArray<'local>,
    shards: jint,
    erased: JIntArray<'local>,
    outputs: jint,
    len: jint,
    direct: jboolean,
) {
    call_raw(&mut env, |env| {
        let code = CODES.get(handle)?;
        let (shards, outputs) = (count("shards", shards)?, count("outputs", outputs)?);
        let mut lost = List::new();
        units_into(env, &erased, &mut lost)?;
        let erased = &lost[..];
        let refused = |what, expected, got| Err(Error::Count { what, expected, got }.into());
        if shards != code.total_units() {
            return refused("shards", code.total_units(), shards);
        }
        if outputs != erased.len() {
            return refused("outputs", erased.len(), outputs);
        }
        let mut given = Given::default();
        given.read(env, &memory, &starts, shards + outputs, direct)?;
        let is_erased = |unit: &usize| erased.contains(unit);
        let units = (0..shards).filter(|&unit| given.has(unit));
        let mut available: List<usize> = units.clone().filter(|unit| !is_erased(unit)).collect();
        if available.len() < code.data_units() {
            available.extend(units.filter(is_erased));
        }
        available.truncate(code.data_units());
        let rebuilt: List<usize> =
            erased.iter().copied().filter(|unit| !available.contains(unit)).collect();
        let plan = code.plan(&available, &rebuilt)?;
        let mut memory = Memory::new(env, direct, length(len)?);
        // What is read comes first, then what is only copied, of which there is seldom any.
        let reads = plan.reads().len();
        let copied = || erased.iter().filter(|unit| available.contains(unit));
        for &unit in plan.reads().iter().map(|read| &read.unit).chain(copied()) {
            // SAFETY: Java gives direct buffers with so many bytes where it says so, else arrays.
            unsafe { memory.input(("unit", unit), &given, unit, Stretch::Data) }?;
        }
        for wants_copies in [false, true] {
            for (index, unit) in erased.iter().enumerate() {
                if available.contains(unit) == wants_copies {
                    let at = shards + index;
                    // SAFETY: as above.
                    unsafe { memory.output(("output", index), &given, at, Stretch::Data) }?;
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

/// `void encodeWithChecksums(long handle, int kind, int bytesPerChecksum, Object[] memory,
/// long[] starts, int[] counts, int length, boolean direct)`: data, parity, the checksums of both.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ReedSolomon_encodeWithChecksums<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    kind: jint,
    bytes_per_checksum: jint,
    memory: JObjectArray<'local>,
    starts: JLongArray<'local>,
    list_lens: JIntArray<'local>,
    len: jint,
    direct: jboolean,
) {
    call_raw(&mut env, |env| {
        let code = CODES.get(handle)?;
        let checksum = checksum(kind, bytes_per_checksum)?;
        let [data, parity, data_sums, parity_sums] = counts(env, &list_lens)?;
        let mut given = Given::default();
        given.read(env, &memory, &starts, parity_sums.end, direct)?;
        let mut memory = Memory::new(env, direct, length(len)?);
        let sums = Stretch::sums(&checksum);
        // SAFETY: Java gives direct buffers with so many bytes where it says so, else arrays.
        unsafe {
            memory.inputs("data shard", &given, data, Stretch::Data)?;
            memory.outputs("parity shard", &given, parity.clone(), Stretch::Data)?;
            memory.outputs("checksums of data shard", &given, data_sums.clone(), sums)?;
            memory.outputs("checksums of parity shard", &given, parity_sums, sums)?;
        }
        memory.run(checksum.bytes_per_checksum(), |inputs, outputs, _| {
            let (parity, rest) = outputs.split_at_mut(parity.len());
            let (data_sums, parity_sums) = rest.split_at_mut(data_sums.len());
            code.encode_with_checksums(&checksum, inputs, parity, data_sums, parity_sums)?;
            Ok(())
        })
    });
}

/// Keeps the type of what [`PLANS`] holds in one place.
pub(crate) type KeptPlan = std::sync::Arc<Plan>;
