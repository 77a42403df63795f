//! Healing: from whatever chunks are good, wherever they lie, back to all of them.
//!
//! The unit of healing is the *column*: the chunks (bytes under one checksum) at the same offset
//! of all internal blocks of a group. Good chunks of a column give the others (any k of them, in
//! Reed-Solomon), so a group can be whole again although every one of its blocks is damaged
//! somewhere. Where a code divides cells into parts, the chunks at the same offset of each part
//! are one column: see [`rows`].
//!
//! Whatever is good by sums that nothing speaks against gives back the rest in the engine's
//! [`rounds`]. What they stop at is taken to a step of its own, which knows how to doubt: a
//! [`Group`](group::Group) reads chunks and says what it [found](marks::Found); the
//! [`Healer`](healer::Healer) decides per run of alike columns what to compute from what, lets
//! the engine compute it and says what [became](marks::Fate) of each chunk. Nothing here writes
//! a file.

pub mod finding;
pub mod group;
pub mod healer;
pub mod marks;
pub mod pass;
pub mod reach;
pub mod rounds;
pub mod rows;
pub mod tally;
pub mod tile;
