//! Packets and `.meta` files that a real HDFS wrote: the same bytes are written here, they are
//! read back however they are cut, and nothing damaged passes.

#![cfg(feature = "hdfs")]

#[path = "common/blocks.rs"]
mod blocks;
mod common;

use std::fs;

use common::{count, from_hex, hadoop_bytes, json_lines, number, text, vectors_dir};
use proptest::prelude::*;
use restripe::Error;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{
    Accepted, MetaHeader, PacketHeader, PacketReader, PacketSequence, PacketWriter, Placement,
};

/// A packet that Hadoop wrote, and what it was made from.
struct Vector {
    name: String,
    checksum: ChunkedChecksum,
    chunks: usize,
    header: PacketHeader,
    data: Vec<u8>,
    bytes: Vec<u8>,
    encoded_header: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    let vectors = json_lines("hadoop/packets/packets.jsonl").into_iter().map(|object| {
        let name = text(&object, "file").to_owned();
        let kind = ChecksumKind::from_id(count(&object, "checksum_id") as u8).unwrap();
        let data_len = count(&object, "dataLen");
        Vector {
            checksum: ChunkedChecksum::new(kind, count(&object, "bytesPerChecksum")).unwrap(),
            // An empty packet may have been made with room for no chunk.
            chunks: count(&object, "chunksPerPkt").max(1),
            header: PacketHeader {
                offset_in_block: number(&object, "offsetInBlock"),
                seqno: object["seqno"].as_i64().unwrap(),
                last_packet_in_block: object["lastPacketInBlock"].as_bool().unwrap(),
                data_len: data_len as u32,
                sync_block: object["syncBlock"].as_bool().unwrap(),
            },
            data: hadoop_bytes(number(&object, "data_seed") as u32, 0, data_len),
            bytes: fs::read(vectors_dir().join("hadoop/packets").join(&name)).unwrap(),
            encoded_header: from_hex(text(&object, "header_hex")),
            name,
        }
    });
    let vectors: Vec<_> = vectors.collect();
    assert!(vectors.len() >= 26);
    vectors
}

/// A packet of four chunks, the last of them short.
fn four_chunks() -> Vector {
    vectors().into_iter().find(|vector| vector.data.len() == 1537).unwrap()
}

/// Reads one packet as a receiver does who expects it next, and stores nothing.
fn receive(vector: &Vector, bytes: &[u8]) -> restripe::Result<Option<Vec<u8>>> {
    let mut reader = PacketReader::new(vector.checksum);
    reader.push(bytes)?;
    let Some(packet) = reader.packet() else { return Ok(None) };
    if packet.header.seqno != vector.header.seqno {
        return Err(Error::PacketNumber {
            got: packet.header.seqno,
            expected: vector.header.seqno,
        });
    }
    let mut sequence = PacketSequence::of_read(vector.checksum, vector.header.offset_in_block);
    sequence.accept(&PacketHeader { seqno: 0, ..packet.header })?;
    vector.checksum.verify(packet.data, packet.checksums)?;
    Ok(Some(packet.data.to_vec()))
}

#[test]
fn headers_are_written_byte_for_byte() {
    for vector in vectors() {
        let sums_len = vector.checksum.sums_len(vector.data.len() as u64).unwrap();
        let encoded = vector.header.encode(sums_len as u32);
        assert_eq!(encoded.as_ref(), vector.encoded_header, "{}", vector.name);
        let decoded = PacketHeader::decode(&vector.encoded_header[PacketHeader::LENGTHS_LEN..]);
        assert_eq!(decoded, Ok(vector.header), "{}", vector.name);
    }
}

#[test]
fn packets_around_data_in_memory_are_written_byte_for_byte() {
    for vector in vectors() {
        let mut writer = PacketWriter::without_data(vector.checksum, vector.chunks).unwrap();
        let [head, data] = writer.frame(&vector.header, &vector.data).unwrap();
        assert_eq!(data.as_ptr(), vector.data.as_ptr(), "{}: the data was copied", vector.name);
        assert!([head, data].concat() == vector.bytes, "{}", vector.name);
    }
}

#[test]
fn packets_with_their_data_inside_are_written_byte_for_byte() {
    // One writer for all packets of a kind: nothing of a packet is left in the next.
    for kind in [ChecksumKind::Crc32c, ChecksumKind::Crc32] {
        let checksum = ChunkedChecksum::new(kind, 512).unwrap();
        let mut writer = PacketWriter::new(checksum, 126).unwrap();
        for vector in vectors().into_iter().filter(|vector| vector.checksum == checksum) {
            let room = writer.prepare(vector.data.len()).unwrap();
            room.data.copy_from_slice(&vector.data);
            checksum.compute(room.data, room.checksums).unwrap();
            assert!(writer.seal(&vector.header).unwrap() == vector.bytes, "{}", vector.name);
        }
    }
}

#[test]
fn packets_are_read_back_and_verify() {
    for vector in vectors() {
        let mut reader = PacketReader::new(vector.checksum);
        assert_eq!(reader.push(&vector.bytes), Ok(vector.bytes.len()), "{}", vector.name);
        let packet = reader.packet().unwrap();
        assert_eq!(packet.header, vector.header, "{}", vector.name);
        assert!(packet.data == vector.data, "{}", vector.name);
        assert_eq!(vector.checksum.verify(packet.data, packet.checksums), Ok(()));
    }
}

#[test]
fn a_packet_cut_anywhere_is_waited_for_and_never_delivered() {
    let vector = four_chunks();
    for len in 0..vector.bytes.len() {
        assert_eq!(receive(&vector, &vector.bytes[..len]), Ok(None), "{len}");
    }
    assert_eq!(receive(&vector, &vector.bytes), Ok(Some(vector.data.clone())));
}

#[test]
fn a_packet_with_any_bit_flipped_is_never_delivered() {
    let vector = four_chunks();
    let mut refused = 0;
    for bit in 0..8 * vector.bytes.len() {
        let mut bytes = vector.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match receive(&vector, &bytes) {
            Err(_) => refused += 1,
            // A length that became greater: more bytes are waited for, which do not come.
            Ok(None) => assert!(bit < 8 * PacketHeader::LENGTHS_LEN, "bit {bit} is not refused"),
            Ok(Some(_)) => panic!("the packet passes with bit {bit} flipped"),
        }
    }
    assert!(refused >= 8 * (vector.bytes.len() - PacketHeader::LENGTHS_LEN));
}

/// What every reader of a replica checks: that `.meta` file and block belong together.
fn check_replica(meta: &[u8], block: &[u8]) -> restripe::Result<()> {
    let header = MetaHeader::decode(meta)?;
    let expected = header.meta_len(block.len() as u64)? as usize;
    if meta.len() != expected {
        return Err(Error::Count { what: "bytes of block metadata", expected, got: meta.len() });
    }
    header.checksum().verify(block, &meta[MetaHeader::LEN..])
}

#[test]
fn a_meta_file_cut_anywhere_or_with_any_bit_flipped_is_refused() {
    let blocks = blocks::blocks();
    let replicas = blocks.iter().flat_map(|block| &block.replicas);
    let replica = replicas.min_by_key(|replica| replica.data.len().abs_diff(1000)).unwrap();
    assert_eq!(check_replica(&replica.meta, &replica.data), Ok(()));
    assert_eq!(replica.meta.len(), MetaHeader::LEN + 8);
    for len in 0..replica.meta.len() {
        assert!(check_replica(&replica.meta[..len], &replica.data).is_err(), "cut to {len} bytes");
    }
    for bit in 0..8 * replica.meta.len() {
        let mut meta = replica.meta.clone();
        meta[bit / 8] ^= 1 << (bit % 8);
        assert!(check_replica(&meta, &replica.data).is_err(), "bit {bit} flipped");
    }
}

/// A block as a stream of packets, and the data in it.
fn stream(block: &[u8], checksum: ChunkedChecksum, chunks: usize) -> Vec<u8> {
    let mut writer = PacketWriter::without_data(checksum, chunks).unwrap();
    let mut stream = Vec::new();
    let (mut offset, mut seqno) = (0, 0);
    for data in block.chunks(writer.max_data_len()) {
        let header = PacketHeader::data(offset, seqno, data.len() as u32);
        stream.extend(writer.frame(&header, data).unwrap().concat());
        offset += data.len() as u64;
        seqno += 1;
    }
    let last = PacketHeader { seqno, ..PacketHeader::last(offset) };
    stream.extend_from_slice(writer.frame(&last, &[]).unwrap()[0]);
    stream
}

/// Takes what is in the reader and adds its data to `block`; says whether it was the last packet,
/// behind which no packet is to be looked for.
fn take_packet(
    reader: &mut PacketReader,
    sequence: &mut PacketSequence,
    block: &mut Vec<u8>,
) -> restripe::Result<bool> {
    let Some(packet) = reader.packet() else { return Ok(false) };
    let accepted = sequence.accept(&packet.header)?;
    if let Accepted::Data(placement) = accepted {
        assert_eq!(placement, Placement::NewChunk);
        block.extend_from_slice(packet.data);
    }
    if accepted == Accepted::Last {
        return Ok(true);
    }
    reader.release()?;
    Ok(false)
}

fn kinds() -> impl Strategy<Value = ChecksumKind> {
    prop_oneof![Just(ChecksumKind::Null), Just(ChecksumKind::Crc32), Just(ChecksumKind::Crc32c)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_block_survives_being_sent_however_the_stream_is_cut(
        block in prop::collection::vec(any::<u8>(), 0..5000),
        kind in kinds(),
        bytes_per_checksum in 1_usize..700,
        chunks in 1_usize..9,
        pieces in prop::collection::vec(1_usize..900, 1..40),
        into_space in any::<bool>(),
    ) {
        let checksum = ChunkedChecksum::new(kind, bytes_per_checksum).unwrap();
        let stream = [stream(&block, checksum, chunks), b"what comes next".to_vec()].concat();
        let mut reader = PacketReader::new(checksum);
        let mut sequence = PacketSequence::of_read(checksum, 0);
        let (mut received, mut rest) = (Vec::new(), &stream[..]);
        let mut ended = false;
        for &piece in pieces.iter().cycle() {
            let (mut bytes, behind) = rest.split_at(piece.min(rest.len()));
            rest = behind;
            while !bytes.is_empty() && !ended {
                let taken = if into_space {
                    let space = reader.space();
                    let taken = space.len().min(bytes.len());
                    space[..taken].copy_from_slice(&bytes[..taken]);
                    reader.advance(taken).unwrap();
                    taken
                } else {
                    reader.push(bytes).unwrap()
                };
                bytes = &bytes[taken..];
                ended = take_packet(&mut reader, &mut sequence, &mut received).unwrap();
                // A short packet may have come whole behind another.
                while !ended && reader.packet().is_some() {
                    ended = take_packet(&mut reader, &mut sequence, &mut received).unwrap();
                }
                if ended {
                    let rest = [reader.rest(), bytes, rest].concat();
                    prop_assert_eq!(&rest[..], b"what comes next");
                }
            }
            if ended {
                break;
            }
        }
        prop_assert!(received == block);
    }

    #[test]
    fn damaged_streams_end_in_an_error_or_are_waited_for(
        block in prop::collection::vec(any::<u8>(), 1..3000),
        bytes_per_checksum in 1_usize..700,
        chunks in 1_usize..9,
        position in any::<prop::sample::Index>(),
        damage in 1_u8..=255,
    ) {
        let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, bytes_per_checksum).unwrap();
        let mut stream = stream(&block, checksum, chunks);
        let position = position.index(stream.len());
        stream[position] ^= damage;
        let mut reader = PacketReader::new(checksum);
        let mut sequence = PacketSequence::of_read(checksum, 0);
        let mut received = Vec::new();
        let mut rest = &stream[..];
        let ended = loop {
            let taken = match reader.push(rest) {
                Ok(taken) => taken,
                Err(_) => break false,
            };
            rest = &rest[taken..];
            let Some(packet) = reader.packet() else { break false };
            if checksum.verify(packet.data, packet.checksums).is_err() {
                break false;
            }
            match take_packet(&mut reader, &mut sequence, &mut received) {
                Ok(false) => {}
                Ok(true) => break true,
                Err(_) => break false,
            }
        };
        // A sync that nobody asked for, and true written as another number, change nothing.
        prop_assert!(!ended || received == block);
    }
}
