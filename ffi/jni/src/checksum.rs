//! `restripe.ChunkChecksum` and `restripe.Crc`.

use jni::EnvUnowned;
use jni::objects::JObject;
use jni::sys::{jboolean, jint, jlong};

use super::arguments::{checksum, checksum_kind, length};
use super::failure::call_raw;
use super::memory::{Memory, Stretch};

/// `static void compute(int kind, int bytesPerChecksum, Object data, long start, int length,
/// Object sums, long sumsStart, boolean direct)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ChunkChecksum_compute<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    kind: jint,
    bytes_per_checksum: jint,
    data: JObject<'local>,
    start: jlong,
    len: jint,
    sums: JObject<'local>,
    sums_start: jlong,
    direct: jboolean,
) {
    call_raw(&mut env, |env| {
        let checksum = checksum(kind, bytes_per_checksum)?;
        let mut memory = Memory::new(env, direct, length(len)?);
        // SAFETY: Java gives direct buffers with so many bytes where it says so, else arrays.
        unsafe {
            memory.add_input(("data", 0), data.as_raw(), start, Stretch::Data)?;
            let stretch = Stretch::sums(&checksum);
            memory.add(("checksums", 0), sums.as_raw(), sums_start, stretch)?;
        }
        memory.run(checksum.bytes_per_checksum(), |inputs, outputs, _| {
            Ok(checksum.compute(inputs[0], outputs[0])?)
        })
    });
}

/// `static void verify(int kind, int bytesPerChecksum, Object data, long start, int length,
/// Object sums, long sumsStart, boolean direct)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ChunkChecksum_verify<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    kind: jint,
    bytes_per_checksum: jint,
    data: JObject<'local>,
    start: jlong,
    len: jint,
    sums: JObject<'local>,
    sums_start: jlong,
    direct: jboolean,
) {
    call_raw(&mut env, |env| {
        let checksum = checksum(kind, bytes_per_checksum)?;
        let mut memory = Memory::new(env, direct, length(len)?);
        // SAFETY: Java gives direct buffers with so many bytes where it says so, else arrays.
        unsafe {
            memory.add_input(("data", 0), data.as_raw(), start, Stretch::Data)?;
            let stretch = Stretch::sums(&checksum);
            memory.add_input(("checksums", 0), sums.as_raw(), sums_start, stretch)?;
        }
        // It counts chunks from the beginning. Parts are whole chunks, but for the last.
        let (mut digest, whole) = (checksum.digest(), memory.len());
        memory.run(checksum.bytes_per_checksum(), |inputs, _, start| {
            let (data, sums) = (inputs[0], inputs[1]);
            let (ended, last) = sums.split_at(digest.update_len(data.len()));
            digest.verify(data, ended)?;
            if start + data.len() == whole {
                digest.finish_verify(last)?;
            }
            Ok(())
        })
    });
}

/// `static int append(int kind, int before, Object data, long start, int length,
/// boolean direct)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ChunkChecksum_append<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    kind: jint,
    before: jint,
    data: JObject<'local>,
    start: jlong,
    len: jint,
    direct: jboolean,
) -> jint {
    call_raw(&mut env, |env| {
        let kind = checksum_kind(kind)?;
        let mut memory = Memory::new(env, direct, length(len)?);
        // SAFETY: Java gives a direct buffer with so many bytes where it says so, else an array.
        unsafe { memory.add_input(("data", 0), data.as_raw(), start, Stretch::Data) }?;
        let mut crc = before.cast_unsigned();
        memory.run(1, |inputs, _, _| {
            crc = kind.append(crc, inputs[0]);
            Ok(())
        })?;
        Ok(crc.cast_signed())
    })
}
