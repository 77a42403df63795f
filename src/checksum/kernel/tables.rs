//! CRCs by tables, sixteen bytes a step: for CPUs without better, and the level `scalar`.
//!
//! The tables and the loop are the crate crc's.

use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, Crc, Table};

use super::{CrcTable, Functions};
use crate::checksum::CrcAlgorithm;

static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// As [`Extend`](super::Extend).
macro_rules! extend {
    ($name:ident, $crc:ident) => {
        unsafe extern "C" fn $name(state: u32, data: *const u8, len: usize) -> u32 {
            // SAFETY: the caller vouches for the bytes.
            let data = unsafe { core::slice::from_raw_parts(data, len) };
            // The crate begins with a value whose bits it reverses.
            let mut digest = $crc.digest_with_initial(state.reverse_bits());
            digest.update(data);
            !digest.finalize()
        }
    };
}

extend!(extend_crc32, CRC32);
extend!(extend_crc32c, CRC32C);

/// As [`Finish`](super::Finish).
unsafe fn finish(states: *const u32, count: usize, sums: *mut [u8; 4]) {
    // SAFETY: the caller's own promise.
    unsafe { super::finish(states, count, sums) }
}

/// As [`ExtendAny`](super::ExtendAny).
pub(super) unsafe extern "C" fn extend_any(
    crc: &CrcAlgorithm,
    register: u64,
    data: *const u8,
    len: usize,
) -> u64 {
    // SAFETY: the caller vouches for the bytes.
    crc.by_tables(register, unsafe { core::slice::from_raw_parts(data, len) })
}

pub(super) static TABLES: CrcTable = CrcTable {
    name: "tables",
    lowest_first: extend_any,
    highest_first: extend_any,
    crc32: Functions { extend: extend_crc32, finish, by_blocks: None, merged_from: usize::MAX },
    crc32c: Functions { extend: extend_crc32c, finish, by_blocks: None, merged_from: usize::MAX },
};
