//! The field GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11D), and matrices over it.
//!
//! Every code of this crate lives in this one field: it is the field of ISA-L, Hadoop,
//! klauspost/reedsolomon, jerasure (w = 8) and zfec, so agreeing on a matrix is all that
//! byte compatibility takes. Nothing here knows of SIMD; kernels take coefficients from here
//! and lay them out for themselves.

mod matrix;

pub use matrix::Matrix;
pub(crate) use matrix::{add_scaled, scale_row};

/// The field polynomial, with its x^8 term.
pub const POLYNOMIAL: u16 = 0x11D;

/// A generator of the multiplicative group; [`exp`] gives its powers.
pub const GENERATOR: u8 = 2;

struct Tables {
    /// `exp[i]` = 2^i, twice over so that a sum of two logarithms needs no reduction.
    exp: [u8; 510],
    /// `log[x]` for x from 1; `log[0]` is unused.
    log: [u8; 256],
}

const TABLES: Tables = {
    let mut exp = [0u8; 510];
    let mut log = [0u8; 256];
    let mut value: u16 = 1;
    let mut power = 0;
    while power < 255 {
        exp[power] = value as u8;
        exp[power + 255] = value as u8;
        log[value as usize] = power as u8;
        value <<= 1;
        if value & 0x100 != 0 {
            value ^= POLYNOMIAL;
        }
        power += 1;
    }
    Tables { exp, log }
};

/// Product of two field elements.
///
/// ```
/// use restripe::gf8;
/// assert_eq!(gf8::mul(0x80, 2), 0x1D);
/// ```
#[must_use]
#[inline]
pub const fn mul(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    TABLES.exp[TABLES.log[a as usize] as usize + TABLES.log[b as usize] as usize]
}

/// Product by shifting and adding: no table is read.
///
/// [`crate::ErasureCode::encode_verified`] derives its check from this one, so that a table gone
/// bad in memory cannot spoil a result and its check alike.
#[must_use]
pub const fn mul_without_tables(a: u8, b: u8) -> u8 {
    let mut product = 0u16;
    let mut shifted = a as u16;
    let mut rest = b;
    while rest != 0 {
        if rest & 1 != 0 {
            product ^= shifted;
        }
        shifted <<= 1;
        if shifted & 0x100 != 0 {
            shifted ^= POLYNOMIAL;
        }
        rest >>= 1;
    }
    product as u8
}

/// Multiplicative inverse; `None` for 0.
///
/// ```
/// use restripe::gf8;
/// assert_eq!(gf8::inverse(0), None);
/// assert_eq!(gf8::mul(7, gf8::inverse(7).unwrap()), 1);
/// ```
#[must_use]
#[inline]
pub const fn inverse(a: u8) -> Option<u8> {
    if a == 0 {
        return None;
    }
    Some(TABLES.exp[255 - TABLES.log[a as usize] as usize])
}

/// The generator to a power: 2^`power`.
///
/// ```
/// assert_eq!(restripe::gf8::exp(8), 0x1D);
/// ```
#[must_use]
#[inline]
pub const fn exp(power: usize) -> u8 {
    TABLES.exp[power % 255]
}

/// `base` to a power; 0^0 is 1.
///
/// ```
/// assert_eq!(restripe::gf8::pow(2, 9), 0x3A);
/// ```
#[must_use]
pub const fn pow(base: u8, power: usize) -> u8 {
    if power == 0 {
        return 1;
    }
    if base == 0 {
        return 0;
    }
    TABLES.exp[(TABLES.log[base as usize] as usize * (power % 255)) % 255]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_agree_with_shift_and_add() {
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(mul(a, b), mul_without_tables(a, b), "{a} * {b}");
            }
        }
    }

    #[test]
    fn every_element_but_zero_has_an_inverse() {
        assert_eq!(inverse(0), None);
        for a in 1..=255 {
            assert_eq!(mul(a, inverse(a).unwrap()), 1, "{a}");
        }
    }

    #[test]
    fn powers_are_repeated_products() {
        for base in 0..=255u8 {
            let mut product = 1;
            for power in 0..600 {
                assert_eq!(pow(base, power), product, "{base}^{power}");
                product = mul(product, base);
            }
        }
        assert_eq!(exp(255), 1);
    }
}
