//! `restripe.RustCalls`: the engine's own calls again and again, with nothing of Java's between:
//! what the benchmarks in Java compare with.

use jni::EnvUnowned;
use jni::objects::{JIntArray, JObject, JObjectArray};
use jni::sys::jint;
use restripe::{ErasureCode as _, ReedSolomon};

use super::arguments::{count, units};
use super::code::two_lists;
use super::failure::call;

/// `static void encode(Object[] data, Object[] parity, int[] positions, int length, int times)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_RustCalls_encode<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    data: JObjectArray<'local>,
    parity: JObjectArray<'local>,
    positions: JIntArray<'local>,
    len: jint,
    times: jint,
) {
    call(&mut env, |env| {
        let code = ReedSolomon::new(data.len(env)?, parity.len(env)?)?;
        let times = count("times", times)?;
        // SAFETY: Java gives direct buffers.
        let memory = unsafe { two_lists(env, &data, &parity, &positions, len, true) }?;
        memory.run(1, |inputs, outputs, _| {
            for _ in 0..times {
                code.encode(inputs, outputs)?;
            }
            Ok(())
        })
    });
}

/// `static void decode(int dataUnits, int parityUnits, int[] available, int[] wanted,
/// Object[] inputs, Object[] outputs, int[] positions, int length, int times)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_RustCalls_decode<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    data_units: jint,
    parity_units: jint,
    available: JIntArray<'local>,
    wanted: JIntArray<'local>,
    inputs: JObjectArray<'local>,
    outputs: JObjectArray<'local>,
    positions: JIntArray<'local>,
    len: jint,
    times: jint,
) {
    call(&mut env, |env| {
        let data_units = count("data units", data_units)?;
        let code = ReedSolomon::new(data_units, count("parity units", parity_units)?)?;
        let (available, wanted) = (units(env, &available)?, units(env, &wanted)?);
        let times = count("times", times)?;
        // SAFETY: Java gives direct buffers.
        let memory = unsafe { two_lists(env, &inputs, &outputs, &positions, len, true) }?;
        memory.run(1, |inputs, outputs, _| {
            for _ in 0..times {
                code.plan(&available, &wanted)?.apply(inputs, outputs)?;
            }
            Ok(())
        })
    });
}
