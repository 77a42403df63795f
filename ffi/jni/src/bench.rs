//! `restripe.RustCalls`: the engine's own calls again and again, with nothing of Java's between:
//! what the benchmarks in Java compare with.

use jni::EnvUnowned;
use jni::objects::{JIntArray, JLongArray, JObject, JObjectArray};
use jni::sys::{jint, jlong};
use restripe::ErasureCode as _;

use super::arguments::{count, units_into};
use super::code::CODES;
use super::failure::call_raw;
use super::memory::{List, TwoLists};

/// `static void encode(long handle, Object[] memory, long[] starts, int data, int parity, int length,
/// int times)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_RustCalls_encode<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    memory: JObjectArray<'local>,
    starts: JLongArray<'local>,
    data: jint,
    parity: jint,
    len: jint,
    times: jint,
) {
    call_raw(&mut env, |env| {
        let code = CODES.get(handle)?;
        let (data, parity) = (count("data shards", data)?, count("parity shards", parity)?);
        let times = count("times", times)?;
        let lists = TwoLists { env, memory: &memory, starts: &starts, is_direct: true, len };
        lists.run(("data shard", data), ("parity shard", parity), |inputs, outputs| {
            for _ in 0..times {
                code.encode(inputs, outputs)?;
            }
            Ok(())
        })
    });
}

/// `static void decode(long handle, int[] available, int[] wanted, Object[] memory, long[] starts,
/// int length, int times)`: the inputs are those available, the outputs those wanted.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_RustCalls_decode<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    available: JIntArray<'local>,
    wanted: JIntArray<'local>,
    memory: JObjectArray<'local>,
    starts: JLongArray<'local>,
    len: jint,
    times: jint,
) {
    call_raw(&mut env, |env| {
        let code = CODES.get(handle)?;
        let (mut from, mut to) = (List::new(), List::new());
        units_into(env, &available, &mut from)?;
        units_into(env, &wanted, &mut to)?;
        let (available, wanted) = (&from[..], &to[..]);
        let (inputs, times) = (available.len(), count("times", times)?);
        let lists = TwoLists { env, memory: &memory, starts: &starts, is_direct: true, len };
        lists.run(("input", inputs), ("output", wanted.len()), |inputs, outputs| {
            for _ in 0..times {
                code.plan(available, wanted)?.apply(inputs, outputs)?;
            }
            Ok(())
        })
    });
}
