//! The machine's own limits as contestants: what a call would take if only one thing cost time.
//!
//! `copy`: `memcpy` of as many bytes as the call reads and writes, in the same memory. A level: the
//! instructions alone that its products take, one affine transform or two shuffles a vector, on
//! registers.

use std::hint::black_box;

use worker::{Case, Work};

fn main() {
    worker::serve(|case| match case.level.as_str() {
        "copy" => Ok(copy(case)),
        level => products(level, case),
    });
}

fn copy(case: &Case) -> Work {
    let case = case.clone();
    Box::new(move |turn, shards| {
        // Half of the shards of the call into the other half; what is left over, into itself.
        let (inputs, mut outputs) = case.split(shards);
        let mut all: Vec<*mut u8> = inputs.iter().map(|shard| shard.as_ptr().cast_mut()).collect();
        all.extend(outputs.iter_mut().map(|shard| shard.as_mut_ptr()));
        let len = case.shard_len;
        let half = all.len() / 2;
        turn.time(|| {
            for (from, to) in all[..half].iter().zip(&all[half..]) {
                // SAFETY: both are whole shards, which do not overlap and are all borrowed mutably
                // for this turn.
                unsafe { to.copy_from_nonoverlapping(*black_box(from), len) };
            }
            if all.len() % 2 == 1 {
                let (from, to) = (all[2 * half], len / 2);
                // SAFETY: the two halves of one shard.
                unsafe { from.add(to).copy_from_nonoverlapping(black_box(from), len - to) };
            }
        })
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn products(level: &str, _: &Case) -> Result<Work, String> {
    Err(format!("nobody has written down what {level} issues"))
}

#[cfg(target_arch = "x86_64")]
fn products(level: &str, case: &Case) -> Result<Work, String> {
    let (issue, vector, each): (fn(usize), usize, usize) = match level {
        "avx512_gfni"
            if is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx512f") =>
        {
            (affine_64, 64, 1)
        }
        "avx512" if is_x86_feature_detected!("avx512bw") => (shuffle_64, 64, 2),
        "avx2_gfni" if is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2") => {
            (affine_32, 32, 1)
        }
        "avx2" if is_x86_feature_detected!("avx2") => (shuffle_32, 32, 2),
        "ssse3" if is_x86_feature_detected!("ssse3") => (shuffle_16, 16, 2),
        _ => return Err(format!("this CPU has no {level}")),
    };
    let instructions = case.data_units * case.outputs() * case.shard_len / vector * each;
    Ok(Box::new(move |turn, _| turn.time(|| issue(black_box(instructions)))))
}

/// A function that issues at least that many of an instruction, 8 a step that do not wait for each
/// other.
#[cfg(target_arch = "x86_64")]
macro_rules! issue {
    ($name:ident, $instruction:literal) => {
        fn $name(instructions: usize) {
            // SAFETY: `products` has asked the CPU for the instruction; it writes the registers that
            // are named here and no memory.
            unsafe {
                std::arch::asm!(
                    "2:",
                    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7",
                    $instruction,
                    ".endr",
                    "dec {steps}",
                    "jnz 2b",
                    steps = inout(reg) instructions.div_ceil(8) => _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                    out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                    options(nomem, nostack),
                );
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
issue!(affine_64, "vgf2p8affineqb zmm\\n, zmm14, zmm15, 0");
#[cfg(target_arch = "x86_64")]
issue!(affine_32, "vgf2p8affineqb ymm\\n, ymm14, ymm15, 0");
#[cfg(target_arch = "x86_64")]
issue!(shuffle_64, "vpshufb zmm\\n, zmm14, zmm15");
#[cfg(target_arch = "x86_64")]
issue!(shuffle_32, "vpshufb ymm\\n, ymm14, ymm15");
#[cfg(target_arch = "x86_64")]
issue!(shuffle_16, "pshufb xmm\\n, xmm15");
