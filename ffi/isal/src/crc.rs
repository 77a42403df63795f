//! CRCs of 16 and 32 bits. Some invert what goes in and comes out, some leave that to the caller.

use core::ffi::{c_int, c_uint};

use restripe::checksum::{BitOrder, ChecksumKind, CrcAlgorithm};

use crate::count;
use crate::names::same;

/// # Safety
///
/// `start` points to `len` bytes, unless that is 0.
#[inline]
pub(crate) unsafe fn bytes<'a>(start: *const u8, len: u64) -> &'a [u8] {
    // Memory that there is has a length of the machine's.
    // SAFETY: the caller's promise.
    unsafe { crate::list(start, len as usize) }
}

/// CRC-32C, with neither inversion.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn crc32_iscsi(buffer: *const u8, len: c_int, init_crc: c_uint) -> c_uint {
    // SAFETY: the caller promises `len` bytes.
    let bytes = unsafe { bytes(buffer, count(len) as u64) };
    !ChecksumKind::Crc32c.append(!init_crc, bytes)
}

same!(
    crc32_iscsi_base = crc32_iscsi, [(buffer: *const u8, len: c_int, init_crc: c_uint) -> c_uint]);

/// CRC-32 as gzip has it, with both inversions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn crc32_gzip_refl(init_crc: u32, buf: *const u8, len: u64) -> u32 {
    // SAFETY: the caller promises `len` bytes.
    ChecksumKind::Crc32.append(init_crc, unsafe { bytes(buf, len) })
}

same!(crc32_gzip_refl_base = crc32_gzip_refl, [(init_crc: u32, buf: *const u8, len: u64) -> u32]);

/// The same polynomial with the bits of a byte from the highest on, and both inversions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn crc32_ieee(init_crc: u32, buf: *const u8, len: u64) -> u32 {
    static CRC: CrcAlgorithm = CrcAlgorithm::new(32, 0x04C1_1DB7, BitOrder::HighestFirst);
    // SAFETY: the caller promises `len` bytes.
    !(CRC.extend((!init_crc).into(), unsafe { bytes(buf, len) }) as u32)
}

same!(crc32_ieee_base = crc32_ieee, [(init_crc: u32, buf: *const u8, len: u64) -> u32]);

/// CRC-16/T10-DIF, with neither inversion.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn crc16_t10dif(init_crc: u16, buf: *const u8, len: u64) -> u16 {
    static CRC: CrcAlgorithm = CrcAlgorithm::new(16, 0x8BB7, BitOrder::HighestFirst);
    // SAFETY: the caller promises `len` bytes.
    CRC.extend(init_crc.into(), unsafe { bytes(buf, len) }) as u16
}

same!(crc16_t10dif_base = crc16_t10dif, [(init_crc: u16, buf: *const u8, len: u64) -> u16]);

/// The same, and a copy of the bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn crc16_t10dif_copy(
    init_crc: u16,
    dst: *mut u8,
    src: *const u8,
    len: u64,
) -> u16 {
    // SAFETY: the caller promises `len` bytes at both.
    unsafe {
        core::ptr::copy(src, dst, len as usize);
        crc16_t10dif(init_crc, dst, len)
    }
}

same!(
    crc16_t10dif_copy_base = crc16_t10dif_copy, [(init_crc: u16, dst: *mut u8, src: *const u8, len: u64) -> u16]);
