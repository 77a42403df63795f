//! Sums of products with a caller's tables: encoding, decoding, updating.

use core::ffi::{c_int, c_void};

use restripe::kernel::dot_product_of_pointers;

use crate::names::same;
use crate::tables::coefficient;
use crate::{count, kernel, list};

/// `rows` outputs from `k` inputs; the tables lie row by row.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ec_encode_data(
    len: c_int,
    k: c_int,
    rows: c_int,
    gftbls: *const u8,
    data: *const *const u8,
    coding: *const *mut u8,
) {
    let columns = count(k);
    // SAFETY: the caller promises k inputs, `rows` outputs of `len` bytes, which do not overlap,
    // and k * rows tables.
    unsafe {
        dot_product_of_pointers(
            kernel(),
            move |row, column| coefficient(gftbls, row * columns + column),
            list(data, columns),
            list(coding, count(rows)),
            count(len),
            false,
        );
    }
}

same!(
ec_encode_data_base ec_encode_data_sse ec_encode_data_avx ec_encode_data_avx2 = ec_encode_data, [(
    len: c_int,
    k: c_int,
    rows: c_int,
    gftbls: *const u8,
    data: *const *const u8,
    coding: *const *mut u8,
)]);

/// Adds the products of input `vec_i` of `k` to the outputs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ec_encode_data_update(
    len: c_int,
    k: c_int,
    rows: c_int,
    vec_i: c_int,
    g_tbls: *const u8,
    data: *const u8,
    coding: *const *mut u8,
) {
    let (columns, column) = (count(k), count(vec_i));
    // SAFETY: as above, for one input.
    unsafe {
        dot_product_of_pointers(
            kernel(),
            move |row, _| coefficient(g_tbls, row * columns + column),
            &[data],
            list(coding, count(rows)),
            count(len),
            true,
        );
    }
}

same!(
ec_encode_data_update_base ec_encode_data_update_sse ec_encode_data_update_avx
ec_encode_data_update_avx2 = ec_encode_data_update, [(
    len: c_int,
    k: c_int,
    rows: c_int,
    vec_i: c_int,
    g_tbls: *const u8,
    data: *const u8,
    coding: *const *mut u8,
)]);

/// One output from `vlen` inputs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gf_vect_dot_prod(
    len: c_int,
    vlen: c_int,
    gftbls: *const u8,
    src: *const *const u8,
    dest: *mut u8,
) {
    // SAFETY: the caller's own promise, for one output.
    unsafe { ec_encode_data(len, vlen, 1, gftbls, src, &raw const dest) };
}

same!(
    gf_vect_dot_prod_base gf_vect_dot_prod_sse gf_vect_dot_prod_avx gf_vect_dot_prod_avx2
        = gf_vect_dot_prod, [(len: c_int, vlen: c_int, gftbls: *const u8, src: *const *const u8, dest: *mut u8)]);

/// Adds the products of input `vec_i` of `vec` to one output.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gf_vect_mad(
    len: c_int,
    vec: c_int,
    vec_i: c_int,
    gftbls: *const u8,
    src: *const u8,
    dest: *mut u8,
) {
    // SAFETY: the caller's own promise, for one output.
    unsafe { ec_encode_data_update(len, vec, 1, vec_i, gftbls, src, &raw const dest) };
}

same!(
    gf_vect_mad_base gf_vect_mad_sse gf_vect_mad_avx gf_vect_mad_avx2 = gf_vect_mad, [(len: c_int, vec: c_int, vec_i: c_int, gftbls: *const u8, src: *const u8, dest: *mut u8)]);

/// The functions for a fixed number of outputs.
macro_rules! for_rows {
    ($($rows:literal: $($dot_prod:ident)*, $($mad:ident)*;)*) => {$(
        $(
            /// That many outputs from `vlen` inputs.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $dot_prod(
                len: c_int,
                vlen: c_int,
                gftbls: *const u8,
                src: *const *const u8,
                dest: *const *mut u8,
            ) {
                // SAFETY: the caller's own promise.
                unsafe { ec_encode_data(len, vlen, $rows, gftbls, src, dest) };
            }
        )*
        $(
            /// Adds the products of input `vec_i` of `vec` to that many outputs.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $mad(
                len: c_int,
                vec: c_int,
                vec_i: c_int,
                gftbls: *const u8,
                src: *const u8,
                dest: *const *mut u8,
            ) {
                // SAFETY: the caller's own promise.
                unsafe { ec_encode_data_update(len, vec, $rows, vec_i, gftbls, src, dest) };
            }
        )*
    )*};
}

for_rows! {
    2: gf_2vect_dot_prod_sse gf_2vect_dot_prod_avx gf_2vect_dot_prod_avx2,
        gf_2vect_mad_sse gf_2vect_mad_avx gf_2vect_mad_avx2;
    3: gf_3vect_dot_prod_sse gf_3vect_dot_prod_avx gf_3vect_dot_prod_avx2,
        gf_3vect_mad_sse gf_3vect_mad_avx gf_3vect_mad_avx2;
    4: gf_4vect_dot_prod_sse gf_4vect_dot_prod_avx gf_4vect_dot_prod_avx2,
        gf_4vect_mad_sse gf_4vect_mad_avx gf_4vect_mad_avx2;
    5: gf_5vect_dot_prod_sse gf_5vect_dot_prod_avx gf_5vect_dot_prod_avx2,
        gf_5vect_mad_sse gf_5vect_mad_avx gf_5vect_mad_avx2;
    6: gf_6vect_dot_prod_sse gf_6vect_dot_prod_avx gf_6vect_dot_prod_avx2,
        gf_6vect_mad_sse gf_6vect_mad_avx gf_6vect_mad_avx2;
}

/// The products of `len` bytes with one coefficient. 0, or -1 where `len` is no multiple of 32.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gf_vect_mul(
    len: c_int,
    gftbl: *const u8,
    src: *const c_void,
    dest: *mut c_void,
) -> c_int {
    if len % 32 != 0 {
        return -1;
    }
    let (src, dest) = (src.cast::<u8>(), dest.cast::<u8>());
    // SAFETY: the caller promises a table and two buffers of `len` bytes.
    unsafe { ec_encode_data(len, 1, 1, gftbl, &raw const src, &raw const dest) };
    0
}

same!(
    gf_vect_mul_base gf_vect_mul_sse gf_vect_mul_avx = gf_vect_mul, [(len: c_int, gftbl: *const u8, src: *const c_void, dest: *mut c_void) -> c_int]);
