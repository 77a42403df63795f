//! Checksums of files as a real HDFS answered them: of the chunk checksums that its datanodes kept,
//! and of any number of the files' first bytes.
#![cfg(feature = "hdfs")]

#[path = "common/blocks.rs"]
mod blocks;
mod common;

use blocks::Block;
use common::{json_lines, text};
use restripe::Error;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{CombineMode, FileChecksum, FileChecksumBuilder, MetaHeader};
use restripe::layout::{Layout, Policy, StripedLayout};

/// One answer of the name node's client.
struct Answer {
    file: String,
    mode: CombineMode,
    /// How many of the file's first bytes it is of; all, where it is none.
    len: Option<u64>,
    algorithm: String,
    text: String,
}

fn answers() -> Vec<Answer> {
    let objects = json_lines("hadoop/blocks/checksums.jsonl");
    let answer = |object: &serde_json::Value| Answer {
        file: text(object, "file").to_owned(),
        mode: match text(object, "mode") {
            "MD5MD5CRC" => CombineMode::Md5OfMd5OfCrc,
            "COMPOSITE_CRC" => CombineMode::CompositeCrc,
            other => panic!("mode {other}"),
        },
        len: object["length"].as_u64(),
        algorithm: text(object, "algorithm").to_owned(),
        text: text(object, "toString").to_owned(),
    };
    objects.iter().map(answer).collect()
}

fn checksum_of(file: &str) -> ChunkedChecksum {
    let kind = if file.ends_with("_crc32") { ChecksumKind::Crc32 } else { ChecksumKind::Crc32c };
    ChunkedChecksum::new(kind, 512).unwrap()
}

fn sums(checksum: ChunkedChecksum, data: &[u8]) -> Vec<u8> {
    let mut sums = vec![0; checksum.sums_len(data.len() as u64).unwrap() as usize];
    checksum.compute(data, &mut sums).unwrap();
    sums
}

fn check(answer: &Answer, found: FileChecksum) {
    let context = format!("{} {:?} {:?}", answer.file, answer.mode, answer.len);
    assert_eq!(found.algorithm(), answer.algorithm, "{context}");
    assert_eq!(found.to_string(), answer.text, "{context}");
}

fn layout(block: &Block, len: u64) -> Option<StripedLayout> {
    let policy: Policy = block.striping.as_ref()?.policy.parse().unwrap();
    Some(policy.group(len))
}

#[test]
fn of_the_chunk_checksums_that_datanodes_kept() {
    let blocks = blocks::blocks();
    let mut checked = 0;
    for answer in answers().iter().filter(|answer| answer.len.is_none()) {
        let mut file = FileChecksumBuilder::new(answer.mode, checksum_of(&answer.file)).unwrap();
        for block in blocks.iter().filter(|block| block.file == answer.file) {
            let kept = |unit: usize| {
                let replica = block.replicas.iter().find(|replica| replica.index == unit);
                replica.map_or(&[][..], |replica| &replica.meta[MetaHeader::LEN..])
            };
            match layout(block, block.len) {
                None => file.add_block(block.len, kept(0)).unwrap(),
                Some(group) => {
                    let units: Vec<&[u8]> = (0..group.data_units()).map(kept).collect();
                    file.add_group(&group, &units).unwrap();
                }
            }
        }
        check(answer, file.finish());
        checked += 1;
    }
    assert!(checked >= 18, "{checked}");
}

#[test]
fn of_the_first_bytes_of_files() {
    let blocks = blocks::blocks();
    for answer in answers() {
        let checksum = checksum_of(&answer.file);
        let mut file = FileChecksumBuilder::new(answer.mode, checksum).unwrap();
        let mut start = 0;
        for block in blocks.iter().filter(|block| block.file == answer.file) {
            let source = blocks::source(&answer.file);
            let end = answer.len.unwrap_or(u64::MAX).min(start + block.len).max(start);
            let data = &source[start as usize..end as usize];
            match layout(block, end - start) {
                None => file.add_block(end - start, &sums(checksum, data)).unwrap(),
                Some(group) => {
                    let mut units = vec![Vec::new(); group.data_units()];
                    for piece in group.pieces(0..group.group_len()).unwrap() {
                        let range = piece.group_range;
                        let unit: &mut Vec<u8> = &mut units[piece.unit];
                        unit.extend_from_slice(&data[range.start as usize..range.end as usize]);
                    }
                    let units: Vec<Vec<u8>> =
                        units.iter().map(|unit| sums(checksum, unit)).collect();
                    file.add_group(&group, &units).unwrap();
                }
            }
            start += block.len;
        }
        check(&answer, file.finish());
    }
}

/// HDFS takes the MD5 of the whole buffer that MD5s of blocks are in. That of five blocks (80
/// bytes in a buffer of 128) is put together here by hand.
#[test]
fn md5s_of_many_blocks_are_padded_as_the_buffer_is_that_they_are_in() {
    use md5::{Digest, Md5};
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512).unwrap();
    let mut file = FileChecksumBuilder::new(CombineMode::Md5OfMd5OfCrc, checksum).unwrap();
    let mut buffer = Vec::new();
    for block in 0..5u8 {
        let sums = sums(checksum, &[block; 1000]);
        buffer.extend(Md5::digest(&sums));
        file.add_block(1000, &sums).unwrap();
    }
    buffer.resize(128, 0);
    let FileChecksum::Md5OfMd5OfCrc { md5, checksums_per_block: 2, .. } = file.finish() else {
        panic!("another checksum");
    };
    assert_eq!(md5[..], Md5::digest(&buffer)[..]);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let null = ChunkedChecksum::new(ChecksumKind::Null, 512).unwrap();
    let refused = FileChecksumBuilder::new(CombineMode::CompositeCrc, null).unwrap_err();
    assert!(matches!(refused, Error::Invalid { what: "kind of checksum", .. }), "{refused}");

    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512).unwrap();
    for mode in [CombineMode::Md5OfMd5OfCrc, CombineMode::CompositeCrc] {
        let mut file = FileChecksumBuilder::new(mode, checksum).unwrap();
        let wrong_len = Error::Count { what: "bytes of checksums", expected: 8, got: 4 };
        assert_eq!(file.add_block(513, &[0; 4]), Err(wrong_len.clone()));
        let group = StripedLayout::new(2, 1, 1024, 1500).unwrap();
        assert_eq!(file.add_group(&group, &[&[0; 4], &[0; 4]]), Err(wrong_len));
        assert_eq!(
            file.add_group(&group, &[[0; 8]]),
            Err(Error::Count { what: "checksums of data units", expected: 2, got: 1 })
        );
        let empty = FileChecksumBuilder::new(mode, checksum).unwrap().finish();
        assert_eq!(file.finish(), empty);
    }
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 1000).unwrap();
    let mut file = FileChecksumBuilder::new(CombineMode::CompositeCrc, checksum).unwrap();
    let group = StripedLayout::new(2, 1, 1024, 1500).unwrap();
    let refused = file.add_group(&group, &[&[0; 8][..], &[0; 4]]).unwrap_err();
    assert!(matches!(refused, Error::OutOfBounds { got: 1000, .. }), "{refused}");
}
