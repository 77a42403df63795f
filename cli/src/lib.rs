//! The library half of the `restripe` command: folders of erasure-coded blocks, healing by the
//! chunk, and the commands themselves. The arithmetic and the formats of blocks are the engine's,
//! the crate `restripe`; what is here moves bytes between files and the engine.
//!
//! | you want | look at |
//! |---|---|
//! | the command line | [`args`], [`exit`], [`failure`] |
//! | what is in a folder | [`folder`], [`geometry`], [`sums`] |
//! | what can be had back from it | [`heal`] |
//! | bytes moved on all cores | [`pipeline`] |
//! | files that are never half-written | [`unfinished`], [`io`] |
//! | parity files for files that stay as they are | [`block_ec`] |
//! | how fast this machine is | [`bench`], [`chart`] |
//! | what is said at the end | [`report`] |

pub mod args;
pub mod bench;
pub mod block_ec;
pub mod block_place;
pub mod block_version;
pub mod chart;
pub mod commands;
pub mod exit;
pub mod failure;
pub mod folder;
pub mod geometry;
pub mod heal;
pub mod io;
pub mod mend;
pub mod parallel;
pub mod pipeline;
pub mod progress;
pub mod range;
pub mod ranges;
pub mod report;
pub mod set;
pub mod size;
pub mod sums;
pub mod unfinished;

pub use commands::run;
