//! Whatever the packet writer lays out, the packet reader reads back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{PacketHeader, PacketReader, PacketWriter};

fuzz_target!(|input: (u8, u16, u64, i64, bool, &[u8])| {
    let (kind, bytes_per_checksum, offset, seqno, sync_block, data) = input;
    let Some(kind) = ChecksumKind::from_id(kind % 3) else { return };
    let Ok(checksum) = ChunkedChecksum::new(kind, usize::from(bytes_per_checksum)) else { return };
    let chunks = data.len().div_ceil(checksum.bytes_per_checksum()).max(1);
    let Ok(mut writer) = PacketWriter::without_data(checksum, chunks) else { return };
    let header =
        PacketHeader { sync_block, ..PacketHeader::data(offset, seqno, data.len() as u32) };
    let Ok(slices) = writer.frame(&header, data) else {
        assert!(offset > i64::MAX as u64);
        return;
    };
    let mut reader = PacketReader::new(checksum);
    let bytes = slices.concat();
    let read = reader.push(&bytes);
    if seqno < PacketHeader::HEARTBEAT_SEQNO {
        assert!(read.is_err());
        return;
    }
    assert_eq!(read, Ok(bytes.len()));
    let packet = reader.packet().expect("all of it is there");
    assert_eq!((packet.header, packet.data), (header, data));
    checksum.verify(packet.data, packet.checksums).expect("the checksums of the data");
});
