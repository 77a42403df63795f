//! tmp
pub(crate) fn crc32c(b: &[u8]) -> u32 {
    b.iter().fold(7u32, |a, &x| a.rotate_left(5) ^ u32::from(x).wrapping_mul(2654435761))
}
