//! Codecs: made, asked, and used to encode, to update and to rebuild.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use core::ptr;

use rayon::ThreadPool;

use super::arguments::{
    self, Handle, List, Outcome, borrow, check_count, give, input, inputs, kernel, outputs,
    present, values, versioned, write,
};
use super::status::{Failure, guard};
use super::system::name_of;
use crate::gf8::Matrix;
use crate::{ErasureCode, Error, Hitchhiker, LocallyRepairable, MatrixKind, Mds, ReedSolomon};

/// 1 / ((k + p) xor i): Hadoop's RS, ISA-L's gf_gen_cauchy1_matrix. (i counts data units, p parity
/// units.)
pub const RESTRIPE_MATRIX_CAUCHY: u32 = 1;
/// Backblaze's Vandermonde matrix: klauspost/reedsolomon, MinIO, RustFS, SeaweedFS,
/// reed-solomon-erasure.
pub const RESTRIPE_MATRIX_BACKBLAZE: u32 = 2;
/// PAR 1 files. Not always MDS.
pub const RESTRIPE_MATRIX_PAR1: u32 = 3;
/// ISA-L's gf_gen_rs_matrix, liberasurecode's isa_l_rs_vand. Not always MDS.
pub const RESTRIPE_MATRIX_ISAL_VANDERMONDE: u32 = 4;
/// liberasurecode's isa_l_rs_vand_inv.
pub const RESTRIPE_MATRIX_ISAL_VANDERMONDE_INVERTED: u32 = 5;
/// jerasure's reed_sol_van with w = 8.
pub const RESTRIPE_MATRIX_JERASURE_VANDERMONDE: u32 = 6;
/// jerasure's reed_sol_r6_op with w = 8; two parity units.
pub const RESTRIPE_MATRIX_JERASURE_R6: u32 = 7;
/// zfec, Tahoe-LAFS.
pub const RESTRIPE_MATRIX_ZFEC: u32 = 8;
/// Hadoop's RS-LEGACY; at most 255 units.
pub const RESTRIPE_MATRIX_RS_LEGACY: u32 = 9;
/// Hadoop's XOR, RAID-4, RAID-5; one parity unit.
pub const RESTRIPE_MATRIX_XOR: u32 = 10;
/// The caller's own coefficients: restripe_codec_options.parity_rows.
pub const RESTRIPE_MATRIX_CUSTOM: u32 = 11;
/// Hadoop's Hitchhiker-XOR: a repair reads halves of shards. Shards have an even length.
pub const RESTRIPE_MATRIX_HITCHHIKER_XOR: u32 = 12;
/// A locally repairable code: restripe_codec_options.local_groups groups of data units with a
/// parity unit each, the other parity units being of all.
pub const RESTRIPE_MATRIX_LOCALLY_REPAIRABLE: u32 = 13;

// The numbers are those of the engine.
const _: () = {
    assert!(RESTRIPE_MATRIX_CAUCHY == MatrixKind::Cauchy.id() as u32);
    assert!(RESTRIPE_MATRIX_BACKBLAZE == MatrixKind::Backblaze.id() as u32);
    assert!(RESTRIPE_MATRIX_PAR1 == MatrixKind::Par1.id() as u32);
    assert!(RESTRIPE_MATRIX_ISAL_VANDERMONDE == MatrixKind::IsalVandermonde.id() as u32);
    assert!(
        RESTRIPE_MATRIX_ISAL_VANDERMONDE_INVERTED
            == MatrixKind::IsalVandermondeInverted.id() as u32
    );
    assert!(RESTRIPE_MATRIX_JERASURE_VANDERMONDE == MatrixKind::JerasureVandermonde.id() as u32);
    assert!(RESTRIPE_MATRIX_JERASURE_R6 == MatrixKind::JerasureR6.id() as u32);
    assert!(RESTRIPE_MATRIX_ZFEC == MatrixKind::Zfec.id() as u32);
    assert!(RESTRIPE_MATRIX_RS_LEGACY == MatrixKind::RsLegacy.id() as u32);
    assert!(RESTRIPE_MATRIX_XOR == MatrixKind::Xor.id() as u32);
    assert!(RESTRIPE_MATRIX_CUSTOM == MatrixKind::Custom.id() as u32);
    assert!(RESTRIPE_MATRIX_HITCHHIKER_XOR == MatrixKind::HitchhikerXor.id() as u32);
    assert!(RESTRIPE_MATRIX_LOCALLY_REPAIRABLE == MatrixKind::LocallyRepairable.id() as u32);
};

/// Any data_units units give back the others: there is a proof for the matrix.
pub const RESTRIPE_MDS_PROVEN: u32 = 1;
/// The maker of the matrix documents it for these numbers of units.
pub const RESTRIPE_MDS_DOCUMENTED: u32 = 2;
/// All square submatrices of these very coefficients were found to be invertible.
pub const RESTRIPE_MDS_CHECKED: u32 = 3;
/// Not known, or known not to be so; or the code is none by design.
pub const RESTRIPE_MDS_UNCHECKED: u32 = 4;

/// In restripe_codec_options.flags: takes a matrix that is not MDS, or not known to be.
/// Some losses may then be beyond repair, which is said before anything is read.
pub const RESTRIPE_ACCEPT_UNCHECKED: u32 = 1;

/// A code with its coefficients, tables and kernel. Immutable: any number of threads may use one
/// at the same time, and only restripe_codec_free must be alone. Make one and keep it.
pub struct Codec {
    pub(super) code: Arc<dyn ErasureCode>,
    pub(super) threads: Option<Arc<ThreadPool>>,
}

impl Handle for Codec {
    const MARK: u64 = u64::from_be_bytes(*b"rs codec");
    const NAME: &'static str = "codec";
}

/// Choices of restripe_codec_new_with. Set all of it to zeros, then `size`, then what is to
/// differ. Later versions of restripe may add fields at its end, whose zero means what it does
/// now.
#[repr(C)]
pub struct CodecOptions {
    /// sizeof(restripe_codec_options).
    pub size: usize,
    /// RESTRIPE_MATRIX_...; 0 stands for RESTRIPE_MATRIX_CAUCHY.
    pub matrix: u32,
    /// RESTRIPE_ACCEPT_UNCHECKED, or 0.
    pub flags: u32,
    /// The name of a kernel that this CPU has, whatever RESTRIPE_KERNEL says; NULL for the
    /// selected one. Read during the call only.
    pub kernel: *const c_char,
    /// For RESTRIPE_MATRIX_CUSTOM: a row of data_units bytes for every parity unit, one behind the
    /// other; else NULL. Read during the call only.
    pub parity_rows: *const u8,
    /// Bytes at parity_rows: parity_units times data_units, or 0.
    pub parity_rows_len: usize,
    /// For RESTRIPE_MATRIX_LOCALLY_REPAIRABLE: the number of groups, less than parity_units; else
    /// 0.
    pub local_groups: usize,
    /// Threads that one call of restripe_encode, restripe_encode_with_checksums, restripe_verify or
    /// restripe_plan_apply may use where shards are so large that it pays (from 2 MiB of inputs and
    /// outputs together): they are the codec's and its plans' own, and wait in between. 0 or 1: the
    /// calling thread alone.
    pub threads: usize,
}

/// More threads than this are a mistake.
const MAX_THREADS: usize = 1024;

/// Makes the code of `data_units` and `parity_units` over the Cauchy matrix, the bytes of Hadoop's
/// RS and of ISA-L's Cauchy code, and writes its handle to `codec`. It is the caller's, to be freed
/// by restripe_codec_free.
///
/// RESTRIPE_ERROR_UNIT_COUNTS: unless both are at least 1 and together at most 256.
/// RESTRIPE_ERROR_KERNEL: RESTRIPE_KERNEL names no kernel of this CPU.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_codec_new(
    data_units: usize,
    parity_units: usize,
    codec: *mut *mut Codec,
) -> c_int {
    guard(|| {
        let code = Arc::new(ReedSolomon::new(data_units, parity_units)?);
        // SAFETY: the caller's promise.
        unsafe { give(codec, Codec { code, threads: None }) }
    })
}

/// As restripe_codec_new, with choices. `options` may be NULL: then it is the same.
///
/// Also RESTRIPE_ERROR_VALUE: numbers that no matrix kind or flag has, coefficients without
/// RESTRIPE_MATRIX_CUSTOM and the like, what the kind of code does not take;
/// RESTRIPE_ERROR_LENGTH: another number of coefficients; RESTRIPE_ERROR_NOT_MDS and
/// RESTRIPE_ERROR_MDS_UNKNOWN: without RESTRIPE_ACCEPT_UNCHECKED; RESTRIPE_ERROR_KERNEL: no such
/// kernel here; RESTRIPE_ERROR_THREADS: they could not be started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_codec_new_with(
    data_units: usize,
    parity_units: usize,
    options: *const CodecOptions,
    codec: *mut *mut Codec,
) -> c_int {
    guard(|| {
        if options.is_null() {
            let code = Arc::new(ReedSolomon::new(data_units, parity_units)?);
            // SAFETY: the caller's promise.
            return unsafe { give(codec, Codec { code, threads: None }) };
        }
        // SAFETY: the caller's promise; its fields are numbers and pointers, so zeros are one.
        let options = unsafe { versioned("options", options, size_of::<CodecOptions>()) }?;
        // SAFETY: the pointers in it are as the caller promises.
        let code = unsafe { code_of(data_units, parity_units, &options) }?;
        let threads = pool_of(options.threads)?;
        // SAFETY: the caller's promise.
        unsafe { give(codec, Codec { code, threads }) }
    })
}

/// # Safety
///
/// The pointers of `options` are NULL or to what it says.
unsafe fn code_of(
    data_units: usize,
    parity_units: usize,
    options: &CodecOptions,
) -> Outcome<Arc<dyn ErasureCode>> {
    let refused = |what, got: usize, expected| Failure::Value { what, got: got as u64, expected };
    if options.flags & !RESTRIPE_ACCEPT_UNCHECKED != 0 {
        return Err(refused("flags", options.flags as usize, "RESTRIPE_ACCEPT_UNCHECKED or 0"));
    }
    let kind = match options.matrix {
        0 => Some(MatrixKind::Cauchy),
        id => u8::try_from(id).ok().and_then(MatrixKind::from_id),
    };
    let kind = kind.ok_or_else(|| {
        refused("matrix", options.matrix as usize, "one of RESTRIPE_MATRIX_... or 0")
    })?;
    if kind != MatrixKind::LocallyRepairable && options.local_groups != 0 {
        let expected = "0 unless the matrix is RESTRIPE_MATRIX_LOCALLY_REPAIRABLE";
        return Err(refused("local_groups", options.local_groups, expected));
    }
    if kind != MatrixKind::Custom && options.parity_rows_len != 0 {
        let expected = "0 unless the matrix is RESTRIPE_MATRIX_CUSTOM";
        return Err(refused("parity_rows_len", options.parity_rows_len, expected));
    }
    // SAFETY: the caller's promise.
    let kernel = unsafe { kernel(options.kernel) }?;
    let mut builder = ReedSolomon::builder(data_units, parity_units).kernel(kernel);
    if options.flags & RESTRIPE_ACCEPT_UNCHECKED != 0 {
        builder = builder.accept_unchecked();
    }
    match kind {
        MatrixKind::HitchhikerXor => {
            Ok(Arc::new(Hitchhiker::with_kernel(data_units, parity_units, kernel)?))
        }
        MatrixKind::LocallyRepairable => {
            let groups = options.local_groups;
            let global_parities = parity_units.checked_sub(groups).ok_or_else(|| {
                refused("local_groups", groups, "less than the number of parity units")
            })?;
            let code = LocallyRepairable::with_kernel(data_units, groups, global_parities, kernel);
            Ok(Arc::new(code?))
        }
        MatrixKind::Custom => {
            let expected = data_units.checked_mul(parity_units);
            let got = options.parity_rows_len;
            if expected != Some(got) {
                let expected = expected.unwrap_or(usize::MAX);
                let what = "coefficients of matrix";
                return Err(Error::Length { what, index: 0, expected, got }.into());
            }
            // SAFETY: the caller's promise.
            let rows = unsafe { values("parity_rows", options.parity_rows, got) }?;
            let rows = Matrix::from_fn(parity_units, data_units, |row, column| {
                rows[row * data_units + column]
            });
            Ok(Arc::new(builder.parity_rows(rows).build()?))
        }
        kind => Ok(Arc::new(builder.matrix(kind).build()?)),
    }
}

/// The shards of a call: those of the data, and those of the parity.
type Shards<'a> = (List<&'a [u8]>, List<&'a mut [u8]>);

impl Codec {
    /// Data and parity shards, as many as there are units, of `len` bytes or of `data_lens`.
    ///
    /// # Safety
    ///
    /// As [`arguments::inputs`] and [`arguments::outputs`].
    pub(super) unsafe fn shards<'a>(
        &self,
        data: *const *const u8,
        data_lens: *const usize,
        data_count: usize,
        parity: *const *mut u8,
        parity_count: usize,
        len: usize,
    ) -> Outcome<Shards<'a>> {
        check_count("data shards", self.code.data_units(), data_count)?;
        check_count("parity shards", self.code.parity_units(), parity_count)?;
        // SAFETY: the caller's promises.
        unsafe {
            let data = inputs("data shard", data, data_lens, data_count, |_| len)?;
            let parity =
                outputs("parity shard", parity, ptr::null(), parity_count, len, &data, &[])?;
            Ok((data, parity))
        }
    }
}

fn pool_of(threads: usize) -> Outcome<Option<Arc<ThreadPool>>> {
    if threads <= 1 {
        return Ok(None);
    }
    if threads > MAX_THREADS {
        let got = threads as u64;
        return Err(Failure::Value { what: "threads", got, expected: "1024 at the most" });
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Failure::Threads { threads, reason: error.to_string() })?;
    Ok(Some(Arc::new(pool)))
}

/// Frees a codec. Plans made by it live on. Does nothing to NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_codec_free(codec: *mut Codec) {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { arguments::free(codec) };
        Ok(())
    });
}

/// Data units, k; 0 for what is no codec.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_codec_data_units(codec: *const Codec) -> usize {
    // SAFETY: the caller's promise.
    unsafe { borrow(codec) }.map_or(0, |codec| codec.code.data_units())
}

/// Parity units, m; 0 for what is no codec.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_codec_parity_units(codec: *const Codec) -> usize {
    // SAFETY: the caller's promise.
    unsafe { borrow(codec) }.map_or(0, |codec| codec.code.parity_units())
}

/// Sub-shards that each shard is divided into: 1 but for Hitchhiker codes. Lengths of shards are
/// multiples of it. 0 for what is no codec.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_codec_sub_shards(codec: *const Codec) -> usize {
    // SAFETY: the caller's promise.
    unsafe { borrow(codec) }.map_or(0, |codec| codec.code.sub_shards())
}

/// RESTRIPE_MATRIX_...; 0 for what is no codec.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_codec_matrix(codec: *const Codec) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { borrow(codec) }.map_or(0, |codec| codec.code.matrix_kind().id().into())
}

/// RESTRIPE_MDS_...: whether any data_units units give back the others, and how that is known.
/// 0 for what is no codec.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_codec_mds(codec: *const Codec) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { borrow(codec) }.map_or(0, |codec| match codec.code.mds() {
        Mds::Proven => RESTRIPE_MDS_PROVEN,
        Mds::Documented => RESTRIPE_MDS_DOCUMENTED,
        Mds::Checked => RESTRIPE_MDS_CHECKED,
        Mds::Unchecked => RESTRIPE_MDS_UNCHECKED,
    })
}

/// The name of the kernel that it runs on; NULL for what is no codec. The text is static.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_codec_kernel(codec: *const Codec) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { borrow(codec) }.map_or(ptr::null(), |codec| name_of(codec.code.kernel()))
}

/// Writes the coefficients to `rows`: a row for every parity sub-shard, one behind the other, each
/// with a byte for every data sub-shard. `rows_len` is the buffer's length in bytes.
///
/// RESTRIPE_ERROR_BUFFER_TOO_SMALL: it takes parity_units times data_units times the square of
/// sub_shards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_codec_parity_rows(
    codec: *const Codec,
    rows: *mut u8,
    rows_len: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promise.
        let matrix = unsafe { borrow(codec) }?.code.parity_rows();
        let needed = matrix.rows() * matrix.columns();
        if rows_len < needed {
            let what = "the matrix";
            return Err(Failure::TooSmall { what, needed, got: rows_len });
        }
        // SAFETY: the caller's promise, for the bytes that are needed.
        let rows = unsafe { arguments::output("rows", rows, needed, &[]) }?;
        let bytes = matrix.iter_rows().flatten();
        rows.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(())
    })
}

/// Writes 1 to `recoverable` if the other units give back the `lost` ones, else 0. Nothing is read
/// to know it.
///
/// RESTRIPE_ERROR_UNIT, RESTRIPE_ERROR_DUPLICATE_UNIT: in `lost`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_codec_is_recoverable(
    codec: *const Codec,
    lost: *const usize,
    lost_count: usize,
    recoverable: *mut c_int,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let codec = borrow(codec)?;
            let lost = values("lost", lost, lost_count)?;
            write(recoverable, "recoverable", c_int::from(codec.code.is_recoverable(lost)?))
        }
    })
}

/// Computes all parity shards from all data shards.
///
/// `data` has `data_count` pointers, one a data unit, in order; `parity` has `parity_count`, one a
/// parity unit. Every parity shard has `len` bytes. `data_lens` has the length of every data shard
/// in bytes, or is NULL: then each has `len`. The longest must have `len` bytes (in a code with
/// sub-shards: rounded up to a multiple of their number); a shorter one counts as continued with
/// zeros, and one of no bytes may be NULL.
///
/// RESTRIPE_ERROR_COUNT, RESTRIPE_ERROR_LENGTH: where that is not so; RESTRIPE_ERROR_OVERLAP: the
/// parity shards overlap each other or a data shard.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_encode(
    codec: *const Codec,
    data: *const *const u8,
    data_lens: *const usize,
    data_count: usize,
    parity: *const *mut u8,
    parity_count: usize,
    len: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let codec = borrow(codec)?;
            let (data, mut parity) =
                codec.shards(data, data_lens, data_count, parity, parity_count, len)?;
            match &codec.threads {
                None => codec.code.encode(&data, &mut parity)?,
                Some(pool) => pool.install(|| codec.code.encode_parallel(&data, &mut parity))?,
            }
            Ok(())
        }
    })
}

/// As restripe_encode, with a check that the parity in memory is what it should be: every column
/// of bytes by one random combination of the parity shards against the same one of the data,
/// derived from the matrix and not from the kernel's tables. `seed` decides the combination: give
/// a random number. It costs about as much as (k + m) / k more parity units would.
///
/// One wrong parity byte in a column is always caught, several in one column are missed once in
/// 255. Not caught: data that both sides read wrongly, a wrong matrix, memory that goes bad later.
///
/// RESTRIPE_ERROR_COMPUTE_CHECK: the check failed; the parity is not to be used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_encode_verified(
    codec: *const Codec,
    data: *const *const u8,
    data_lens: *const usize,
    data_count: usize,
    parity: *const *mut u8,
    parity_count: usize,
    len: usize,
    seed: u64,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let codec = borrow(codec)?;
            let (data, mut parity) =
                codec.shards(data, data_lens, data_count, parity, parity_count, len)?;
            Ok(codec.code.encode_verified(&data, &mut parity, seed)?)
        }
    })
}

/// Changes the parity shards as data unit `unit` changes from the `len` bytes at `old_data` to
/// those at `new_data`. No other data unit is read. The shards may be a range of the whole ones,
/// the same range of all.
///
/// RESTRIPE_ERROR_UNIT: unless it is a data unit; RESTRIPE_ERROR_COUNT: another number of parity
/// shards; RESTRIPE_ERROR_OVERLAP. The parity is then unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_update(
    codec: *const Codec,
    unit: usize,
    old_data: *const u8,
    new_data: *const u8,
    parity: *const *mut u8,
    parity_count: usize,
    len: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let codec = borrow(codec)?;
            check_count("parity shards", codec.code.parity_units(), parity_count)?;
            let (old, new) = (input("old_data", old_data, len)?, input("new_data", new_data, len)?);
            let data = [old, new];
            let mut parity =
                outputs("parity shard", parity, ptr::null(), parity_count, len, &data, &[])?;
            Ok(codec.code.update(unit, old, new, &mut parity)?)
        }
    })
}

/// Adds one data unit's share to the parity shards, which began as zeros. Once every data unit was
/// added, in any order, they hold what restripe_encode computes.
///
/// `data` is the unit's shard of `data_len` bytes, at most `len`; every parity shard has `len`.
///
/// RESTRIPE_ERROR_UNIT: unless it is a data unit; RESTRIPE_ERROR_COUNT, RESTRIPE_ERROR_LENGTH,
/// RESTRIPE_ERROR_OVERLAP; RESTRIPE_ERROR_VALUE: a code with sub-shards. The parity is then
/// unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_accumulate(
    codec: *const Codec,
    unit: usize,
    data: *const u8,
    data_len: usize,
    parity: *const *mut u8,
    parity_count: usize,
    len: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let codec = borrow(codec)?;
            check_count("parity shards", codec.code.parity_units(), parity_count)?;
            if data_len > len {
                let what = "data shard";
                return Err(Error::TooLong { what, index: unit, most: len, got: data_len }.into());
            }
            let data = input("data", data, data_len)?;
            let mut parity =
                outputs("parity shard", parity, ptr::null(), parity_count, len, &[data], &[])?;
            Ok(codec.code.encode_plan().add_input(unit, data, &mut parity)?)
        }
    })
}

/// Rebuilds lost shards.
///
/// `shards` has an entry for every unit, data units first, NULL for what is lost; `shard_count`
/// says how many. `lens` has their lengths in bytes, or is NULL: then each that is there has
/// `len`. A data shard that is shorter than the others counts as continued with zeros; parity
/// shards have one length, and no data shard is longer. (A data unit of no bytes is there: give
/// any pointer, and 0 in `lens`.)
///
/// `wanted` names `wanted_count` units, of which only those are computed; `outputs` has a buffer
/// for each. `output_lens` has the length of each in bytes, or is NULL: then it is `len`. No
/// buffer is longer than the longest shard. A unit that is there and wanted is not read.
///
/// RESTRIPE_ERROR_COUNT: another number of shards; RESTRIPE_ERROR_LENGTH: lengths that are not so;
/// RESTRIPE_ERROR_UNIT, RESTRIPE_ERROR_DUPLICATE_UNIT: in `wanted`;
/// RESTRIPE_ERROR_TOO_FEW_UNITS, RESTRIPE_ERROR_NOT_RECOVERABLE: too many are lost;
/// RESTRIPE_ERROR_OVERLAP; RESTRIPE_ERROR_VALUE: a code with sub-shards, of which a plan rebuilds
/// (restripe_plan_new). The outputs are then unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_reconstruct(
    codec: *const Codec,
    shards: *const *const u8,
    lens: *const usize,
    shard_count: usize,
    wanted: *const usize,
    outputs: *const *mut u8,
    output_lens: *const usize,
    wanted_count: usize,
    len: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let codec = borrow(codec)?;
            check_count("shards", codec.code.total_units(), shard_count)?;
            let mut shards = present("shard", shards, lens, shard_count, len)?;
            let wanted = values("wanted", wanted, wanted_count)?;
            for &unit in wanted {
                let units = shards.len();
                *shards.get_mut(unit).ok_or(Error::UnitOutOfRange { unit, units })? = None;
            }
            let there: Vec<&[u8]> = shards.iter().flatten().copied().collect();
            let mut buffers =
                arguments::outputs("output", outputs, output_lens, wanted_count, len, &there, &[])?;
            let longest = there.iter().map(|shard| shard.len()).max().unwrap_or(0);
            let mut wanted: Vec<(usize, &mut [u8])> = wanted
                .iter()
                .copied()
                .zip(buffers.iter_mut().map(|buffer| &mut **buffer))
                .collect();
            Ok(codec.code.reconstruct_into(&shards, 0..longest, &mut wanted)?)
        }
    })
}
