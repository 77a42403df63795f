//! Bytes without a pattern, and how many of them the suites of kernels try.

/// Whether to try everything or, under emulation, a part.
pub fn is_reduced() -> bool {
    std::env::var("RESTRIPE_TEST_SCALE").is_ok_and(|scale| scale == "small")
}

/// The same bytes for the same seed.
pub fn bytes(seed: usize, len: usize) -> Vec<u8> {
    let mut state = seed as u64 ^ 0x9E37_79B9_7F4A_7C15;
    let next = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}
