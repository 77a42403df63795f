//! NEON: products by two 16-entry table look-ups (`tbl`) a byte.

use core::arch::aarch64::*;

use super::entry::kernel_table;
use super::tables::NIBBLES;
use super::vector::Gf8Vector;

#[derive(Clone, Copy)]
struct Vector(uint8x16_t);

// SAFETY (of every block below): NEON is part of every aarch64 target with floating point, and
// the caller vouches for the bytes that a pointer is read or written for, as `Gf8Vector` asks.
impl Gf8Vector for Vector {
    const BYTES: usize = 16;
    const MASKED: bool = false;
    const FOLDS: bool = false;
    const ENTRY_WORDS: usize = 4;
    type Coefficient = (uint8x16_t, uint8x16_t);

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: features, as above.
        unsafe { Self(vdupq_n_u8(0)) }
    }

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: features and bytes, as above.
        unsafe { Self(vld1q_u8(source)) }
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut u8) {
        // SAFETY: features and bytes, as above.
        unsafe { vst1q_u8(target, self.0) }
    }

    #[inline(always)]
    unsafe fn settle(&mut self) {
        #[cfg(not(miri))]
        // SAFETY: no instruction; the register goes in and comes out as it is.
        unsafe {
            core::arch::asm!("/* {0:v} */", inout(vreg) self.0, options(nostack, preserves_flags));
        }
    }

    #[inline(always)]
    unsafe fn coefficient(entry: *const u64) -> Self::Coefficient {
        // SAFETY: features and bytes, as above.
        unsafe { (vld1q_u8(entry.cast()), vld1q_u8(entry.add(2).cast())) }
    }

    #[inline(always)]
    unsafe fn mul(self, (low, high): Self::Coefficient) -> Self {
        // SAFETY: features, as above.
        unsafe {
            let low = vqtbl1q_u8(low, vandq_u8(self.0, vdupq_n_u8(0x0F)));
            let high = vqtbl1q_u8(high, vshrq_n_u8::<4>(self.0));
            Self(veorq_u8(low, high))
        }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: features, as above.
        unsafe { Self(veorq_u8(self.0, other.0)) }
    }
}

kernel_table! {
    /// 128-bit table look-ups.
    NEON = "neon", Vector, entries: NIBBLES,
    features: "neon",
    supported: || cfg!(target_feature = "neon"),
    columns: [1 2 3 4 5 6 7 8 9 10 11 12],
    passes: [1 of 4, 2 of 4, 3 of 4, 4 of 3, 5 of 3, 6 of 3],
    sums of: 8,
}
