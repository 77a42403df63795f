//! A drop-in for ISA-L's erasure-code, RAID and CRC functions, on restripe's engine: programs
//! that load `libisal.so.2` run on it unchanged.
//!
//! Every name that ISA-L's `erasure_code.h`, `gf_vect_mul.h`, `raid.h`, `crc.h` and `crc64.h`
//! declare is here (compression and `mem_zero_detect` are not). The names of single instruction
//! sets are the same functions as the dispatched ones, which run on the best kernel of the CPU.
//! `include/isa-l/` describes them for C; here stands only what differs inside.
//!
//! - Lengths need no minimum and no multiple, buffers no alignment, except where ISA-L itself
//!   documents and refuses it.
//! - `RESTRIPE_KERNEL` naming a kernel that the CPU lacks ends the process with a line that says
//!   so at the first call for parity: these functions have no way to report an error, and must not
//!   compute on another one. CRCs are then computed by tables.
//! - A count or length below zero counts as zero.

use core::ffi::c_int;
use std::sync::OnceLock;

use restripe::KernelId;

mod crc;
mod crc64;
mod encode;
mod matrices;
mod names;
mod raid;
mod tables;

/// The kernel to run on.
#[inline]
fn kernel() -> KernelId {
    static KERNEL: OnceLock<KernelId> = OnceLock::new();
    *KERNEL.get_or_init(|| {
        KernelId::selected().unwrap_or_else(|error| {
            eprintln!("libisal (restripe): {error}");
            std::process::abort()
        })
    })
}

/// A count or a length as ISA-L has it.
#[inline]
fn count(number: c_int) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// A list of pointers.
///
/// # Safety
///
/// `start` points to `count` pointers, unless that is 0.
#[inline]
unsafe fn list<'a, T>(start: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts(start, count) }
}
