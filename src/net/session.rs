//! What a server does on one connection: one operation after the other.

use std::boxed::Box;
use std::format;
use std::net::TcpStream;
use std::string::ToString;

use super::connection::Connection;
use super::output::peer_name;
use super::server::report;
use super::{
    BlockReceiver, BlockSender, BlockStore, Error, Event, Result, SendOptions, ServerOptions,
};
use crate::hdfs::{
    Accepted, BlockOpResponse, ClientReadStatus, Message as _, Operation, PacketReader,
    PipelineAck, ReadBlock, Stage, Status, WriteBlock,
};

/// Carries out operations until the peer closes the connection, lets the time for the next one
/// pass, or fails.
pub(super) fn serve(stream: TcpStream, store: &BlockStore, options: &ServerOptions) {
    let peer: Box<str> = peer_name(&stream).into();
    let served = Connection::new(stream, options.timeout)
        .and_then(|connection| Session { connection, store, options }.serve());
    if let Err(error) = served {
        report(options, Event::Failed { peer, error });
    }
}

struct Session<'a> {
    connection: Connection,
    store: &'a BlockStore,
    options: &'a ServerOptions,
}

impl Session<'_> {
    fn serve(&mut self) -> Result<()> {
        let mut wait = self.options.timeout;
        while self.connection.wait_for_more(wait)? {
            match self.operation()? {
                Operation::ReadBlock(read) => {
                    if !self.read(&read)? {
                        return Ok(());
                    }
                }
                // A datanode closes the connection after a write, and clients expect no other.
                Operation::WriteBlock(write) => return self.write(&write),
            }
            wait = self.options.idle;
        }
        Ok(())
    }

    fn operation(&mut self) -> Result<Operation> {
        let head = self.connection.bytes::<{ Operation::HEAD_LEN }>("an operation")?;
        let decoded = match Operation::decode_head(head) {
            Ok(opcode) => {
                let message = self.connection.message_bytes("an operation")?;
                Operation::decode(opcode, &message)
            }
            Err(error) => Err(error),
        };
        decoded.or_else(|error| {
            let error = self.connection.protocol(error);
            self.refuse(error, Status::ErrorUnsupported)
        })
    }

    /// Tells the peer why its operation is not carried out.
    fn refuse<T>(&mut self, error: Error, status: Status) -> Result<T> {
        let answer = BlockOpResponse::refused(status, &error.told());
        // Whether or not the peer is told, the error is the same.
        let _ = self.connection.send(&[&answer.to_wire()]);
        Err(error)
    }

    /// Sends what is asked for; false where the connection is of no more use.
    fn read(&mut self, read: &ReadBlock) -> Result<bool> {
        let send_options = SendOptions {
            way: self.options.way,
            corrupt: self.options.corrupt,
            send_checksums: read.send_checksums,
            throttler: self.options.throttler.clone(),
            timeout: self.options.timeout,
            ..SendOptions::default()
        };
        let replica = self.store.find(read.block.id, read.block.generation_stamp);
        let replica = replica.or_else(|error| {
            let status = error.status();
            self.refuse(error, status)
        })?;
        let sender = BlockSender::new(&replica, read.offset, read.len, send_options);
        let mut sender = sender.or_else(|error| {
            let status = error.status();
            self.refuse(error, status)
        })?;
        self.connection.send(&[&BlockOpResponse::reading(sender.info()).to_wire()])?;
        let sent = sender.send(&mut self.connection)?;
        let read_status = self.connection.message::<ClientReadStatus>("a reader's status");
        let read_status = match read_status {
            Ok(read) => Some(read.status),
            // Many readers go as soon as they have what they want.
            Err(Error::PeerGone { .. }) => None,
            Err(error) => return Err(error),
        };
        let peer = self.connection.peer().into();
        report(self.options, Event::Sent { peer, block: read.block.id, sent, read: read_status });
        Ok(read_status.is_some())
    }

    fn write(&mut self, write: &WriteBlock) -> Result<()> {
        let has_acks = !write.client_name.is_empty();
        let begun = self.begin(write);
        let mut receiver = match begun {
            Ok(receiver) => receiver,
            Err(error) if has_acks => {
                let status = error.status();
                return self.refuse(error, status);
            }
            Err(error) => return Err(error),
        };
        if has_acks {
            self.connection.send(&[&BlockOpResponse::writing().to_wire()])?;
        }
        let mut packets = PacketReader::new(write.checksum);
        loop {
            self.connection.packet(&mut packets)?;
            let Some(packet) = packets.packet() else { continue };
            let header = packet.header;
            let received = if header.last_packet_in_block {
                check_len(write, receiver.len()).and_then(|()| receiver.receive(packet))
            } else {
                receiver.receive(packet)
            };
            let (error, accepted) = match received {
                Ok(accepted) => (None, Some(accepted)),
                Err(Error::Invalid(error)) => (Some(self.connection.protocol(error)), None),
                Err(error) => (Some(error), None),
            };
            if has_acks {
                let status = error.as_ref().map_or(Status::Success, Error::status);
                let ack = PipelineAck::of_packet(header.seqno, status);
                let sent = self.connection.send(&[&ack.to_wire()]);
                if error.is_none() {
                    sent?;
                }
            }
            if let Some(error) = error {
                return Err(error);
            }
            if accepted == Some(Accepted::Last) {
                break;
            }
            if let Some(throttler) = &self.options.throttler {
                throttler.pay(header.data_len.into());
            }
            packets.release().map_err(|error| self.connection.protocol(error))?;
        }
        let peer = self.connection.peer().into();
        let (block, len) = (write.block.id, receiver.len());
        report(self.options, Event::Stored { peer, block, len });
        Ok(())
    }

    fn begin(&self, write: &WriteBlock) -> Result<BlockReceiver> {
        if write.stage != Stage::SetupCreate {
            return Err(Error::Unsupported { what: "a write that does not create a block" });
        }
        if !write.targets.is_empty() {
            return Err(Error::Unsupported { what: "passing a block on to further datanodes" });
        }
        self.store.create(write.block.id, write.block.generation_stamp, write.checksum)
    }
}

/// A block that was announced with its length must have that length.
fn check_len(write: &WriteBlock, got: u64) -> Result<()> {
    let announced = write.block.len;
    if announced == 0 || announced == got {
        return Ok(());
    }
    Err(Error::Invalid(crate::Error::Invalid {
        what: "length of the block",
        got: format!("{got}").into(),
        expected: "it is not the length that was announced",
    }))
}

impl Error {
    /// What the peer is told: nothing of this machine's folders.
    fn told(&self) -> std::string::String {
        match self {
            Self::NotFound { block, generation_stamp, .. } => {
                format!("block {} with generation stamp {generation_stamp} is not here", block.0)
            }
            Self::Exists { block, unfinished: false, .. } => {
                format!("block {} is here already", block.0)
            }
            Self::Exists { block, .. } => format!("block {} is being written", block.0),
            Self::ReadOnly { .. } => "blocks are served for reading only".into(),
            Self::File { action, source, .. } => format!("cannot {action} a file: {source}"),
            Self::Replica { source, .. } => format!("damaged replica: {source}"),
            other => other.to_string(),
        }
    }
}
