//! P, and P with Q, of RAID. The last pointers of the array are the parity.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;

use restripe::gf8;
use restripe::kernel::{dot_product_of_pointers, sum_of_pointers};

use crate::names::same;
use crate::{count, kernel, list};

/// Bytes that are computed at a time to be compared.
const TILE: usize = 4096;

/// The coefficient of a source in P (row 0) and Q (row 1).
fn coefficient(row: usize, source: usize) -> u8 {
    if row == 0 { 1 } else { gf8::exp(source % 255) }
}

/// Sums of the sources into `outputs`: P, and Q if there are two.
///
/// # Safety
///
/// All buffers have `len` bytes, and outputs overlap nothing.
unsafe fn sums(sources: &[*mut c_void], outputs: &[*mut c_void], len: usize) {
    // SAFETY: a pointer is a pointer, whatever to; the rest is the caller's promise.
    unsafe {
        let inputs = list(sources.as_ptr().cast(), sources.len());
        match list(outputs.as_ptr().cast(), outputs.len()) {
            [p] => sum_of_pointers(kernel(), inputs, p, len),
            p_and_q => dot_product_of_pointers(kernel(), coefficient, inputs, p_and_q, len, false),
        }
    }
}

/// A tile of what should be in the parity buffers.
struct Computed([[MaybeUninit<u8>; TILE]; 2]);

impl Computed {
    fn new() -> Self {
        Self([[MaybeUninit::uninit(); TILE]; 2])
    }

    /// The first `ROWS` sums of bytes `start..start + len` of the sources; at most a tile.
    ///
    /// # Safety
    ///
    /// All sources have those bytes.
    unsafe fn sums<const ROWS: usize>(
        &mut self,
        sources: &[*mut c_void],
        start: usize,
        len: usize,
    ) -> [&[u8]; ROWS] {
        // A few dozen disks are many; an array of more goes by parts.
        const PART: usize = 64;
        assert!(len <= TILE);
        let outputs: [*mut u8; ROWS] =
            core::array::from_fn(|row| self.0[row].as_mut_ptr().cast::<u8>());
        let mut pointers = [const { MaybeUninit::<*const u8>::uninit() }; PART];
        for (part, sources) in sources.chunks(PART).enumerate() {
            for (pointer, source) in pointers.iter_mut().zip(sources) {
                // SAFETY: the caller's promise.
                pointer.write(unsafe { source.cast::<u8>().add(start) }.cast_const());
            }
            let coefficient = |row, source| coefficient(row, part * PART + source);
            // SAFETY: so many pointers were just written; the rest is the caller's promise, and
            // tiles that are as long.
            unsafe {
                let inputs = list(pointers.as_ptr().cast(), sources.len());
                dot_product_of_pointers(kernel(), coefficient, inputs, &outputs, len, part > 0);
            }
        }
        // SAFETY: every byte of them was written: there is at least one source.
        outputs.map(|output| unsafe { core::slice::from_raw_parts(output, len) })
    }
}

/// The bytes of a buffer that a tile begins at `start` of.
///
/// # Safety
///
/// The buffer has those bytes, and nobody writes them meanwhile.
unsafe fn tile<'a>(buffer: *mut c_void, start: usize, len: usize) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe { list(buffer.cast::<u8>().add(start), len) }
}

/// The last of `vects` buffers becomes the sum of the others. 0, or 1 for fewer than three.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xor_gen(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int {
    if vects < 3 {
        return 1;
    }
    // SAFETY: the caller promises `vects` buffers of `len` bytes.
    unsafe {
        let array = list(array, count(vects));
        let (sources, parity) = array.split_at(array.len() - 1);
        sums(sources, parity, count(len));
    }
    0
}

same!(
    xor_gen_base xor_gen_sse xor_gen_avx = xor_gen, [(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int]);

/// Whether all buffers sum to zero: 0 if they do; 1 for fewer than two; else `len`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn xor_check(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int {
    if vects < 2 {
        return 1;
    }
    // SAFETY: the caller promises `vects` buffers.
    let array = unsafe { list(array, count(vects)) };
    let (sources, last) = array.split_at(array.len() - 1);
    let mut computed = Computed::new();
    for start in (0..count(len)).step_by(TILE) {
        let size = (count(len) - start).min(TILE);
        // SAFETY: the caller promises `len` bytes of each buffer.
        let ([sum], last) =
            unsafe { (computed.sums(sources, start, size), tile(last[0], start, size)) };
        if sum != last {
            return len;
        }
    }
    0
}

same!(
    xor_check_base xor_check_sse = xor_check, [(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int]);

/// The last two of `vects` buffers become P and Q of the others, if `len` is a multiple of
/// `multiple` and there are at least two others: then 0, else 1.
///
/// # Safety
///
/// `array` has `vects` pointers, to `len` bytes each.
unsafe fn pq_gen_of(vects: c_int, len: c_int, array: *const *mut c_void, multiple: c_int) -> c_int {
    if vects < 4 || len % multiple != 0 {
        return 1;
    }
    // SAFETY: the caller's promise.
    unsafe {
        let array = list(array, count(vects));
        let (sources, parity) = array.split_at(array.len() - 2);
        sums(sources, parity, count(len));
    }
    0
}

/// As `pq_gen_of`, for what ISA-L documents of each name: how many bytes `len` is a multiple of.
macro_rules! pq_gens {
    ($($name:ident $multiple:literal)*) => {$(
        /// P and Q: see its header.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            vects: c_int,
            len: c_int,
            array: *const *mut c_void,
        ) -> c_int {
            // SAFETY: the caller's own promise.
            unsafe { pq_gen_of(vects, len, array, $multiple) }
        }
    )*};
}

pq_gens! { pq_gen 32 pq_gen_base 1 pq_gen_sse 16 pq_gen_avx 16 pq_gen_avx2 32 }

/// Whether the last two buffers are P and Q of the others: 0 if they are, 1 for fewer than four
/// buffers; else the first byte that is wrong, with bit 0 set for P or bit 1 for Q.
///
/// # Safety
///
/// `array` has `vects` pointers, to `len` bytes each.
unsafe fn pq_check_of(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int {
    if vects < 4 {
        return 1;
    }
    // SAFETY: the caller's promise.
    let array = unsafe { list(array, count(vects)) };
    let (sources, parity) = array.split_at(array.len() - 2);
    let mut computed = Computed::new();
    for start in (0..count(len)).step_by(TILE) {
        let size = (count(len) - start).min(TILE);
        // SAFETY: the caller promises `len` bytes of each buffer.
        let (sums, parity) = unsafe {
            let parity = [tile(parity[0], start, size), tile(parity[1], start, size)];
            (computed.sums::<2>(sources, start, size), parity)
        };
        if sums != parity {
            return wrong_byte(start, sums, parity);
        }
    }
    0
}

/// The first byte of a tile that is wrong, as `pq_check_of` has it.
#[cold]
fn wrong_byte(start: usize, sums: [&[u8]; 2], parity: [&[u8]; 2]) -> c_int {
    let first = |row: usize| {
        sums[row].iter().zip(parity[row]).position(|(sum, byte)| sum != byte).unwrap_or(usize::MAX)
    };
    let [p, q] = [first(0), first(1)];
    let position = (start + p.min(q)) as c_int;
    if p <= q { position | 1 } else { position | 2 }
}

/// Whether P and Q are right, for lengths that are multiples of 16; else 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pq_check(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int {
    if len % 16 != 0 {
        return 1;
    }
    // SAFETY: the caller's own promise.
    unsafe { pq_check_of(vects, len, array) }
}

same!(pq_check_sse = pq_check, [(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int]);
same!(pq_check_base = pq_check_of, [(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int]);
