//! Server and client over loopback, with each other and with peers that stall, break off, dribble
//! or lie: a clear error in bounded time, and never half a block under a block's name.

#![cfg(all(feature = "net", unix))]

mod common;
#[path = "common/replicas.rs"]
mod replicas;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::random_bytes;
use proptest::prelude::*;
use replicas::{BLOCK, Folder, STAMP, assemble, crc32c, sums};
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{
    BlockId, BlockOpResponse, ClientReadStatus, ExtendedBlock, Message, MessageReader, MetaHeader,
    Operation, PacketHeader, PacketWriter, PipelineAck, ReadBlock, ReadChecksumInfo, Stage, Status,
    WriteBlock,
};
use restripe::net::{
    BlockReader, BlockServer, BlockStore, BlockWriter, Error, Event, RunningServer, ServerOptions,
    Throttler, Way,
};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Long enough for whoever answers at once, also on a machine that is busy or emulated.
fn short() -> Duration {
    let emulated = std::env::var("RESTRIPE_TEST_SCALE").is_ok_and(|scale| scale == "small");
    Duration::from_millis(if emulated { 3000 } else { 400 })
}

fn block(id: BlockId) -> ExtendedBlock {
    ExtendedBlock { pool_id: "BP-1".into(), id, generation_stamp: STAMP, len: 0 }
}

fn read_op(offset: u64, len: u64) -> ReadBlock {
    ReadBlock::new(block(BLOCK), "test", offset, len)
}

fn write_op(checksum: ChunkedChecksum) -> WriteBlock {
    WriteBlock::create(block(BLOCK), "test", checksum)
}

/// A server, and what it reported.
struct Server {
    running: RunningServer,
    events: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(store: BlockStore, options: ServerOptions) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        let report = move |event: &Event| sink.lock().unwrap().push(format!("{event:?}"));
        let options = ServerOptions { report: Some(Arc::new(report)), ..options };
        let server = BlockServer::bind("127.0.0.1:0".parse().unwrap(), store, options).unwrap();
        Self { running: server.start().unwrap(), events }
    }

    fn patient(store: BlockStore) -> Self {
        Self::new(store, ServerOptions { timeout: TIMEOUT, ..ServerOptions::default() })
    }

    fn hasty(store: BlockStore) -> Self {
        Self::new(
            store,
            ServerOptions { timeout: short(), idle: short(), ..ServerOptions::default() },
        )
    }

    fn address(&self) -> SocketAddr {
        self.running.address()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// What it reported, once no connection is open any more.
    fn report(&self) -> Vec<String> {
        wait_until(|| self.running.connections() == 0);
        self.events.lock().unwrap().clone()
    }

    /// Asserts that the only thing that happened is a failure of the kind named.
    #[track_caller]
    fn assert_failed(&self, kind: &str) {
        let report = self.report();
        let failed =
            matches!(&report[..], [only] if only.starts_with("Failed") && only.contains(kind));
        assert!(failed, "{report:?}");
    }
}

fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < TIMEOUT, "it did not happen");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The next message on a raw connection.
fn message<M: Message>(stream: &mut TcpStream) -> M {
    let mut reader = MessageReader::new();
    let mut byte = [0];
    while reader.message().is_none() {
        stream.read_exact(&mut byte).unwrap();
        reader.push(&byte).unwrap();
    }
    M::decode(reader.message().unwrap()).unwrap()
}

fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0) | Err(_))
}

/// One packet of a block as bytes.
fn packet(checksum: ChunkedChecksum, offset: u64, seqno: i64, data: &[u8]) -> Vec<u8> {
    let mut writer = PacketWriter::without_data(checksum, 1000).unwrap();
    writer.frame(&PacketHeader::data(offset, seqno, data.len() as u32), data).unwrap().concat()
}

fn last_packet(len: u64, seqno: i64) -> Vec<u8> {
    PacketHeader { seqno, ..PacketHeader::last(len) }.encode(0).as_ref().to_vec()
}

fn read_all(address: SocketAddr, read: &ReadBlock, timeout: Duration) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    BlockReader::open(address, read, timeout)?.copy_to(&mut bytes)?;
    Ok(bytes)
}

fn write_whole(
    address: SocketAddr,
    write: &WriteBlock,
    data: &[u8],
    timeout: Duration,
) -> Result<u64, Error> {
    let mut writer = BlockWriter::open(address, write, timeout)?;
    for piece in data.chunks(100_000) {
        writer.write_all(piece)?;
    }
    writer.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn any_block_survives_being_written_and_read_in_ranges(
        seed in 1_u64..,
        len in 0_usize..200_000,
        kind in prop_oneof![
            Just(ChecksumKind::Null), Just(ChecksumKind::Crc32), Just(ChecksumKind::Crc32c)
        ],
        bytes_per_checksum in 1_usize..5000,
        ranges in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 4),
        way in prop_oneof![Just(Way::ZeroCopy), Just(Way::Normal)],
        send_checksums in any::<bool>(),
    ) {
        let data = random_bytes(seed, len);
        let checksum = ChunkedChecksum::new(kind, bytes_per_checksum).unwrap();
        let folder = Folder::new();
        let options = ServerOptions { way, timeout: TIMEOUT, ..ServerOptions::default() };
        let server = Server::new(folder.writable(), options);
        let write = write_op(checksum);
        prop_assert_eq!(write_whole(server.address(), &write, &data, TIMEOUT).unwrap(), data.len() as u64);
        let meta = [&MetaHeader::new(checksum).encode()[..], &sums(checksum, &data)].concat();
        prop_assert!(fs::read(folder.meta_path(BLOCK)).unwrap() == meta);
        for (start, end) in ranges {
            let (start, end) = (start.index(data.len() + 1), end.index(data.len() + 1));
            let (start, end) = (start.min(end), start.max(end));
            let mut read = read_op(start as u64, (end - start) as u64);
            read.send_checksums = send_checksums;
            let bytes = read_all(server.address(), &read, TIMEOUT).unwrap();
            prop_assert!(bytes == data[start..end]);
        }
        let read = read_op(0, ReadBlock::TO_THE_END);
        prop_assert!(read_all(server.address(), &read, TIMEOUT).unwrap() == data);
    }
}

#[test]
fn several_clients_are_served_at_a_time() {
    let data = random_bytes(1, 3 << 20);
    let folder = Folder::with_block(crc32c(512), &data);
    let server = Server::patient(folder.store());
    let address = server.address();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let bytes = read_all(address, &read_op(0, 3 << 20), TIMEOUT).unwrap();
                assert!(bytes == data);
            });
        }
    });
    let report = server.report();
    assert_eq!(report.len(), 8);
    assert!(report.iter().all(|event| event.contains("ChecksumOk")), "{report:?}");
}

#[test]
fn a_connection_carries_one_read_after_the_other() {
    let data = random_bytes(2, 10_000);
    let folder = Folder::with_block(crc32c(512), &data);
    let server = Server::patient(folder.store());
    let mut stream = server.connect();
    for (offset, len, start, end) in [(0, 10_000, 0, 10_000), (1000, 10, 512, 1024)] {
        stream.write_all(&Operation::ReadBlock(read_op(offset, len)).to_wire()).unwrap();
        let answer: BlockOpResponse = message(&mut stream);
        let info = ReadChecksumInfo { checksum: crc32c(512), chunk_offset: start };
        assert_eq!(answer, BlockOpResponse::reading(info));
        let data_len = (end - start) as usize;
        let packets_len = 31 + sums(crc32c(512), &data[..data_len]).len() + data_len + 31;
        let mut packets = vec![0; packets_len];
        stream.read_exact(&mut packets).unwrap();
        let bytes = assemble(crc32c(512), start, &packets);
        assert!(bytes == data[start as usize..end as usize]);
        stream.write_all(&ClientReadStatus { status: Status::ChecksumOk }.to_wire()).unwrap();
    }
    drop(stream);
    assert_eq!(server.report().len(), 2);
}

#[test]
fn a_corrupt_chunk_is_seen_on_both_ways() {
    let data = random_bytes(3, 300_000);
    for way in [Way::ZeroCopy, Way::Normal] {
        let folder = Folder::with_block(crc32c(512), &data);
        Folder::damage(folder.data_path(BLOCK), 200_000);
        let options = ServerOptions { way, timeout: TIMEOUT, ..ServerOptions::default() };
        let server = Server::new(folder.store(), options);
        let error = read_all(server.address(), &read_op(0, 300_000), TIMEOUT).unwrap_err();
        match way {
            // The receiver verifies; the server sees that it breaks off, or nothing.
            Way::ZeroCopy => {
                let chunk = 200_000 / 512 * 512;
                assert!(
                    matches!(error, Error::Corrupt { block: BLOCK, offset, .. } if offset == chunk),
                    "{error}"
                );
            }
            Way::Normal => {
                assert!(matches!(error, Error::PeerGone { during: "a packet", .. }), "{error}");
                server.assert_failed("Corrupt");
            }
        }
        // What is before the chunk can be read.
        let bytes = read_all(server.address(), &read_op(0, 100_000), TIMEOUT).unwrap();
        assert!(bytes == data[..100_000]);
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_a_reason_and_no_path() {
    let folder = Folder::with_block(crc32c(512), &[1; 1000]);
    let server = Server::patient(folder.store());
    let refused = |read: ReadBlock| match read_all(server.address(), &read, TIMEOUT) {
        Err(Error::Refused { status, message, .. }) => (status, message),
        other => panic!("{other:?}"),
    };
    let (status, message) = refused(read_op(500, 501));
    assert_eq!(status, Status::ErrorInvalid);
    assert!(message.contains("bytes 500 to 1001") && message.contains("1000 bytes"), "{message}");
    let other = ReadBlock::new(block(BlockId(7)), "test", 0, 1);
    assert_eq!(
        refused(other),
        (Status::Error, "block 7 with generation stamp 1007 is not here".into())
    );
    fs::write(folder.meta_path(BLOCK), [0, 1, 2, 0, 0, 2]).unwrap();
    let (status, message) = refused(read_op(0, 1000));
    assert_eq!(status, Status::Error);
    assert!(message.contains("metadata"), "{message}");
    let path = folder.path().display().to_string();
    assert!(!message.contains(&path), "{message}");
}

#[test]
fn operations_that_are_not_known_are_refused_and_end_the_connection() {
    let folder = Folder::new();
    let server = Server::patient(folder.store());
    for head in [[0, 28, 82, 0], [0, 27, 81, 0], [0, 28, 81, 0]] {
        let mut stream = server.connect();
        stream.write_all(&head).unwrap();
        let answer: BlockOpResponse = message(&mut stream);
        assert_eq!(answer.status, Status::ErrorUnsupported, "{answer:?}");
        assert!(answer.message.is_some());
        assert!(is_closed(&mut stream));
    }
    let report = server.report();
    assert!(
        report.len() == 3 && report.iter().all(|event| event.contains("Protocol")),
        "{report:?}"
    );
}

#[test]
fn writes_that_are_not_of_a_new_block_for_here_are_refused() {
    let folder = Folder::with_block(crc32c(512), &[1; 1000]);
    let names = folder.names();
    let refused = |server: &Server, write: &WriteBlock| match BlockWriter::open(
        server.address(),
        write,
        TIMEOUT,
    ) {
        Err(Error::Refused { status, .. }) => status,
        other => panic!("{other:?}"),
    };
    let new = WriteBlock::create(block(BlockId(7)), "test", crc32c(512));
    let reading = Server::patient(folder.store());
    assert_eq!(refused(&reading, &new), Status::Error);
    let server = Server::patient(folder.writable());
    assert_eq!(refused(&server, &write_op(crc32c(512))), Status::ErrorExists);
    let append = WriteBlock { stage: Stage::SetupAppend, ..new.clone() };
    assert_eq!(refused(&server, &append), Status::ErrorUnsupported);
    let further = WriteBlock { targets: vec![vec![]], ..new };
    assert_eq!(refused(&server, &further), Status::ErrorUnsupported);
    assert_eq!(folder.names(), names);
}

#[test]
fn a_block_is_final_when_its_last_packet_is_acknowledged() {
    let data = random_bytes(4, 2000);
    let folder = Folder::new();
    let server = Server::patient(folder.writable());
    let mut stream = server.connect();
    stream.write_all(&Operation::WriteBlock(write_op(crc32c(512))).to_wire()).unwrap();
    assert_eq!(message::<BlockOpResponse>(&mut stream), BlockOpResponse::writing());
    stream.write_all(PacketHeader::heartbeat().encode(0).as_ref()).unwrap();
    assert_eq!(message::<PipelineAck>(&mut stream), PipelineAck::of_packet(-1, Status::Success));
    stream.write_all(&packet(crc32c(512), 0, 0, &data)).unwrap();
    assert_eq!(message::<PipelineAck>(&mut stream), PipelineAck::of_packet(0, Status::Success));
    assert!(!folder.data_path(BLOCK).exists() && !folder.meta_path(BLOCK).exists());
    stream.write_all(&last_packet(2000, 1)).unwrap();
    assert_eq!(message::<PipelineAck>(&mut stream), PipelineAck::of_packet(1, Status::Success));
    assert!(fs::read(folder.data_path(BLOCK)).unwrap() == data);
    assert!(folder.meta_path(BLOCK).exists());
}

#[test]
fn a_writer_that_sends_heartbeats_may_take_its_time() {
    let folder = Folder::new();
    let server = Server::hasty(folder.writable());
    let mut writer = BlockWriter::open(server.address(), &write_op(crc32c(512)), TIMEOUT).unwrap();
    writer.write_all(&[1; 100_000]).unwrap();
    for _ in 0..8 {
        thread::sleep(short() / 4);
        writer.heartbeat().unwrap();
    }
    assert_eq!(writer.finish().unwrap(), 100_000);
    assert!(fs::read(folder.data_path(BLOCK)).unwrap() == [1; 100_000]);
}

#[test]
fn a_writer_without_a_name_gets_no_answers() {
    let data = random_bytes(5, 2000);
    let folder = Folder::new();
    let server = Server::patient(folder.writable());
    let nameless = WriteBlock { client_name: String::new(), ..write_op(crc32c(512)) };
    assert_eq!(write_whole(server.address(), &nameless, &data, TIMEOUT).unwrap(), 2000);
    assert!(fs::read(folder.data_path(BLOCK)).unwrap() == data);
    let mut stream = server.connect();
    let again = Operation::WriteBlock(nameless).to_wire();
    stream.write_all(&again).unwrap();
    let mut answers = Vec::new();
    let _ = stream.read_to_end(&mut answers);
    assert!(answers.is_empty(), "{answers:?}");
}

#[test]
fn a_block_of_another_length_than_announced_is_not_stored() {
    let folder = Folder::new();
    let server = Server::patient(folder.writable());
    let mut write = write_op(crc32c(512));
    write.block.len = 2001;
    let error = write_whole(server.address(), &write, &[1; 2000], TIMEOUT).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    server.assert_failed("length of the block");
    assert!(folder.names().is_empty());
    write.block.len = 2000;
    assert_eq!(write_whole(server.address(), &write, &[1; 2000], TIMEOUT).unwrap(), 2000);
}

#[test]
fn a_packet_that_was_damaged_on_the_way_is_refused_with_the_reason() {
    let data = random_bytes(6, 3000);
    let folder = Folder::new();
    let server = Server::patient(folder.writable());
    let mut stream = server.connect();
    stream.write_all(&Operation::WriteBlock(write_op(crc32c(512))).to_wire()).unwrap();
    message::<BlockOpResponse>(&mut stream);
    let mut bytes = packet(crc32c(512), 0, 0, &data);
    let end = bytes.len();
    bytes[end - 1] ^= 1;
    stream.write_all(&bytes).unwrap();
    let ack: PipelineAck = message(&mut stream);
    assert_eq!(ack, PipelineAck::of_packet(0, Status::ErrorChecksum));
    assert!(is_closed(&mut stream));
    server.assert_failed("Corrupt");
    assert!(folder.names().is_empty());
}

/// What a hostile or failing writer sends after its operation was answered, and what the server
/// says of it.
fn write_badly(behave: impl FnOnce(&mut TcpStream), kind: &str) {
    let folder = Folder::new();
    let server = Server::hasty(folder.writable());
    let mut stream = server.connect();
    stream.write_all(&Operation::WriteBlock(write_op(crc32c(512))).to_wire()).unwrap();
    message::<BlockOpResponse>(&mut stream);
    let start = Instant::now();
    behave(&mut stream);
    server.assert_failed(kind);
    assert!(start.elapsed() < TIMEOUT);
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

#[test]
fn a_writer_that_breaks_off_leaves_nothing() {
    let bytes = packet(crc32c(512), 0, 0, &random_bytes(7, 3000));
    let len = bytes.len();
    for cut in [0, 3, 6, 30, 31, 40, 1000, len - 1, len] {
        write_badly(
            |stream| {
                stream.write_all(&bytes[..cut]).unwrap();
                stream.shutdown(std::net::Shutdown::Both).unwrap();
            },
            "PeerGone",
        );
    }
}

#[test]
fn a_writer_that_stalls_is_given_up_and_leaves_nothing() {
    let bytes = packet(crc32c(512), 0, 0, &random_bytes(8, 3000));
    for cut in [0, 20, 1000, bytes.len()] {
        write_badly(|stream| stream.write_all(&bytes[..cut]).unwrap(), "PeerSlow");
    }
}

#[test]
fn a_writer_that_dribbles_is_given_up_and_leaves_nothing() {
    let bytes = packet(crc32c(512), 0, 0, &random_bytes(9, 3000));
    write_badly(
        |stream| {
            for byte in bytes {
                thread::sleep(short() / 40);
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
            }
            panic!("the server waited for all of it");
        },
        "PeerSlow",
    );
}

#[test]
fn hostile_packets_end_the_write_and_leave_nothing() {
    let hostile = |header: [u8; 6]| write_badly(|s| s.write_all(&header).unwrap(), "Protocol");
    hostile([0xFF, 0xFF, 0xFF, 0xFF, 0, 25]);
    hostile([0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF]);
    hostile([0, 0, 0, 0, 0, 25]);
    hostile([0, 0, 0, 4, 0x80, 0]);
    let out_of_order = packet(crc32c(512), 0, 1, &[1; 512]);
    write_badly(|stream| stream.write_all(&out_of_order).unwrap(), "PacketNumber");
    let past_the_end = last_packet(512, 0);
    write_badly(|stream| stream.write_all(&past_the_end).unwrap(), "PacketOrder");
}

#[test]
fn whoever_stalls_or_dribbles_before_an_operation_is_given_up() {
    let folder = Folder::new();
    let operation = Operation::ReadBlock(read_op(0, 1)).to_wire();
    for cut in [1, 2, 3, 4, 10] {
        let server = Server::hasty(folder.store());
        let mut stream = server.connect();
        stream.write_all(&operation[..cut]).unwrap();
        assert!(is_closed(&mut stream));
        server.assert_failed("PeerSlow");
    }
    let server = Server::hasty(folder.store());
    let mut stream = server.connect();
    for byte in operation {
        thread::sleep(short() / 10);
        if stream.write_all(&[byte]).is_err() {
            break;
        }
    }
    server.assert_failed("Peer");
    // To say nothing at all is no failure.
    let server = Server::hasty(folder.store());
    assert!(is_closed(&mut server.connect()));
    assert!(server.report().is_empty());
}

#[test]
fn a_reader_that_takes_nothing_is_given_up() {
    let folder = Folder::with_block(crc32c(512), &random_bytes(10, 16 << 20));
    for way in [Way::ZeroCopy, Way::Normal] {
        let options = ServerOptions { way, timeout: short(), ..ServerOptions::default() };
        let server = Server::new(folder.store(), options);
        let mut stream = server.connect();
        stream.write_all(&Operation::ReadBlock(read_op(0, 16 << 20)).to_wire()).unwrap();
        message::<BlockOpResponse>(&mut stream);
        server.assert_failed("PeerSlow");
        drop(stream);
    }
}

#[test]
fn a_reader_that_goes_half_way_is_told_apart() {
    let folder = Folder::with_block(crc32c(512), &random_bytes(11, 16 << 20));
    let server = Server::patient(folder.store());
    let mut reader = BlockReader::open(server.address(), &read_op(0, 16 << 20), TIMEOUT).unwrap();
    assert!(reader.next_data().unwrap().is_some());
    drop(reader);
    server.assert_failed("PeerGone");
}

#[test]
fn too_many_connections_are_turned_away_at_once() {
    let folder = Folder::with_block(crc32c(512), &[1; 1000]);
    let options =
        ServerOptions { max_connections: 2, timeout: TIMEOUT, ..ServerOptions::default() };
    let server = Server::new(folder.store(), options);
    let held = [server.connect(), server.connect()];
    wait_until(|| server.running.connections() == 2);
    assert!(is_closed(&mut server.connect()));
    drop(held);
    wait_until(|| server.running.connections() == 0);
    assert_eq!(read_all(server.address(), &read_op(0, 1000), TIMEOUT).unwrap(), [1; 1000]);
    assert!(server.report()[0].starts_with("Busy"));
}

#[test]
fn a_server_that_is_dropped_breaks_off_and_stops() {
    let folder = Folder::with_block(crc32c(512), &[1; 1000]);
    let server = Server::patient(folder.store());
    let (address, mut held) = (server.address(), server.connect());
    wait_until(|| server.running.connections() == 1);
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < TIMEOUT / 2);
    assert!(is_closed(&mut held));
    assert!(matches!(
        read_all(address, &read_op(0, 1000), TIMEOUT),
        Err(Error::PeerGone { during: "the connection", .. })
    ));
}

#[test]
fn the_limit_is_that_of_all_connections_together() {
    let data = random_bytes(12, 200_000);
    let folder = Folder::with_block(crc32c(512), &data);
    let throttler = Throttler::new(NonZeroU64::new(1_000_000).unwrap());
    let throttler = Some(Arc::new(throttler));
    let options = ServerOptions { throttler, timeout: TIMEOUT, ..ServerOptions::default() };
    let server = Server::new(folder.store(), options);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| read_all(server.address(), &read_op(0, 200_000), TIMEOUT).unwrap());
        }
    });
    assert!(start.elapsed() > Duration::from_millis(450), "{:?}", start.elapsed());
}

/// What a datanode does when it has sent what it was told to.
enum Then {
    Waits,
    Closes,
}

/// A datanode that sends what it is told to, once an operation came.
fn lying_datanode(behave: impl FnOnce(&mut TcpStream) -> Then + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut head = [0; 3];
        stream.read_exact(&mut head).unwrap();
        match Operation::decode_head(head).unwrap() {
            restripe::hdfs::Opcode::ReadBlock => drop(message::<ReadBlock>(&mut stream)),
            _ => drop(message::<WriteBlock>(&mut stream)),
        }
        if let Then::Waits = behave(&mut stream) {
            // Until the client gives up.
            let _ = io::copy(&mut stream, &mut io::sink());
        }
    });
    address
}

/// What a client says of a datanode that answers a read of 1000 bytes from byte 600 on like this.
fn read_from(bytes: Vec<u8>) -> Error {
    let address = lying_datanode(move |stream| {
        stream.write_all(&bytes).unwrap();
        Then::Waits
    });
    read_all(address, &read_op(600, 1000), short()).unwrap_err()
}

fn good_answer() -> Vec<u8> {
    let info = ReadChecksumInfo { checksum: crc32c(512), chunk_offset: 512 };
    BlockOpResponse::reading(info).to_wire()
}

#[test]
fn a_datanode_that_stalls_is_given_up_wherever_it_does() {
    let data = random_bytes(13, 1024);
    let whole = [good_answer(), packet(crc32c(512), 512, 0, &data), last_packet(1536, 1)].concat();
    for cut in [0, 1, good_answer().len(), good_answer().len() + 20, 600, whole.len() - 1] {
        let error = read_from(whole[..cut].to_vec());
        assert!(matches!(error, Error::PeerSlow { .. }), "{cut}: {error}");
    }
}

#[test]
fn a_datanode_that_breaks_off_is_told_apart() {
    let data = random_bytes(14, 1024);
    let whole = [good_answer(), packet(crc32c(512), 512, 0, &data), last_packet(1536, 1)].concat();
    for cut in [0, 1, good_answer().len(), 600, whole.len() - 1] {
        let part = whole[..cut].to_vec();
        let address = lying_datanode(move |stream| {
            stream.write_all(&part).unwrap();
            Then::Closes
        });
        let error = read_all(address, &read_op(600, 1000), TIMEOUT).unwrap_err();
        assert!(matches!(error, Error::PeerGone { .. }), "{cut}: {error}");
    }
}

#[test]
fn a_datanode_that_dribbles_is_given_up() {
    let data = random_bytes(15, 1024);
    let whole = [good_answer(), packet(crc32c(512), 512, 0, &data)].concat();
    let address = lying_datanode(move |stream| {
        stream.set_nodelay(true).unwrap();
        for byte in whole {
            thread::sleep(Duration::from_millis(4));
            if stream.write_all(&[byte]).is_err() {
                return Then::Closes;
            }
        }
        Then::Waits
    });
    let error = read_all(address, &read_op(600, 1000), short()).unwrap_err();
    let Error::PeerSlow { during: "a packet", done, expected, .. } = error else {
        panic!("{error}")
    };
    assert!(done > 0 && done < expected);
}

#[test]
fn a_datanode_that_lies_is_caught() {
    let data = random_bytes(16, 1024);
    let with = |packets: &[Vec<u8>]| [good_answer(), packets.concat()].concat();
    let good = packet(crc32c(512), 512, 0, &data);
    let answer = |status, read_checksum| {
        BlockOpResponse { status, first_bad_link: None, read_checksum, message: None }.to_wire()
    };
    let chunk_at = |chunk_offset| {
        answer(Status::Success, Some(ReadChecksumInfo { checksum: crc32c(512), chunk_offset }))
    };
    for (what, bytes) in [
        ("no checksum", answer(Status::Success, None)),
        ("a chunk before", chunk_at(0)),
        ("a chunk behind", chunk_at(1024)),
        ("no chunk's start", chunk_at(513)),
        ("a message of 4 GiB", vec![0xFF, 0xFF, 0xFF, 0xFF, 0x0F]),
        ("no message", vec![3, 0xFF, 0xFF, 0xFF]),
        ("a packet of 2 GiB", with(&[vec![0x7F, 0xFF, 0xFF, 0xFF, 0, 25]])),
        ("another number", with(&[packet(crc32c(512), 512, 1, &data)])),
        ("a gap", with(&[packet(crc32c(512), 1024, 0, &data)])),
        ("a packet twice", with(&[good.clone(), good.clone()])),
        (
            "an end too early",
            with(&[packet(crc32c(512), 512, 0, &data[..512]), last_packet(1024, 1)]),
        ),
        ("no data at all", with(&[last_packet(512, 0)])),
        ("an end that is not the data's", with(&[good.clone(), last_packet(2048, 1)])),
        ("a heartbeat", with(&[PacketHeader::heartbeat().encode(0).as_ref().to_vec()])),
        (
            "more than was asked for",
            with(&[
                packet(crc32c(512), 512, 0, &random_bytes(16, 1536)),
                packet(crc32c(512), 2048, 1, &data),
            ]),
        ),
    ] {
        let error = read_from(bytes);
        assert!(matches!(error, Error::Protocol { .. }), "{what}: {error}");
    }
    let mut damaged = good;
    damaged[31 + 8 + 700] ^= 1;
    let error = read_from(with(&[damaged]));
    assert!(matches!(error, Error::Corrupt { block: BLOCK, offset: 1024, .. }), "{error}");
    let refused = BlockOpResponse::refused(Status::ErrorAccessToken, "no").to_wire();
    let error = read_from(refused);
    assert!(
        matches!(&error, Error::Refused { status: Status::ErrorAccessToken, message, .. } if message == "no"),
        "{error}"
    );
}

/// What a writer says of a datanode that takes a block of 300 packets and sends `acks` after the
/// answer.
fn write_to(acks: Vec<u8>, then: Then) -> Error {
    let data = vec![7; 300 * 64_512];
    // Nobody waits long for what does not come.
    let timeout = if acks.is_empty() && matches!(then, Then::Waits) { short() } else { TIMEOUT };
    let address = lying_datanode(move |stream| {
        stream.write_all(&BlockOpResponse::writing().to_wire()).unwrap();
        stream.write_all(&acks).unwrap();
        then
    });
    write_whole(address, &write_op(crc32c(512)), &data, timeout).unwrap_err()
}

#[test]
fn a_writer_learns_why_the_datanode_stopped() {
    let acks = |last: PipelineAck| {
        let good = (0..3).map(|seqno| PipelineAck::of_packet(seqno, Status::Success).to_wire());
        [good.collect::<Vec<_>>().concat(), last.to_wire()].concat()
    };
    for then in [Then::Waits, Then::Closes] {
        let error = write_to(acks(PipelineAck::of_packet(3, Status::ErrorChecksum)), then);
        assert!(
            matches!(&error, Error::Refused { status: Status::ErrorChecksum, message, .. } if message == "packet 3"),
            "{error}"
        );
    }
    let error = write_to(acks(PipelineAck::of_packet(4, Status::Success)), Then::Waits);
    let expected = restripe::Error::PacketNumber { got: 4, expected: 3 };
    assert!(matches!(&error, Error::Protocol { source, .. } if *source == expected), "{error}");
    let error = write_to(Vec::new(), Then::Waits);
    assert!(matches!(error, Error::PeerSlow { during: "an acknowledgement", .. }), "{error}");
    let error = write_to(Vec::new(), Then::Closes);
    assert!(matches!(error, Error::PeerGone { .. }), "{error}");
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing_at_the_server() {
    let folder = Folder::new();
    let server = Server::patient(folder.writable());
    let mut writer = BlockWriter::open(server.address(), &write_op(crc32c(512)), TIMEOUT).unwrap();
    writer.write_all(&random_bytes(17, 200_000)).unwrap();
    wait_until(|| !folder.names().is_empty());
    drop(writer);
    server.assert_failed("PeerGone");
    assert!(folder.names().is_empty());
}

#[test]
fn the_callers_own_sink_is_told_apart() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let folder = Folder::with_block(crc32c(512), &[1; 1000]);
    let server = Server::patient(folder.store());
    let mut reader = BlockReader::open(server.address(), &read_op(0, 1000), TIMEOUT).unwrap();
    assert!(matches!(reader.copy_to(&mut Full), Err(Error::Sink { .. })));
}
