//! Acknowledgements of the packets of a write.

use alloc::vec;
use alloc::vec::Vec;

use super::answer::decode_status;
use super::{Message, Status};
use crate::Result;
use crate::hdfs::protobuf::{Encoder, Fields, missing};

/// How a packet went at each datanode of a pipeline, the nearest first.
///
/// ```
/// use restripe::hdfs::{Message, PipelineAck, Status};
///
/// let ack = PipelineAck::of_packet(7, Status::Success);
/// assert_eq!(PipelineAck::decode(&ack.encode())?, ack);
/// assert_eq!(ack.failure(), None);
/// # Ok::<(), restripe::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PipelineAck {
    /// The packet's number; -2 for a message that is of no packet.
    pub seqno: i64,
    /// How it went at each datanode.
    pub replies: Vec<Status>,
    /// How long the datanodes behind the first took, in nanoseconds.
    pub downstream_nanoseconds: u64,
    /// For each datanode: the status in the lowest 4 bits, above them what it says about
    /// congestion.
    pub flags: Vec<u32>,
}

/// The bits of a flag that are a status.
const STATUS_BITS: u32 = 0xF;

impl PipelineAck {
    /// The acknowledgement of a datanode with none behind it.
    #[must_use]
    pub fn of_packet(seqno: i64, status: Status) -> Self {
        Self { seqno, replies: vec![status], downstream_nanoseconds: 0, flags: vec![status.id()] }
    }

    /// The first datanode at which it did not go well, and how it went there; `None` where it
    /// went well at all of them.
    ///
    /// Both replies and flags are looked at: old datanodes send the former only.
    #[must_use]
    pub fn failure(&self) -> Option<(usize, Status)> {
        let flagged = self.flags.iter().map(|flag| {
            // Four bits have two values that are no status.
            Status::from_id(flag & STATUS_BITS).unwrap_or(Status::Error)
        });
        let bad = |statuses: &mut dyn Iterator<Item = Status>| {
            statuses.enumerate().find(|&(_, status)| status != Status::Success)
        };
        let failures = [bad(&mut self.replies.iter().copied()), bad(&mut { flagged })];
        failures.into_iter().flatten().min_by_key(|&(datanode, _)| datanode)
    }
}

impl Message for PipelineAck {
    const NAME: &'static str = "PipelineAckProto";

    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.sint64(1, self.seqno);
        self.replies.iter().for_each(|status| encoder.uint64(2, status.id().into()));
        encoder.uint64(3, self.downstream_nanoseconds);
        encoder.packed(4, &self.flags);
        encoder.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let (mut seqno, mut downstream_nanoseconds) = (None, 0);
        let (mut replies, mut flags) = (Vec::new(), Vec::new());
        let mut fields = Fields::new(Self::NAME, bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => seqno = Some(field.sint64()?),
                2 => replies.push(decode_status(&field)?),
                3 => downstream_nanoseconds = field.uint64()?,
                4 => field.extend(&mut flags)?,
                _ => {}
            }
        }
        let seqno = seqno.ok_or(missing(Self::NAME, bytes, "it has no sequence number"))?;
        Ok(Self { seqno, replies, downstream_nanoseconds, flags })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_named_wherever_it_is_told() {
        let ack = |replies: &[Status], flags: &[u32]| PipelineAck {
            seqno: 1,
            replies: replies.to_vec(),
            downstream_nanoseconds: 5,
            flags: flags.to_vec(),
        };
        let (good, bad) = (Status::Success, Status::ErrorChecksum);
        // 0x10 and above tell of congestion.
        assert_eq!(ack(&[good, good], &[0x10, 0x30]).failure(), None);
        assert_eq!(ack(&[good, bad], &[]).failure(), Some((1, bad)));
        assert_eq!(ack(&[good, good], &[0x10, 0x12]).failure(), Some((1, bad)));
        assert_eq!(ack(&[good, bad], &[1, 2]).failure(), Some((0, Status::Error)));
        assert_eq!(ack(&[good], &[0xF]).failure(), Some((0, Status::Error)));
        for ack in [ack(&[good, bad], &[0x10, 2]), ack(&[], &[])] {
            assert_eq!(PipelineAck::decode(&ack.encode()), Ok(ack));
        }
    }

    #[test]
    fn numbers_of_heartbeats_and_of_messages_out_of_turn_survive() {
        for seqno in [-2, -1, 0, i64::MAX, i64::MIN] {
            let ack = PipelineAck::of_packet(seqno, Status::Success);
            assert_eq!(PipelineAck::decode(&ack.encode()).map(|ack| ack.seqno), Ok(seqno));
        }
    }
}
