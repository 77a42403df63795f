//! Kernels for x86 and x86-64, one short file an instruction set.

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

pub(super) mod avx2;
pub(super) mod avx2_gfni;
pub(super) mod avx512;
pub(super) mod avx512_gfni;
pub(super) mod ssse3;

/// Whether the CPU and the operating system have all the features named.
///
/// Without `std` there is nobody to ask: only what the build itself enables counts. (Code that
/// runs without an operating system often must not touch vector registers unasked.)
macro_rules! detected {
    ($($feature:tt),+) => {{
        #[cfg(feature = "std")]
        {
            $(std::arch::is_x86_feature_detected!($feature))&&+
        }
        #[cfg(not(feature = "std"))]
        {
            $(cfg!(target_feature = $feature))&&+
        }
    }};
}

pub(crate) use detected;

/// The sum of three, by one `vpternlog` with the truth table of a xor b xor c.
///
/// # Safety
///
/// The caller runs with AVX-512F.
#[inline(always)]
pub(crate) unsafe fn xor3_512(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    // SAFETY: the caller's promise.
    #[cfg(not(miri))]
    unsafe {
        _mm512_ternarylogic_epi64::<0x96>(a, b, c)
    }
    // SAFETY: the caller's promise. Miri has no such instruction.
    #[cfg(miri)]
    unsafe {
        _mm512_xor_si512(_mm512_xor_si512(a, b), c)
    }
}

/// The mask of the first `count` bytes, 1 to 64.
#[inline(always)]
fn first_bytes(count: usize) -> u64 {
    u64::MAX >> (64 - count)
}

/// Defines a function that does nothing but to need its argument in a register, in its place among
/// loads and other such calls.
macro_rules! keep_order {
    ($name:ident, $vector:ident, $class:ident, $feature:literal) => {
        #[inline]
        #[target_feature(enable = $feature)]
        fn $name(vector: &mut $vector) {
            #[cfg(not(miri))]
            // SAFETY: no instruction; the register goes in and comes out as it is.
            unsafe {
                core::arch::asm!(
                    "/* {0} */",
                    inout($class) * vector,
                    options(nostack, preserves_flags)
                );
            }
            #[cfg(miri)]
            let _ = vector;
        }
    };
}

keep_order!(keep_order_512, __m512i, zmm_reg, "avx512f");
keep_order!(keep_order_256, __m256i, ymm_reg, "avx2");
keep_order!(keep_order_128, __m128i, xmm_reg, "ssse3");

/// Makes streaming stores visible to other cores before whatever is stored after.
pub(super) fn finish_streaming() {
    // SAFETY: who has streamed ran a kernel, and all kernels that stream need SSSE3.
    unsafe { _mm_sfence() }
}
