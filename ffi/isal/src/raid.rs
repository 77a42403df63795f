//! P, and P with Q, of RAID. The last pointers of the array are the parity.

use core::ffi::{c_int, c_void};

use restripe::gf8;
use restripe::kernel::dot_product_of_pointers;

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
/// All buffers have bytes `start..start + len` (outputs: `len`), and outputs overlap nothing.
unsafe fn sums(sources: &[*mut c_void], outputs: &[*mut u8], start: usize, len: usize) {
    // A few dozen disks are many; an array of more goes by parts.
    const PART: usize = 64;
    for (part, sources) in sources.chunks(PART).enumerate() {
        let mut pointers = [core::ptr::null(); PART];
        for (pointer, source) in pointers.iter_mut().zip(sources) {
            // SAFETY: the caller's promise.
            *pointer = unsafe { source.cast::<u8>().add(start) }.cast_const();
        }
        let coefficient = |row, source| coefficient(row, part * PART + source);
        // SAFETY: the caller's promise.
        unsafe {
            let inputs = &pointers[..sources.len()];
            dot_product_of_pointers(kernel(), coefficient, inputs, outputs, len, part > 0);
        }
    }
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
        sums(sources, &[parity[0].cast()], 0, count(len));
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
    let mut sum = [0u8; TILE];
    for start in (0..count(len)).step_by(TILE) {
        let tile = (count(len) - start).min(TILE);
        // SAFETY: the caller promises `vects` buffers of `len` bytes.
        unsafe { sums(list(array, count(vects)), &[sum.as_mut_ptr()], start, tile) };
        if sum[..tile].iter().any(|&byte| byte != 0) {
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
        sums(sources, &[parity[0].cast(), parity[1].cast()], 0, count(len));
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
    let mut computed = [[0u8; TILE]; 2];
    for start in (0..count(len)).step_by(TILE) {
        let tile = (count(len) - start).min(TILE);
        let outputs = computed.each_mut().map(|sum| sum.as_mut_ptr());
        // SAFETY: the caller's promise.
        unsafe { sums(sources, &outputs, start, tile) };
        // SAFETY: as above.
        let [p, q] = [0, 1].map(|index: usize| unsafe {
            core::slice::from_raw_parts(parity[index].cast::<u8>().add(start), tile)
        });
        for at in 0..tile {
            let position = (start + at) as c_int;
            if computed[0][at] != p[at] {
                return position | 1;
            }
            if computed[1][at] != q[at] {
                return position | 2;
            }
        }
    }
    0
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
