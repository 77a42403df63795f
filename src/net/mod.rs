//! Blocks over TCP: a sender and a receiver of blocks.
//!
//! | | |
//! |---|---|
//! | [`BlockStore`], [`Replica`] | a folder with the files of blocks, one block in it |
//! | [`BlockSender`] | packets out of a replica, by way of the kernel or of memory |
//! | [`BlockReceiver`] | packets into a replica that gets its name last |
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
//! | [`BlockReceiver`] | such a chunk, on disk or on the way; packets that are missing, repeated or out of order; a block that ends too early | a sender that has another block's bytes with their checksums |
//!
//! Programs that do not start in Rust should ignore `SIGPIPE`, as Rust's do: `sendfile` to a
//! socket that the peer closed raises it.

mod error;
mod file;
mod output;
mod receiver;
mod replica;
mod sender;
mod store;
mod throttle;

pub use error::{Error, Result};
pub use output::{PacketOutput, Plain};
pub use receiver::BlockReceiver;
pub use replica::Replica;
pub use sender::{BlockSender, Corrupt, SendOptions, Sent, Way};
pub use store::BlockStore;
pub use throttle::Throttler;
