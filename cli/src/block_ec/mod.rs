//! Parity files for files that stay as they are: the commands over the library
//! `restripe_block_ec`.

pub mod args;
pub mod location;
pub mod place;
pub mod rate;
pub mod report;
pub mod text;
pub mod watch;
