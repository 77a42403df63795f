//! Any sequence of calls of the C interface, with whatever arguments the bytes make: see
//! tests/capi/calls.c.

#![no_main]

use libfuzzer_sys::fuzz_target;
// Brings the calls, and the functions that they are linked with.
use {restripe as _, restripe_fuzz as _};

unsafe extern "C" {
    fn restripe_test_calls(bytes: *const u8, len: usize);
}

fuzz_target!(|bytes: &[u8]| {
    // SAFETY: it reads `len` bytes, and ends the process where a call does what it must not.
    unsafe { restripe_test_calls(bytes.as_ptr(), bytes.len()) };
});
