//! `restripe.Plan`.

use jni::objects::{JByteArray, JIntArray, JLongArray, JObject, JObjectArray};
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, EnvUnowned};
use restripe::{Error, Plan};

use super::arguments::{checksum, count, counts, length, units};
use super::code::KeptPlan;
use super::failure::{Failure, Outcome, call, call_raw};
use super::handles::Table;
use super::memory::{Given, Memory, Stretch, TwoLists};

pub(crate) static PLANS: Table<KeptPlan> = Table::new("Plan");

/// `static void close(long handle)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Plan_close<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) {
    call(&mut env, |_| {
        PLANS.close(handle);
        Ok(())
    });
}

/// `int[] reads(long handle)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Plan_reads<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) -> JIntArray<'local> {
    call(&mut env, |env| {
        let plan = PLANS.get(handle)?;
        list(env, plan.reads().iter().map(|read| read.unit))
    })
}

/// `int[] outputs(long handle)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Plan_outputs<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) -> JIntArray<'local> {
    call(&mut env, |env| {
        let plan = PLANS.get(handle)?;
        list(env, plan.outputs().iter().copied())
    })
}

/// `byte[] toBytes(long handle)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Plan_toBytes<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) -> JByteArray<'local> {
    call(&mut env, |env| Ok(env.byte_array_from_slice(&PLANS.get(handle)?.to_bytes())?))
}

/// `static long parsed(byte[] bytes)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Plan_parsed<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    bytes: JByteArray<'local>,
) -> jlong {
    call(&mut env, |env| {
        let plan = Plan::from_bytes(&env.convert_byte_array(&bytes)?)?;
        if plan.sub_shards() != 1 {
            return Err(Failure::Value {
                what: "number of sub-shards of the plan",
                got: plan.sub_shards() as i64,
                expected: "1: here plans compute whole shards",
            });
        }
        PLANS.insert(plan.into())
    })
}

/// `long restrict(long handle, int[] units)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Plan_restrict<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    kept: JIntArray<'local>,
) -> jlong {
    call(&mut env, |env| {
        let plan = PLANS.get(handle)?.restrict(&units(env, &kept)?)?;
        PLANS.insert(plan.into())
    })
}

/// `void apply(long handle, Object[] memory, long[] starts, int inputs, int outputs, int length,
/// boolean direct, boolean accumulate)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Plan_apply<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    memory: JObjectArray<'local>,
    starts: JLongArray<'local>,
    inputs: jint,
    outputs: jint,
    len: jint,
    direct: jboolean,
    accumulate: jboolean,
) {
    call_raw(&mut env, |env| {
        let plan = PLANS.get(handle)?;
        let (inputs, outputs) = (count("inputs", inputs)?, count("outputs", outputs)?);
        let lists = TwoLists { env, memory: &memory, starts: &starts, is_direct: direct, len };
        lists.run(("input", inputs), ("output", outputs), |inputs, outputs| match accumulate {
            true => plan.apply_accumulate(inputs, outputs),
            false => plan.apply(inputs, outputs),
        })
    });
}

/// `void applyWithChecksums(long handle, int kind, int bytesPerChecksum, Object[] memory,
/// long[] starts, int[] counts, int length, boolean direct)`: inputs, their checksums, outputs, their
/// checksums.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Plan_applyWithChecksums<'local>(
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
        let plan = PLANS.get(handle)?;
        let checksum = checksum(kind, bytes_per_checksum)?;
        let [inputs, input_sums, outputs, output_sums] = counts(env, &list_lens)?;
        let mut given = Given::default();
        given.read(env, &memory, &starts, output_sums.end, direct)?;
        let mut memory = Memory::new(env, direct, length(len)?);
        let sums = Stretch::sums(&checksum);
        // SAFETY: Java gives direct buffers with so many bytes where it says so, else arrays.
        unsafe {
            memory.inputs("input", &given, inputs.clone(), Stretch::Data)?;
            memory.inputs("checksums of input", &given, input_sums, sums)?;
            memory.outputs("output", &given, outputs.clone(), Stretch::Data)?;
            memory.outputs("checksums of output", &given, output_sums, sums)?;
        }
        memory.run(checksum.bytes_per_checksum(), |read, written, start| {
            let (inputs, input_sums) = read.split_at(inputs.len());
            let (outputs, output_sums) = written.split_at_mut(outputs.len());
            plan.apply_with_checksums(&checksum, inputs, input_sums, outputs, output_sums)
                .map_err(|error| in_whole(error, start, checksum.bytes_per_checksum()))?;
            Ok(())
        })
    });
}

/// An error of a part of the data that begins at `start`, as one of the whole.
fn in_whole(error: Error, start: usize, chunk_len: usize) -> Error {
    match error {
        Error::UnitChecksumMismatch { unit, chunk, offset, expected, found } => {
            let (chunk, offset) = (chunk + start / chunk_len, offset + start);
            Error::UnitChecksumMismatch { unit, chunk, offset, expected, found }
        }
        other => other,
    }
}

/// An array of units.
pub(crate) fn list<'local>(
    env: &mut Env<'local>,
    units: impl Iterator<Item = usize>,
) -> Outcome<JIntArray<'local>> {
    let units: Vec<jint> = units.map(|unit| jint::try_from(unit).unwrap_or(jint::MAX)).collect();
    let array = env.new_int_array(units.len())?;
    array.set_region(env, 0, &units)?;
    Ok(array)
}
