//! Any bytes, cut anywhere, into the packet reader: it gives the same packets or the same error
//! however they are cut, and holds no more memory than it may.

#![no_main]

use libfuzzer_sys::fuzz_target;
use restripe::Error;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{PacketHeader, PacketReader, PacketSequence};

/// What was read of a stream: headers and payloads, and the error that ended it.
type Read = (Vec<(PacketHeader, Vec<u8>, Vec<u8>)>, Option<Error>);

fn read(checksum: ChunkedChecksum, stream: &[u8], pieces: impl Iterator<Item = usize>) -> Read {
    let mut reader = PacketReader::new(checksum);
    let mut packets = Vec::new();
    let mut rest = stream;
    for piece in pieces {
        if rest.is_empty() {
            break;
        }
        let (mut bytes, behind) = rest.split_at(piece.min(rest.len()));
        rest = behind;
        while !bytes.is_empty() {
            match reader.push(bytes) {
                Ok(taken) => bytes = &bytes[taken..],
                Err(error) => return (packets, Some(error)),
            }
            if let Some(packet) = reader.packet() {
                let payload = packet.checksums.len() + packet.data.len();
                assert!(payload <= PacketHeader::MAX_PACKET_LEN);
                packets.push((packet.header, packet.checksums.to_vec(), packet.data.to_vec()));
                if let Err(error) = reader.release() {
                    return (packets, Some(error));
                }
            }
            let (done, expected) = reader.progress();
            assert!(done <= expected && expected <= PacketHeader::MAX_PACKET_LEN + 6);
        }
    }
    (packets, None)
}

fuzz_target!(|input: (u8, u16, Vec<u8>, &[u8])| {
    let (kind, bytes_per_checksum, pieces, stream) = input;
    let Some(kind) = ChecksumKind::from_id(kind % 3) else { return };
    let Ok(checksum) = ChunkedChecksum::new(kind, usize::from(bytes_per_checksum)) else { return };
    let whole = read(checksum, stream, std::iter::repeat(usize::MAX));
    let cuts = pieces.iter().map(|&piece| usize::from(piece).max(1));
    let cut = read(checksum, stream, cuts.chain(std::iter::repeat(1)));
    assert_eq!(whole, cut);

    for mut sequence in [PacketSequence::of_write(checksum), PacketSequence::of_read(checksum, 0)] {
        for (header, _, data) in &whole.0 {
            let before = sequence.end();
            if sequence.accept(header).is_ok() && !data.is_empty() {
                assert_eq!(sequence.end(), header.offset_in_block + data.len() as u64);
            } else {
                assert_eq!(sequence.end(), before);
            }
        }
    }
});
