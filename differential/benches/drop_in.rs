//! The drop-in for ISA-L beside ISA-L, through the very same calls, in one run.
//!
//! `cargo build --release -p restripe-isal`, then
//! `cargo bench -p restripe-differential --features isal --bench drop_in`. The two take turns (ours,
//! ISA-L, ISA-L, ours), so that what disturbs the machine disturbs both. The table has the fastest
//! turn of each, in GB/s of all bytes read and written, and the median and quartiles of the ratios
//! turn by turn: above 1 ours is faster. One core. Before anything is measured both must have
//! computed the same.
//!
//! Words behind `--` choose: what has one of them in its name is measured.

use core::ffi::{c_int, c_uint, c_void};
use std::path::PathBuf;
use std::time::Instant;

use isal_sys as _;
use libloading::Library;
use restripe::{KernelId, cpu};

type EncodeData =
    unsafe extern "C" fn(c_int, c_int, c_int, *const u8, *const *const u8, *const *mut u8);
type InitTables = unsafe extern "C" fn(c_int, c_int, *const u8, *mut u8);
type Raid = unsafe extern "C" fn(c_int, c_int, *const *mut c_void) -> c_int;
type Crc16 = unsafe extern "C" fn(u16, *const u8, u64) -> u16;
type Crc32 = unsafe extern "C" fn(u32, *const u8, u64) -> u32;
type Crc32Iscsi = unsafe extern "C" fn(*const u8, c_int, c_uint) -> c_uint;
type Crc64 = unsafe extern "C" fn(u64, *const u8, u64) -> u64;

unsafe extern "C" {
    fn ec_init_tables(k: c_int, rows: c_int, a: *const u8, tables: *mut u8);
    fn ec_encode_data(
        len: c_int,
        k: c_int,
        rows: c_int,
        tables: *const u8,
        data: *const *const u8,
        coding: *const *mut u8,
    );
    fn xor_check(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int;
    fn pq_check(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int;
    fn xor_gen(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int;
    fn pq_gen(vects: c_int, len: c_int, array: *const *mut c_void) -> c_int;
    fn crc16_t10dif(init: u16, bytes: *const u8, len: u64) -> u16;
    fn crc32_ieee(init: u32, bytes: *const u8, len: u64) -> u32;
    fn crc32_gzip_refl(init: u32, bytes: *const u8, len: u64) -> u32;
    fn crc32_iscsi(bytes: *const u8, len: c_int, init: c_uint) -> c_uint;
    fn crc64_ecma_refl(init: u64, bytes: *const u8, len: u64) -> u64;
    fn crc64_rocksoft_norm(init: u64, bytes: *const u8, len: u64) -> u64;
}

/// Turns of each: a multiple of two.
const TURNS: usize = 60;

/// Bytes that a turn works on, or one call's if those are more.
const TURN_BYTES: usize = 2 << 20;

/// Measures both, each of which works on `bytes` a call.
fn compare(what: &str, bytes: usize, ours: &mut dyn FnMut(), isal: &mut dyn FnMut()) {
    // Cargo itself gives the benchmark options.
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    if words.peek().is_some() && !words.any(|word| what.contains(&word)) {
        return;
    }
    let calls = TURN_BYTES.div_ceil(bytes.max(1));
    let turn = |work: &mut dyn FnMut()| {
        let began = Instant::now();
        for _ in 0..calls {
            work();
        }
        began.elapsed().as_secs_f64() / calls as f64
    };
    turn(ours);
    turn(isal);
    let (mut fastest, mut ratios) = ([f64::MAX; 2], Vec::new());
    for round in 0..TURNS {
        let (own, theirs) = if round % 2 == 0 {
            let own = turn(ours);
            (own, turn(isal))
        } else {
            let theirs = turn(isal);
            (turn(ours), theirs)
        };
        fastest = [fastest[0].min(own), fastest[1].min(theirs)];
        ratios.push(theirs / own);
    }
    ratios.sort_by(f64::total_cmp);
    let quartile = |quarter: usize| ratios[(ratios.len() - 1) * quarter / 4];
    let [own, theirs] = fastest.map(|seconds| bytes as f64 / seconds / 1e9);
    println!(
        "{what:<36}{own:>8.2}{theirs:>8.2}{:>8.2} ({:.2} to {:.2})",
        quartile(2),
        quartile(1),
        quartile(3)
    );
}

fn buffers(count: usize, len: usize) -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..count).map(|_| (0..len).map(|_| random.u8(..)).collect()).collect()
}

fn main() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/libisal.so"));
    // SAFETY: our own library, which does nothing when it is loaded.
    let library = unsafe { Library::new(path) }.expect("cargo build --release -p restripe-isal");
    macro_rules! ours {
        ($name:ident: $type:ty) => {
            // SAFETY: the type is that of the header.
            *unsafe { library.get::<$type>(stringify!($name).as_bytes()) }.expect("it is exported")
        };
    }
    let brand = cpu::info().brand.unwrap_or_default();
    println!("{brand}; kernel {}", KernelId::selected().expect("a kernel"));
    println!("\n{:<36}{:>8}{:>8}   ratio: median (quartiles)", "", "ours", "ISA-L");

    let (init, encode) = (ours!(ec_init_tables: InitTables), ours!(ec_encode_data: EncodeData));
    for (k, m) in [(3, 2), (6, 3), (10, 4), (17, 3), (50, 20)] {
        for len in [512, 4 << 10, 64 << 10, 1 << 20] {
            let (data, mut parity) = (buffers(k, len), buffers(2 * m, len));
            let coefficients = buffers(1, k * m).remove(0);
            let (mut own, mut theirs) = (vec![0; 32 * k * m], vec![0; 32 * k * m]);
            let inputs: Vec<*const u8> = data.iter().map(|shard| shard.as_ptr()).collect();
            let outputs: Vec<*mut u8> = parity.iter_mut().map(|shard| shard.as_mut_ptr()).collect();
            let [int_k, int_m, int_len] = [k, m, len].map(|number| number as c_int);
            // SAFETY: k * m coefficients and tables, k inputs and m outputs of `len` bytes each.
            unsafe {
                init(int_k, int_m, coefficients.as_ptr(), own.as_mut_ptr());
                ec_init_tables(int_k, int_m, coefficients.as_ptr(), theirs.as_mut_ptr());
            }
            // SAFETY: as above.
            let mut ours = || unsafe {
                encode(int_len, int_k, int_m, own.as_ptr(), inputs.as_ptr(), outputs.as_ptr());
            };
            // SAFETY: as above; the second half of the outputs is ISA-L's.
            let mut isal = || unsafe {
                let outputs = outputs.as_ptr().add(m);
                ec_encode_data(int_len, int_k, int_m, theirs.as_ptr(), inputs.as_ptr(), outputs);
            };
            ours();
            isal();
            assert!(parity[..m] == parity[m..]);
            let what = format!("encode {k} + {m}, {len} bytes");
            compare(&what, (k + m) * len, &mut ours, &mut isal);
        }
    }
    for len in [512, 4 << 10, 64 << 10] {
        let mut shards = buffers(12, len + 64);
        // ISA-L wants alignment.
        let array: Vec<*mut c_void> = shards
            .iter_mut()
            .map(|shard| shard.as_mut_ptr().wrapping_add(shard.as_ptr().align_offset(64)).cast())
            .collect();
        for (name, own, theirs) in [
            // What is checked is what was generated just before.
            ("xor_gen", ours!(xor_gen: Raid), xor_gen as Raid),
            ("xor_check", ours!(xor_check: Raid), xor_check as Raid),
            ("pq_gen", ours!(pq_gen: Raid), pq_gen as Raid),
            ("pq_check", ours!(pq_check: Raid), pq_check as Raid),
        ] {
            // SAFETY: 12 buffers of `len` bytes.
            let mut ours = || assert_eq!(unsafe { own(12, len as c_int, array.as_ptr()) }, 0);
            // SAFETY: as above.
            let mut isal = || assert_eq!(unsafe { theirs(12, len as c_int, array.as_ptr()) }, 0);
            ours();
            isal();
            compare(&format!("{name} of 12, {len} bytes"), 12 * len, &mut ours, &mut isal);
        }
    }
    for len in [512, 4 << 10, 64 << 10] {
        let bytes = buffers(1, len).remove(0);
        let start = bytes.as_ptr();
        macro_rules! crc {
            ($($name:ident: $type:ident),*) => {$({
                let own = ours!($name: $type);
                // SAFETY: `len` bytes.
                let mut ours = || _ = std::hint::black_box(unsafe { own(0, start, len as u64) });
                // SAFETY: as above.
                let mut isal = || _ = std::hint::black_box(unsafe { $name(0, start, len as u64) });
                compare(&format!("{}, {len} bytes", stringify!($name)), len, &mut ours, &mut isal);
            })*};
        }
        crc!(crc32_gzip_refl: Crc32, crc32_ieee: Crc32, crc16_t10dif: Crc16);
        crc!(crc64_ecma_refl: Crc64, crc64_rocksoft_norm: Crc64);
        let own = ours!(crc32_iscsi: Crc32Iscsi);
        // SAFETY: `len` bytes.
        let mut ours = || _ = std::hint::black_box(unsafe { own(start, len as c_int, 0) });
        // SAFETY: as above.
        let mut isal = || _ = std::hint::black_box(unsafe { crc32_iscsi(start, len as c_int, 0) });
        compare(&format!("crc32_iscsi, {len} bytes"), len, &mut ours, &mut isal);
    }
}
