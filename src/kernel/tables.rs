//! What kernels keep of a coefficient, for all 256 of them: computed by the compiler.
//!
//! A coefficient costs one look-up here when a matrix is prepared, and nothing afterwards.

use crate::gf8::mul_without_tables as mul;

/// For `gf2p8affineqb`: the 8 x 8 bit matrix of "times c". Row 7 - i (byte i counted from the
/// most significant) gives bit i of the product.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
pub(super) static AFFINE: [u64; 256] = {
    let mut table = [0; 256];
    let mut c = 0;
    while c < 256 {
        let mut bytes = [0u8; 8];
        let mut column = 0;
        while column < 8 {
            let product = mul(c as u8, 1 << column);
            let mut bit = 0;
            while bit < 8 {
                bytes[7 - bit] |= ((product >> bit) & 1) << column;
                bit += 1;
            }
            column += 1;
        }
        table[c] = u64::from_le_bytes(bytes);
        c += 1;
    }
    table
};

/// For byte shuffles: the products of c with 0..16, then with 0x00, 0x10 .. 0xF0; 32 bytes each.
#[cfg(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "simd128")
))]
pub(super) static NIBBLES: [u64; 256 * 4] = {
    let mut table = [0; 256 * 4];
    let mut c = 0;
    while c < 256 {
        let mut word = 0;
        while word < 4 {
            let mut bytes = [0u8; 8];
            let mut byte = 0;
            while byte < 8 {
                let nibble = ((word % 2) * 8 + byte) as u8;
                bytes[byte] = mul(c as u8, if word < 2 { nibble } else { nibble << 4 });
                byte += 1;
            }
            table[c * 4 + word] = u64::from_ne_bytes(bytes);
            word += 1;
        }
        c += 1;
    }
    table
};

/// For plain integer arithmetic: the products of c with the eight powers of two, a byte each,
/// the lowest power in the least significant byte.
pub(super) static BIT_PRODUCTS: [u64; 256] = {
    let mut table = [0; 256];
    let mut c = 0;
    while c < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[c] |= (mul(c as u8, 1 << bit) as u64) << (8 * bit);
            bit += 1;
        }
        c += 1;
    }
    table
};
