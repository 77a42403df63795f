//! The tables that callers keep: 32 bytes a coefficient.
//!
//! They are ISA-L's own: the products with 0 to 15, then with 0, 16 to 240. So byte 1 is the
//! coefficient itself, and that is all that is read here: the kernel has its own form of every
//! coefficient at hand. A caller's table thus means the same to every function, whichever made it.

use core::ffi::c_int;

use restripe::gf8;

use crate::count;
use crate::names::same;

/// Bytes of a coefficient's table.
pub(crate) const ENTRY: usize = 32;

/// The coefficient that the table's entry stands for.
///
/// # Safety
///
/// `tables` has more than `index` entries.
#[inline]
pub(crate) unsafe fn coefficient(tables: *const u8, index: usize) -> u8 {
    // SAFETY: the caller's promise.
    unsafe { *tables.add(index * ENTRY + 1) }
}

fn entry_of(coefficient: u8) -> [u8; ENTRY] {
    let factor = |index: usize| if index < 16 { index } else { (index - 16) << 4 };
    core::array::from_fn(|index| gf8::mul(coefficient, factor(index) as u8))
}

/// Fills one table of 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gf_vect_mul_init(c: u8, gftbl: *mut u8) {
    // SAFETY: the caller promises 32 bytes.
    unsafe { gftbl.cast::<[u8; ENTRY]>().write_unaligned(entry_of(c)) };
}

/// Fills k * rows tables from as many coefficients.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ec_init_tables(k: c_int, rows: c_int, a: *const u8, gftbls: *mut u8) {
    for index in 0..count(k) * count(rows) {
        // SAFETY: the caller promises k * rows coefficients and tables.
        unsafe { gf_vect_mul_init(*a.add(index), gftbls.add(index * ENTRY)) };
    }
}

same!(ec_init_tables_base = ec_init_tables, [(k: c_int, rows: c_int, a: *const u8, gftbls: *mut u8)]);
