//! Messages that Hadoop wrote: the same bytes are written here, and read they say the same.

#![cfg(feature = "hdfs")]

mod common;

use common::from_hex;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{
    BlockId, BlockOpResponse, CachingStrategy, ClientReadStatus, ExtendedBlock, Message,
    MessageReader, Operation, PipelineAck, ReadBlock, ReadChecksumInfo, Stage, Status, StorageType,
    Token, WriteBlock,
};

/// A line for each message: its name, `=`, and its bytes as hexadecimal digits.
const MESSAGES: &str = include_str!("data/hadoop/messages.txt");

fn bytes(name: &str) -> Vec<u8> {
    let line = MESSAGES.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    from_hex(line.unwrap_or_else(|| panic!("no message {name:?}")))
}

fn checksum(kind: ChecksumKind, bytes_per_checksum: usize) -> ChunkedChecksum {
    ChunkedChecksum::new(kind, bytes_per_checksum).unwrap()
}

fn plain_block() -> ExtendedBlock {
    let id = BlockId(1_073_741_825);
    ExtendedBlock { pool_id: "BP-1".into(), id, generation_stamp: 1007, len: 100_000 }
}

fn striped_block() -> ExtendedBlock {
    let id = BlockId(-9_223_372_036_854_775_789);
    ExtendedBlock { pool_id: "BP-2".into(), id, generation_stamp: 1001, len: 196_608 }
}

fn token() -> Token {
    Token {
        identifier: vec![1, 2],
        password: vec![3],
        kind: "kind".into(),
        service: "service".into(),
    }
}

fn hints() -> CachingStrategy {
    CachingStrategy { drop_behind: Some(true), readahead: Some(4 << 20) }
}

fn operations() -> [(&'static str, Operation); 4] {
    let read = ReadBlock::new(plain_block(), "client", 512, 1000);
    let read_with_everything = ReadBlock {
        token: token(),
        send_checksums: false,
        caching: hints(),
        ..ReadBlock::new(striped_block(), "client", 0, ReadBlock::TO_THE_END)
    };
    let crc32c = checksum(ChecksumKind::Crc32c, 512);
    let write = WriteBlock::create(striped_block(), "client", crc32c);
    // The first of two datanodes is the receiver itself.
    let second_datanode = from_hex(concat!(
        "0a220a0831302e302e302e3112056e6f6465311a0475756964208a4d28884d308b4d38",
        "0010001800200028003000380042052f7261636b480050005800600068007800800100880100",
    ));
    let write_with_everything = WriteBlock {
        token: token(),
        targets: vec![second_datanode],
        stage: Stage::CloseRecovery,
        pipeline_size: 2,
        min_bytes_received: 300,
        max_bytes_received: 400,
        latest_generation_stamp: 1008,
        checksum: checksum(ChecksumKind::Crc32, 4096),
        caching: hints(),
        storage_type: StorageType::Ssd,
        allow_lazy_persist: true,
        pinning: true,
        storage_id: Some("DS-1".into()),
        ..WriteBlock::create(plain_block(), "client", crc32c)
    };
    [
        ("read", Operation::ReadBlock(read)),
        ("read_with_everything", Operation::ReadBlock(read_with_everything)),
        ("write", Operation::WriteBlock(write)),
        ("write_with_everything", Operation::WriteBlock(write_with_everything)),
    ]
}

fn answers() -> [(&'static str, BlockOpResponse); 3] {
    let info =
        ReadChecksumInfo { checksum: checksum(ChecksumKind::Crc32c, 512), chunk_offset: 65_536 };
    [
        ("answer_to_read", BlockOpResponse::reading(info)),
        ("answer_to_write", BlockOpResponse::writing()),
        ("answer_with_error", BlockOpResponse::refused(Status::ErrorAccessToken, "größer")),
    ]
}

fn acks() -> [(&'static str, PipelineAck); 3] {
    let of_pipeline = PipelineAck {
        seqno: 4_294_967_297,
        replies: vec![Status::Success, Status::ErrorChecksum],
        downstream_nanoseconds: 123_456_789,
        flags: vec![0x60, 0x22],
    };
    [
        ("ack", PipelineAck::of_packet(7, Status::Success)),
        ("ack_of_heartbeat", PipelineAck::of_packet(-1, Status::Success)),
        ("ack_of_pipeline", of_pipeline),
    ]
}

/// The message of a delimited one.
fn body(bytes: &[u8]) -> Vec<u8> {
    let mut reader = MessageReader::new();
    assert_eq!(reader.push(bytes), Ok(bytes.len()));
    reader.message().unwrap().to_vec()
}

fn check<M: Message + PartialEq + std::fmt::Debug>(name: &str, message: &M) {
    let bytes = bytes(name);
    assert_eq!(message.to_wire(), bytes, "{name}");
    assert_eq!(M::decode(&body(&bytes)).as_ref(), Ok(message), "{name}");
}

#[test]
fn operations_have_the_bytes_that_hadoops_sender_writes() {
    for (name, operation) in operations() {
        let bytes = bytes(name);
        assert_eq!(operation.to_wire(), bytes, "{name}");
        let opcode = Operation::decode_head([bytes[0], bytes[1], bytes[2]]).unwrap();
        assert_eq!(Operation::decode(opcode, &body(&bytes[3..])), Ok(operation), "{name}");
    }
}

#[test]
fn answers_and_acknowledgements_have_the_bytes_that_hadoop_writes() {
    answers().iter().for_each(|(name, answer)| check(name, answer));
    acks().iter().for_each(|(name, ack)| check(name, ack));
    check("client_read_status", &ClientReadStatus { status: Status::ChecksumOk });
    let [.., (_, of_pipeline)] = acks();
    assert_eq!(of_pipeline.failure(), Some((1, Status::ErrorChecksum)));
}

#[test]
fn a_message_cut_anywhere_is_refused_unless_all_that_is_required_is_there() {
    for (name, operation) in operations() {
        let body = body(&bytes(name)[3..]);
        let mut accepted = 0;
        for len in 0..body.len() {
            match &operation {
                Operation::ReadBlock(whole) => {
                    let Ok(cut) = ReadBlock::decode(&body[..len]) else { continue };
                    assert_eq!(cut.block, whole.block, "{name}, {len}");
                    assert_eq!((cut.offset, cut.len), (whole.offset, whole.len), "{name}, {len}");
                }
                Operation::WriteBlock(whole) => {
                    let Ok(cut) = WriteBlock::decode(&body[..len]) else { continue };
                    assert_eq!(cut.block, whole.block, "{name}, {len}");
                    assert_eq!((cut.stage, cut.checksum), (whole.stage, whole.checksum));
                }
            }
            accepted += 1;
        }
        // Cut between the fields that are optional.
        assert!((1..7).contains(&accepted), "{name}: {accepted}");
    }
}

#[test]
fn no_message_with_any_bit_flipped_makes_a_decoder_panic() {
    let mut refused = 0;
    for line in MESSAGES.lines() {
        let (name, _) = line.split_once('=').unwrap();
        let bytes = bytes(name);
        let start = if name.starts_with("read") || name.starts_with("write") { 3 } else { 0 };
        let body = body(&bytes[start..]);
        for bit in 0..8 * body.len() {
            let mut body = body.clone();
            body[bit / 8] ^= 1 << (bit % 8);
            refused += usize::from(ReadBlock::decode(&body).is_err());
            refused += usize::from(WriteBlock::decode(&body).is_err());
            refused += usize::from(BlockOpResponse::decode(&body).is_err());
            refused += usize::from(PipelineAck::decode(&body).is_err());
            refused += usize::from(ClientReadStatus::decode(&body).is_err());
        }
    }
    assert!(refused > 1000, "{refused}");
}
