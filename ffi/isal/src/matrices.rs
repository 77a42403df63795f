//! Field elements and matrices of them. `m` counts all rows here, those of the data too.

use core::ffi::c_int;

use restripe::gf8::{self, Matrix};

use crate::count;

/// The product of two field elements.
#[unsafe(no_mangle)]
pub extern "C" fn gf_mul(a: u8, b: u8) -> u8 {
    gf8::mul(a, b)
}

/// The inverse of a field element; 0 for 0.
#[unsafe(no_mangle)]
pub extern "C" fn gf_inv(a: u8) -> u8 {
    gf8::inverse(a).unwrap_or(0)
}

/// Writes `m` rows of `k` elements: the identity, then `element(row, column)`.
///
/// # Safety
///
/// `a` has m * k bytes.
unsafe fn write(a: *mut u8, m: c_int, k: c_int, element: impl Fn(usize, usize) -> u8) {
    let (m, k) = (count(m), count(k));
    for row in 0..m {
        for column in 0..k {
            let value = if row < k { u8::from(row == column) } else { element(row, column) };
            // SAFETY: the caller's promise.
            unsafe { a.add(row * k + column).write(value) };
        }
    }
}

/// The identity, then powers: element (i, j) is 2^((i - k) j).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gf_gen_rs_matrix(a: *mut u8, m: c_int, k: c_int) {
    let first = count(k);
    // SAFETY: the caller promises m * k bytes.
    unsafe { write(a, m, k, |row, column| gf8::pow(gf8::exp(row - first), column)) };
}

/// The identity, then 1 / (i xor j).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gf_gen_cauchy1_matrix(a: *mut u8, m: c_int, k: c_int) {
    // SAFETY: the caller promises m * k bytes.
    unsafe { write(a, m, k, |row, column| gf_inv((row ^ column) as u8)) };
}

/// Inverts an n x n matrix. 0, or -1 for one that has no inverse. Where there is one, the input
/// becomes the identity: ISA-L inverts in place, and so callers may know it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gf_invert_matrix(input: *mut u8, out: *mut u8, n: c_int) -> c_int {
    let n = count(n);
    // SAFETY: the caller promises n * n elements.
    let matrix = Matrix::from_fn(n, n, |row, column| unsafe { *input.add(row * n + column) });
    let Some(inverse) = matrix.inverted() else { return -1 };
    for row in 0..n {
        for column in 0..n {
            // SAFETY: as above, for both.
            unsafe {
                out.add(row * n + column).write(inverse.get(row, column));
                input.add(row * n + column).write(u8::from(row == column));
            }
        }
    }
    0
}
