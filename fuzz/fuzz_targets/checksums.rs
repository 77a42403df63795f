//! Checksums on every kernel beside other crates': of chunks of any length, of pieces cut
//! anywhere, and combined.

#![no_main]

use libfuzzer_sys::fuzz_target;
use restripe::KernelId;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe_fuzz::Choices;
use restripe_fuzz::oracle::Random;

/// By crates that have nothing of ours.
fn expected(kind: ChecksumKind, bytes: &[u8]) -> u32 {
    match kind {
        ChecksumKind::Crc32 => crc32fast::hash(bytes),
        ChecksumKind::Crc32c => crc32c::crc32c(bytes),
        _ => 0,
    }
}

/// The sums of all chunks, by pieces as long as the choices say.
fn by_pieces(checksum: ChunkedChecksum, data: &[u8], choices: &mut Choices) -> Vec<u8> {
    let mut digest = checksum.digest();
    let (mut sums, mut rest) = (Vec::new(), data);
    while !rest.is_empty() {
        let piece = if choices.is_over() { rest.len() } else { choices.below(2000) };
        let (now, later) = rest.split_at(piece.min(rest.len()));
        let start = sums.len();
        sums.resize(start + digest.update_len(now.len()), 0);
        digest.update(now, &mut sums[start..]).expect("as many sums as chunks end");
        rest = later;
    }
    let start = sums.len();
    sums.resize(start + digest.finish_len(), 0);
    digest.finish(&mut sums[start..]).expect("the sum of the last chunk");
    sums
}

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let kind = choices.one_of(&[ChecksumKind::Crc32c, ChecksumKind::Crc32]);
    let chunk_len = match choices.byte() % 4 {
        0 => 512,
        1 => 1 + choices.below(256),
        _ => 1 + choices.number(),
    };
    let checksum = ChunkedChecksum::new(kind, chunk_len).expect("a chunk within the bounds");
    let start = choices.below(65);
    let memory: Box<[u8]> = Random(choices.long_number()).bytes(start + choices.shard_len()).into();
    let data = &memory[start..];

    let expected_sums: Vec<u8> =
        data.chunks(chunk_len).flat_map(|chunk| expected(kind, chunk).to_be_bytes()).collect();
    let wrong = choices.below(expected_sums.len().clamp(1, 65_536));
    for kernel in KernelId::available() {
        let checksum = checksum.with_kernel(kernel);
        let mut sums = vec![0x3C; expected_sums.len()];
        checksum.compute(data, &mut sums).expect("as many sums as chunks");
        assert_eq!(sums, expected_sums, "{kernel}");
        checksum.verify(data, &sums).expect("its own sums");
        assert_eq!(by_pieces(checksum, data, &mut choices.clone()), expected_sums, "{kernel}");
        if let Some(sum) = sums.get_mut(wrong) {
            *sum ^= 0x40;
            assert!(checksum.verify(data, &sums).is_err(), "{kernel}: sum {}", wrong / 4);
        }
    }

    let whole = expected(kind, data);
    let (first, second) = data.split_at(choices.below(65_536).min(data.len()));
    let (of_first, of_second) = (kind.checksum(first), kind.checksum(second));
    assert_eq!((of_first, of_second), (expected(kind, first), expected(kind, second)));
    assert_eq!(kind.combine(of_first, of_second, second.len() as u64), whole);
    assert_eq!(kind.append(of_first, second), whole);
});
