//! A connection to a peer that may stall, reset, or dribble a byte at a time.

use std::boxed::Box;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{Shutdown, TcpStream};
use std::string::{String, ToString};
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::output::peer_name;
use super::sender::Link;
use super::{Error, PacketOutput, Result};
use crate::hdfs::{Message, MessageReader, PacketReader};

/// How long a single write may block: between writes it is seen how slow the peer is.
const LONGEST_WRITE: Duration = Duration::from_secs(1);

/// What is read ahead at once where messages are expected.
const READ_AHEAD: usize = 512;

/// A connection that reads and writes whole messages and packets, each in bounded time.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    peer: Box<str>,
    /// The time that each message and each packet has.
    timeout: Duration,
    /// Bytes that came and were not yet asked for.
    ahead: Vec<u8>,
}

/// The time since something was begun.
struct Clock<'a> {
    peer: &'a str,
    during: &'static str,
    started: Instant,
    timeout: Duration,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, timeout: Duration) -> Result<Self> {
        let peer: Box<str> = peer_name(&stream).into();
        let set_up = || {
            stream.set_nonblocking(false)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout.min(LONGEST_WRITE)))
        };
        set_up().map_err(|source| Error::PeerGone {
            peer: peer.clone(),
            during: "the connection",
            source,
        })?;
        Ok(Self { stream, peer, timeout, ahead: Vec::new() })
    }

    /// The socket, for another thread.
    pub(super) fn socket(&self) -> Result<TcpStream> {
        self.stream.try_clone().map_err(|source| Error::PeerGone {
            peer: self.peer.clone(),
            during: "the connection",
            source,
        })
    }

    pub(super) fn peer(&self) -> &str {
        &self.peer
    }

    /// Gives everything from now on so much time and no more.
    pub(super) fn hurry(&mut self, timeout: Duration) {
        self.timeout = timeout;
        // Where the socket is gone already, reading from it says so.
        let _ = self.stream.set_read_timeout(Some(timeout));
    }

    /// What the peer did against the protocol.
    pub(super) fn protocol(&self, source: crate::Error) -> Error {
        Error::Protocol { peer: self.peer.clone(), source }
    }

    /// Waits for the first byte of something, no longer than `at_most`; false where the peer
    /// closed the connection or let the time pass, which is its right between operations.
    pub(super) fn wait_for_more(&mut self, at_most: Duration) -> Result<bool> {
        if !self.ahead.is_empty() {
            return Ok(true);
        }
        let gone = |source| Error::PeerGone {
            peer: self.peer.clone(),
            during: "the wait for an operation",
            source,
        };
        self.stream.set_read_timeout(Some(at_most)).map_err(gone)?;
        let mut byte = [0];
        let came = loop {
            match self.stream.read(&mut byte) {
                Ok(count) => break Ok(count == 1),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => break Ok(false),
                    _ => break Err(gone(error)),
                },
            }
        };
        if came? {
            self.ahead.push(byte[0]);
            self.stream.set_read_timeout(Some(self.timeout)).map_err(gone)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Reads exactly `LEN` bytes.
    pub(super) fn bytes<const LEN: usize>(&mut self, during: &'static str) -> Result<[u8; LEN]> {
        let clock = Clock::start(&self.peer, during, self.timeout);
        while self.ahead.len() < LEN {
            read_ahead(&self.stream, &mut self.ahead, &clock, LEN)?;
        }
        let mut bytes = [0; LEN];
        bytes.copy_from_slice(&self.ahead[..LEN]);
        self.ahead.drain(..LEN);
        Ok(bytes)
    }

    /// Reads a message.
    pub(super) fn message<M: Message>(&mut self, during: &'static str) -> Result<M> {
        let bytes = self.message_bytes(during)?;
        M::decode(&bytes).map_err(|error| self.protocol(error))
    }

    /// Reads a message without its length.
    pub(super) fn message_bytes(&mut self, during: &'static str) -> Result<Vec<u8>> {
        let clock = Clock::start(&self.peer, during, self.timeout);
        let mut reader = MessageReader::new();
        loop {
            let taken = reader
                .push(&self.ahead)
                .map_err(|source| Error::Protocol { peer: self.peer.clone(), source })?;
            self.ahead.drain(..taken);
            if let Some(message) = reader.message() {
                return Ok(message.to_vec());
            }
            read_ahead(&self.stream, &mut self.ahead, &clock, READ_AHEAD)?;
        }
    }

    /// Reads until a packet is in the reader.
    pub(super) fn packet(&mut self, reader: &mut PacketReader) -> Result<()> {
        let protocol = |source| Error::Protocol { peer: self.peer.clone(), source };
        if !self.ahead.is_empty() {
            let taken = reader.push(&self.ahead).map_err(protocol)?;
            self.ahead.drain(..taken);
        }
        let clock = Clock::start(&self.peer, "a packet", self.timeout);
        while reader.packet().is_none() {
            let read = self.stream.read(reader.space());
            let (done, expected) = reader.progress();
            let count = clock.check(read, done, expected)?;
            reader.advance(count).map_err(protocol)?;
            if reader.packet().is_none() {
                let (done, expected) = reader.progress();
                clock.check_time(done, expected)?;
            }
        }
        Ok(())
    }

    /// Takes back what a packet reader read behind the last packet.
    pub(super) fn unread(&mut self, rest: &[u8]) {
        self.ahead.splice(..0, rest.iter().copied());
    }

    /// Sends all bytes, of one slice after the other.
    pub(super) fn send(&mut self, slices: &[&[u8]]) -> Result<()> {
        let timeout = self.timeout;
        let mut link = Link::new(self, timeout);
        let last = slices.len().saturating_sub(1);
        for (index, slice) in slices.iter().enumerate() {
            link.send_all(slice, index < last)?;
        }
        Ok(())
    }

    /// Says that nothing more will be sent, and waits until the peer has closed its side too.
    pub(super) fn finish(mut self) -> Result<()> {
        let clock = Clock::start(&self.peer, "the end of the connection", self.timeout);
        if let Err(error) = self.stream.shutdown(Shutdown::Write) {
            return clock.gone(error);
        }
        let mut ignored = [0; READ_AHEAD];
        loop {
            match self.stream.read(&mut ignored) {
                Ok(0) => return Ok(()),
                read => {
                    clock.check(read, 0, 0)?;
                    clock.check_time(0, 0)?;
                }
            }
        }
    }
}

impl PacketOutput for Connection {
    fn write(&mut self, bytes: &[u8], more: bool) -> io::Result<usize> {
        PacketOutput::write(&mut self.stream, bytes, more)
    }

    fn sends_files(&self) -> bool {
        self.stream.sends_files()
    }

    fn send_file(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        self.stream.send_file(file, offset, len)
    }

    fn wait(&mut self, at_most: Duration) -> io::Result<()> {
        self.stream.wait(at_most)
    }

    fn name(&self) -> String {
        // The socket has no address any more when the peer has reset it.
        self.peer.to_string()
    }
}

/// Reads what is there, up to so many bytes in all.
fn read_ahead(
    mut stream: &TcpStream,
    ahead: &mut Vec<u8>,
    clock: &Clock<'_>,
    up_to: usize,
) -> Result<()> {
    let filled = ahead.len();
    ahead.resize(up_to.max(filled + 1), 0);
    let read = clock.check(stream.read(&mut ahead[filled..]), filled, up_to);
    ahead.truncate(filled + *read.as_ref().unwrap_or(&0));
    read?;
    clock.check_time(ahead.len(), up_to)
}

impl<'a> Clock<'a> {
    fn start(peer: &'a str, during: &'static str, timeout: Duration) -> Self {
        Self { peer, during, started: Instant::now(), timeout }
    }

    /// How many bytes were read; 0 where a signal came instead.
    fn check(&self, read: io::Result<usize>, done: usize, expected: usize) -> Result<usize> {
        match read {
            Ok(0) => {
                self.gone(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed"))
            }
            Ok(count) => Ok(count),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => Ok(0),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.slow(done, expected),
                _ => self.gone(error),
            },
        }
    }

    /// Whoever sends a byte at a time has no more time than others.
    fn check_time(&self, done: usize, expected: usize) -> Result<()> {
        if self.started.elapsed() > self.timeout { self.slow(done, expected) } else { Ok(()) }
    }

    fn gone<T>(&self, source: io::Error) -> Result<T> {
        Err(Error::PeerGone { peer: self.peer.into(), during: self.during, source })
    }

    fn slow<T>(&self, done: usize, expected: usize) -> Result<T> {
        Err(Error::PeerSlow {
            peer: self.peer.into(),
            during: self.during,
            done: done as u64,
            expected: expected as u64,
            after: self.started.elapsed(),
        })
    }
}
