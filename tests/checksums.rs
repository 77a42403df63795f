//! Chunk checksums on every kernel that this CPU has, against other implementations: all lengths,
//! alignments and ways to cut the bytes, and buffers that end where the next page faults.

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::{Error, KernelId};

mod crc_oracle;
#[cfg(not(target_family = "wasm"))] // whose pages cannot be protected
mod guarded;
mod pattern;
use crc_oracle::{checksum, oracle, oracle_sums};
#[cfg(not(target_family = "wasm"))]
use guarded::{Edge, Guarded};
use pattern::{bytes, is_reduced};

const CRCS: [ChecksumKind; 2] = [ChecksumKind::Crc32, ChecksumKind::Crc32c];

/// Computes and verifies; both must be what the oracle says.
fn check(checksum: ChunkedChecksum, data: &[u8], expected: &[u8], context: &str) {
    let mut sums = vec![0xEE; expected.len()];
    checksum.compute(data, &mut sums).unwrap();
    assert_eq!(sums, expected, "{checksum:?}, {} bytes, {context}", data.len());
    assert_eq!(checksum.verify(data, expected), Ok(()), "{checksum:?}, {context}");
}

#[test]
fn single_chunks_of_every_length_up_to_three_blocks_and_around_longer_ones() {
    let data = bytes(1, 70_000);
    let most = if is_reduced() { 600 } else { 1540 };
    let around = [4096, 4608, 5632, 8192, 65536].into_iter().flat_map(|len| len - 17..len + 18);
    let lens: Vec<usize> = (0..most).chain(around).collect();
    for kind in CRCS {
        for &len in &lens {
            let expected = oracle_sums(kind, usize::MAX, &data[..len]);
            for kernel in KernelId::available() {
                check(checksum(kind, 1 << 20, kernel), &data[..len], &expected, "one chunk");
            }
        }
    }
}

#[test]
fn every_number_of_blocks_and_what_is_left_of_one() {
    let data = bytes(2, 300 * 512);
    let step = if is_reduced() { 7 } else { 1 };
    for kind in CRCS {
        for blocks in (0..140).step_by(step).chain([255, 256, 257, 299]) {
            for left in [0, 1, 511] {
                let data = &data[..blocks * 512 + left];
                let expected = oracle_sums(kind, 512, data);
                for kernel in KernelId::available() {
                    check(checksum(kind, 512, kernel), data, &expected, "blocks");
                }
            }
        }
    }
}

#[test]
fn chunks_of_any_length() {
    let data = bytes(3, 200_001);
    let lens = [
        1,
        2,
        3,
        4,
        5,
        7,
        8,
        9,
        15,
        16,
        17,
        63,
        64,
        65,
        100,
        127,
        128,
        129,
        255,
        256,
        511,
        513,
        1000,
        1023,
        1024,
        1025,
        1536,
        2048,
        4096,
        4608,
        5000,
        8192,
        65536,
        65537,
        100_000,
        131_072,
        200_000,
        200_001,
        200_002,
        1 << 20,
    ];
    for kind in CRCS {
        for chunk_len in lens {
            for len in [0, chunk_len - 1, chunk_len, 3 * chunk_len + 1, data.len()] {
                let data = &data[..len.min(if chunk_len < 64 { 10_000 } else { data.len() })];
                let expected = oracle_sums(kind, chunk_len, data);
                for kernel in KernelId::available() {
                    check(checksum(kind, chunk_len, kernel), data, &expected, "any length");
                }
            }
        }
    }
}

#[test]
fn memory_far_larger_than_what_is_asked_for_in_advance() {
    let data = bytes(4, 1_500_000);
    for kind in CRCS {
        for chunk_len in [512, 4096, 1 << 20, 700] {
            let expected = oracle_sums(kind, chunk_len, &data);
            for kernel in KernelId::available() {
                check(checksum(kind, chunk_len, kernel), &data, &expected, "large");
            }
        }
    }
}

#[test]
fn every_alignment() {
    let data = bytes(5, 20_000);
    for start in 0..64 {
        for kind in CRCS {
            for (chunk_len, len) in [(512, 40 * 512 - 600), (100, 1000), (4096, 9000)] {
                let data = &data[start..start + len];
                let expected = oracle_sums(kind, chunk_len, data);
                for kernel in KernelId::available() {
                    check(checksum(kind, chunk_len, kernel), data, &expected, "moved");
                }
            }
        }
    }
}

#[cfg(not(target_family = "wasm"))]
#[test]
fn touches_no_byte_outside_its_buffers() {
    let mut pages = Guarded::new();
    let mut sum_pages = Guarded::new();
    for edge in [Edge::Front, Edge::Back] {
        for len in (0..200).chain([255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 3000, 4096]) {
            pages.slice_mut(edge, len).copy_from_slice(&bytes(len, len));
            let data = pages.slice(edge, len);
            for kind in CRCS {
                for chunk_len in [64, 512, 513] {
                    let expected = oracle_sums(kind, chunk_len, data);
                    for kernel in KernelId::available() {
                        let checksum = checksum(kind, chunk_len, kernel);
                        let sums = sum_pages.slice_mut(edge, expected.len());
                        checksum.compute(data, sums).unwrap();
                        assert_eq!(sums, expected, "{checksum:?}, {len} bytes");
                    }
                }
            }
        }
    }
}

#[test]
fn names_every_chunk_that_is_damaged() {
    let mut data = bytes(6, 300 * 512 + 100);
    for kind in CRCS {
        for chunk_len in [512, 4096, 1000] {
            let sums = oracle_sums(kind, chunk_len, &data);
            for kernel in KernelId::available() {
                let checksum = checksum(kind, chunk_len, kernel);
                for chunk in 0..data.len().div_ceil(chunk_len) {
                    let at = data.len().min((chunk + 1) * chunk_len) - 1;
                    data[at] ^= 4;
                    let found = oracle(kind, &data[chunk * chunk_len..=at]);
                    let expected = u32::from_be_bytes(sums[4 * chunk..][..4].try_into().unwrap());
                    let offset = chunk * chunk_len;
                    assert_eq!(
                        checksum.verify(&data, &sums),
                        Err(Error::ChecksumMismatch { chunk, offset, expected, found }),
                        "{kernel}"
                    );
                    data[at] ^= 4;
                }
            }
        }
    }
}

/// Computes and verifies piece by piece.
fn check_pieces(checksum: ChunkedChecksum, pieces: &[&[u8]], expected: &[u8]) {
    let (mut computed, mut verified) = (checksum.digest(), checksum.digest());
    let mut sums = Vec::new();
    for piece in pieces {
        let start = sums.len();
        sums.resize(start + computed.update_len(piece.len()), 0);
        computed.update(piece, &mut sums[start..]).unwrap();
        verified.verify(piece, &expected[start..sums.len()]).unwrap();
    }
    let start = sums.len();
    sums.resize(start + computed.finish_len(), 0);
    computed.finish(&mut sums[start..]).unwrap();
    verified.finish_verify(&expected[start..]).unwrap();
    assert_eq!(sums, expected, "{checksum:?}");
}

#[test]
fn every_split_of_the_incremental_form() {
    let data = bytes(7, 130);
    for kind in CRCS {
        for chunk_len in [1, 7, 16, 64, 130, 200] {
            let expected = oracle_sums(kind, chunk_len, &data);
            for kernel in KernelId::available() {
                let checksum = checksum(kind, chunk_len, kernel);
                for first in 0..=data.len() {
                    let (head, rest) = data.split_at(first);
                    check_pieces(checksum, &[head, rest], &expected);
                    let (middle, tail) = rest.split_at(rest.len() / 3);
                    check_pieces(checksum, &[head, middle, &[], tail], &expected);
                }
            }
        }
    }
}

#[test]
fn pieces_longer_and_shorter_than_chunks_and_blocks() {
    let data = bytes(8, 40_000);
    for kind in CRCS {
        for chunk_len in [512, 4096, 1000, 30_000] {
            let expected = oracle_sums(kind, chunk_len, &data);
            for kernel in KernelId::available() {
                for piece_len in [1, 100, 511, 512, 513, 4095, 6000, 20_000] {
                    let pieces: Vec<&[u8]> = data.chunks(piece_len).collect();
                    check_pieces(checksum(kind, chunk_len, kernel), &pieces, &expected);
                }
            }
        }
    }
}

#[test]
fn a_mismatch_in_pieces_is_counted_from_the_first_byte_of_all() {
    let mut data = bytes(9, 2000);
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 300).unwrap();
    let sums = oracle_sums(ChecksumKind::Crc32c, 300, &data);
    for (at, chunk) in [(0, 0), (299, 0), (700, 2), (1799, 5), (1800, 6), (1999, 6)] {
        data[at] ^= 1;
        let mut digest = checksum.digest();
        let mut result = Ok(());
        let mut compared = 0;
        for piece in data.chunks(250) {
            let len = digest.update_len(piece.len());
            result = result.and_then(|()| digest.verify(piece, &sums[compared..compared + len]));
            compared += len;
        }
        result = result.and_then(|()| digest.finish_verify(&sums[compared..]));
        let expected = u32::from_be_bytes(sums[4 * chunk..][..4].try_into().unwrap());
        let found = oracle(ChecksumKind::Crc32c, &data[300 * chunk..2000.min(300 * chunk + 300)]);
        let offset = 300 * chunk;
        assert_eq!(result, Err(Error::ChecksumMismatch { chunk, offset, expected, found }));
        data[at] ^= 1;
    }
}

#[test]
fn pieces_with_room_for_other_sums_are_refused_and_change_nothing() {
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32, 4).unwrap();
    let mut digest = checksum.digest();
    digest.update(b"res", &mut []).unwrap();
    let refused = Error::Count { what: "bytes of checksums", expected: 4, got: 8 };
    assert_eq!(digest.update(b"trip", &mut [0; 8]), Err(refused.clone()));
    assert_eq!(digest.verify(b"trip", &[0; 8]), Err(refused.clone()));
    assert_eq!(digest.finish(&mut [0; 8]), Err(refused.clone()));
    assert_eq!(digest.finish_verify(&[0; 8]), Err(refused));
    let mut sums = [0; 4];
    digest.update(b"trip", &mut sums).unwrap();
    assert_eq!(sums, oracle(ChecksumKind::Crc32, b"rest").to_be_bytes());

    let none = ChunkedChecksum::new(ChecksumKind::Null, 4).unwrap();
    let mut digest = none.digest();
    assert_eq!((digest.update_len(100), digest.finish_len()), (0, 0));
    digest.update(b"anything", &mut []).unwrap();
    digest.finish_verify(&[]).unwrap();
}

#[test]
fn appended_and_combined_checksums_are_those_of_the_whole() {
    let data = bytes(10, 5000);
    for kind in CRCS {
        for split in (0..300).chain([511, 512, 1000, 4096, 4999, 5000]) {
            let (first, second) = data.split_at(split);
            let whole = oracle(kind, &data);
            let first_sum = oracle(kind, first);
            assert_eq!(kind.append(first_sum, second), whole, "{kind:?} at {split}");
            let second_sum = oracle(kind, second);
            let combined = kind.combine(first_sum, second_sum, second.len() as u64);
            assert_eq!(combined, whole, "{kind:?} at {split}");
        }
    }
    // Lengths that no memory holds: zeros behind something, twice as many each time.
    let mut combiner = crc32fast::Hasher::new_with_initial_len(0, 0);
    let (mut zeros, mut sum) =
        (oracle(ChecksumKind::Crc32, &[0]), oracle(ChecksumKind::Crc32, b"x"));
    combiner.combine(&crc32fast::Hasher::new_with_initial_len(sum, 1));
    for power in 0..60 {
        combiner.combine(&crc32fast::Hasher::new_with_initial_len(zeros, 1 << power));
        sum = ChecksumKind::Crc32.combine(sum, zeros, 1 << power);
        assert_eq!(sum, combiner.clone().finalize(), "2^{power} zeros");
        zeros = ChecksumKind::Crc32.combine(zeros, zeros, 1 << power);
    }
    assert_eq!(ChecksumKind::Null.combine(1, 2, 3), 0);
    assert_eq!(ChecksumKind::Null.append(1, b"2"), 0);
}
