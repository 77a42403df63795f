//! Where rebuilt blocks go: into a folder of this machine, or to a datanode.

use std::boxed::Box;
use std::collections::VecDeque;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::string::ToString as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::vec::Vec;

use super::run::Run;
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
    queue: Mutex<Queue>,
    /// Held while sending.
    open: Mutex<Option<Opened>>,
    acks: Mutex<Option<Acknowledgements>>,
}

#[derive(Debug, Default)]
struct Queue {
    packets: VecDeque<OutgoingPacket<Vec<u8>>>,
    /// Those that packets come with.
    checksum: Option<ChunkedChecksum>,
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
    pub(super) fn new(index: usize, target: BlockTarget, timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            index,
            target,
            timeout,
            queue: Mutex::default(),
            open: Mutex::new(None),
            acks: Mutex::new(None),
        })
    }

    /// Whether it is stored on this machine.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.target, BlockTarget::Folder { .. })
    }

    /// Puts a packet behind those that wait; true where nobody sends them yet.
    pub(super) fn push(&self, packet: OutgoingPacket<Vec<u8>>, checksum: ChunkedChecksum) -> bool {
        let mut queue = lock(&self.queue);
        queue.checksum = Some(checksum);
        queue.packets.push_back(packet);
        !std::mem::replace(&mut queue.is_sending, true)
    }

    /// Sends what waits, and what comes meanwhile.
    pub(super) fn send_all(self: &Arc<Self>, run: &Arc<Run>, limit: Option<&Throttler>) {
        // News of packets that are stored already: told together, since what follows may have to
        // be done by others, who have to be woken for it.
        let mut stored = Vec::new();
        loop {
            let mut queue = lock(&self.queue);
            let next = queue.packets.pop_front().zip(queue.checksum);
            let is_over = next.is_none() && stored.is_empty();
            queue.is_sending = !is_over;
            let is_broken_off = queue.is_broken_off;
            drop(queue);
            let Some((packet, checksum)) = next else {
                if is_over {
                    return;
                }
                for packet in stored.drain(..) {
                    self.tell_stored(run, packet);
                }
                continue;
            };
            if !is_broken_off {
                if let Some(limit) = limit {
                    limit.pay((packet.head().len() + packet.header().data_len as usize) as u64);
                }
                match self.send(&packet, checksum) {
                    Ok(Sent::Stored) => {
                        stored.push(packet);
                        continue;
                    }
                    Ok(Sent::OnItsWay) => self.await_ack(run),
                    Err(error) => self.failed(run, &error),
                }
            }
            run.tell(Event::Sent(packet));
        }
    }

    fn tell_stored(&self, run: &Arc<Run>, packet: OutgoingPacket<Vec<u8>>) {
        let seqno = packet.header().seqno;
        run.tell(Event::Acked { target: self.index, seqno });
        run.tell(Event::Sent(packet));
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
                receiver.receive_as_computed(Packet { header, checksums, data })?;
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
    fn await_ack(self: &Arc<Self>, run: &Arc<Run>) {
        let mut queue = lock(&self.queue);
        queue.unacked += 1;
        if std::mem::replace(&mut queue.is_reading_acks, true) {
            return;
        }
        drop(queue);
        let (link, run_too) = (Arc::clone(self), Arc::clone(run));
        run.spawn_waiting(move || link.read_acks(&run_too));
    }

    fn read_acks(&self, run: &Arc<Run>) {
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
                Some(Ok(seqno)) => run.tell(Event::Acked { target: self.index, seqno }),
                Some(Err(error)) => self.failed(run, &error),
                None => {}
            }
        }
    }

    fn failed(&self, run: &Arc<Run>, error: &Error) {
        let message = error.to_string().into();
        self.break_off();
        run.tell(Event::TargetFailed { target: self.index, message });
    }

    /// Lets go of what is stored on this machine, which is removed unless the block is whole: at the
    /// end, when nothing is sent any more. A connection closes when the last thread has let go.
    pub(super) fn close(&self) {
        if self.is_local() {
            lock(&self.open).take();
        }
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
