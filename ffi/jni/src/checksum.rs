//! `restripe.ChunkChecksum` and `restripe.Crc`.

use jni::EnvUnowned;
use jni::objects::JObject;
use jni::sys::{jboolean, jint};

use super::arguments::{checksum, checksum_kind};
use super::failure::call;
use super::memory::{Memory, Stretch};

/// `static void compute(int kind, int bytesPerChecksum, Object data, int position, int length,
/// Object sums, int sumsPosition, boolean direct)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ChunkChecksum_compute<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    kind: jint,
    bytes_per_checksum: jint,
    data: JObject<'local>,
    position: jint,
    len: jint,
    sums: JObject<'local>,
    sums_position: jint,
    direct: jboolean,
) {
    call(&mut env, |env| {
        let checksum = checksum(kind, bytes_per_checksum)?;
        let mut memory = Memory::new(env, direct, len)?;
        // SAFETY: arguments of the method: buffers, or arrays, as `direct` says.
        unsafe {
            memory.input("data", 0, data.as_raw(), position, Stretch::Data)?;
            let stretch = Stretch::sums(&checksum);
            memory.output("checksums", 0, sums.as_raw(), sums_position, stretch)?;
        }
        memory.run(checksum.bytes_per_checksum(), |inputs, outputs, _| {
            Ok(checksum.compute(inputs[0], outputs[0])?)
        })
    });
}

/// `static void verify(int kind, int bytesPerChecksum, Object data, int position, int length,
/// Object sums, int sumsPosition, boolean direct)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ChunkChecksum_verify<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    kind: jint,
    bytes_per_checksum: jint,
    data: JObject<'local>,
    position: jint,
    len: jint,
    sums: JObject<'local>,
    sums_position: jint,
    direct: jboolean,
) {
    call(&mut env, |env| {
        let checksum = checksum(kind, bytes_per_checksum)?;
        let mut memory = Memory::new(env, direct, len)?;
        // SAFETY: arguments of the method: buffers, or arrays, as `direct` says.
        unsafe {
            memory.input("data", 0, data.as_raw(), position, Stretch::Data)?;
            let stretch = Stretch::sums(&checksum);
            memory.input("checksums", 0, sums.as_raw(), sums_position, stretch)?;
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

/// `static int append(int kind, int before, Object data, int position, int length,
/// boolean direct)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_ChunkChecksum_append<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    kind: jint,
    before: jint,
    data: JObject<'local>,
    position: jint,
    len: jint,
    direct: jboolean,
) -> jint {
    call(&mut env, |env| {
        let kind = checksum_kind(kind)?;
        let mut memory = Memory::new(env, direct, len)?;
        // SAFETY: an argument of the method: a buffer, or an array, as `direct` says.
        unsafe { memory.input("data", 0, data.as_raw(), position, Stretch::Data) }?;
        let mut crc = before.cast_unsigned();
        memory.run(1, |inputs, _, _| {
            crc = kind.append(crc, inputs[0]);
            Ok(())
        })?;
        Ok(crc.cast_signed())
    })
}
