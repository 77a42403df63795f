//! ISA-L as a contestant: `gf_gen_cauchy1_matrix`, kept tables, and `ec_encode_data` or the
//! function that it would choose on a CPU of the level asked for.
//!
//! The crate isal-sys builds the library but declares only its compression functions, so those
//! for erasure codes are declared here, from `erasure_code.h` and `ec_base.h` of ISA-L 2.31.

use std::ffi::c_int;
use std::hint::black_box;

use isal_sys as _;
use worker::{Case, Operation, Work};

type EncodeData =
    unsafe extern "C" fn(c_int, c_int, c_int, *const u8, *const *const u8, *const *mut u8);
type InitTables = unsafe extern "C" fn(c_int, c_int, *const u8, *mut u8);

// Pointers to what a function only reads are `const` here; most are not in the C headers.
unsafe extern "C" {
    fn gf_gen_cauchy1_matrix(elements: *mut u8, rows: c_int, columns: c_int);
    fn gf_invert_matrix(matrix: *mut u8, inverse: *mut u8, size: c_int) -> c_int;
    fn ec_init_tables(columns: c_int, rows: c_int, coefficients: *const u8, tables: *mut u8);
    fn ec_encode_data(
        len: c_int,
        columns: c_int,
        rows: c_int,
        tables: *const u8,
        inputs: *const *const u8,
        outputs: *const *mut u8,
    );
}

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    fn ec_init_tables_base(columns: c_int, rows: c_int, coefficients: *const u8, tables: *mut u8);
    fn ec_init_tables_gfni(columns: c_int, rows: c_int, coefficients: *const u8, tables: *mut u8);
    fn ec_encode_data_avx512_gfni(
        len: c_int,
        columns: c_int,
        rows: c_int,
        tables: *const u8,
        inputs: *const *const u8,
        outputs: *const *mut u8,
    );
    fn ec_encode_data_avx512(
        len: c_int,
        columns: c_int,
        rows: c_int,
        tables: *const u8,
        inputs: *const *const u8,
        outputs: *const *mut u8,
    );
    fn ec_encode_data_avx2_gfni(
        len: c_int,
        columns: c_int,
        rows: c_int,
        tables: *const u8,
        inputs: *const *const u8,
        outputs: *const *mut u8,
    );
    fn ec_encode_data_avx2(
        len: c_int,
        columns: c_int,
        rows: c_int,
        tables: *const u8,
        inputs: *const *const u8,
        outputs: *const *mut u8,
    );
    fn ec_encode_data_sse(
        len: c_int,
        columns: c_int,
        rows: c_int,
        tables: *const u8,
        inputs: *const *const u8,
        outputs: *const *mut u8,
    );
}

fn main() {
    worker::serve(prepare);
}

/// The functions of a level, if the CPU has what they need.
fn functions(level: &str) -> Option<(InitTables, EncodeData)> {
    #[cfg(target_arch = "x86_64")]
    {
        let has = |level: &str| match level {
            "avx512" => {
                is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl")
            }
            "avx2" => is_x86_feature_detected!("avx2"),
            "gfni" => is_x86_feature_detected!("gfni"),
            _ => is_x86_feature_detected!("sse4.1"),
        };
        let (init, encode, needs): (InitTables, EncodeData, &[&str]) = match level {
            "avx512_gfni" => (ec_init_tables_gfni, ec_encode_data_avx512_gfni, &["avx512", "gfni"]),
            "avx512" => (ec_init_tables_base, ec_encode_data_avx512, &["avx512"]),
            "avx2_gfni" => (ec_init_tables_gfni, ec_encode_data_avx2_gfni, &["avx2", "gfni"]),
            "avx2" => (ec_init_tables_base, ec_encode_data_avx2, &["avx2"]),
            "ssse3" => (ec_init_tables_base, ec_encode_data_sse, &["sse4.1"]),
            _ => return (level == "best").then_some((ec_init_tables, ec_encode_data)),
        };
        needs.iter().all(|need| has(need)).then_some((init, encode))
    }
    #[cfg(not(target_arch = "x86_64"))]
    (level == "best").then_some((ec_init_tables as InitTables, ec_encode_data as EncodeData))
}

/// ISA-L counts everything in `int`.
fn int(count: usize) -> c_int {
    count.try_into().expect("a small number")
}

fn prepare(case: &Case) -> Result<Work, String> {
    let (init_tables, encode_data) =
        functions(&case.level).ok_or_else(|| format!("no function for {}", case.level))?;
    let (columns, rows) = (case.data_units, case.outputs());
    let coefficients = coefficients(case)?;
    // 32 bytes a coefficient; for GFNI they are 64-bit words.
    let mut tables = vec![[0_u64; 4]; coefficients.len()];
    // SAFETY: there are columns x rows coefficients and 32 bytes of tables for each.
    unsafe {
        init_tables(int(columns), int(rows), coefficients.as_ptr(), tables.as_mut_ptr().cast());
    }
    let case = case.clone();
    Ok(Box::new(move |turn, shards| {
        let (inputs, mut outputs) = case.split(shards);
        let inputs: Vec<*const u8> = inputs.iter().map(|shard| shard.as_ptr()).collect();
        let outputs: Vec<*mut u8> = outputs.iter_mut().map(|shard| shard.as_mut_ptr()).collect();
        let (len, columns, rows) = (int(case.shard_len), int(columns), int(rows));
        let tables = tables.as_ptr().cast();
        // SAFETY: the CPU has what the function needs (`functions`); the tables are those of columns
        // x rows coefficients; there are as many pointers, each to a shard of `len` bytes, and no
        // output overlaps anything.
        turn.time(|| unsafe {
            encode_data(len, columns, rows, tables, black_box(inputs.as_ptr()), outputs.as_ptr());
        })
    }))
}

/// The rows that compute the outputs from the inputs.
fn coefficients(case: &Case) -> Result<Vec<u8>, String> {
    let (k, lost) = (case.data_units, case.lost());
    let units = k + case.parity_units;
    let mut generator = vec![0; units * k];
    // SAFETY: it writes `units` rows of k bytes.
    unsafe { gf_gen_cauchy1_matrix(generator.as_mut_ptr(), int(units), int(k)) };
    if case.operation == Operation::Encode {
        return Ok(generator.split_off(k * k));
    }
    // The rows of the inputs, inverted, give the data; the lost units are its first rows.
    let mut of_inputs = generator[lost * k..(lost + k) * k].to_vec();
    let mut inverse = vec![0; k * k];
    // SAFETY: both have k rows of k bytes.
    let status = unsafe { gf_invert_matrix(of_inputs.as_mut_ptr(), inverse.as_mut_ptr(), int(k)) };
    inverse.truncate(lost * k);
    if status == 0 { Ok(inverse) } else { Err("a singular matrix".to_owned()) }
}
