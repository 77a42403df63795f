#![doc = include_str!("lib.md")]
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "capi")]
mod capi;
pub mod checksum;
mod codec;
pub mod cpu;
mod error;
pub mod gf8;
#[cfg(feature = "hdfs")]
pub mod hdfs;
pub mod kernel;
pub mod layout;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "hdfs")]
pub mod round;

#[cfg(feature = "wide")]
pub use codec::WideReedSolomon;
pub use codec::{
    Consistency, ErasureCode, Hitchhiker, LocallyRepairable, Location, MAX_UNITS, MatrixKind, Mds,
    Plan, Progressive, Read, ReadCost, ReedSolomon, ReedSolomonBuilder, RepairCost, SingleRepairs,
    Verdict, present,
};
pub use error::{Error, Result};
pub use kernel::KernelId;

/// The examples of the README, run with those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
