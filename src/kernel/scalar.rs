//! Eight bytes at a time in a 64-bit register: for any CPU, and the oracle of the other kernels.

use super::entry::kernel_table;
use super::tables::BIT_PRODUCTS;
use super::vector::Gf8Vector;

/// The lowest bit of every byte.
const LOW_BITS: u64 = 0x0101_0101_0101_0101;

#[derive(Clone, Copy)]
struct Scalar(u64);

impl Gf8Vector for Scalar {
    const BYTES: usize = 8;
    const MASKED: bool = false;
    const FOLDS: bool = false;
    const ENTRY_WORDS: usize = 1;
    type Coefficient = u64;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self(0)
    }

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: the caller vouches for 8 bytes.
        Self(unsafe { source.cast::<u64>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut u8) {
        // SAFETY: the caller vouches for 8 bytes.
        unsafe { target.cast::<u64>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn coefficient(entry: *const u64) -> u64 {
        // SAFETY: the caller vouches for ENTRY_WORDS words.
        unsafe { *entry }
    }

    /// Each bit of every byte picks a product, which stays within its byte: the lanes never
    /// carry into each other, and the order of bytes does not matter.
    #[inline(always)]
    unsafe fn mul(self, coefficient: u64) -> Self {
        let mut product = 0;
        for bit in 0..8 {
            product ^= ((self.0 >> bit) & LOW_BITS) * (coefficient >> (8 * bit) & 0xFF);
        }
        Self(product)
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}

kernel_table! {
    /// Plain 64-bit arithmetic.
    SCALAR = "scalar", Scalar, entries: BIT_PRODUCTS,
    supported: || true,
    columns: [1 2 3 4],
    passes: [1 of 1, 2 of 1, 3 of 1],
}
