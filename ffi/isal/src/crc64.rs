//! CRCs of 64 bits: four polynomials, each with the bits of a byte from either end. All invert
//! what goes in and what comes out.

use restripe::checksum::{BitOrder, CrcAlgorithm};

use crate::crc::bytes;
use crate::names::same;

macro_rules! crc64s {
    ($($name:ident $base:ident $by8:ident: $polynomial:literal, $order:ident;)*) => {$(
        /// A CRC of 64 bits: see its header.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(init_crc: u64, buf: *const u8, len: u64) -> u64 {
            static CRC: CrcAlgorithm = CrcAlgorithm::new(64, $polynomial, BitOrder::$order);
            // SAFETY: the caller promises `len` bytes.
            !CRC.extend(!init_crc, unsafe { bytes(buf, len) })
        }

        same!($base $by8 = $name, [(init_crc: u64, buf: *const u8, len: u64) -> u64]);
    )*};
}

crc64s! {
    crc64_ecma_refl crc64_ecma_refl_base crc64_ecma_refl_by8:
        0x42F0_E1EB_A9EA_3693, LowestFirst;
    crc64_ecma_norm crc64_ecma_norm_base crc64_ecma_norm_by8:
        0x42F0_E1EB_A9EA_3693, HighestFirst;
    crc64_iso_refl crc64_iso_refl_base crc64_iso_refl_by8:
        0x0000_0000_0000_001B, LowestFirst;
    crc64_iso_norm crc64_iso_norm_base crc64_iso_norm_by8:
        0x0000_0000_0000_001B, HighestFirst;
    crc64_jones_refl crc64_jones_refl_base crc64_jones_refl_by8:
        0xAD93_D235_94C9_35A9, LowestFirst;
    crc64_jones_norm crc64_jones_norm_base crc64_jones_norm_by8:
        0xAD93_D235_94C9_35A9, HighestFirst;
    crc64_rocksoft_refl crc64_rocksoft_refl_base crc64_rocksoft_refl_by8:
        0xAD93_D235_94C9_3659, LowestFirst;
    crc64_rocksoft_norm crc64_rocksoft_norm_base crc64_rocksoft_norm_by8:
        0xAD93_D235_94C9_3659, HighestFirst;
}
