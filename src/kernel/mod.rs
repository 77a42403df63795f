//! Kernels: sums of products over GF(2^8) on the best instruction set at hand.
//!
//! The kernel is chosen once, by what the CPU and the operating system offer;
//! [`KernelId::selected`] tells which. `RESTRIPE_KERNEL` in the environment forces another, and
//! [`ReedSolomonBuilder::kernel`](crate::ReedSolomonBuilder::kernel) one for a single code.
//!
//! | name | needs | a product is | CRCs are computed by |
//! |---|---|---|---|
//! | `avx512_gfni` | AVX-512 F and BW, GFNI | one affine transform of 64 bytes | VPCLMULQDQ on 64 bytes |
//! | `avx512` | AVX-512 F and BW | two shuffles of 64 bytes | VPCLMULQDQ on 64 bytes |
//! | `avx2_gfni` | AVX2, GFNI | one affine transform of 32 bytes | VPCLMULQDQ on 32 bytes |
//! | `avx2` | AVX2 | two shuffles of 32 bytes | VPCLMULQDQ on 32 bytes |
//! | `ssse3` | SSSE3 | two shuffles of 16 bytes | PCLMULQDQ |
//! | `sve2` | aarch64, SVE2 | two table look-ups of a vector | PMULL, `crc32x`, `crc32cx` |
//! | `sve` | aarch64, SVE | two table look-ups of a vector | PMULL, `crc32x`, `crc32cx` |
//! | `neon` | aarch64 | two table look-ups of 16 bytes | PMULL, `crc32x`, `crc32cx` |
//! | `simd128` | wasm32 built with it | two table look-ups of 16 bytes | tables |
//! | `scalar` | nothing | plain 64-bit arithmetic on 8 bytes | tables |
//!
//! The last column is what the level stands for where the CPU has it: CRCs of a CPU without are
//! those of the next level below. Wherever there is PCLMULQDQ, blocks of CRC-32C by the
//! instruction `crc32` go beside those that are multiplied; on aarch64 blocks of both CRCs by theirs.
//! [`ChunkedChecksum::method`](crate::checksum::ChunkedChecksum::method) tells what runs.
//!
//! How kernels treat memory is a [`MemoryPolicy`]. `RESTRIPE_STREAM_FROM` in the environment, a number
//! of bytes or `never`, overrides from how many bytes a call on it stores its outputs past the caches.
//!
//! Best first. Every kernel computes the same bytes, reads and writes no byte outside the
//! buffers it is given, and takes any length and alignment.

use alloc::string::String;
use core::fmt;

use once_cell::race::OnceBox;

use crate::{Error, Result};

mod entry;
mod generic;
mod matrix;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pointers;
mod policy;
mod program;
mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(target_arch = "aarch64")]
mod sve;
mod tables;
mod vector;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod x86;

pub(crate) use matrix::KernelMatrix;
pub use pointers::{dot_product_of_pointers, sum_of_pointers};
pub use policy::{MemoryPolicy, NextUse};
pub(crate) use program::{Program, Step};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{detected, xor3_512};

/// The most inputs that an entry function of any kernel takes.
const MAX_COLUMNS: usize = 20;

/// The most outputs that an entry function of any kernel computes in a pass.
const MAX_ROWS: usize = 6;

/// The most words that a coefficient of any kernel takes.
const MAX_ENTRY_WORDS: usize = 4;

/// An entry function: see [`generic::dot_product`].
///
/// # Safety
///
/// The CPU has the features of the kernel. `inputs` and `outputs` point to as many pointers as
/// the function has columns and rows, each valid for bytes `start..end` (to be read, or read and
/// written); no output overlaps an input or another output; `start <= end`; and there are
/// columns x rows coefficients of the kernel's form at `entries`, column by column. Outputs are
/// aligned as [`Manner::streaming`] asks.
type DotProduct = unsafe fn(
    entries: *const u64,
    inputs: *const *const u8,
    outputs: *const *mut u8,
    start: usize,
    end: usize,
    manner: Manner,
);

/// How an entry function goes about its work.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// Whether results are added to what outputs hold.
    accumulate: bool,
    /// Whether outputs are stored past the caches. Each then begins, at `start`, at a multiple of
    /// [`STREAM_ALIGNMENT`].
    streaming: bool,
    /// How many bytes ahead of those computed inputs are asked for; 0 for not at all.
    ahead: u16,
}

/// What streamed outputs are aligned to: a cache line, and the longest vector.
const STREAM_ALIGNMENT: usize = 64;

impl KernelTable {
    /// The most inputs that go in one call.
    fn most_columns(&self) -> usize {
        self.products.len()
    }

    /// The most outputs that go in one call.
    fn most_rows(&self) -> usize {
        self.products[0].len()
    }
}

/// One instruction set's functions and what the code around them must know.
struct KernelTable {
    name: &'static str,
    supported: fn() -> bool,
    vector_bytes: fn() -> usize,
    /// Whether it has stores that go past the caches.
    streams: bool,
    /// Words of one coefficient.
    entry_words: usize,
    /// The form of every coefficient, `entry_words` each.
    entries: &'static [u64],
    /// By columns - 1 and rows - 1; more columns than there are here go group by group, more rows
    /// pass by pass.
    products: &'static [&'static [DotProduct]],
    /// For one row of coefficients that are all 1, by columns - 1.
    sums: &'static [DotProduct],
}

/// Every kernel of this build, best first.
static KERNELS: &[&KernelTable] = &[
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    &x86::avx512_gfni::AVX512_GFNI,
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    &x86::avx512::AVX512,
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    &x86::avx2_gfni::AVX2_GFNI,
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    &x86::avx2::AVX2,
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    &x86::ssse3::SSSE3,
    #[cfg(target_arch = "aarch64")]
    &sve::SVE2,
    #[cfg(target_arch = "aarch64")]
    &sve::SVE,
    #[cfg(target_arch = "aarch64")]
    &neon::NEON,
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    &simd128::SIMD128,
    &scalar::SCALAR,
];

/// Names of kernels for other architectures: known, never available here.
const ELSEWHERE: &[&str] =
    &["avx512_gfni", "avx512", "avx2_gfni", "avx2", "ssse3", "sve2", "sve", "neon", "simd128"];

/// A kernel that runs on this CPU: whoever holds one has the proof, for there is no other way to
/// get one than to ask this type.
///
/// ```
/// use restripe::KernelId;
/// for kernel in KernelId::available() {
///     println!("{kernel}: {} bytes a vector", kernel.vector_bytes());
/// }
/// assert!(KernelId::from_name("scalar").is_ok());
/// assert!(KernelId::from_name("abacus").is_err());
/// ```
#[derive(Clone, Copy)]
pub struct KernelId(&'static KernelTable);

impl KernelId {
    /// The kernels that this CPU can run, best first; the last is always `scalar`.
    pub fn available() -> impl Iterator<Item = Self> {
        KERNELS.iter().filter(|table| (table.supported)()).map(|table| Self(table))
    }

    /// The kernel that codes use unless they are told another: the one that `RESTRIPE_KERNEL`
    /// names, else the best one available. Chosen at the first call and kept.
    ///
    /// ```
    /// let kernel = restripe::KernelId::selected()?;
    /// println!("computing on {kernel}");
    /// # Ok::<(), restripe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::KernelUnavailable`] when `RESTRIPE_KERNEL` is set to a name that is unknown, or
    /// that this CPU does not support; [`Error::Invalid`] when `RESTRIPE_STREAM_FROM` is set to what
    /// [`MemoryPolicy`] does not take.
    #[inline]
    pub fn selected() -> Result<Self> {
        static SELECTED: OnceBox<Result<KernelId>> = OnceBox::new();
        match SELECTED.get_or_init(|| alloc::boxed::Box::new(Self::select())) {
            Ok(kernel) => Ok(*kernel),
            Err(error) => Err(error.clone()),
        }
    }

    fn select() -> Result<Self> {
        // Whoever sets that wants it to count: nothing computes where it cannot.
        MemoryPolicy::selected()?;
        #[cfg(feature = "std")]
        if let Some(name) = std::env::var_os("RESTRIPE_KERNEL") {
            return Self::from_name(&name.to_string_lossy());
        }
        Ok(Self::available().next().unwrap_or(Self(&scalar::SCALAR)))
    }

    /// The kernel of that name.
    ///
    /// # Errors
    ///
    /// [`Error::KernelUnavailable`] for a name that is unknown or not supported by this CPU.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::available().find(|kernel| kernel.name() == name).ok_or_else(|| {
            let mut available = String::new();
            for kernel in Self::available() {
                if !available.is_empty() {
                    available.push(' ');
                }
                available.push_str(kernel.name());
            }
            Error::KernelUnavailable {
                name: name.into(),
                known: ELSEWHERE.contains(&name),
                available: available.into(),
            }
        })
    }

    /// Its name, the one that `RESTRIPE_KERNEL` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Bytes that one of its vector registers holds; with SVE, those of the thread that asks.
    #[must_use]
    pub fn vector_bytes(self) -> usize {
        (self.0.vector_bytes)()
    }
}

impl PartialEq for KernelId {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for KernelId {}

impl core::hash::Hash for KernelId {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl core::str::FromStr for KernelId {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::from_name(name)
    }
}

impl fmt::Display for KernelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Debug for KernelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KernelId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_kernel_known_here_or_elsewhere() {
        for table in KERNELS {
            assert!(table.name == "scalar" || ELSEWHERE.contains(&table.name));
            assert_eq!(table.entries.len(), 256 * table.entry_words);
            assert!(table.entry_words <= MAX_ENTRY_WORDS && table.most_columns() >= 2);
            assert_eq!(table.products.len(), table.sums.len());
            assert!((1..=MAX_ROWS).contains(&table.most_rows()));
            assert!(table.products.iter().all(|rows| rows.len() == table.most_rows()));
            assert!((1..=MAX_COLUMNS).contains(&table.sums.len()));
        }
        assert_eq!(KernelId::available().last().unwrap().name(), "scalar");
    }

    #[test]
    fn tells_a_kernel_the_cpu_lacks_from_one_nobody_has() {
        let unknown = KernelId::from_name("abacus").unwrap_err();
        assert!(matches!(unknown, Error::KernelUnavailable { known: false, .. }), "{unknown}");
        for name in ELSEWHERE {
            if KernelId::available().all(|kernel| kernel.name() != *name) {
                let lacking = KernelId::from_name(name).unwrap_err();
                assert!(matches!(lacking, Error::KernelUnavailable { known: true, .. }));
            }
        }
    }
}
