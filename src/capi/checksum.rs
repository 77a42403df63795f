//! CRCs of bytes and of chunks, alone and together with coding.

use core::ffi::c_int;

use super::arguments::{self, List, Outcome, borrow, check_apart, input, outputs, write};
use super::codec::Codec;
use super::plan::Plan;
use super::status::{Failure, guard};
use super::threads;
use crate::checksum::{ChecksumKind, ChunkedChecksum};
use crate::{ErasureCode, Error};

/// No checksum at all: nothing is stored, nothing verified.
pub const RESTRIPE_CHECKSUM_NULL: u32 = 0;
/// CRC-32/ISO-HDLC, the CRC of zlib.
pub const RESTRIPE_CHECKSUM_CRC32: u32 = 1;
/// CRC-32/ISCSI, Castagnoli's: HDFS's default.
pub const RESTRIPE_CHECKSUM_CRC32C: u32 = 2;

// The numbers are those of the engine.
const _: () = {
    assert!(RESTRIPE_CHECKSUM_NULL == ChecksumKind::Null.id() as u32);
    assert!(RESTRIPE_CHECKSUM_CRC32 == ChecksumKind::Crc32.id() as u32);
    assert!(RESTRIPE_CHECKSUM_CRC32C == ChecksumKind::Crc32c.id() as u32);
};

fn kind_of(kind: u32) -> Outcome<ChecksumKind> {
    u8::try_from(kind).ok().and_then(ChecksumKind::from_id).ok_or(Failure::Value {
        what: "checksum kind",
        got: kind.into(),
        expected: "one of RESTRIPE_CHECKSUM_...",
    })
}

pub(super) fn chunked(kind: u32, bytes_per_checksum: usize) -> Outcome<ChunkedChecksum> {
    Ok(ChunkedChecksum::new(kind_of(kind)?, bytes_per_checksum)?)
}

/// Bytes of the checksums of `len` bytes of memory.
fn sums_len(checksum: &ChunkedChecksum, len: usize) -> Outcome<usize> {
    let sums_len = checksum.sums_len(len as u64)?;
    usize::try_from(sums_len)
        .map_err(|_| Error::Overflow { what: "length of the checksums" }.into())
}

/// Writes the checksum to `checksum` of some bytes of which `before` is the checksum, and the `len`
/// bytes at `bytes` behind them. 0 is the checksum of no bytes.
///
/// RESTRIPE_ERROR_VALUE: `kind` is none of RESTRIPE_CHECKSUM_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_checksum_append(
    kind: u32,
    before: u32,
    bytes: *const u8,
    len: usize,
    checksum: *mut u32,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let bytes = input("bytes", bytes, len)?;
            write(checksum, "checksum", kind_of(kind)?.append(before, bytes))
        }
    })
}

/// Writes the checksum to `checksum` of two runs of bytes, one behind the other, of which only the
/// checksums are known, and the second one's length in bytes.
///
/// RESTRIPE_ERROR_VALUE: `kind` is none of RESTRIPE_CHECKSUM_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_checksum_combine(
    kind: u32,
    first: u32,
    second: u32,
    second_len: u64,
    checksum: *mut u32,
) -> c_int {
    guard(|| {
        let combined = kind_of(kind)?.combine(first, second, second_len);
        // SAFETY: the caller's promise.
        unsafe { write(checksum, "checksum", combined) }
    })
}

/// Writes the bytes that the checksums of `data_len` bytes take to `sums_len`: 4 for every chunk of
/// `bytes_per_checksum` bytes, of which the last may be short.
///
/// RESTRIPE_ERROR_VALUE: no such kind, or chunks that are not 1 byte to 16 MiB long;
/// RESTRIPE_ERROR_OVERFLOW; RESTRIPE_ERROR_KERNEL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_checksums_len(
    kind: u32,
    bytes_per_checksum: usize,
    data_len: u64,
    sums_len: *mut u64,
) -> c_int {
    guard(|| {
        let len = chunked(kind, bytes_per_checksum)?.sums_len(data_len)?;
        // SAFETY: the caller's promise.
        unsafe { write(sums_len, "sums_len", len) }
    })
}

/// Computes the checksum of every chunk of `data` into `sums`, big-endian, one behind the other.
/// `sums_len` is what restripe_checksums_len says for `data_len`.
///
/// RESTRIPE_ERROR_COUNT: it is not; RESTRIPE_ERROR_OVERLAP; else as restripe_checksums_len.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_checksums_compute(
    kind: u32,
    bytes_per_checksum: usize,
    data: *const u8,
    data_len: usize,
    sums: *mut u8,
    sums_len: usize,
) -> c_int {
    guard(|| {
        let checksum = chunked(kind, bytes_per_checksum)?;
        // SAFETY: the caller's promises.
        unsafe {
            let data = input("data", data, data_len)?;
            let sums = arguments::output("sums", sums, sums_len, &[data])?;
            Ok(checksum.compute(data, sums)?)
        }
    })
}

/// Verifies every chunk of `data` against its checksum in `sums`. `bad_chunk` may be NULL; else it
/// gets the index of the first chunk, from 0, that does not have its checksum, and is left alone
/// where all have.
///
/// RESTRIPE_ERROR_CHECKSUM: there is such a chunk; RESTRIPE_ERROR_COUNT: `sums_len` is not what
/// restripe_checksums_len says; else as restripe_checksums_len.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_checksums_verify(
    kind: u32,
    bytes_per_checksum: usize,
    data: *const u8,
    data_len: usize,
    sums: *const u8,
    sums_len: usize,
    bad_chunk: *mut usize,
) -> c_int {
    guard(|| {
        let checksum = chunked(kind, bytes_per_checksum)?;
        // SAFETY: the caller's promises.
        let (data, sums) =
            unsafe { (input("data", data, data_len)?, input("sums", sums, sums_len)?) };
        let verified = checksum.verify(data, sums);
        if let Err(Error::ChecksumMismatch { chunk, .. }) = verified
            && !bad_chunk.is_null()
        {
            // SAFETY: not NULL, so the caller promises that it can be written.
            unsafe { bad_chunk.write(chunk) };
        }
        Ok(verified?)
    })
}

/// Arrays of checksums that are written: one for every shard, of the length that its own gives.
///
/// # Safety
///
/// As [`arguments::outputs`].
unsafe fn sums_out<'a>(
    what: &'static str,
    checksum: &ChunkedChecksum,
    starts: *const *mut u8,
    shard_lens: impl ExactSizeIterator<Item = usize>,
    inputs: &[&[u8]],
    others: &[&mut [u8]],
) -> Outcome<List<&'a mut [u8]>> {
    let count = shard_lens.len();
    let mut lens = List::<usize>::new(count);
    for (slot, len) in lens.iter_mut().zip(shard_lens) {
        *slot = sums_len(checksum, len)?;
    }
    // SAFETY: the caller's promise.
    unsafe { outputs(what, starts, lens.as_ptr(), count, 0, inputs, others) }
}

/// As restripe_encode, and computes the chunk checksums of all data and parity shards in one pass
/// over memory.
///
/// `data_sums` has a buffer for every data shard, `parity_sums` one for every parity shard; each
/// has as many bytes as restripe_checksums_len says for the shard's own length.
///
/// Errors as restripe_encode and restripe_checksums_len; RESTRIPE_ERROR_OVERLAP also where
/// checksums overlap anything.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_encode_with_checksums(
    codec: *const Codec,
    kind: u32,
    bytes_per_checksum: usize,
    data: *const *const u8,
    data_lens: *const usize,
    data_count: usize,
    parity: *const *mut u8,
    parity_count: usize,
    len: usize,
    data_sums: *const *mut u8,
    parity_sums: *const *mut u8,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let codec = borrow(codec)?;
            let checksum = chunked(kind, bytes_per_checksum)?;
            let (data, mut parity) =
                codec.shards(data, data_lens, data_count, parity, parity_count, len)?;
            let lens = data.iter().map(|shard| shard.len());
            let what = "checksums of data shard";
            let mut data_sums = sums_out(what, &checksum, data_sums, lens, &data, &parity)?;
            let lens = parity.iter().map(|shard| shard.len());
            let what = "checksums of parity shard";
            let mut parity_sums = sums_out(what, &checksum, parity_sums, lens, &data, &parity)?;
            check_apart("checksums of data shard", &data_sums, what, &parity_sums)?;
            let (parity, data_sums) = (&mut *parity, &mut *data_sums);
            let (code, parity_sums) = (&codec.code, &mut *parity_sums);
            match &codec.threads {
                None => {
                    code.encode_with_checksums(&checksum, &data, parity, data_sums, parity_sums)?;
                }
                Some(pool) => threads::encode_with_checksums(
                    pool,
                    code,
                    &checksum,
                    &data,
                    parity,
                    data_sums,
                    parity_sums,
                )?,
            }
            Ok(())
        }
    })
}

/// As restripe_plan_apply, and verifies every input against its chunk checksums and computes those
/// of the outputs in one pass over memory: a repair that takes no damaged byte in.
///
/// `input_sums` has a buffer for every input, `output_sums` one for every output; each has as many
/// bytes as restripe_checksums_len says for the buffer's own length. The first bytes of all
/// buffers begin a chunk.
///
/// RESTRIPE_ERROR_CHECKSUM: a chunk of an input does not have its checksum; outputs and their
/// checksums are then of no use. Else errors as restripe_plan_apply and restripe_checksums_len.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_plan_apply_with_checksums(
    plan: *const Plan,
    kind: u32,
    bytes_per_checksum: usize,
    inputs: *const *const u8,
    input_lens: *const usize,
    input_count: usize,
    input_sums: *const *const u8,
    outputs: *const *mut u8,
    output_count: usize,
    len: usize,
    output_sums: *const *mut u8,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let plan = borrow(plan)?;
            let checksum = chunked(kind, bytes_per_checksum)?;
            let inputs = plan.inputs(inputs, input_lens, input_count, len)?;
            let mut lens = List::<usize>::new(input_count);
            for (slot, input) in lens.iter_mut().zip(inputs.iter()) {
                *slot = sums_len(&checksum, input.len())?;
            }
            let what = "checksums of input";
            let input_sums =
                arguments::inputs(what, input_sums, lens.as_ptr(), input_count, |_| 0)?;
            let mut outputs = plan.outputs(outputs, output_count, len, &inputs)?;
            check_apart("output", &outputs, what, &input_sums)?;
            let lens = outputs.iter().map(|shard| shard.len());
            let what = "checksums of output";
            let mut output_sums = sums_out(what, &checksum, output_sums, lens, &inputs, &outputs)?;
            check_apart(what, &output_sums, "checksums of input", &input_sums)?;
            Ok(plan.plan().apply_with_checksums(
                &checksum,
                &inputs,
                &input_sums,
                &mut outputs,
                &mut output_sums,
            )?)
        }
    })
}
