//! The C interface: functions that `include/restripe.h` declares, and nothing that computes.
//!
//! Every function turns what C gives into what the engine takes (`arguments.rs`), calls the
//! engine, and turns what comes back into a status (`status.rs`). The documentation of the items
//! is that of the header, which is made of it: it is written for callers in C. The rules that hold
//! for all of them are in `header.h`, the header's beginning.

mod arguments;
mod checksum;
mod codec;
mod consistency;
mod packets;
mod plan;
mod reconstruction;
mod round_events;
#[cfg(unix)]
mod sending;
mod status;
mod striping;
mod system;
mod threads;
