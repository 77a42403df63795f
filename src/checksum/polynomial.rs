//! Arithmetic modulo the generator polynomials of CRCs, for the compiler to make constants of.
//!
//! The method, and what the constants are for: V. Gopal et al., "Fast CRC Computation for Generic
//! Polynomials Using PCLMULQDQ Instruction" (Intel, 2009). A CRC is the remainder of the message,
//! taken as a polynomial over GF(2), modulo a generator P. So bytes can be *folded*: a piece of the
//! message that has n more bits behind it may be replaced by anything that is congruent to it
//! times x^n, such as its carry-less products with powers of x modulo P.
//!
//! Both CRCs here are *reflected*: the first bit of the message, the coefficient of the highest
//! power, is the least significant bit of the first byte. In a word of w bits, bit i stands for
//! x^(w - 1 - i).

/// A generator polynomial of degree 32, reflected, without its leading term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Polynomial(u32);

impl Polynomial {
    /// CRC-32/ISO-HDLC: 0x04C11DB7.
    pub(super) const CRC32: Self = Self(0x04C1_1DB7_u32.reverse_bits());

    /// CRC-32/ISCSI, Castagnoli's: 0x1EDC6F41.
    pub(super) const CRC32C: Self = Self(0x1EDC_6F41_u32.reverse_bits());

    /// x^0.
    const ONE: u32 = 1 << 31;

    const fn times_x(self, a: u32) -> u32 {
        (a >> 1) ^ if a & 1 == 1 { self.0 } else { 0 }
    }

    /// 1 / x, which there is because P has a constant term: (P + 1) / x.
    const fn inverse_of_x(self) -> u32 {
        ((self.0 ^ Self::ONE) << 1) | 1
    }

    /// a times b, modulo P.
    pub(super) const fn multiply(self, a: u32, b: u32) -> u32 {
        let mut product = 0;
        let mut shifted = b;
        let mut bit = 32;
        while bit > 0 {
            bit -= 1;
            product ^= shifted & 0u32.wrapping_sub(a >> bit & 1);
            shifted = self.times_x(shifted);
        }
        product
    }

    const fn power(self, base: u32, exponent: u64) -> u32 {
        let mut result = Self::ONE;
        let mut square = base;
        let mut exponent = exponent;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.multiply(result, square);
            }
            square = self.multiply(square, square);
            exponent >>= 1;
        }
        result
    }

    /// x^`exponent` modulo P, where the exponent may be negative.
    pub(super) const fn x_to_the(self, exponent: i64) -> u32 {
        if exponent < 0 {
            self.power(self.inverse_of_x(), exponent.unsigned_abs())
        } else {
            self.power(Self::ONE >> 1, exponent.unsigned_abs())
        }
    }

    /// x^(8 `len`): what `len` bytes that follow multiply a remainder by.
    pub(super) const fn shift_by_bytes(self, len: u64) -> u32 {
        self.power(Self::ONE >> 8, len)
    }

    /// The two factors that fold 128 bits onto bits that come `distance` bits later (0 too): one
    /// for the first 64 bits, which have 64 more behind them, and one for the others.
    ///
    /// The product of two reflected words of 64 bits is one of 127; read as one of 128 it has an x
    /// too much, which the factors take back.
    pub(super) const fn fold_key(self, distance: i64) -> [u64; 2] {
        [
            (self.x_to_the(distance + 64 - 1) as u64) << 32,
            (self.x_to_the(distance - 1) as u64) << 32,
        ]
    }

    /// [`fold_key`](Self::fold_key)s for vectors to become one lane.
    pub(super) const fn lane_keys(self) -> LaneKeys {
        LaneKeys([self.fold_key(384), self.fold_key(256), self.fold_key(128), [0; 2]])
    }

    /// The factors that move the remainder before a run of 8 blocks of `block_len` bytes, and those
    /// of the blocks themselves, to the end of the run, where the products are afterwards reduced
    /// as 64 bits of message: the factor x of [`fold_key`](Self::fold_key) and the x^32 of that
    /// reduction are taken back.
    pub(super) const fn block_keys(self, block_len: usize) -> (u64, [u64; MERGED_BLOCKS]) {
        let mut keys = [0; MERGED_BLOCKS];
        let bits = 8 * block_len as i64;
        let mut block = 0;
        while block < MERGED_BLOCKS {
            let blocks_behind = (MERGED_BLOCKS - 1 - block) as i64;
            keys[block] = self.x_to_the(bits * blocks_behind - 33) as u64;
            block += 1;
        }
        (self.x_to_the(bits * MERGED_BLOCKS as i64 - 33) as u64, keys)
    }

    /// For Barrett's reduction of 64 bits V to V x^32 modulo P: the quotient of x^96 by P without
    /// its constant term (which only touches bits that the reduction drops), and P times x.
    ///
    /// The low 64 bits of V times the first are the quotient of V x^32 by P; bits 64 to 95 of that
    /// times the second are the remainder.
    pub(super) const fn barrett_keys(self) -> [u64; 2] {
        let mut quotient = 0;
        let mut remainder = 1; // x^31; one step further each time until x^96
        let mut bit = 0;
        while bit < 64 {
            quotient |= (remainder as u64 & 1) << bit;
            remainder = self.times_x(remainder);
            bit += 1;
        }
        [quotient, (self.0 as u64) << 1]
    }
}

/// The keys that fold the lanes of a vector onto the last of four, by 3, 2 and 1 lanes; the last
/// lane stays as it is, and has zeros here.
#[repr(C, align(64))]
pub(super) struct LaneKeys(pub(super) [[u64; 2]; 4]);

/// How many remainders of blocks are merged at a time.
pub(super) const MERGED_BLOCKS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Polynomial; 2] = [Polynomial::CRC32, Polynomial::CRC32C];

    #[test]
    fn powers_of_x_are_those_of_repeated_multiplication() {
        for polynomial in BOTH {
            let mut power = Polynomial::ONE;
            for exponent in 0..300 {
                assert_eq!(polynomial.x_to_the(exponent), power);
                assert_eq!(
                    polynomial.multiply(power, polynomial.x_to_the(-exponent)),
                    Polynomial::ONE
                );
                if exponent % 8 == 0 {
                    assert_eq!(polynomial.shift_by_bytes(exponent as u64 / 8), power);
                }
                power = polynomial.times_x(power);
            }
        }
    }

    #[test]
    fn the_order_of_x_divides_that_of_the_field() {
        // CRC-32's P is primitive, so its powers of x repeat after 2^32 - 1; Castagnoli's is x + 1
        // times a primitive polynomial of degree 31.
        assert_eq!(Polynomial::CRC32.x_to_the((1 << 32) - 1), Polynomial::ONE);
        assert_eq!(Polynomial::CRC32C.x_to_the((1 << 31) - 1), Polynomial::ONE);
    }

    #[test]
    fn constants_are_those_published() {
        // In the paper and in Linux's arch/x86/crypto/crc32-pclmul_asm.S, for CRC-32: R1 and R2,
        // R3 and R4, R5 fold 512, 128 and 64 bits, the quotient is of x^64. All have 33 bits.
        let published = |exponent| u64::from(Polynomial::CRC32.x_to_the(exponent)) << 1;
        assert_eq!([544, 480].map(published), [0x1_5444_2BD4, 0x1_C6E4_1596]);
        assert_eq!([160, 96, 64].map(published), [0x1_7519_97D0, 0x0_CCAA_009E, 0x1_63CD_6124]);
        let [quotient, polynomial] = Polynomial::CRC32.barrett_keys();
        assert_eq!(quotient & 0x1_FFFF_FFFF, 0x1_F701_1641);
        assert_eq!(polynomial | 1, 0x1_DB71_0641);
        // The same factor read as 64 bits stands for 31 powers of x more.
        assert_eq!(
            Polynomial::CRC32.fold_key(512)[0] >> 32,
            u64::from(Polynomial::CRC32.x_to_the(544 + 31))
        );
    }
}
