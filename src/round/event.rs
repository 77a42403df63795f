//! What the machine asks of its driver, and what the driver tells it.

use alloc::boxed::Box;

use super::{Delivery, Failure, Job, OutgoingPacket, Progress, SourceRead};
use crate::checksum::ChunkedChecksum;

/// Names one open or one read of a reconstruction; never used twice in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub(super) u64);

impl Token {
    /// The token as a number, for drivers that keep numbers.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The token that a number stands for; one that was never given out names nothing.
    #[must_use]
    pub const fn of_number(number: u64) -> Self {
        Self(number)
    }
}

/// What the driver is to do. Sources and targets are named by their places in the lists that
/// [`Reconstruction::new`](super::Reconstruction::new) was given.
#[non_exhaustive]
#[derive(Debug)]
pub enum Action<B> {
    /// Open a source; answer with [`Event::Opened`] or [`Event::OpenFailed`].
    Open {
        /// What the answer names.
        token: Token,
        /// Which source.
        source: usize,
    },
    /// Lend buffers: answer with as many [`Event::Lent`]. Asked once, when the sources have said
    /// how long a chunk is.
    Lend {
        /// How many.
        buffers: usize,
        /// How many bytes each has to have.
        len: usize,
    },
    /// Read from an open source; answer with [`Event::Read`].
    Read(SourceRead<B>),
    /// The answer to this open or read is no longer needed: end it soon. It still has to be
    /// answered, with whatever came of it.
    Cancel {
        /// Which one.
        token: Token,
    },
    /// Close a source, which also ends what is being read of it; it is not asked for anything
    /// any more.
    Close {
        /// Which source.
        source: usize,
    },
    /// Run the job, on any thread, and bring it back with [`Event::Computed`].
    Compute(Job<B>),
    /// Send a packet to its target, in the order of these actions; bring it back with
    /// [`Event::Sent`] when its bytes are no longer needed, and report its acknowledgement with
    /// [`Event::Acked`].
    Send(OutgoingPacket<B>),
    /// Bytes of the ranges that are read, in order within each unit unless the code has sub-shards;
    /// bring them back with
    /// [`Event::Delivered`] when they are no longer needed.
    Deliver(Delivery<B>),
    /// A target has acknowledged everything: it is rebuilt. Close the connection.
    FinishTarget {
        /// Which target.
        target: usize,
    },
    /// A target has failed, or is no longer wanted: break the connection off.
    DropTarget {
        /// Which target.
        target: usize,
    },
    /// How it ended; the last action. Events are still taken after it, to bring buffers home.
    Done(Result<Progress, Failure>),
}

/// What came of actions, or happened by itself. Those about actions that have ended already do
/// nothing but bring buffers home.
#[non_exhaustive]
#[derive(Debug)]
pub enum Event<B> {
    /// A source is open.
    Opened {
        /// That of [`Action::Open`].
        token: Token,
        /// The checksums it has.
        checksum: ChunkedChecksum,
        /// Its length in bytes, if that is known without reading.
        len: Option<u64>,
    },
    /// A source cannot be opened.
    OpenFailed {
        /// That of [`Action::Open`].
        token: Token,
        /// Why.
        message: Box<str>,
    },
    /// A buffer, as [`Action::Lend`] asked for.
    Lent(B),
    /// A read has ended.
    Read {
        /// As it was given out.
        read: SourceRead<B>,
        /// What came of it.
        outcome: ReadOutcome,
    },
    /// A job was run.
    Computed(Job<B>),
    /// A moment that [`poll_timeout`](super::Reconstruction::poll_timeout) named has come.
    Timer,
    /// The bytes of a packet are no longer needed: they were sent, or never will be.
    Sent(OutgoingPacket<B>),
    /// Delivered bytes are no longer needed.
    Delivered(Delivery<B>),
    /// A target has acknowledged a packet.
    Acked {
        /// Which target.
        target: usize,
        /// The packet's number.
        seqno: i64,
    },
    /// A target cannot be reached, refuses, or reports a failure.
    TargetFailed {
        /// Which target.
        target: usize,
        /// Why.
        message: Box<str>,
    },
    /// The caller wants no more of it.
    Cancel,
}

/// What came of a read.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// So many bytes of data came, and their checksums. Fewer than were asked for mean that the
    /// source ended there.
    Read(usize),
    /// The source failed, and is not to be used again.
    Failed(Box<str>),
    /// It was cancelled and has ended; the source is as good as before.
    Cancelled,
}
