//! The rules of the block sender, on both ways out.

#![cfg(all(feature = "net", unix))]

mod common;
#[path = "common/replicas.rs"]
mod replicas;

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::random_bytes;
use replicas::{BLOCK, Folder, STAMP, assemble, crc32c, sums, take_apart};
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{
    Packet, PacketHeader, PacketReader, PacketWriter, ReadBlock, ReadChecksumInfo,
};
use restripe::net::{
    BlockSender, Corrupt, Error, PacketOutput, Plain, Replica, SendOptions, Sent, Throttler, Way,
};

const WAYS: [Way; 2] = [Way::ZeroCopy, Way::Normal];

fn on(way: Way) -> SendOptions {
    SendOptions { way, timeout: Duration::from_secs(10), ..SendOptions::default() }
}

/// An output that does what systems may: takes little at a time, is interrupted, would block,
/// and sends files only up to a byte.
struct Awkward {
    taken: Vec<u8>,
    calls: usize,
    /// Most bytes that one call takes.
    at_most: usize,
    /// After so many bytes of files the kernel refuses to send any more.
    refuses_after: u64,
    from_files: u64,
}

impl Awkward {
    fn new(at_most: usize, refuses_after: u64) -> Self {
        Self { taken: Vec::new(), calls: 0, at_most, refuses_after, from_files: 0 }
    }

    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        match self.calls % 4 {
            1 => Err(io::ErrorKind::Interrupted.into()),
            2 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }
}

impl PacketOutput for Awkward {
    fn write(&mut self, bytes: &[u8], _more: bool) -> io::Result<usize> {
        self.call()?;
        let count = bytes.len().min(self.at_most);
        self.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn sends_files(&self) -> bool {
        true
    }

    fn send_file(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        self.call()?;
        let left = self.refuses_after - self.from_files;
        if left == 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut bytes = vec![0; len.min(self.at_most).min(left as usize)];
        let count = std::os::unix::fs::FileExt::read_at(file, &mut bytes, offset)?;
        self.taken.extend_from_slice(&bytes[..count]);
        self.from_files += count as u64;
        Ok(count)
    }
}

/// A connection over loopback: the sender's end, and a thread that reads all that comes.
fn connection() -> (TcpStream, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut other, _) = listener.accept().unwrap();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        other.read_to_end(&mut bytes).unwrap();
        bytes
    });
    (stream, reader)
}

/// What a receiver at the other end of a socket gets.
fn send(replica: &Replica, offset: u64, len: u64, options: SendOptions) -> (Vec<u8>, Sent) {
    let (mut stream, reader) = connection();
    let mut sender = BlockSender::new(replica, offset, len, options).unwrap();
    let sent = sender.send(&mut stream).unwrap();
    drop(stream);
    (reader.join().unwrap(), sent)
}

#[test]
fn both_ways_send_the_same_bytes() {
    for checksum in [crc32c(512), crc32c(4096), crc32c(1000), crc32c(1 << 20)] {
        for len in [0, 1, 511, 512, 65_536, 65_537, 300_001] {
            let data = random_bytes(7, len);
            let folder = Folder::with_block(checksum, &data);
            let replica = folder.replica();
            let (zero_copy, sent) = send(&replica, 0, len as u64, on(Way::ZeroCopy));
            assert_eq!(sent.zero_copy_len, if cfg!(target_os = "linux") { len as u64 } else { 0 });
            let (normal, sent) = send(&replica, 0, len as u64, on(Way::Normal));
            assert_eq!((sent.data_len, sent.zero_copy_len), (len as u64, 0));
            assert!(zero_copy == normal, "{len} bytes");
            assert!(assemble(checksum, 0, &normal) == data);
            let mut plain = Vec::new();
            let mut sender = BlockSender::new(&replica, 0, len as u64, on(Way::ZeroCopy)).unwrap();
            let sent = sender.send(&mut Plain(&mut plain)).unwrap();
            assert!(plain == normal && sent.zero_copy_len == 0);
        }
    }
}

#[test]
fn packets_have_64_kib_of_whole_chunks_or_as_much_as_was_asked_for() {
    let data = random_bytes(1, 300_000);
    for (bytes_per_checksum, packet_len, expected) in [
        (512, 0, 65_536),
        (512, 131_072, 131_072),
        (1000, 0, 66_000),
        (512, 65_537, 66_048),
        (100_000, 0, 100_000),
    ] {
        let checksum = crc32c(bytes_per_checksum);
        let folder = Folder::with_block(checksum, &data);
        for way in WAYS {
            let options = SendOptions { packet_len, ..on(way) };
            let (stream, sent) = send(&folder.replica(), 0, 300_000, options);
            let (packets, _) = take_apart(checksum, &stream);
            assert_eq!(packets[0].data.len(), expected);
            assert_eq!(sent.packets as usize, packets.len());
        }
    }
}

#[test]
fn rule_1_a_range_is_widened_to_whole_chunks_and_its_first_byte_is_told() {
    let data = random_bytes(2, 200_100);
    let checksum = crc32c(512);
    let folder = Folder::with_block(checksum, &data);
    let replica = folder.replica();
    for (offset, len, start, end) in [
        (0, 1, 0, 512),
        (511, 2, 0, 1024),
        (512, 512, 512, 1024),
        (100_000, 70_000, 99_840, 170_496),
        (200_000, 50, 199_680, 200_100),
        (200_099, 1, 199_680, 200_100),
        (200_100, 0, 199_680, 200_100),
        (600, 0, 512, 1024),
        (512, 0, 512, 512),
        (5, ReadBlock::TO_THE_END, 0, 200_100),
    ] {
        let sender = BlockSender::new(&replica, offset, len, on(Way::Normal)).unwrap();
        assert_eq!(sender.info(), ReadChecksumInfo { checksum, chunk_offset: start });
        for way in WAYS {
            let (stream, _) = send(&replica, offset, len, on(way));
            let received = assemble(checksum, start, &stream);
            assert!(received == data[start as usize..end as usize], "{offset}, {len}");
        }
    }
}

#[test]
fn rule_1_a_range_past_the_replica_is_an_error_that_names_both() {
    let folder = Folder::with_block(crc32c(512), &[1; 1000]);
    let replica = folder.replica();
    for (offset, len) in [
        (1000, 1),
        (0, 1001),
        (1001, 0),
        (1001, ReadBlock::TO_THE_END),
        (i64::MAX as u64, i64::MAX as u64),
        (u64::MAX, 1),
    ] {
        let refused = BlockSender::new(&replica, offset, len, on(Way::Normal)).unwrap_err();
        assert!(
            matches!(refused, Error::Range { block: BLOCK, offset: from, len: wanted, block_len: 1000 }
                if (from, wanted) == (offset, len)),
            "{refused}"
        );
        assert!(refused.to_string().contains("has 1000 bytes"), "{refused}");
    }
}

#[test]
fn rule_2_checksums_are_those_of_the_meta_file_and_there_may_be_none() {
    let data = random_bytes(3, 2000);
    for kind in [ChecksumKind::Crc32, ChecksumKind::Crc32c, ChecksumKind::Null] {
        let checksum = ChunkedChecksum::new(kind, 512).unwrap();
        let folder = Folder::with_block(checksum, &data);
        for way in WAYS {
            let (stream, _) = send(&folder.replica(), 0, 2000, on(way));
            let (packets, _) = take_apart(checksum, &stream);
            let sent: Vec<u8> =
                packets.iter().flat_map(|packet| packet.checksums.clone()).collect();
            assert_eq!(sent, fs::read(folder.meta_path(BLOCK)).unwrap()[7..], "{kind:?}");
        }
    }
    // A chunk length that no packet has room for means nothing where there are no checksums.
    let none = ChunkedChecksum::new(ChecksumKind::Null, i32::MAX as usize).unwrap();
    let folder = Folder::with_block(none, &data);
    let replica = folder.replica();
    let sender = BlockSender::new(&replica, 0, 2000, on(Way::Normal)).unwrap();
    let (stream, _) = send(&replica, 0, 2000, on(Way::Normal));
    assert!(assemble(sender.info().checksum, 0, &stream) == data);
}

#[test]
fn rule_2_checksums_are_left_out_where_they_are_not_wanted_and_still_verified() {
    let data = random_bytes(4, 100_000);
    let folder = Folder::with_block(crc32c(512), &data);
    for way in WAYS {
        let options = SendOptions { send_checksums: false, ..on(way) };
        let replica = folder.replica();
        let sender = BlockSender::new(&replica, 0, 100_000, options.clone()).unwrap();
        let checksum = sender.info().checksum;
        assert_eq!(checksum.kind(), ChecksumKind::Null);
        let (stream, _) = send(&replica, 0, 100_000, options);
        assert!(assemble(checksum, 0, &stream) == data);
    }
    Folder::damage(folder.data_path(BLOCK), 70_000);
    let options = SendOptions { send_checksums: false, ..on(Way::Normal) };
    let replica = folder.replica();
    let mut sender = BlockSender::new(&replica, 0, 100_000, options).unwrap();
    let refused = sender.send(&mut Plain(io::sink())).unwrap_err();
    assert!(matches!(refused, Error::Corrupt { offset: 69_632, .. }), "{refused}");
}

#[test]
fn rule_3_the_short_chunk_of_a_growing_replica_has_its_checksum_from_memory() {
    let data = random_bytes(5, 3000);
    let checksum = crc32c(512);
    let folder = Folder::new();
    let store = folder.writable();
    let mut receiver = store.create(BLOCK, STAMP, checksum).unwrap();
    let mut receive = |offset: usize, seqno, end: usize| {
        let part = &data[offset..end];
        let header = PacketHeader::data(offset as u64, seqno, part.len() as u32);
        receiver.receive(Packet { header, checksums: &sums(checksum, part), data: part }).unwrap();
        receiver.replica().unwrap()
    };
    let growing = receive(0, 0, 1100);
    assert_eq!(growing.len(), 1100);
    // The writer goes on: the chunk, and its checksum in the file, are no longer those.
    receive(1024, 1, 3000);
    for way in WAYS {
        let (stream, _) = send(&growing, 0, 1100, on(way));
        assert!(assemble(checksum, 0, &stream) == data[..1100]);
        let (stream, _) = send(&growing, 1099, 1, on(way));
        assert!(assemble(checksum, 1024, &stream) == data[1024..1100]);
        let (stream, _) = send(&growing, 0, 1024, on(way));
        assert!(assemble(checksum, 0, &stream) == data[..1024]);
    }
    assert!(matches!(
        BlockSender::new(&growing, 0, 1101, on(Way::Normal)),
        Err(Error::Range { block_len: 1100, .. })
    ));
}

#[test]
fn rule_4_corrupt_data_stops_the_send_before_anything_of_its_packet() {
    let data = random_bytes(6, 200_000);
    let checksum = crc32c(512);
    let folder = Folder::with_block(checksum, &data);
    Folder::damage(folder.data_path(BLOCK), 140_000);
    let replica = folder.replica();
    let mut stream = Vec::new();
    let mut sender = BlockSender::new(&replica, 0, 200_000, on(Way::Normal)).unwrap();
    let refused = sender.send(&mut Plain(&mut stream)).unwrap_err();
    let chunk = 140_000 / 512;
    let expected = ChecksumKind::Crc32c.checksum(&data[chunk * 512..][..512]);
    let Error::Corrupt { block: BLOCK, offset, expected: stored, found } = refused else {
        panic!("{refused}")
    };
    assert_eq!((offset, stored), (chunk as u64 * 512, expected));
    assert_ne!(found, expected);
    let (packets, rest) = take_apart(checksum, &stream);
    assert_eq!((packets.len(), rest.len()), (2, 0), "a part of the bad packet was sent");
}

#[test]
fn rule_4_corrupt_data_is_passed_on_where_that_is_asked_for_and_counted() {
    let mut data = random_bytes(6, 200_000);
    let checksum = crc32c(512);
    let folder = Folder::with_block(checksum, &data);
    Folder::damage(folder.data_path(BLOCK), 140_000);
    let options = SendOptions { corrupt: Corrupt::PassOn, ..on(Way::Normal) };
    let (stream, sent) = send(&folder.replica(), 0, 200_000, options);
    assert_eq!((sent.corrupt_packets, sent.data_len), (1, 200_000));
    let (packets, _) = take_apart(checksum, &stream);
    let received: Vec<u8> = packets.iter().flat_map(|packet| packet.data.clone()).collect();
    data[140_000] ^= 0x40;
    assert!(received == data);
    assert!(checksum.verify(&packets[2].data, &packets[2].checksums).is_err());
}

#[test]
fn rule_5_an_empty_packet_ends_the_range() {
    let folder = Folder::with_block(crc32c(512), &random_bytes(7, 2000));
    for (offset, len, end) in [(0, 2000, 2000), (0, 100, 512), (512, 0, 512)] {
        for way in WAYS {
            let (stream, _) = send(&folder.replica(), offset, len, on(way));
            let (packets, _) = take_apart(crc32c(512), &stream);
            let seqno = packets.len() as i64 - 1;
            let last = PacketHeader { seqno, ..PacketHeader::last(end) };
            assert_eq!(packets.last().unwrap().header, last);
            assert!(packets.iter().rev().skip(1).all(|packet| !packet.data.is_empty()));
        }
    }
}

#[test]
fn rule_6_a_throttler_holds_both_ways_back() {
    let folder = Folder::with_block(crc32c(512), &random_bytes(8, 400_000));
    for way in WAYS {
        let throttler = Throttler::new(NonZeroU64::new(1_000_000).unwrap());
        let options = SendOptions { throttler: Some(Arc::new(throttler)), ..on(way) };
        let start = Instant::now();
        send(&folder.replica(), 0, 400_000, options);
        // A tenth of a second is free.
        let took = start.elapsed();
        assert!(took > Duration::from_millis(300), "{took:?}");
    }
}

#[test]
fn rule_6_a_peer_that_went_away_is_told_apart_from_a_file_that_cannot_be_read() {
    let folder = Folder::with_block(crc32c(512), &random_bytes(9, 8 << 20));
    for way in WAYS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        drop(listener.accept().unwrap());
        let replica = folder.replica();
        let mut sender = BlockSender::new(&replica, 0, 8 << 20, on(way)).unwrap();
        let error = sender.send(&mut stream).unwrap_err();
        assert!(matches!(error, Error::PeerGone { .. }), "{way:?}: {error}");
    }
    for way in WAYS {
        let replica = folder.replica();
        let file = File::options().write(true).open(folder.data_path(BLOCK)).unwrap();
        file.set_len(100_000).unwrap();
        let (mut stream, reader) = connection();
        let mut sender = BlockSender::new(&replica, 0, 8 << 20, on(way)).unwrap();
        let error = sender.send(&mut stream).unwrap_err();
        let path = folder.data_path(BLOCK);
        assert!(
            matches!(&error, Error::File { action: "read", path: named, .. } if *named == path),
            "{way:?}: {error}"
        );
        drop(stream);
        reader.join().unwrap();
        file.set_len(8 << 20).unwrap();
    }
}

#[test]
fn rule_7_short_writes_interrupts_and_would_block_change_nothing() {
    let data = random_bytes(10, 3000);
    let checksum = crc32c(512);
    let folder = Folder::with_block(checksum, &data);
    for way in WAYS {
        for at_most in [1, 7, 1000] {
            let mut output = Awkward::new(at_most, u64::MAX);
            let replica = folder.replica();
            let mut sender = BlockSender::new(&replica, 0, 3000, on(way)).unwrap();
            let sent = sender.send(&mut output).unwrap();
            assert!(assemble(checksum, 0, &output.taken) == data);
            let zero_copy_len = if way == Way::ZeroCopy { 3000 } else { 0 };
            assert_eq!((sent.zero_copy_len, output.from_files), (zero_copy_len, zero_copy_len));
        }
    }
}

#[test]
fn rule_7_a_socket_that_does_not_block_is_waited_for() {
    let data = random_bytes(11, 8 << 20);
    let folder = Folder::with_block(crc32c(512), &data);
    for way in WAYS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        let reader = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            let mut bytes = Vec::new();
            other.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let replica = folder.replica();
        BlockSender::new(&replica, 0, 8 << 20, on(way)).unwrap().send(&mut stream).unwrap();
        drop(stream);
        assert!(assemble(crc32c(512), 0, &reader.join().unwrap()) == data);
    }
}

#[test]
fn rule_7_where_the_kernel_refuses_it_goes_on_from_the_byte_where_it_stands() {
    let data = random_bytes(12, 200_000);
    let checksum = crc32c(512);
    let folder = Folder::with_block(checksum, &data);
    for refuses_after in [0, 1, 65_535, 65_536, 65_537, 131_073, 199_999] {
        let mut output = Awkward::new(50_000, refuses_after);
        let replica = folder.replica();
        let mut sender = BlockSender::new(&replica, 0, 200_000, on(Way::ZeroCopy)).unwrap();
        let sent = sender.send(&mut output).unwrap();
        assert_eq!((sent.zero_copy_len, sent.data_len), (refuses_after, 200_000));
        assert!(assemble(checksum, 0, &output.taken) == data, "{refuses_after}");
    }
    // From there on it is verified.
    Folder::damage(folder.data_path(BLOCK), 150_000);
    let replica = folder.replica();
    let mut sender = BlockSender::new(&replica, 0, 200_000, on(Way::ZeroCopy)).unwrap();
    let error = sender.send(&mut Awkward::new(50_000, 70_000)).unwrap_err();
    assert!(matches!(error, Error::Corrupt { offset: 149_504, .. }), "{error}");
}

#[test]
fn rule_7_a_peer_that_stalls_or_takes_a_byte_at_a_time_is_given_up() {
    struct Dribble(Duration);
    impl PacketOutput for Dribble {
        fn write(&mut self, _bytes: &[u8], _more: bool) -> io::Result<usize> {
            thread::sleep(self.0);
            Ok(1)
        }
    }
    let folder = Folder::with_block(crc32c(512), &random_bytes(13, 8 << 20));
    let replica = folder.replica();
    let hasty = |way| SendOptions { timeout: Duration::from_millis(200), ..on(way) };
    let mut sender = BlockSender::new(&replica, 0, 8 << 20, hasty(Way::Normal)).unwrap();
    let error = sender.send(&mut Dribble(Duration::from_millis(1))).unwrap_err();
    let Error::PeerSlow { done, expected, .. } = error else { panic!("{error}") };
    assert!(done > 0 && done < 250 && expected > 65_536, "{error}");

    for way in WAYS {
        for nonblocking in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
            stream.set_nonblocking(nonblocking).unwrap();
            let silent = listener.accept().unwrap();
            let start = Instant::now();
            let mut sender = BlockSender::new(&replica, 0, 8 << 20, hasty(way)).unwrap();
            let error = sender.send(&mut stream).unwrap_err();
            assert!(matches!(error, Error::PeerSlow { .. }), "{way:?}: {error}");
            assert!(start.elapsed() < Duration::from_secs(5));
            drop(silent);
        }
    }
}

#[test]
fn rule_8_what_is_sent_is_received_as_the_same_replica() {
    let data = random_bytes(14, 150_000);
    for kind in [ChecksumKind::Null, ChecksumKind::Crc32, ChecksumKind::Crc32c] {
        let checksum = ChunkedChecksum::new(kind, 512).unwrap();
        let (from, to) = (Folder::with_block(checksum, &data), Folder::new());
        let (stream, _) = send(&from.replica(), 0, 150_000, on(Way::ZeroCopy));
        let mut receiver = to.writable().create(BLOCK, STAMP, checksum).unwrap();
        let mut reader = PacketReader::new(checksum);
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let taken = reader.push(rest).unwrap();
            rest = &rest[taken..];
            receiver.receive(reader.packet().unwrap()).unwrap();
            reader.release().unwrap();
        }
        assert_eq!(from.names(), to.names());
        for path in [Folder::data_path, Folder::meta_path] {
            assert!(fs::read(path(&from, BLOCK)).unwrap() == fs::read(path(&to, BLOCK)).unwrap());
        }
    }
}

#[test]
fn a_chunk_that_fits_into_no_packet_is_refused_before_anything_is_sent() {
    let folder = Folder::with_block(crc32c(16 << 20), &[1; 10]);
    let replica = folder.replica();
    for way in WAYS {
        assert!(matches!(
            BlockSender::new(&replica, 0, 10, on(way)),
            Err(Error::Invalid(restripe::Error::OutOfBounds { .. }))
        ));
    }
    assert!(PacketWriter::new(crc32c(15 << 20), 1).is_ok());
}
