//! What the caller decides about one reconstruction.

use core::time::Duration;

use super::threshold::Threshold;
use crate::{Error, Result};

/// The choices of one reconstruction; [`new`](Self::new) has the usual ones.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Bytes of each source in one round, before they are rounded down to whole chunks (and up to
    /// one). May be smaller or larger than a cell. Of a code with sub-shards a round is one cell
    /// whatever this says. Default: 256 KiB.
    pub buffer_len: usize,
    /// Bytes that all buffers together may take; rounds become shorter than
    /// [`buffer_len`](Self::buffer_len) where they would take more, and where they cannot, it
    /// fails. Default: 256 MiB.
    pub max_memory: usize,
    /// How long a source may take to open. Default: 60 s.
    pub open_timeout: Duration,
    /// How long one read of a source may take. Default: 60 s.
    pub read_timeout: Duration,
    /// How long a target may take from the moment a packet is handed out to be sent until its
    /// acknowledgement is back. Default: 60 s.
    pub ack_timeout: Duration,
    /// How long a target that has begun and waits for more hears nothing before it is told, by a
    /// heartbeat, that more will come: a datanode gives a writer up after a minute of silence.
    /// Default: 30 s.
    pub heartbeat_after: Duration,
    /// When one more source is read beside slow ones. Default: learnt from this group's reads.
    pub hedging: Hedging,
    /// Hedges in one round at the most. Default: 2.
    pub max_hedges_per_round: usize,
    /// Hedges in the whole reconstruction at the most. Default: 256.
    pub max_hedges: u64,
    /// Bytes in a packet to a target, header and checksums included. Default: 64 KiB.
    pub packet_len: usize,
    /// Packets to one target that may be on the way without an acknowledgement. Default: 80.
    pub max_unacked_packets: usize,
    /// Whether what is read is held against its chunk sums. Default: yes.
    pub verify_sources: bool,
    /// Whether what is computed is checked by a second, different computation. Default: yes.
    pub check_computing: bool,
    /// What becomes of a source that is damaged or cannot be read in some places. Default: given
    /// up.
    pub on_damage: OnDamage,
    /// Whether all sources are read in every round, though fewer would do; where there are more
    /// than it takes to rebuild something, they are compared before that. For whoever looks for
    /// damage as well as making it good. Default: no.
    pub read_all: bool,
    /// Sources read beyond those required, 0 to 2, to notice (1) and to name (2) one that lies
    /// with right chunk sums. Default: 0.
    pub extra_sources: usize,
    /// Decides the combination that computing is checked by: a number that faults cannot know,
    /// such as a random one.
    pub seed: u64,
}

/// What becomes of a source whose chunks do not all have their checksums, or that cannot be read
/// everywhere, or ends early.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDamage {
    /// It is given up: where one chunk went bad others may follow, and other sources do as well.
    GiveUp,
    /// The chunks that do not have their checksums are left out, and so is a range that could not
    /// be read; whatever else the source has is used. So a group is rebuilt although each of its
    /// blocks is damaged somewhere: wherever the chunks that are good give back those that are not.
    /// For files of this machine, of which nobody has others.
    ///
    /// A round ends where what is damaged of a source begins or ends, unless it is a part of a cell
    /// for targets, which is left out whole. Opening and reading in time are demanded all the same.
    LeaveOut,
}

/// When one more source is read beside those that are slow.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hedging {
    /// Never: a slow source is waited for until its deadline.
    Never,
    /// When nothing has completed for this long.
    After(Duration),
    /// When nothing has completed for longer than this group's reads usually take.
    Learnt {
        /// Which of the last reads is the measure, in percent of them: 95 for the one that 95 in
        /// 100 do not exceed. 1 to 100.
        percent: u8,
        /// How many times as long as that one is waited for; 1 or more.
        times: u32,
        /// The least that is waited for.
        at_least: Duration,
        /// What is waited for while too few reads have completed to learn from.
        at_first: Duration,
    },
}

impl Config {
    /// The usual choices.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            buffer_len: 256 << 10,
            max_memory: 256 << 20,
            open_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(60),
            ack_timeout: Duration::from_secs(60),
            heartbeat_after: Duration::from_secs(30),
            hedging: Hedging::Learnt {
                percent: 95,
                times: 3,
                at_least: Duration::from_millis(10),
                at_first: Duration::from_secs(5),
            },
            max_hedges_per_round: 2,
            max_hedges: 256,
            packet_len: 64 << 10,
            max_unacked_packets: 80,
            verify_sources: true,
            check_computing: true,
            on_damage: OnDamage::GiveUp,
            read_all: false,
            extra_sources: 0,
            seed,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let refused = |what, got: usize, expected| {
            Err(Error::OutOfBounds { what, got: got as u64, expected })
        };
        if self.buffer_len == 0 {
            return refused("buffer length", 0, "1 byte or more");
        }
        if self.heartbeat_after.is_zero() {
            return refused("time after which a heartbeat is sent", 0, "more than nothing");
        }
        if self.max_unacked_packets == 0 {
            return refused("number of unacknowledged packets", 0, "1 or more");
        }
        if self.extra_sources > 2 {
            return refused("number of extra sources", self.extra_sources, "0 to 2");
        }
        Threshold::check(self.hedging)
    }
}
