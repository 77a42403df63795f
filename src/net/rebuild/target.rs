//! Where rebuilt blocks go: into a folder of this machine, or to a datanode.

use std::boxed::Box;
use std::collections::VecDeque;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::string::ToString as _;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::vec::Vec;

use super::workers::Workers;
use crate::checksum::ChunkedChecksum;
use crate::hdfs::{BlockId, Packet, WriteBlock};
use crate::net::client::{Acknowledgements, Packets};
use crate::net::{BlockReceiver, BlockStore, Error, Result, Throttler};
use crate::round::{Event, OutgoingPacket};

/// Where a rebuilt block goes.
#[derive(Clone, Debug)]
pub enum BlockTarget {
    /// Into a folder of this machine, open for writing. The block gets its name when it is whole
    /// and on the disk.
    Folder {
        /// The folder.
        store: BlockStore,
        /// The block's id.
        id: BlockId,
        /// The version of the block.
        generation_stamp: u64,
    },
    /// To a datanode, by WRITE_BLOCK.
    Datanode {
        /// Where it listens.
        address: SocketAddr,
        /// Which block, by whom and with which token; the checksums are those of the sources.
        write: Box<WriteBlock>,
    },
}

/// A target of one reconstruction. One thread at a time sends, another reads acknowledgements.
#[derive(Debug)]
pub(super) struct TargetLink {
    index: usize,
    target: BlockTarget,
    timeout: Duration,
    events: Sender<Event<Vec<u8>>>,
    queue: Mutex<Queue>,
    /// Held while sending.
    open: Mutex<Option<Opened>>,
    acks: Mutex<Option<Acknowledgements>>,
}

#[derive(Debug, Default)]
struct Queue {
    packets: VecDeque<OutgoingPacket<Vec<u8>>>,
    is_sending: bool,
    /// Packets sent whose acknowledgement was not read yet.
    unacked: usize,
    is_reading_acks: bool,
    is_broken_off: bool,
    socket: Option<TcpStream>,
}

#[derive(Debug)]
enum Opened {
    Folder(BlockReceiver),
    Datanode(Packets),
}

impl TargetLink {
    pub(super) fn new(
        index: usize,
        target: BlockTarget,
        timeout: Duration,
        events: Sender<Event<Vec<u8>>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            index,
            target,
            timeout,
            events,
            queue: Mutex::default(),
            open: Mutex::new(None),
            acks: Mutex::new(None),
        })
    }

    /// Puts a packet behind those that wait, and has them sent.
    pub(super) fn push(
        self: &Arc<Self>,
        packet: OutgoingPacket<Vec<u8>>,
        checksum: ChunkedChecksum,
        workers: &Arc<Workers>,
        limit: Option<&Arc<Throttler>>,
    ) {
        let mut queue = lock(&self.queue);
        queue.packets.push_back(packet);
        if std::mem::replace(&mut queue.is_sending, true) {
            return;
        }
        drop(queue);
        let (link, limit, threads) = (Arc::clone(self), limit.cloned(), Arc::clone(workers));
        workers.run(move || link.send_all(checksum, &threads, limit.as_deref()));
    }

    /// Sends what waits, and what comes meanwhile.
    fn send_all(
        self: &Arc<Self>,
        checksum: ChunkedChecksum,
        workers: &Arc<Workers>,
        limit: Option<&Throttler>,
    ) {
        loop {
            let mut queue = lock(&self.queue);
            let Some(packet) = queue.packets.pop_front() else {
                queue.is_sending = false;
                return;
            };
            let is_broken_off = queue.is_broken_off;
            drop(queue);
            if !is_broken_off {
                if let Some(limit) = limit {
                    limit.pay((packet.head().len() + packet.header().data_len as usize) as u64);
                }
                match self.send(&packet, checksum) {
                    Ok(Sent::Stored) => {
                        let seqno = packet.header().seqno;
                        self.tell(Event::Acked { target: self.index, seqno });
                    }
                    Ok(Sent::OnItsWay) => self.await_ack(workers),
                    Err(error) => self.failed(&error),
                }
            }
            self.tell(Event::Sent(packet));
        }
    }

    fn send(&self, packet: &OutgoingPacket<Vec<u8>>, checksum: ChunkedChecksum) -> Result<Sent> {
        let mut open = lock(&self.open);
        if open.is_none() {
            *open = Some(self.open(checksum)?);
        }
        match open.as_mut() {
            Some(Opened::Folder(receiver)) => {
                let parts: Vec<&[u8]> = packet.data().collect();
                // Most packets are of one round, and need not be put together.
                let whole: Vec<u8>;
                let data = match parts[..] {
                    [part] => part,
                    _ => {
                        whole = parts.concat();
                        &whole
                    }
                };
                let (header, checksums) = (*packet.header(), packet.checksums());
                receiver.receive(Packet { header, checksums, data })?;
                Ok(Sent::Stored)
            }
            Some(Opened::Datanode(packets)) => {
                let mut pieces = Vec::with_capacity(4);
                pieces.push(packet.head());
                pieces.extend(packet.data());
                packets.send(&pieces)?;
                Ok(Sent::OnItsWay)
            }
            None => Err(Error::Unsupported { what: "a target that is not open" }),
        }
    }

    fn open(&self, checksum: ChunkedChecksum) -> Result<Opened> {
        match &self.target {
            BlockTarget::Folder { store, id, generation_stamp } => {
                store.create(*id, *generation_stamp, checksum).map(Opened::Folder)
            }
            BlockTarget::Datanode { address, write } => {
                let write = WriteBlock { checksum, ..(**write).clone() };
                let (packets, acks) = Packets::open(*address, &write, self.timeout)?;
                let socket = acks.socket()?;
                *lock(&self.acks) = Some(acks);
                let mut queue = lock(&self.queue);
                if queue.is_broken_off {
                    // Meanwhile nobody waits for it any more.
                    let _ = socket.shutdown(Shutdown::Both);
                }
                queue.socket = Some(socket);
                Ok(Opened::Datanode(packets))
            }
        }
    }

    /// Has the acknowledgement of a packet that was sent read.
    fn await_ack(self: &Arc<Self>, workers: &Workers) {
        let mut queue = lock(&self.queue);
        queue.unacked += 1;
        if std::mem::replace(&mut queue.is_reading_acks, true) {
            return;
        }
        drop(queue);
        let link = Arc::clone(self);
        workers.run(move || link.read_acks());
    }

    fn read_acks(&self) {
        loop {
            let mut queue = lock(&self.queue);
            if queue.unacked == 0 || queue.is_broken_off {
                queue.is_reading_acks = false;
                return;
            }
            queue.unacked -= 1;
            drop(queue);
            let next = lock(&self.acks).as_mut().map(Acknowledgements::next);
            match next {
                Some(Ok(seqno)) => self.tell(Event::Acked { target: self.index, seqno }),
                Some(Err(error)) => self.failed(&error),
                None => {}
            }
        }
    }

    fn failed(&self, error: &Error) {
        let message = error.to_string().into();
        self.break_off();
        self.tell(Event::TargetFailed { target: self.index, message });
    }

    /// Ends the connection; what is stored of the block is removed.
    pub(super) fn break_off(&self) {
        let mut queue = lock(&self.queue);
        queue.is_broken_off = true;
        if let Some(socket) = queue.socket.take() {
            // Where it is closed already, there is nothing to end.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn tell(&self, event: Event<Vec<u8>>) {
        // Where nobody listens any more, nobody wants to know.
        let _ = self.events.send(event);
    }
}

enum Sent {
    /// It is stored already.
    Stored,
    /// An acknowledgement will come.
    OnItsWay,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked while sending has told nobody: the acknowledgement stays out.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
