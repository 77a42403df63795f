//! WebAssembly's 128-bit vectors: products by two 16-entry table look-ups (`i8x16.swizzle`) a byte.
//!
//! A module that holds a vector instruction is refused whole by an engine without vectors, and a
//! module cannot ask. So this kernel is there where the build enables `simd128`, and else it is not.

use core::arch::wasm32::*;

use super::entry::kernel_table;
use super::tables::NIBBLES;
use super::vector::Gf8Vector;

#[derive(Clone, Copy)]
struct Vector(v128);

// SAFETY (of every block below): the caller vouches for the bytes that a pointer is read or written
// for, as `Gf8Vector` asks. Features need no proof: the whole module has them.
impl Gf8Vector for Vector {
    const BYTES: usize = 16;
    const MASKED: bool = false;
    // Registers are the engine's choice: sixteen on x86.
    const FOLDS: bool = false;
    const ENTRY_WORDS: usize = 4;
    type Coefficient = (v128, v128);

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self(u8x16_splat(0))
    }

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: bytes, as above.
        unsafe { Self(v128_load(source.cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut u8) {
        // SAFETY: bytes, as above.
        unsafe { v128_store(target.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn coefficient(entry: *const u64) -> Self::Coefficient {
        // SAFETY: bytes, as above.
        unsafe { (v128_load(entry.cast()), v128_load(entry.add(2).cast())) }
    }

    #[inline(always)]
    unsafe fn mul(self, (low, high): Self::Coefficient) -> Self {
        let low = u8x16_swizzle(low, v128_and(self.0, u8x16_splat(0x0F)));
        let high = u8x16_swizzle(high, u8x16_shr(self.0, 4));
        Self(v128_xor(low, high))
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        Self(v128_xor(self.0, other.0))
    }
}

kernel_table! {
    /// 128-bit table look-ups.
    SIMD128 = "simd128", Vector, entries: NIBBLES,
    supported: || true,
    columns: [1 2 3 4 5 6],
    passes: [1 of 2, 2 of 2, 3 of 1],
}
