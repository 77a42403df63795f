//! `restripe.Packets`: the header of a packet, and packets taken out of a stream.

use std::sync::{Mutex, PoisonError};

use jni::EnvUnowned;
use jni::objects::{JByteArray, JLongArray, JObject};
use jni::sys::{jboolean, jint, jlong};
use restripe::Error;
use restripe::hdfs::{PacketHeader, PacketParts, PacketReader};

use super::arguments::{checksum, count, length};
use super::failure::{Failure, call, call_raw};
use super::handles::Table;
use super::memory::{HEAP_TILE, Memory, Stretch};

static READERS: Table<Mutex<PacketReader>> = Table::new("Packets.Reader");

/// `static byte[] header(long offset, long seqno, boolean last, boolean sync, int dataLength,
/// int checksumsLength)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Packets_header<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    offset: jlong,
    seqno: jlong,
    last: jboolean,
    sync: jboolean,
    data_len: jint,
    sums_len: jint,
) -> JByteArray<'local> {
    call(&mut env, |env| {
        let offset_in_block = u64::try_from(offset).map_err(|_| Failure::Value {
            what: "offset of a packet",
            got: offset,
            expected: "0 or more",
        })?;
        let header = PacketHeader {
            offset_in_block,
            seqno,
            last_packet_in_block: last,
            data_len: count("length of a packet's data", data_len)? as u32,
            sync_block: sync,
        };
        let sums_len = count("length of a packet's checksums", sums_len)? as u32;
        Ok(env.byte_array_from_slice(header.encode(sums_len).as_ref())?)
    })
}

/// `static boolean parse(int kind, int bytesPerChecksum, Object bytes, long start, int length,
/// boolean direct, long[] out)`: whether the header is all there, and the numbers of the packet that
/// begins there: as `packet` has them.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Packets_parse<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    kind: jint,
    bytes_per_checksum: jint,
    bytes: JObject<'local>,
    start: jlong,
    len: jint,
    direct: jboolean,
    out: JLongArray<'local>,
) -> jboolean {
    call(&mut env, |env| {
        let checksum = checksum(kind, bytes_per_checksum)?;
        // No header reaches further, and so no array is held twice.
        let len = length(len)?.min(HEAP_TILE);
        let mut memory = Memory::new((&*env).into(), direct, len);
        // SAFETY: Java gives a direct buffer with so many bytes where it says so, else an array.
        unsafe { memory.add_input(("bytes", 0), bytes.as_raw(), start, Stretch::Data) }?;
        let mut parts = None;
        memory.run(1, |inputs, _, _| {
            parts = PacketParts::of(&checksum, inputs[0])?;
            Ok(())
        })?;
        let Some(parts) = parts else { return Ok(false) };
        let head = parts.checksums.start;
        out.set_region(env, 0, &numbers(&parts.header, parts.checksums.len(), head))?;
        Ok(true)
    })
}

/// What Java is told of a packet: offset, number, last, sync, lengths of data, checksums and header.
fn numbers(header: &PacketHeader, checksums: usize, head: usize) -> [jlong; 7] {
    [
        header.offset_in_block.cast_signed(),
        header.seqno,
        header.last_packet_in_block.into(),
        header.sync_block.into(),
        header.data_len.into(),
        checksums as jlong,
        head as jlong,
    ]
}

/// `static long open(int kind, int bytesPerChecksum)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Packets_00024Reader_open<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    kind: jint,
    bytes_per_checksum: jint,
) -> jlong {
    call(&mut env, |_| {
        let reader = PacketReader::new(checksum(kind, bytes_per_checksum)?);
        READERS.insert(Mutex::new(reader))
    })
}

/// `static void close(long handle)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Packets_00024Reader_close<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) {
    call(&mut env, |_| {
        READERS.close(handle);
        Ok(())
    });
}

/// `int push(long handle, Object bytes, long start, int length, boolean direct)`: how many bytes
/// were taken.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Packets_00024Reader_push<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    bytes: JObject<'local>,
    start: jlong,
    len: jint,
    direct: jboolean,
) -> jint {
    call_raw(&mut env, |env| {
        let reader = READERS.get(handle)?;
        let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = Memory::new(env, direct, length(len)?);
        // SAFETY: Java gives a direct buffer with so many bytes where it says so, else an array.
        unsafe { memory.add_input(("bytes", 0), bytes.as_raw(), start, Stretch::Data) }?;
        let mut taken = 0;
        memory.run(1, |inputs, _, start| {
            // Nothing more once it has stopped within a part.
            if taken == start {
                taken += reader.push(inputs[0])?;
            }
            Ok(())
        })?;
        Ok(taken as jint)
    })
}

/// `boolean packet(long handle, long[] out)`: whether a packet is there, and its numbers: see
/// [`numbers`]; the length of its header is not among them.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Packets_00024Reader_packet<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    out: JLongArray<'local>,
) -> jboolean {
    call(&mut env, |env| {
        let reader = READERS.get(handle)?;
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(packet) = reader.packet() else { return Ok(false) };
        out.set_region(env, 0, &numbers(&packet.header, packet.checksums.len(), 0))?;
        Ok(true)
    })
}

/// `void take(long handle, Object data, long start, int length, Object checksums,
/// long checksumsStart, int checksumsLength, boolean direct)`: copies the packet out and lets go of it.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Packets_00024Reader_take<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    data: JObject<'local>,
    start: jlong,
    len: jint,
    sums: JObject<'local>,
    sums_start: jlong,
    sums_len: jint,
    direct: jboolean,
) {
    call_raw(&mut env, |env| {
        let reader = READERS.get(handle)?;
        let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(packet) = reader.packet() {
            for (what, object, start, len, bytes) in [
                ("data", &data, start, len, packet.data),
                ("checksums", &sums, sums_start, sums_len, packet.checksums),
            ] {
                let (expected, got) = (bytes.len(), length(len)?);
                if got != expected {
                    // Another thread has had the packet that Java made room for.
                    return Err(Error::Count { what, expected, got }.into());
                }
                let mut memory = Memory::new(env, direct, got);
                // SAFETY: Java gives a direct buffer with so many bytes where it says so, else an
                // array.
                unsafe { memory.add((what, 0), object.as_raw(), start, Stretch::Data) }?;
                memory.run(1, |_, outputs, start| {
                    outputs[0].copy_from_slice(&bytes[start..start + outputs[0].len()]);
                    Ok(())
                })?;
            }
        }
        Ok(reader.release()?)
    });
}
