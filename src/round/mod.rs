//! The buffer-round decoder: lost units of a block group rebuilt from live ones, in rounds of one
//! buffer each, without input and output of its own.
//!
//! A *round* is one buffer's worth of every chosen *source* (a live internal block), at the same
//! offset in each. Its bytes are read, then verified and decoded, then sent to the *targets*
//! (where the lost blocks are to be) in packets; round n + 1 is read while round n is computed
//! and round n - 1 is sent. [`Reconstruction`] is the state machine of that. It has no clock, no
//! thread, no socket and no random number: a driver carries out its [`Action`]s and tells it
//! [`Event`]s, and the same events give the same actions.
//!
//! # The driver's part
//!
//! After [`Reconstruction::new`] and after each [`handle`](Reconstruction::handle): call
//! [`poll`](Reconstruction::poll) until it gives `None`, then ask
//! [`poll_timeout`](Reconstruction::poll_timeout), and wait for something to happen or for that
//! moment, which is then told by [`Event::Timer`].
//!
//! ```text
//!   Open ------> Opened | OpenFailed          Lend ----> Lent, as often as asked
//!   Read ------> Read                         Compute -> Computed
//!   Send ------> Sent, and Acked              Deliver -> Delivered
//!   FinishTarget, DropTarget, Close, Done: no answer
//!   Cancel ----> nothing of its own: the open or read that it names is answered soon
//! ```
//!
//! Every open, read, job and packet is answered once, whatever comes of it, also after it was
//! cancelled and after [`Action::Done`]. Buffers travel inside the actions: each belongs to
//! whoever holds it, a read that was cancelled keeps its buffer until the read is known to have
//! ended, and nothing that comes late can write into another round. When
//! [`is_idle`](Reconstruction::is_idle) says so, all of them have come home.
//!
//! Sources are opened and read several at a time: of an MDS code as many as are required, of any
//! other those that its cheapest plan reads, given what the round has. The first to complete that
//! determine what is wanted win; the rest are cancelled. A source that fails, ends early, has other
//! checksums than most or passes its deadline is closed and never used again; others take its
//! place. Where [`OnDamage::LeaveOut`] says so, only what is damaged of it is not used. When nothing completes for some time, more is asked for beside the slow ones: see
//! [`Hedging`].
//!
//! # Codes with sub-shards
//!
//! Of a [`Hitchhiker`](crate::Hitchhiker) code a round is one cell of every unit, since the halves
//! of a cell depend on each other. The halves are read each by itself, and only those that the
//! cheapest plan needs: repairing one data unit reads about a third less than Reed-Solomon does.
//! The chunks under checksums must divide half a cell; buffers are half a cell long, so large cells
//! take much memory. Of a range that is read, what is wanted of the same place of both halves comes
//! in one round, and so the bytes of a unit need not come in order. With extra sources both halves of
//! as many sources are read as any other code would take.
//!
//! # Checks
//!
//! | check | catches | does not catch | default |
//! |---|---|---|---|
//! | [`verify_sources`](Config::verify_sources) | damage on a disk or on the way; the source is named, and given up | wrong data with right checksums | on |
//! | [`check_computing`](Config::check_computing) | a core or a kernel that miscalculates | wrong data: inputs and what was computed of them agree | on |
//! | [`extra_sources`](Config::extra_sources) 1 or 2 | up to 1 or 2 sources with wrong data and right checksums; where sources beyond the extra ones are live, they are read to find out which lie | more of them than that | 0 |
//! | acknowledgements | a target that did not store what it was sent: it does not count as rebuilt | | always |
//!
//! Nothing of a round is sent before its checks have passed. Every block that counts as rebuilt
//! equals the lost one as long as no more sources lie with right checksums than there are extra
//! ones.
//!
//! # It always ends
//!
//! Opens, reads and acknowledgements have deadlines; hedges, packets on the way and memory have
//! bounds. A target that stalls holds the others up until its deadline at the most. One that waits
//! for slow sources is told from time to time that more will come.
//!
//! # Example
//!
//! A driver that does everything at once, over blocks in memory:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use restripe::checksum::{ChecksumKind, ChunkedChecksum};
//! use restripe::layout::Policy;
//! use restripe::round::{Action, Config, Event, ReadOutcome, Reconstruction};
//! use restripe::ErasureCode;
//!
//! let policy: Policy = "RS-3-2-1k".parse()?;
//! let code = policy.code()?;
//! let mut blocks = vec![vec![1; 1024], vec![2; 1024], vec![3; 1000], vec![0; 1024], vec![0; 1024]];
//! let (data, parity) = blocks.split_at_mut(3);
//! code.encode(data, parity)?;
//!
//! // Unit 1 is lost; the others are live.
//! let live = [0, 2, 3, 4];
//! let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)?;
//! let now = Duration::ZERO; // nothing takes any time here
//! let group = policy.group(3048);
//! let mut machine =
//!     Reconstruction::new(Config::new(0x5EED), Arc::new(code), group, &live, &[1], now)?;
//! let mut rebuilt = Vec::new();
//! let summary = loop {
//!     let event = match machine.poll().expect("nothing to wait for") {
//!         Action::Open { token, .. } => Event::Opened { token, checksum, len: None },
//!         Action::Lend { buffers, len } => {
//!             (1..buffers).for_each(|_| machine.handle(Event::Lent(vec![0; len]), now));
//!             Event::Lent(vec![0; len])
//!         }
//!         Action::Read(mut read) => {
//!             let start = read.offset() as usize;
//!             let block = &blocks[live[read.source()]][start..][..read.data_len()];
//!             let (data, sums) = read.parts_mut();
//!             data.copy_from_slice(block);
//!             checksum.compute(block, sums)?;
//!             let outcome = ReadOutcome::Read(block.len());
//!             Event::Read { read, outcome }
//!         }
//!         Action::Compute(mut job) => {
//!             job.run();
//!             Event::Computed(job)
//!         }
//!         Action::Send(packet) => {
//!             packet.data().for_each(|part| rebuilt.extend_from_slice(part));
//!             let (target, seqno) = (packet.target(), packet.header().seqno);
//!             machine.handle(Event::Sent(packet), now);
//!             Event::Acked { target, seqno }
//!         }
//!         Action::Done(result) => break result?,
//!         _ => continue,
//!     };
//!     machine.handle(event, now);
//! };
//! assert_eq!(rebuilt, blocks[1]);
//! assert!(summary.targets[0].is_rebuilt);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agreeing;
mod buffer;
mod choosing;
mod computing;
mod config;
mod damage;
mod ending;
mod event;
mod failure;
mod goal;
mod job;
mod machine;
mod progress;
mod reading;
mod request;
mod rows;
mod sending;
mod source;
mod stage;
mod target;
mod threshold;

pub use buffer::{Buffer, SourceRead};
pub use config::{Config, Hedging, OnDamage};
pub use event::{Action, Event, ReadOutcome, Token};
pub use failure::{Cause, Failure, Reason};
pub use goal::Delivery;
pub use job::Job;
pub use machine::Reconstruction;
pub use progress::Progress;
pub use source::SourceProgress;
pub use target::{OutgoingPacket, TargetProgress};
