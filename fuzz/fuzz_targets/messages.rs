//! Any bytes as each of the messages: what is read is written and read again as the same.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use restripe::hdfs::{
    BlockOpResponse, ClientReadStatus, Message, MessageReader, Operation, PacketHeader,
    PipelineAck, ReadBlock, WriteBlock,
};

fn round_trip<M: Message + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(message) = M::decode(bytes) else { return };
    let wire = message.to_wire();
    let mut reader = MessageReader::new();
    // The canonical form may be longer than what came, and then too long to be read.
    let Ok(taken) = reader.push(&wire) else { return };
    assert_eq!(taken, wire.len());
    let again = reader.message().expect("all of it is there");
    assert_eq!(M::decode(again).as_ref(), Ok(&message));
}

fuzz_target!(|bytes: &[u8]| {
    round_trip::<ReadBlock>(bytes);
    round_trip::<WriteBlock>(bytes);
    round_trip::<BlockOpResponse>(bytes);
    round_trip::<ClientReadStatus>(bytes);
    round_trip::<PipelineAck>(bytes);

    if let Ok(header) = PacketHeader::decode(bytes) {
        let encoded = header.encode(0);
        let again = PacketHeader::decode(&encoded.as_ref()[PacketHeader::LENGTHS_LEN..]);
        assert_eq!(again, Ok(header));
    }

    if let Some((head, rest)) = bytes.split_first_chunk::<{ Operation::HEAD_LEN }>()
        && let Ok(opcode) = Operation::decode_head(*head)
        && let Ok(operation) = Operation::decode(opcode, rest)
    {
        assert_eq!(operation.to_wire()[..Operation::HEAD_LEN], *head);
    }

    // However it is cut, the reader of messages takes the same.
    let mut whole = MessageReader::new();
    let taken = whole.push(bytes);
    let mut cut = MessageReader::new();
    let mut count = 0;
    for byte in bytes {
        match cut.push(std::slice::from_ref(byte)) {
            Ok(taken) => count += taken,
            Err(error) => return assert_eq!(taken, Err(error)),
        }
    }
    assert_eq!(taken, Ok(count));
    assert_eq!(whole.message(), cut.message());
});
