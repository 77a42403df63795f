//! The client's two halves: a block read from a datanode, a block written to one.

use std::net::{SocketAddr, TcpStream};
use std::string::ToString as _;
use std::time::Duration;

use super::connection::Connection;
use super::{Error, Result};
use crate::hdfs::{BlockOpResponse, Status};

mod packets;
mod reader;
mod writer;

pub(super) use packets::{Acknowledgements, Packets};
pub use reader::BlockReader;
pub use writer::BlockWriter;

fn connect(address: SocketAddr, timeout: Duration) -> Result<Connection> {
    let stream = TcpStream::connect_timeout(&address, timeout).map_err(|source| {
        let peer = address.to_string().into();
        Error::PeerGone { peer, during: "the connection", source }
    })?;
    Connection::new(stream, timeout)
}

/// The answer to an operation, where it is carried out.
fn answer(connection: &mut Connection, during: &'static str) -> Result<BlockOpResponse> {
    let response: BlockOpResponse = connection.message(during)?;
    if response.status == Status::Success {
        return Ok(response);
    }
    Err(Error::Refused {
        peer: connection.peer().into(),
        status: response.status,
        message: response.message.unwrap_or_default(),
    })
}
