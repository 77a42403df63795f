//! One rebuilt block on its way out: what waits to be sent, the packets made of it, and what was
//! acknowledged.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::Reason;
use super::buffer::{Buffer, Division, Lent};
use crate::hdfs::PacketHeader;

/// Buffers that one target may hold: one that is computed into, one whose packets are on their
/// way, and one whose end waits for the next round to fill a packet.
pub(super) const MAX_HELD: usize = 3;

#[derive(Debug)]
pub(super) struct Target<B> {
    pub(super) unit: usize,
    /// The internal block's length.
    pub(super) len: u64,
    pub(super) state: State,
    /// Buffers of this target that are not back in the pool.
    pub(super) held: usize,
    /// What was rebuilt and is in no packet yet, in order.
    queue: VecDeque<Piece<B>>,
    /// Bytes rebuilt so far, queued or sent.
    pub(super) rebuilt: u64,
    /// Bytes put into packets so far.
    sent: u64,
    next_seqno: i64,
    last_is_sent: bool,
    unacked: VecDeque<Unacked>,
    /// When the last packet was given out, once there was one.
    last_packet_at: Option<Duration>,
    /// Packets that are out, and since when there are any.
    packets_out: usize,
    busy_since: Duration,
    pub(super) progress: TargetProgress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Live,
    Done,
    Failed,
}

#[derive(Debug)]
struct Piece<B> {
    buffer: Lent<B>,
    rest: Range<usize>,
}

#[derive(Debug)]
struct Unacked {
    seqno: i64,
    len: usize,
    deadline: Duration,
}

/// How far one target has come.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetProgress {
    /// Bytes of data handed out to be sent.
    pub sent: u64,
    /// Bytes of data that the target has acknowledged.
    pub acked: u64,
    /// Whether it acknowledged everything, the last packet included.
    pub is_rebuilt: bool,
    /// Why it was given up, if it was.
    pub failure: Option<Reason>,
}

/// What packets of this reconstruction look like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framing {
    pub(super) division: Division,
    /// Most bytes of data in a packet.
    pub(super) max_data: usize,
    pub(super) max_unacked: usize,
    pub(super) ack_timeout: Duration,
    pub(super) heartbeat_after: Duration,
}

/// A packet for a target: taken out of [`Action::Send`](super::Action::Send), brought back with
/// [`Event::Sent`](super::Event::Sent) when it was sent or never will be.
#[derive(Debug)]
#[must_use = "it comes back with Event::Sent"]
pub struct OutgoingPacket<B> {
    target: usize,
    unit: usize,
    header: PacketHeader,
    /// Header and checksums.
    head: Vec<u8>,
    parts: Vec<Piece<B>>,
}

impl<B: Buffer> OutgoingPacket<B> {
    /// Which of the targets it is for.
    #[must_use]
    pub fn target(&self) -> usize {
        self.target
    }

    /// The unit that the target rebuilds.
    #[must_use]
    pub fn unit(&self) -> usize {
        self.unit
    }

    /// Its header; the last packet of a block has no data.
    #[must_use]
    pub fn header(&self) -> &PacketHeader {
        &self.header
    }

    /// The bytes of the header and the checksums, as they go over the wire before the data.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The checksums alone.
    #[must_use]
    pub fn checksums(&self) -> &[u8] {
        &self.head[self.head.len().min(self.header.encode(0).as_ref().len())..]
    }

    /// The data, in the parts that follow each other: more than one where it comes from several
    /// rounds, none in the last packet.
    pub fn data(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(|part| part.buffer.bytes(part.rest.clone()))
    }

    /// Gives the parts up, and the rest of the packet back empty.
    pub(super) fn take_apart(&mut self) -> impl Iterator<Item = Lent<B>> {
        self.parts.drain(..).map(|part| part.buffer)
    }
}

impl<B: Buffer> Target<B> {
    pub(super) fn new(unit: usize, len: u64) -> Self {
        Self {
            unit,
            len,
            state: State::Live,
            held: 0,
            queue: VecDeque::new(),
            rebuilt: 0,
            sent: 0,
            next_seqno: 0,
            last_is_sent: false,
            unacked: VecDeque::new(),
            last_packet_at: None,
            packets_out: 0,
            busy_since: Duration::ZERO,
            progress: TargetProgress::default(),
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// Whether bytes from `offset` on are still to be rebuilt for it.
    pub(super) fn needs(&self, offset: u64) -> bool {
        self.is_live() && self.len > offset
    }

    /// Takes the next bytes, the first `len` of a buffer.
    pub(super) fn queue(&mut self, buffer: Lent<B>, len: usize) {
        self.rebuilt += len as u64;
        self.queue.push_back(Piece { buffer, rest: 0..len });
    }

    /// Gives up what is queued, a piece at a time.
    pub(super) fn take_queued(&mut self) -> Option<Lent<B>> {
        self.queue.pop_front().map(|piece| piece.buffer)
    }

    /// When it is given up for not acknowledging.
    pub(super) fn deadline(&self) -> Option<Duration> {
        if self.is_live() { self.unacked.front().map(|packet| packet.deadline) } else { None }
    }

    /// When it is to be told that more will come.
    pub(super) fn heartbeat_at(&self, framing: &Framing) -> Option<Duration> {
        let waits = self.is_live() && !self.last_is_sent && self.has_room(framing);
        let last = self.last_packet_at.filter(|_| waits)?;
        Some(last.saturating_add(framing.heartbeat_after))
    }

    fn has_room(&self, framing: &Framing) -> bool {
        self.unacked.len() < framing.max_unacked
    }

    /// The next packet, if there is one to be sent now. `spare` is a packet that came back.
    pub(super) fn next_packet(
        &mut self,
        target: usize,
        framing: &Framing,
        now: Duration,
        spare: Option<OutgoingPacket<B>>,
    ) -> Result<OutgoingPacket<B>, Option<OutgoingPacket<B>>> {
        let is_due = |at: Duration| at <= now;
        let (header, len) = match self.next_len(framing).filter(|_| self.has_room(framing)) {
            Some(0) => {
                self.last_is_sent = true;
                (PacketHeader { seqno: self.next_seqno, ..PacketHeader::last(self.sent) }, 0)
            }
            Some(len) => (PacketHeader::data(self.sent, self.next_seqno, len as u32), len),
            None if self.heartbeat_at(framing).is_some_and(is_due) => {
                (PacketHeader::heartbeat(), 0)
            }
            None => return Err(spare),
        };
        let mut packet = spare.unwrap_or_else(|| OutgoingPacket {
            target,
            unit: self.unit,
            header,
            head: Vec::new(),
            parts: Vec::new(),
        });
        (packet.target, packet.unit, packet.header) = (target, self.unit, header);
        self.fill(&mut packet, framing, len);
        self.sent += len as u64;
        self.progress.sent = self.sent;
        self.next_seqno += i64::from(!header.is_heartbeat());
        self.last_packet_at = Some(now);
        if self.packets_out == 0 {
            self.busy_since = now;
        }
        self.packets_out += 1;
        let deadline = now.saturating_add(framing.ack_timeout);
        self.unacked.push_back(Unacked { seqno: header.seqno, len, deadline });
        Ok(packet)
    }

    /// Bytes in the next packet: 0 for the last one; `None` while there is none to be sent.
    fn next_len(&self, framing: &Framing) -> Option<usize> {
        if !self.is_live() || self.last_is_sent {
            return None;
        }
        let queued: usize = self.queue.iter().map(|piece| piece.rest.len()).sum();
        let is_complete = self.rebuilt == self.len;
        // Of what does not fill a packet only the end of the last round waits for the next one:
        // so no target holds more than MAX_HELD buffers, however short rounds are.
        let spans_rounds = self.queue.len() > 1;
        if queued >= framing.max_data {
            Some(framing.max_data)
        } else if is_complete || spans_rounds {
            Some(queued)
        } else {
            None
        }
    }

    fn fill(&mut self, packet: &mut OutgoingPacket<B>, framing: &Framing, len: usize) {
        let division = framing.division;
        let sums_len = len.div_ceil(division.chunk) * division.sum_size;
        packet.head.clear();
        packet.head.extend_from_slice(packet.header.encode(sums_len as u32).as_ref());
        packet.parts.clear();
        let mut missing = len;
        while missing > 0 {
            let Some(piece) = self.queue.front_mut() else { break };
            let start = piece.rest.start;
            let end = piece.rest.end.min(start + missing);
            let sums = division.sums_of(start..end);
            packet.head.extend_from_slice(piece.buffer.bytes(sums));
            packet.parts.push(Piece { buffer: piece.buffer.share(), rest: start..end });
            missing -= end - start;
            piece.rest.start = end;
            if piece.rest.is_empty() {
                // The packet holds it now, and brings it back.
                self.queue.pop_front();
            }
        }
    }

    /// Takes note of a packet that came back: how long the target was busy, once none is out.
    pub(super) fn took_packet(&mut self, now: Duration) -> Duration {
        self.packets_out = self.packets_out.saturating_sub(1);
        if self.packets_out > 0 {
            return Duration::ZERO;
        }
        now.saturating_sub(self.busy_since)
    }

    /// Takes an acknowledgement; true when it was the last one.
    pub(super) fn acked(&mut self, seqno: i64) -> Result<bool, Reason> {
        let expected = self.unacked.front().map(|packet| packet.seqno);
        match self.unacked.pop_front() {
            Some(packet) if packet.seqno == seqno => {
                self.progress.acked += packet.len as u64;
                Ok(self.last_is_sent && self.unacked.is_empty())
            }
            _ => Err(Reason::Acknowledged { got: seqno, expected }),
        }
    }
}
