//! Chunk checksums by other implementations.

use restripe::KernelId;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};

/// The CRC by another implementation.
pub fn oracle(kind: ChecksumKind, bytes: &[u8]) -> u32 {
    match kind {
        ChecksumKind::Crc32 => crc32fast::hash(bytes),
        ChecksumKind::Crc32c => crc32c::crc32c(bytes),
        other => panic!("{other:?} is no CRC"),
    }
}

/// The CRCs of all chunks as one array.
pub fn oracle_sums(kind: ChecksumKind, chunk_len: usize, bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(chunk_len).flat_map(|chunk| oracle(kind, chunk).to_be_bytes()).collect()
}

/// What is tested, on a kernel.
pub fn checksum(kind: ChecksumKind, chunk_len: usize, kernel: KernelId) -> ChunkedChecksum {
    ChunkedChecksum::new(kind, chunk_len).unwrap().with_kernel(kernel)
}
