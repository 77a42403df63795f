//! Other implementations of what restripe computes, to be called beside it in one process.
//!
//! Vectors in files show that restripe agrees with a system on some inputs; with the system at
//! hand, any input can be tried. What is called here is foreign code that has to be built, so
//! each implementation is a feature and none is on by default.

#[cfg(feature = "isal")]
pub mod isal;
