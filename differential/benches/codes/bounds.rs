//! What the machine can do at the most, measured in turns with the contestants.

use std::hint::black_box;

use restripe::KernelId;

/// Copies half of `bytes` to the other half: reads and writes `bytes` together.
pub struct CopyBound {
    memory: Vec<u64>,
}

impl CopyBound {
    pub fn new(bytes: usize) -> Self {
        Self { memory: vec![1; bytes.div_ceil(128) * 16 + 8] }
    }

    /// By the vector stores that a kernel would use.
    pub fn plain(&mut self) {
        let (from, to) = self.halves();
        for (from, to) in from.chunks_exact(8).zip(to.chunks_exact_mut(8)) {
            to.copy_from_slice(from);
        }
        black_box(to);
    }

    fn halves(&mut self) -> (&[u64], &mut [u64]) {
        let start = self.memory.as_ptr().align_offset(64);
        let len = (self.memory.len() - 8) / 2;
        let (from, to) = self.memory[start..start + 2 * len].split_at_mut(len);
        (from, to)
    }

    /// By non-temporal stores; plain ones where there are none.
    pub fn streaming(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            let (from, to) = self.halves();
            // SAFETY: the CPU has AVX2.
            unsafe { x86::copy_streaming(from, to) };
            return;
        }
        self.plain();
    }
}

/// Runs as many multiplying instructions as the products of one call take on a kernel, on registers
/// alone: `products` coefficients times `len` bytes each. False where that is not known.
pub fn products(kernel: KernelId, products: usize, len: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let vectors = products * len.div_ceil(kernel.vector_bytes());
        // SAFETY: who holds a kernel has a CPU with its features.
        unsafe {
            match kernel.name() {
                "avx512_gfni" => x86::affines_512(vectors),
                "avx512" => x86::shuffles_512(2 * vectors),
                "avx2_gfni" => x86::affines_256(vectors),
                "avx2" => x86::shuffles_256(2 * vectors),
                "ssse3" => x86::shuffles_128(2 * vectors),
                _ => return false,
            }
        }
        true
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        _ = (kernel, products, len);
        false
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::asm;
    use core::arch::x86_64::*;

    /// # Safety
    ///
    /// The CPU has AVX2; both slices are as long as each other and aligned to 32 bytes.
    #[target_feature(enable = "avx2")]
    pub unsafe fn copy_streaming(from: &[u64], to: &mut [u64]) {
        for (from, to) in from.chunks_exact(8).zip(to.chunks_exact_mut(8)) {
            // SAFETY: each chunk has 64 bytes; `halves` aligned them.
            unsafe {
                let (low, high) = (from.as_ptr().cast(), from.as_ptr().add(4).cast());
                let (low, high) = (_mm256_loadu_si256(low), _mm256_loadu_si256(high));
                _mm256_stream_si256(to.as_mut_ptr().cast(), low);
                _mm256_stream_si256(to.as_mut_ptr().add(4).cast(), high);
            }
        }
        _mm_sfence();
    }

    /// Twelve instructions, each on a register of its own, so that none waits for another.
    macro_rules! twelve {
        ($before:literal, $after:literal) => {
            twelve!(@ $before, $after, 0 1 2 3 4 5 6 7 8 9 10 11)
        };
        (@ $before:literal, $after:literal, $($register:literal)*) => {
            concat!($($before, $register, $after, "\n"),*)
        };
    }

    macro_rules! issuing {
        ($name:ident, $features:literal, $before:literal, $after:literal) => {
            /// # Safety
            ///
            /// The CPU has the features.
            #[target_feature(enable = $features)]
            pub unsafe fn $name(count: usize) {
                // SAFETY: only registers change, and those of the ABI that are named.
                unsafe {
                    asm!(
                        "2:",
                        twelve!($before, $after),
                        "sub rcx, 1",
                        "jnz 2b",
                        inout("rcx") count.div_ceil(12).max(1) => _,
                        clobber_abi("C"),
                        options(nomem, nostack),
                    );
                }
            }
        };
    }

    issuing!(affines_512, "avx512f,gfni", "vgf2p8affineqb zmm", ", zmm14, zmm15, 0");
    issuing!(affines_256, "avx2,gfni", "vgf2p8affineqb ymm", ", ymm14, ymm15, 0");
    issuing!(shuffles_512, "avx512bw", "vpshufb zmm", ", zmm14, zmm15");
    issuing!(shuffles_256, "avx2", "vpshufb ymm", ", ymm14, ymm15");
    issuing!(shuffles_128, "ssse3", "pshufb xmm", ", xmm15");
}
