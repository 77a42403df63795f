//! Any sequence of operations on a reconstruction: no panic, and once it is over everything that
//! was lent is home.

#![no_main]

// The same as in the simulation, where the sequences are random.
#[path = "../../tests/simulator/operations.rs"]
mod operations;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|operations: &[u8]| operations::run(operations));
