//! CRCs modulo any polynomial of up to 64 bits, over one buffer at a time.
//!
//! All are computed as CRCs of 64 bits: a CRC of w bits modulo P, times x^(64 - w), is one modulo
//! P x^(64 - w). So there is one algorithm for all widths, and one set of constants for each
//! polynomial. The method is that of [`polynomial`](super::polynomial).

use super::kernel;
use super::polynomial::LaneKeys;

/// Which bit of a byte stands for the highest power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOrder {
    /// The lowest: a *reflected* CRC, as those of zlib and xz are.
    LowestFirst,
    /// The highest, as in CRC-16/T10-DIF.
    HighestFirst,
}

/// A CRC by its parameters: how wide its register is, the polynomial, and the order of the bits.
///
/// What a CRC begins with, and what is inverted at its end, is the caller's: register in, register
/// out. One takes 17 KiB, most of it tables for CPUs without better, so it belongs in a `static`.
///
/// ```
/// use restripe::checksum::{BitOrder, CrcAlgorithm};
///
/// static XZ: CrcAlgorithm =
///     CrcAlgorithm::new(64, 0x42F0_E1EB_A9EA_3693, BitOrder::LowestFirst);
/// assert_eq!(!XZ.extend(!0, b"123456789"), 0x995D_C9BB_DF19_39FA);
/// ```
pub struct CrcAlgorithm {
    width: u32,
    order: BitOrder,
    keys: Keys,
    /// What a byte becomes that has 0 to 7 more behind it.
    tables: [[u64; 256]; 8],
}

/// Constants of a polynomial for folding. Keys of two factors have that for the first word of a
/// lane where that word is: first where bits are reflected, last where bytes are reversed.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[repr(C, align(64))]
pub(super) struct Keys {
    /// For vectors to become one lane.
    pub(super) last: LaneKeys,
    /// Folds by 1, 2 .. 16 lanes.
    pub(super) lanes: [[u64; 2]; 16],
    /// The factor that folds the first word of the last lane onto 64 zeros behind the second; and
    /// Barrett's quotient of x^128 by the polynomial without its highest term.
    pub(super) fold_and_quotient: [u64; 2],
    /// The polynomial: without its highest term, or reflected without its lowest.
    pub(super) polynomial: u64,
    /// All ones where that lowest term was there.
    pub(super) lowest: u64,
}

/// Arithmetic modulo x^64 + the polynomial given, the highest power in the highest bit.
#[derive(Clone, Copy)]
struct Modulus(u64);

impl Modulus {
    const fn times_x(self, a: u64) -> u64 {
        (a << 1) ^ if a >> 63 == 1 { self.0 } else { 0 }
    }

    const fn x_to_the(self, exponent: usize) -> u64 {
        let mut power = 1;
        let mut done = 0;
        while done < exponent {
            power = self.times_x(power);
            done += 1;
        }
        power
    }

    /// x^128 divided by the modulus, without its highest term x^64.
    const fn quotient(self) -> u64 {
        let (mut quotient, mut remainder) = (0, self.0);
        let mut bit = 0;
        while bit < 64 {
            quotient = quotient << 1 | remainder >> 63;
            remainder = self.times_x(remainder);
            bit += 1;
        }
        quotient
    }
}

impl Keys {
    /// `polynomial` is that of [`CrcAlgorithm::new`].
    pub(super) const fn new(width: u32, polynomial: u64, order: BitOrder) -> Self {
        let modulus = Modulus(polynomial << (64 - width));
        let mut lanes = [[0; 2]; 16];
        let mut lane = 0;
        while lane < lanes.len() {
            lanes[lane] = Self::fold(modulus, order, 128 * (lane + 1));
            lane += 1;
        }
        let last = LaneKeys([lanes[2], lanes[1], lanes[0], [0; 2]]);
        let quotient = modulus.quotient();
        match order {
            // The product of two reflected words, read as one of 128 bits, has an x too much: the
            // factors lack it.
            BitOrder::LowestFirst => Self {
                last,
                lanes,
                fold_and_quotient: [
                    modulus.x_to_the(127).reverse_bits(),
                    (quotient >> 1 | 1 << 63).reverse_bits(),
                ],
                polynomial: (modulus.0 >> 1 | 1 << 63).reverse_bits(),
                lowest: 0u64.wrapping_sub(modulus.0 & 1),
            },
            BitOrder::HighestFirst => Self {
                last,
                lanes,
                fold_and_quotient: [modulus.x_to_the(128), quotient],
                polynomial: modulus.0,
                lowest: 0,
            },
        }
    }

    /// The two factors that fold 128 bits onto bits that come `distance` bits later.
    const fn fold(modulus: Modulus, order: BitOrder, distance: usize) -> [u64; 2] {
        match order {
            BitOrder::LowestFirst => [
                modulus.x_to_the(distance + 64 - 1).reverse_bits(),
                modulus.x_to_the(distance - 1).reverse_bits(),
            ],
            BitOrder::HighestFirst => [modulus.x_to_the(distance), modulus.x_to_the(distance + 64)],
        }
    }
}

impl CrcAlgorithm {
    /// A CRC of `width` bits modulo x^`width` + `polynomial`, whose bit i stands for x^i whatever
    /// the order of the bits.
    ///
    /// # Panics
    ///
    /// Unless `width` is 8 to 64 and the polynomial has no more bits: at compile time, for one in
    /// a `static`.
    #[must_use]
    pub const fn new(width: u32, polynomial: u64, order: BitOrder) -> Self {
        assert!(8 <= width && width <= 64, "CRCs have 8 to 64 bits");
        assert!(polynomial.leading_zeros() >= 64 - width, "the polynomial is wider than the CRC");
        let modulus = Modulus(polynomial << (64 - width));
        let mut tables = [[0; 256]; 8];
        let mut byte = 0;
        while byte < 256 {
            // As if the byte, in the order of its bits, were the first of a register.
            let bits = match order {
                BitOrder::LowestFirst => (byte as u8).reverse_bits(),
                BitOrder::HighestFirst => byte as u8,
            };
            let mut register = (bits as u64) << 56;
            let mut behind = 0;
            while behind < 8 {
                let mut bit = 0;
                while bit < 8 {
                    register = modulus.times_x(register);
                    bit += 1;
                }
                tables[behind][byte] = match order {
                    BitOrder::LowestFirst => register.reverse_bits(),
                    BitOrder::HighestFirst => register,
                };
                behind += 1;
            }
            byte += 1;
        }
        Self { width, order, keys: Keys::new(width, polynomial, order), tables }
    }

    /// The register after `bytes`, from the one given on; both in the lowest bits of a word.
    ///
    /// Computed by the [selected](crate::KernelId::selected) kernel, or by tables where
    /// `RESTRIPE_KERNEL` names none.
    #[must_use]
    #[inline]
    pub fn extend(&self, register: u64, bytes: &[u8]) -> u64 {
        let spare = match self.order {
            BitOrder::LowestFirst => 0,
            BitOrder::HighestFirst => 64 - self.width,
        };
        kernel::any(self, register << spare, bytes) >> spare
    }

    #[inline]
    pub(super) fn order(&self) -> BitOrder {
        self.order
    }

    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    #[inline]
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The register of 64 bits after `bytes`, by tables, eight bytes a step.
    pub(super) fn by_tables(&self, register: u64, bytes: &[u8]) -> u64 {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut register = register;
        for word in words {
            let bytes = match self.order {
                BitOrder::LowestFirst => register ^ u64::from_le_bytes(*word),
                // The first byte is the lowest in both cases.
                BitOrder::HighestFirst => (register ^ u64::from_be_bytes(*word)).swap_bytes(),
            }
            .to_le_bytes();
            register = (0..8).fold(0, |sum, at| sum ^ self.tables[7 - at][usize::from(bytes[at])]);
        }
        for &byte in rest {
            register = match self.order {
                BitOrder::LowestFirst => {
                    register >> 8 ^ self.tables[0][usize::from(register as u8 ^ byte)]
                }
                BitOrder::HighestFirst => {
                    register << 8 ^ self.tables[0][usize::from((register >> 56) as u8 ^ byte)]
                }
            };
        }
        register
    }
}

impl core::fmt::Debug for CrcAlgorithm {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("CrcAlgorithm")
            .field("width", &self.width)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const ORDERS: [BitOrder; 2] = [BitOrder::LowestFirst, BitOrder::HighestFirst];

    /// The register by its definition, bit by bit.
    fn bit_by_bit(
        width: u32,
        polynomial: u64,
        order: BitOrder,
        register: u64,
        bytes: &[u8],
    ) -> u64 {
        let top = 64 - width;
        let (mut power, polynomial) = match order {
            BitOrder::LowestFirst => (register.reverse_bits(), polynomial << top),
            BitOrder::HighestFirst => (register << top, polynomial << top),
        };
        for &byte in bytes {
            let byte = if order == BitOrder::LowestFirst { byte.reverse_bits() } else { byte };
            power ^= u64::from(byte) << 56;
            for _ in 0..8 {
                power = power << 1 ^ if power >> 63 == 1 { polynomial } else { 0 };
            }
        }
        if order == BitOrder::LowestFirst { power.reverse_bits() } else { power >> top }
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    #[test]
    fn catalogued_crcs_have_their_check_values() {
        // Those of "123456789" in G. Cook's catalogue of parametrised CRC algorithms.
        let check = |width, polynomial, order, register, inverted: u64, expected| {
            let algorithm = CrcAlgorithm::new(width, polynomial, order);
            let crc = algorithm.extend(register, b"123456789") ^ inverted;
            assert_eq!(crc, expected, "{algorithm:?}");
        };
        let [low, high] = ORDERS;
        let ones = u64::MAX;
        check(8, 0x07, high, 0, 0, 0xF4); // CRC-8/SMBUS
        check(16, 0x8BB7, high, 0, 0, 0xD0DB); // T10-DIF
        check(16, 0x1021, low, 0, 0, 0x2189); // KERMIT
        check(24, 0x86_4CFB, high, 0xB7_04CE, 0, 0x21_CF02); // OPENPGP
        check(32, 0x04C1_1DB7, high, 0xFFFF_FFFF, 0xFFFF_FFFF, 0xFC89_1918); // BZIP2
        check(32, 0x04C1_1DB7, low, 0xFFFF_FFFF, 0xFFFF_FFFF, 0xCBF4_3926); // ISO-HDLC
        check(40, 0x0482_0009, high, 0, (1 << 40) - 1, 0xD4_164F_C646); // GSM
        check(64, 0x42F0_E1EB_A9EA_3693, high, 0, 0, 0x6C40_DF5F_0B49_7347); // ECMA-182
        check(64, 0x42F0_E1EB_A9EA_3693, low, ones, ones, 0x995D_C9BB_DF19_39FA); // XZ
        check(64, 0x1B, low, ones, ones, 0xB909_56C7_75A4_1001); // GO-ISO
        check(64, 0xAD93_D235_94C9_3659, low, ones, ones, 0xAE8B_1486_0A79_9888); // NVME
    }

    #[test]
    fn every_length_and_order_agrees_with_the_definition_by_tables_too() {
        let data = bytes(1500);
        for (width, polynomial) in [
            (8, 0x07),
            (16, 0x8BB7),
            (31, 0x04C1_1DB7),
            (32, 0x1EDC_6F41),
            (40, 0x0482_0009),
            (64, 0x42F0_E1EB_A9EA_3693),
            (64, 0x1A),
            (64, 0),
        ] {
            for order in ORDERS {
                let algorithm = CrcAlgorithm::new(width, polynomial, order);
                let begin = 0x0123_4567_89AB_CDEF & (u64::MAX >> (64 - width));
                let spare = if order == BitOrder::HighestFirst { 64 - width } else { 0 };
                for len in (0..340).chain([511, 512, 513, 767, 1023, 1024, 1031, 1499]) {
                    let start = len % 2;
                    let data = &data[start..start + len];
                    let expected = bit_by_bit(width, polynomial, order, begin, data);
                    assert_eq!(algorithm.extend(begin, data), expected, "{algorithm:?} {len}");
                    let by_tables = algorithm.by_tables(begin << spare, data) >> spare;
                    assert_eq!(by_tables, expected, "{algorithm:?} {len}, by tables");
                }
            }
        }
    }

    #[test]
    fn pieces_give_what_the_whole_does() {
        let data = bytes(700);
        for order in ORDERS {
            let algorithm = CrcAlgorithm::new(64, 0xAD93_D235_94C9_35A9, order);
            let whole = algorithm.extend(7, &data);
            for cut in 0..data.len() {
                let (first, second) = data.split_at(cut);
                assert_eq!(algorithm.extend(algorithm.extend(7, first), second), whole, "{cut}");
            }
        }
    }
}
