//! A block written packet by packet: one half sends, the other reads acknowledgements.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{answer, connect};
use crate::hdfs::{Operation, PipelineAck, WriteBlock};
use crate::net::connection::Connection;
use crate::net::{Error, Result};

/// The half that sends packets.
#[derive(Debug)]
pub(in crate::net) struct Packets(Connection);

/// The half that reads their acknowledgements.
#[derive(Debug)]
pub(in crate::net) struct Acknowledgements(Connection);

impl Packets {
    /// Announces a block.
    pub(in crate::net) fn open(
        address: SocketAddr,
        write: &WriteBlock,
        timeout: Duration,
    ) -> Result<(Self, Acknowledgements)> {
        let mut connection = connect(address, timeout)?;
        connection.send(&[&Operation::WriteBlock(write.clone()).to_wire()])?;
        answer(&mut connection, "the answer to a write")?;
        let sending = Connection::new(connection.socket()?, timeout)?;
        Ok((Self(sending), Acknowledgements(connection)))
    }

    /// Sends the pieces of one packet, one behind the other.
    pub(in crate::net) fn send(&mut self, pieces: &[&[u8]]) -> Result<()> {
        self.0.send(pieces)
    }
}

impl Acknowledgements {
    /// The number of the packet acknowledged next.
    pub(in crate::net) fn next(&mut self) -> Result<i64> {
        let ack: PipelineAck = self.0.message("an acknowledgement")?;
        match ack.failure() {
            None => Ok(ack.seqno),
            Some((_, status)) => Err(Error::Refused {
                peer: self.0.peer().into(),
                status,
                message: std::format!("packet {}", ack.seqno),
            }),
        }
    }

    /// The socket of both halves, for another thread to shut it down by.
    pub(in crate::net) fn socket(&self) -> Result<TcpStream> {
        self.0.socket()
    }
}
