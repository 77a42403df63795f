//! CRC kernels: states of many blocks at once, on the best instructions at hand.
//!
//! A *state* is the CRC register: what a CRC is before its bits are inverted at the end. It begins
//! as all ones.
//!
//! There are two ways to compute a CRC fast. An instruction (`crc32` of SSE4.2, for Castagnoli's
//! polynomial only; `crc32x` and `crc32cx` of aarch64, for both) takes 8 bytes a cycle or so but
//! hands its result on after three, so several blocks are computed at a time. Carry-less
//! multiplication folds 16 to 64 bytes at a time (see [`polynomial`](super::polynomial)). The two
//! use different execution units: where there are both, some blocks go one way while others go
//! the other.
//!
//! Which kernel runs is decided by the [`KernelId`] of the GF kernels, so `RESTRIPE_KERNEL` counts
//! here too.

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::ChecksumKind;
use super::crc::{BitOrder, CrcAlgorithm};
use crate::KernelId;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod generic;
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod step;
mod tables;
#[cfg(target_arch = "x86_64")]
mod x86_64;

/// Bytes in a block: as many as kernels compute the state of at a time, and the usual chunk.
const BLOCK: usize = 512;

/// The state that a CRC begins with.
pub(super) const INITIAL: u32 = !0;

/// How far ahead of the folding memory is asked for, in bytes. Blocks on several ways at once are
/// no pattern that CPUs foresee: without, sums of 16 MiB took half again to twice as long. Measured
/// from 2 to 16 KiB on a Zen 4.
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
const PREFETCH_DISTANCE: usize = 8192;

/// Memory is asked for where more bytes than this are left: in the first-level cache it costs 6 %.
const PREFETCH_FROM: usize = 65536;

/// Castagnoli's CRC of a buffer of at least so many bytes is made of those of its blocks, for which
/// the instruction helps; below, merging costs more than that saves. Folding alone is faster than
/// merging for any length.
#[cfg(target_arch = "x86_64")]
const MERGED_FROM: usize = 32 * BLOCK;

/// The most blocks whose states are kept at a time, on the stack.
const MAX_STATES: usize = 128;

/// The state after `len` bytes from `data` on. Of C's convention, as such functions never unwind:
/// so that the drop-in for ISA-L, which must not either, can jump there.
///
/// # Safety
///
/// The CPU has the features of the kernel; `data` is valid for reads of `len` bytes.
type Extend = unsafe extern "C" fn(state: u32, data: *const u8, len: usize) -> u32;

/// The register after `len` bytes from `data` on, as one of 64 bits.
///
/// # Safety
///
/// As for [`Extend`].
type ExtendAny =
    unsafe extern "C" fn(crc: &CrcAlgorithm, register: u64, data: *const u8, len: usize) -> u64;

/// Writes the states of `count` blocks, which follow each other from `data` on, each begun with
/// `initial`. With `prefetch` memory is asked for [`PREFETCH_DISTANCE`] bytes ahead, past the
/// blocks too.
///
/// # Safety
///
/// The CPU has the features of the kernel; `data` is valid for reads of `count` times [`BLOCK`]
/// bytes, `states` for writes of `count` states.
type Blocks =
    unsafe fn(initial: u32, data: *const u8, count: usize, prefetch: bool, states: *mut u32);

/// Writes `count` states, inverted and big-endian, as the checksums that they stand for.
///
/// # Safety
///
/// The CPU has the features of the kernel; `states` is valid for reads of `count` states, `sums`
/// for writes of 4 times as many bytes.
type Finish = unsafe fn(states: *const u32, count: usize, sums: *mut [u8; 4]);

/// The state after blocks whose states, each begun with 0, are at `states`.
///
/// # Safety
///
/// The CPU has the features of the kernel; `states` is valid for reads of `count` states.
type Merge = unsafe fn(state: u32, states: *const u32, count: usize) -> u32;

/// The functions of one kernel for one polynomial.
struct Functions {
    extend: Extend,
    finish: Finish,
    /// `None` where single blocks are as fast.
    by_blocks: Option<ByBlocks>,
    /// Runs of at least so many bytes go by blocks.
    merged_from: usize,
}

#[derive(Clone, Copy)]
struct ByBlocks {
    blocks: Blocks,
    merge: Merge,
}

/// As [`Finish`], to be inlined into functions with the features.
#[inline(always)]
unsafe fn finish(states: *const u32, count: usize, sums: *mut [u8; 4]) {
    for index in 0..count {
        // SAFETY: the caller vouches for as many of both.
        unsafe { sums.add(index).write((!states.add(index).read()).to_be_bytes()) };
    }
}

/// One instruction set's functions.
struct CrcTable {
    /// What it computes with, for those who ask.
    name: &'static str,
    /// Of any polynomial, by the order of its bits.
    lowest_first: ExtendAny,
    highest_first: ExtendAny,
    crc32: Functions,
    crc32c: Functions,
}

/// One polynomial's functions on this CPU: whoever holds one has the proof that it has the
/// features, for there is no other way to get one than [`Crc::new`] and [`selected`].
#[derive(Clone, Copy)]
pub(super) struct Crc(&'static Functions);

impl Crc {
    /// The functions for a kind on the kernel given; `None` for [`ChecksumKind::Null`].
    pub(super) fn new(kind: ChecksumKind, kernel: KernelId) -> Option<Self> {
        Self::of_table(kind, table(kernel))
    }

    fn of_table(kind: ChecksumKind, table: &'static CrcTable) -> Option<Self> {
        match kind {
            ChecksumKind::Null => None,
            ChecksumKind::Crc32 => Some(Self(&table.crc32)),
            ChecksumKind::Crc32c => Some(Self(&table.crc32c)),
        }
    }

    /// The state after `data`, from `state` on.
    #[inline]
    pub(super) fn extend(self, state: u32, data: &[u8]) -> u32 {
        if data.len() >= self.0.merged_from {
            return self.extend_by_blocks(state, data);
        }
        // SAFETY: `new` proves the features, and the bytes are those of the slice.
        unsafe { (self.0.extend)(state, data.as_ptr(), data.len()) }
    }

    /// [`extend`](Self::extend) by blocks, where there is a way.
    #[inline(never)] // its registers and its memory are nothing that short buffers should pay for
    fn extend_by_blocks(self, state: u32, data: &[u8]) -> u32 {
        match self.0.by_blocks {
            Some(functions) => {
                let endless = Chunk { len: usize::MAX, state, left: usize::MAX };
                self.merged(functions, data, 0, endless, |_| ()).state
            }
            // SAFETY: as above.
            None => unsafe { (self.0.extend)(state, data.as_ptr(), data.len()) },
        }
    }

    /// Writes the checksum of every chunk of `chunk_len` bytes, big-endian; the last chunk may be
    /// short. Panics unless there is room for exactly as many as there are chunks. So many bytes
    /// `behind` them are the next to be read: memory may be asked for them.
    #[inline]
    pub(super) fn sums(self, data: &[u8], behind: usize, chunk_len: usize, sums: &mut [[u8; 4]]) {
        assert_eq!(sums.len(), data.len().div_ceil(chunk_len));
        match &self.0.by_blocks {
            Some(functions) if chunk_len == BLOCK => {
                self.block_sums(*functions, data, behind, sums);
            }
            Some(functions)
                if chunk_len.is_multiple_of(BLOCK) && data.len() >= self.0.merged_from =>
            {
                let mut sums = sums.iter_mut();
                let mut write = |state: u32| {
                    if let Some(sum) = sums.next() {
                        *sum = (!state).to_be_bytes();
                    }
                };
                let first = Chunk { len: chunk_len, state: INITIAL, left: chunk_len };
                let last = self.merged(*functions, data, behind, first, &mut write);
                if last.left < chunk_len {
                    write(last.state);
                }
            }
            _ => {
                for (chunk, sum) in data.chunks(chunk_len).zip(sums) {
                    *sum = (!self.extend(INITIAL, chunk)).to_be_bytes();
                }
            }
        }
    }

    /// [`sums`](Self::sums) of chunks that are blocks.
    #[inline]
    fn block_sums(self, functions: ByBlocks, data: &[u8], behind: usize, sums: &mut [[u8; 4]]) {
        let mut states = [const { MaybeUninit::<u32>::uninit() }; MAX_STATES];
        let (blocks, rest) = data.as_chunks::<BLOCK>();
        let (sums, last) = sums.split_at_mut(blocks.len());
        let mut left = data.len() + behind;
        for (blocks, sums) in blocks.chunks(MAX_STATES).zip(sums.chunks_mut(MAX_STATES)) {
            assert!(sums.len() == blocks.len() && blocks.len() <= MAX_STATES);
            let prefetch = left > PREFETCH_FROM;
            left -= blocks.len() * BLOCK;
            // SAFETY: `new` proves the features. There is room for as many states and sums as
            // there are blocks, and all those states have been written when they are read.
            unsafe {
                let (data, states) = (blocks.as_ptr().cast(), states.as_mut_ptr().cast());
                (functions.blocks)(INITIAL, data, blocks.len(), prefetch, states);
                (self.0.finish)(states, blocks.len(), sums.as_mut_ptr());
            }
        }
        if let [last] = last {
            *last = (!self.extend(INITIAL, rest)).to_be_bytes();
        }
    }

    /// Goes on with a chunk and those behind it, by blocks; what is left of each is a multiple of
    /// [`BLOCK`]. Each chunk's state is given away when the chunk is whole; the answer is the one
    /// that is not.
    fn merged(
        self,
        functions: ByBlocks,
        data: &[u8],
        behind: usize,
        chunk: Chunk,
        mut is_whole: impl FnMut(u32),
    ) -> Chunk {
        let mut states = [const { MaybeUninit::<u32>::uninit() }; MAX_STATES];
        let (blocks, rest) = data.as_chunks::<BLOCK>();
        let mut chunk = chunk;
        let mut left = data.len() + behind;
        for blocks in blocks.chunks(MAX_STATES) {
            let prefetch = left > PREFETCH_FROM;
            left -= blocks.len() * BLOCK;
            let states = states.as_mut_ptr().cast::<u32>();
            // SAFETY: `new` proves the features; there is room for the states of MAX_STATES
            // blocks, and these are no more.
            unsafe {
                (functions.blocks)(0, blocks.as_ptr().cast(), blocks.len(), prefetch, states)
            };
            let mut done = 0;
            while done < blocks.len() {
                let count = (blocks.len() - done).min(chunk.left / BLOCK);
                // SAFETY: features as above. `count` states from `done` on are among those that
                // were just written.
                chunk.state = unsafe { (functions.merge)(chunk.state, states.add(done), count) };
                chunk.left -= count * BLOCK;
                done += count;
                if chunk.left == 0 {
                    is_whole(chunk.state);
                    chunk = Chunk { len: chunk.len, state: INITIAL, left: chunk.len };
                }
            }
        }
        // SAFETY: as in `extend`.
        chunk.state = unsafe { (self.0.extend)(chunk.state, rest.as_ptr(), rest.len()) };
        chunk.left -= rest.len();
        chunk
    }
}

/// A chunk on its way.
#[derive(Clone, Copy)]
struct Chunk {
    len: usize,
    state: u32,
    /// Bytes that it still lacks.
    left: usize,
}

/// The functions for a kind on the selected kernel, or by tables where none could be selected;
/// `None` for [`ChecksumKind::Null`]. Only [`Crc::extend`] may be called on them.
#[inline]
pub(super) fn selected(kind: ChecksumKind) -> Option<Crc> {
    Crc::of_table(kind, selected_table())
}

/// The register of 64 bits after `bytes`, on the selected kernel.
#[inline]
pub(super) fn any(crc: &CrcAlgorithm, register: u64, bytes: &[u8]) -> u64 {
    let table = selected_table();
    let extend = match crc.order() {
        BitOrder::LowestFirst => table.lowest_first,
        BitOrder::HighestFirst => table.highest_first,
    };
    // SAFETY: the table was selected because the CPU has its features; the bytes are the slice's.
    unsafe { extend(crc, register, bytes.as_ptr(), bytes.len()) }
}

/// The selected kernel's functions once one of [`FIRST`]'s has been called, which they are before:
/// so no call has to ask whether one was selected.
static SELECTED: AtomicPtr<CrcTable> = AtomicPtr::new((&raw const FIRST).cast_mut());

#[inline]
fn selected_table() -> &'static CrcTable {
    // SAFETY: it only ever points to statics, which nobody writes.
    unsafe { &*SELECTED.load(Ordering::Relaxed) }
}

/// Functions that select a kernel, and then are that kernel's.
static FIRST: CrcTable = {
    unsafe extern "C" fn lowest_first(
        crc: &CrcAlgorithm,
        state: u64,
        data: *const u8,
        len: usize,
    ) -> u64 {
        // SAFETY: the caller's own promise about the bytes; the CPU has what was selected.
        unsafe { (select().lowest_first)(crc, state, data, len) }
    }
    unsafe extern "C" fn highest_first(
        crc: &CrcAlgorithm,
        state: u64,
        data: *const u8,
        len: usize,
    ) -> u64 {
        // SAFETY: as above.
        unsafe { (select().highest_first)(crc, state, data, len) }
    }
    unsafe extern "C" fn crc32(state: u32, data: *const u8, len: usize) -> u32 {
        // SAFETY: as above.
        unsafe { (select().crc32.extend)(state, data, len) }
    }
    unsafe extern "C" fn crc32c(state: u32, data: *const u8, len: usize) -> u32 {
        // SAFETY: as above.
        unsafe { (select().crc32c.extend)(state, data, len) }
    }
    fn select() -> &'static CrcTable {
        let chosen = KernelId::selected().map_or(&tables::TABLES, table);
        SELECTED.store(core::ptr::from_ref(chosen).cast_mut(), Ordering::Relaxed);
        chosen
    }
    const fn functions(extend: Extend) -> Functions {
        Functions { extend, finish, by_blocks: None, merged_from: usize::MAX }
    }
    CrcTable {
        name: "none selected yet",
        lowest_first,
        highest_first,
        crc32: functions(crc32),
        crc32c: functions(crc32c),
    }
};

/// What checksums are computed with on a kernel: `vpclmulqdq 512 + crc32`, for example.
pub(super) fn method(kernel: KernelId) -> &'static str {
    table(kernel).name
}

/// The best functions that the kernel's level stands for and that this CPU has.
fn table(kernel: KernelId) -> &'static CrcTable {
    #[cfg(target_arch = "x86_64")]
    if let Some(table) = x86_64::table(kernel.name()) {
        return table;
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(table) = aarch64::table(kernel.name()) {
        return table;
    }
    let _ = kernel;
    &tables::TABLES
}
