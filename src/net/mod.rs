//! Blocks over TCP: a sender and a receiver of blocks, a small block server and its client.
//!
//! | | |
//! |---|---|
//! | [`BlockStore`], [`Replica`] | a folder with the files of blocks, one block in it |
//! | [`BlockSender`] | packets out of a replica, by way of the kernel or of memory |
//! | [`BlockReceiver`] | packets into a replica that gets its name last |
//! | [`BlockServer`] | a store behind READ_BLOCK and WRITE_BLOCK |
//! | [`BlockReader`], [`BlockWriter`] | a block read from or written to a datanode |
//! | [`Rebuilder`] | lost blocks of striped groups rebuilt from files and datanodes, to files and datanodes |
//! | [`Throttler`] | a limit on bytes per second |
//!
//! All of it blocks the thread that calls it, and all of it in bounded time: a peer that stalls,
//! resets or sends a byte at a time ends in [`Error::PeerSlow`] or [`Error::PeerGone`]. There
//! are no layers of security yet: no SASL, no encryption, no check of tokens.
//!
//! | check | catches | does not catch |
//! |---|---|---|
//! | the sender's, on [`Way::Normal`] | a chunk that does not have its checksum, before it is sent | a chunk that was replaced together with its checksum |
//! | the sender's, on [`Way::ZeroCopy`] | nothing: the receiver verifies | |
//! | [`BlockReader`], [`BlockReceiver`] | such a chunk, on disk or on the way; packets that are missing, repeated or out of order; a block that ends too early | a sender that has another block's bytes with their checksums |
//!
//! Programs that do not start in Rust should ignore `SIGPIPE`, as Rust's do: `sendfile` to a
//! socket that the peer closed raises it.

mod client;
mod connection;
mod error;
mod file;
mod output;
mod rebuild;
mod receiver;
mod replica;
mod sender;
mod server;
mod session;
mod store;
mod throttle;

pub use client::{BlockReader, BlockWriter};
pub use error::{Error, Result};
pub use output::{PacketOutput, Plain};
pub use rebuild::{BlockSource, BlockTarget, Limits, RangeRead, Rebuild, RebuildError, Rebuilder};
pub use receiver::BlockReceiver;
pub use replica::Replica;
pub use sender::{BlockSender, Corrupt, SendOptions, Sent, Way};
pub use server::{BlockServer, Event, Report, RunningServer, ServerOptions};
pub use store::BlockStore;
pub use throttle::Throttler;
