//! Our libisal.so.2 and ISA-L itself, function by function: the same bytes and the same answers.
//!
//! ISA-L is linked into the test; ours is loaded beside it, so that one name can mean both.
#![cfg(target_os = "linux")]

use core::ffi::{c_int, c_uint, c_void};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use isal_sys as _;
use libloading::Library;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The drop-in, built as the README says but for the profile.
fn library_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let status = Command::new(env!("CARGO"))
            .args(["build", "--package", "restripe-isal", "--target-dir"])
            .arg(target)
            .current_dir(ROOT)
            .status()
            .unwrap();
        assert!(status.success());
        target.join("debug/libisal.so")
    })
}

/// A set of functions: those of ISA-L, and those of ours.
macro_rules! functions {
    ($($name:ident: ($($argument:ty),*) $(-> $result:ty)?;)*) => {
        mod linked {
            use super::*;
            unsafe extern "C" {
                $(pub fn $name($(_: $argument),*) $(-> $result)?;)*
            }
        }

        struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            fn isal() -> Self {
                Self { $($name: linked::$name,)* }
            }

            fn ours() -> Self {
                static LIBRARY: OnceLock<Library> = OnceLock::new();
                let library = LIBRARY.get_or_init(|| {
                    // SAFETY: our own library, which does nothing when it is loaded.
                    unsafe { Library::new(library_path()) }.unwrap()
                });
                // SAFETY: the types are those of the headers, which ISA-L's functions have, too.
                unsafe { Self { $($name: *library.get(stringify!($name).as_bytes()).unwrap(),)* } }
            }
        }
    };
}

type Lists = *const *const u8;
type Outputs = *const *mut u8;

functions! {
    gf_mul: (u8, u8) -> u8;
    gf_inv: (u8) -> u8;
    gf_gen_rs_matrix: (*mut u8, c_int, c_int);
    gf_gen_cauchy1_matrix: (*mut u8, c_int, c_int);
    gf_invert_matrix: (*mut u8, *mut u8, c_int) -> c_int;
    gf_vect_mul_init: (u8, *mut u8);
    ec_init_tables: (c_int, c_int, *const u8, *mut u8);
    ec_init_tables_base: (c_int, c_int, *const u8, *mut u8);
    ec_encode_data: (c_int, c_int, c_int, *const u8, Lists, Outputs);
    ec_encode_data_base: (c_int, c_int, c_int, *const u8, Lists, Outputs);
    ec_encode_data_update: (c_int, c_int, c_int, c_int, *const u8, *const u8, Outputs);
    ec_encode_data_update_base: (c_int, c_int, c_int, c_int, *const u8, *const u8, Outputs);
    gf_vect_dot_prod: (c_int, c_int, *const u8, Lists, *mut u8);
    gf_vect_dot_prod_base: (c_int, c_int, *const u8, Lists, *mut u8);
    gf_vect_mad: (c_int, c_int, c_int, *const u8, *const u8, *mut u8);
    gf_vect_mad_base: (c_int, c_int, c_int, *const u8, *const u8, *mut u8);
    gf_vect_mul: (c_int, *const u8, *const c_void, *mut c_void) -> c_int;
    gf_vect_mul_base: (c_int, *const u8, *const c_void, *mut c_void) -> c_int;
    xor_gen: (c_int, c_int, *const *mut c_void) -> c_int;
    xor_check: (c_int, c_int, *const *mut c_void) -> c_int;
    pq_gen: (c_int, c_int, *const *mut c_void) -> c_int;
    pq_check: (c_int, c_int, *const *mut c_void) -> c_int;
    pq_check_base: (c_int, c_int, *const *mut c_void) -> c_int;
    crc16_t10dif: (u16, *const u8, u64) -> u16;
    crc16_t10dif_copy: (u16, *mut u8, *const u8, u64) -> u16;
    crc32_ieee: (u32, *const u8, u64) -> u32;
    crc32_gzip_refl: (u32, *const u8, u64) -> u32;
    crc32_iscsi: (*const u8, c_int, c_uint) -> c_uint;
    crc64_ecma_refl: (u64, *const u8, u64) -> u64;
    crc64_ecma_norm: (u64, *const u8, u64) -> u64;
    crc64_iso_refl: (u64, *const u8, u64) -> u64;
    crc64_iso_norm: (u64, *const u8, u64) -> u64;
    crc64_jones_refl: (u64, *const u8, u64) -> u64;
    crc64_jones_norm: (u64, *const u8, u64) -> u64;
    crc64_rocksoft_refl: (u64, *const u8, u64) -> u64;
    crc64_rocksoft_norm: (u64, *const u8, u64) -> u64;
}

fn random_bytes(random: &mut fastrand::Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| random.u8(..)).collect()
}

fn pointers(buffers: &[Vec<u8>]) -> Vec<*const u8> {
    buffers.iter().map(|buffer| buffer.as_ptr()).collect()
}

fn pointers_mut(buffers: &mut [Vec<u8>]) -> Vec<*mut u8> {
    buffers.iter_mut().map(|buffer| buffer.as_mut_ptr()).collect()
}

/// Random shapes of a call: length, inputs, outputs.
fn shapes(random: &mut fastrand::Rng) -> Vec<(usize, usize, usize)> {
    let mut shapes = vec![(512, 6, 3), (0, 3, 2), (1, 1, 1), (9000, 40, 13), (4096, 255, 1)];
    shapes.extend((0..60).map(|_| (random.usize(0..700), random.usize(1..24), random.usize(1..9))));
    shapes
}

// Of all calls below: buffers, matrices and tables have the sizes that the headers of
// ISA-L ask for, and outputs are buffers of their own.

#[test]
fn elements_and_matrices_are_the_same() {
    let (isal, ours) = (Functions::isal(), Functions::ours());
    // SAFETY: as said of all calls.
    unsafe {
        for a in 0..=255 {
            assert_eq!((ours.gf_inv)(a), (isal.gf_inv)(a));
            for b in 0..=255 {
                assert_eq!((ours.gf_mul)(a, b), (isal.gf_mul)(a, b));
            }
        }
        for (m, k) in [(1, 1), (3, 2), (9, 6), (14, 10), (256, 200), (255, 1), (4, 4), (2, 5)] {
            for generate in [
                |from: &Functions| from.gf_gen_rs_matrix,
                |from: &Functions| from.gf_gen_cauchy1_matrix,
            ] {
                let (mut expected, mut got) = (vec![7; m * k], vec![9; m * k]);
                // ISA-L writes the identity whole.
                if m < k {
                    continue;
                }
                generate(&isal)(expected.as_mut_ptr(), m as c_int, k as c_int);
                generate(&ours)(got.as_mut_ptr(), m as c_int, k as c_int);
                assert_eq!(got, expected, "{m} rows of {k}");
            }
        }
    }
}

#[test]
fn matrices_are_inverted_or_refused_alike() {
    let (isal, ours) = (Functions::isal(), Functions::ours());
    let mut random = fastrand::Rng::with_seed(1);
    let (mut inverted, mut refused) = (0, 0);
    for case in 0..400 {
        let n = random.usize(1..12);
        let mut matrix = random_bytes(&mut random, n * n);
        if case % 3 == 0 {
            // A row is twice another one, or zero.
            let (from, to) = (random.usize(..n), random.usize(..n));
            for column in 0..n {
                matrix[to * n + column] =
                    if from == to { 0 } else { restripe::gf8::mul(2, matrix[from * n + column]) };
            }
        }
        let (mut expected, mut got) = (vec![0; n * n], vec![0; n * n]);
        let (mut theirs, mut own) = (matrix.clone(), matrix);
        // SAFETY: as said of all calls.
        let (status, same) = unsafe {
            let status =
                (isal.gf_invert_matrix)(theirs.as_mut_ptr(), expected.as_mut_ptr(), n as c_int);
            (status, (ours.gf_invert_matrix)(own.as_mut_ptr(), got.as_mut_ptr(), n as c_int))
        };
        assert_eq!(same, status);
        if status == 0 {
            assert_eq!((own, got), (theirs, expected));
            inverted += 1;
        } else {
            refused += 1;
        }
    }
    assert!(inverted > 50 && refused > 50, "{inverted} {refused}");
}

#[test]
fn whatever_made_the_tables_all_functions_take_them() {
    let (isal, ours) = (Functions::isal(), Functions::ours());
    let mut random = fastrand::Rng::with_seed(2);
    for (len, k, rows) in shapes(&mut random) {
        let inputs: Vec<_> = (0..k).map(|_| random_bytes(&mut random, len)).collect();
        let coefficients = random_bytes(&mut random, k * rows);
        let before: Vec<_> = (0..rows).map(|_| random_bytes(&mut random, len)).collect();
        let (len, k, rows) = (len as c_int, k as c_int, rows as c_int);
        let tables = |make: unsafe extern "C" fn(c_int, c_int, *const u8, *mut u8)| {
            let mut tables = vec![0; coefficients.len() * 32];
            // SAFETY: as said of all calls.
            unsafe { make(k, rows, coefficients.as_ptr(), tables.as_mut_ptr()) };
            tables
        };
        let one_by_one: Vec<u8> = coefficients
            .iter()
            .flat_map(|&coefficient| {
                let mut table = [0; 32];
                // SAFETY: as said of all calls.
                unsafe { (ours.gf_vect_mul_init)(coefficient, table.as_mut_ptr()) };
                table
            })
            .collect();
        let of_isal = tables(isal.ec_init_tables_base);
        let from = pointers(&inputs);
        let mut expected = before.clone();
        // SAFETY: as said of all calls.
        unsafe {
            let outputs = pointers_mut(&mut expected);
            (isal.ec_encode_data_base)(
                len,
                k,
                rows,
                of_isal.as_ptr(),
                from.as_ptr(),
                outputs.as_ptr(),
            );
        }
        // ISA-L's own best kernel, too.
        let mut dispatched = before.clone();
        // SAFETY: as said of all calls.
        unsafe {
            let own = tables(isal.ec_init_tables);
            let outputs = pointers_mut(&mut dispatched);
            (isal.ec_encode_data)(len, k, rows, own.as_ptr(), from.as_ptr(), outputs.as_ptr());
        }
        assert_eq!(dispatched, expected);

        let by_init = tables(ours.ec_init_tables);
        let by_base = tables(ours.ec_init_tables_base);
        assert_eq!(by_base, of_isal, "a caller may know the layout of the base tables");
        for tables in [&by_init, &by_base, &one_by_one] {
            for encode in [ours.ec_encode_data, ours.ec_encode_data_base] {
                let mut got = before.clone();
                let outputs = pointers_mut(&mut got);
                // SAFETY: as said of all calls.
                unsafe {
                    encode(len, k, rows, tables.as_ptr(), from.as_ptr(), outputs.as_ptr());
                }
                assert_eq!(got, expected, "{k} + {rows}, {len} bytes");
            }
            for dot_prod in [ours.gf_vect_dot_prod, ours.gf_vect_dot_prod_base] {
                for row in 0..rows as usize {
                    let mut got = before[row].clone();
                    let table = &tables[row * inputs.len() * 32..];
                    // SAFETY: as said of all calls.
                    unsafe {
                        dot_prod(len, k, table.as_ptr(), from.as_ptr(), got.as_mut_ptr());
                    }
                    assert_eq!(got, expected[row]);
                }
            }
            for update in [ours.ec_encode_data_update, ours.ec_encode_data_update_base] {
                let mut got = vec![vec![0; len as usize]; rows as usize];
                let outputs = pointers_mut(&mut got);
                for (column, &input) in from.iter().enumerate() {
                    let column = column as c_int;
                    // SAFETY: as said of all calls.
                    unsafe {
                        update(len, k, rows, column, tables.as_ptr(), input, outputs.as_ptr());
                    }
                }
                assert_eq!(got, expected);
            }
            for mad in [ours.gf_vect_mad, ours.gf_vect_mad_base] {
                let mut got = vec![0; len as usize];
                for (column, &input) in from.iter().enumerate() {
                    let column = column as c_int;
                    // SAFETY: as said of all calls.
                    unsafe { mad(len, k, column, tables.as_ptr(), input, got.as_mut_ptr()) };
                }
                assert_eq!(got, expected[0]);
            }
        }
    }
}

#[test]
fn products_with_one_coefficient_are_the_same_and_odd_lengths_refused() {
    let (isal, ours) = (Functions::isal(), Functions::ours());
    let mut random = fastrand::Rng::with_seed(3);
    for len in [0, 32, 64, 96, 4096, 1, 16, 31, 33, 100] {
        // ISA-L wants 32-byte alignment of the dispatched function; its base function wants none.
        let source = random_bytes(&mut random, len);
        let mut table = [0; 32];
        // SAFETY: as said of all calls.
        unsafe { (isal.gf_vect_mul_init)(random.u8(..), table.as_mut_ptr()) };
        let (mut expected, mut got) = (vec![1; len], vec![1; len]);
        // SAFETY: as said of all calls.
        let call = |mul: unsafe extern "C" fn(_, _, _, _) -> c_int, to: &mut [u8]| unsafe {
            mul(len as c_int, table.as_ptr(), source.as_ptr().cast(), to.as_mut_ptr().cast())
        };
        let status = call(isal.gf_vect_mul_base, &mut expected);
        assert_eq!(call(ours.gf_vect_mul, &mut got), status, "{len}");
        assert_eq!(got, expected);
        assert_eq!(call(ours.gf_vect_mul_base, &mut got), status);
        assert_eq!(got, expected);
    }
}

#[repr(align(64))]
#[derive(Clone)]
struct Aligned([u8; 8192]);

#[test]
fn raid_is_generated_checked_and_refused_alike() {
    let (isal, ours) = (Functions::isal(), Functions::ours());
    let mut random = fastrand::Rng::with_seed(4);
    for vects in [2, 3, 4, 5, 9, 20, 70, 140] {
        for len in [32usize, 64, 512, 4096, 8192, 4128] {
            let mut buffers = vec![Aligned([0; 8192]); vects];
            buffers.iter_mut().for_each(|buffer| random.fill(&mut buffer.0));
            let array = |buffers: &mut [Aligned]| -> Vec<*mut c_void> {
                buffers.iter_mut().map(|buffer| (&raw mut buffer.0).cast()).collect()
            };
            let (count, bytes) = (vects as c_int, len as c_int);
            for (generate, check, least) in [
                ((isal.xor_gen, ours.xor_gen), (isal.xor_check, ours.xor_check), 3),
                ((isal.pq_gen, ours.pq_gen), (isal.pq_check, ours.pq_check), 4),
            ] {
                let (mut expected, mut got) = (buffers.clone(), buffers.clone());
                let (expected_array, array) = (array(&mut expected), array(&mut got));
                // SAFETY: as said of all calls.
                let (status, same) = unsafe {
                    let status = generate.0(count, bytes, expected_array.as_ptr());
                    (status, generate.1(count, bytes, array.as_ptr()))
                };
                assert_eq!(same == 0, status == 0, "{vects} buffers");
                assert_eq!(status == 0, vects >= least);
                for (got, expected) in got.iter().zip(&expected) {
                    assert!(got.0 == expected.0, "{vects} buffers of {len}");
                }
                if status != 0 {
                    continue;
                }
                // SAFETY: as said of all calls.
                unsafe {
                    assert_eq!(check.1(count, bytes, array.as_ptr()), 0);
                    let wrong = random.usize(..vects);
                    *array[wrong].cast::<u8>().add(len - 1) ^= 0x10;
                    *expected_array[wrong].cast::<u8>().add(len - 1) ^= 0x10;
                    let found = check.1(count, bytes, array.as_ptr());
                    assert_ne!(found, 0);
                    assert_ne!(check.0(count, bytes, expected_array.as_ptr()), 0);
                    if least == 4 {
                        let base = (isal.pq_check_base)(count, bytes, expected_array.as_ptr());
                        assert_eq!((ours.pq_check_base)(count, bytes, array.as_ptr()), base);
                    }
                }
            }
        }
    }
}

#[test]
fn checksums_are_the_same_from_any_beginning() {
    let (isal, ours) = (Functions::isal(), Functions::ours());
    let mut random = fastrand::Rng::with_seed(5);
    for case in 0..300 {
        let len = if case < 130 { case } else { random.usize(..9000) };
        let bytes = random_bytes(&mut random, len);
        let (start, len, seed) = (bytes.as_ptr(), len as u64, random.u64(..));
        for seed in [seed, 0, u64::MAX] {
            macro_rules! same {
                ($($name:ident: $type:ty),*) => {$(
                    // SAFETY: as said of all calls.
                    let (expected, got) = unsafe {
                        (
                            (isal.$name)(seed as $type, start, len),
                            (ours.$name)(seed as $type, start, len),
                        )
                    };
                    assert_eq!(got, expected, "{} of {len} bytes", stringify!($name));
                )*};
            }
            same!(crc16_t10dif: u16, crc32_ieee: u32, crc32_gzip_refl: u32);
            same!(crc64_ecma_refl: u64, crc64_ecma_norm: u64, crc64_iso_refl: u64);
            same!(crc64_iso_norm: u64, crc64_jones_refl: u64, crc64_jones_norm: u64);
            same!(crc64_rocksoft_refl: u64, crc64_rocksoft_norm: u64);
            let mut copy = vec![0; bytes.len()];
            // SAFETY: as said of all calls.
            unsafe {
                let int = len as c_int;
                let expected = (isal.crc32_iscsi)(start, int, seed as c_uint);
                assert_eq!((ours.crc32_iscsi)(start, int, seed as c_uint), expected);
                let expected = (isal.crc16_t10dif)(seed as u16, start, len);
                let got = (ours.crc16_t10dif_copy)(seed as u16, copy.as_mut_ptr(), start, len);
                assert_eq!(got, expected);
            }
            assert_eq!(copy, bytes);
        }
    }
}

fn listed() -> BTreeSet<String> {
    let path = Path::new(ROOT).join("include/isa-l/libisal.sym");
    std::fs::read_to_string(path).unwrap().lines().map(Into::into).collect()
}

#[test]
fn nothing_but_isals_names_is_exported() {
    let output = Command::new("nm")
        .args(["-D", "--defined-only", "--format=posix"])
        .arg(library_path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<String> =
        text.lines().map(|line| line.split(' ').next().unwrap().into()).collect();
    assert_eq!(exported, listed());
}

#[test]
fn programs_find_it_by_the_name_of_isal() {
    let output = Command::new("readelf").arg("-d").arg(library_path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Library soname: [libisal.so.2]"), "{text}");
}

#[test]
fn a_kernel_that_is_not_there_ends_the_process_with_its_name() {
    // A program of its own: the library ends the process that it is in.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join("encode_once.c");
    std::fs::write(
        &source,
        "#include \"isa-l.h\"\n\
         int main(void) {\n\
         unsigned char table[32], in = 1, out = 0, *inputs[1], *outputs[1];\n\
         inputs[0] = &in;\n\
         outputs[0] = &out;\n\
         gf_vect_mul_init(3, table);\n\
         ec_encode_data(1, 1, 1, table, inputs, outputs);\n\
         return out != 3;\n\
         }\n",
    )
    .unwrap();
    let program = folder.join("encode_once");
    let compiled = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c99"])
        .arg(format!("-I{ROOT}/include"))
        .arg(source)
        .arg("-o")
        .arg(&program)
        .arg(library_path())
        .status()
        .unwrap();
    assert!(compiled.success());
    let by_soname = folder.join("libisal.so.2");
    let _ = std::fs::remove_file(&by_soname);
    std::os::unix::fs::symlink(library_path(), by_soname).unwrap();
    let mut command = Command::new(&program);
    command.env("LD_LIBRARY_PATH", folder);
    assert!(command.env_remove("RESTRIPE_KERNEL").status().unwrap().success());
    let output = command.env("RESTRIPE_KERNEL", "abacus").output().unwrap();
    assert_eq!(output.status.code(), None, "ended by a signal");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("kernel \"abacus\" is unknown"), "{message}");
}
