//! SIMD erasure-codec engine.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod error;
pub mod gf8;
pub mod kernel;

pub use error::{Error, Result};
pub use kernel::KernelId;
