//! Status codes, and the way that every function of the C interface ends.

use alloc::ffi::CString;
use alloc::string::{String, ToString};
use core::cell::RefCell;
use core::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Error;

/// Success.
pub const RESTRIPE_OK: c_int = 0;
/// A pointer is NULL where there must be one.
pub const RESTRIPE_ERROR_NULL: c_int = 1;
/// A handle is none of this kind, or was freed. (That a handle was freed is found as long as its
/// memory does not hold another one: it is a help in finding mistakes, not a promise.)
pub const RESTRIPE_ERROR_HANDLE: c_int = 2;
/// A number or a name is not among those that the function takes.
pub const RESTRIPE_ERROR_VALUE: c_int = 3;
/// Numbers of data and parity units that the code cannot have.
pub const RESTRIPE_ERROR_UNIT_COUNTS: c_int = 4;
/// The matrix cannot repair every loss of as many units as there are parity units.
/// RESTRIPE_ACCEPT_UNCHECKED takes it all the same.
pub const RESTRIPE_ERROR_NOT_MDS: c_int = 5;
/// Whether the matrix repairs every such loss is not known. RESTRIPE_ACCEPT_UNCHECKED takes it all
/// the same.
pub const RESTRIPE_ERROR_MDS_UNKNOWN: c_int = 6;
/// A list has another number of entries than the function needs.
pub const RESTRIPE_ERROR_COUNT: c_int = 7;
/// A buffer has another length than the function needs, or one that no buffer can have.
pub const RESTRIPE_ERROR_LENGTH: c_int = 8;
/// A unit that the code does not have, or that is not of the sort asked for.
pub const RESTRIPE_ERROR_UNIT: c_int = 9;
/// A unit is named twice, or as available and as wanted.
pub const RESTRIPE_ERROR_DUPLICATE_UNIT: c_int = 10;
/// The plan does not read the unit.
pub const RESTRIPE_ERROR_NOT_READ: c_int = 11;
/// Fewer units are available than are required.
pub const RESTRIPE_ERROR_TOO_FEW_UNITS: c_int = 12;
/// The available units do not determine one that is wanted.
pub const RESTRIPE_ERROR_NOT_RECOVERABLE: c_int = 13;
/// A byte range does not lie within what it is a range of.
pub const RESTRIPE_ERROR_RANGE: c_int = 14;
/// A length computed from the arguments has more than 64 bits.
pub const RESTRIPE_ERROR_OVERFLOW: c_int = 15;
/// Bytes are not those that their checksum was computed of.
pub const RESTRIPE_ERROR_CHECKSUM: c_int = 16;
/// The kernel named by RESTRIPE_KERNEL or by the caller is unknown, or this CPU lacks it.
pub const RESTRIPE_ERROR_KERNEL: c_int = 17;
/// A result failed its own check: a fault of the machine or of a kernel.
pub const RESTRIPE_ERROR_COMPUTE_CHECK: c_int = 18;
/// Bytes that should hold something serialised do not.
pub const RESTRIPE_ERROR_BYTES: c_int = 19;
/// An output overlaps an input or another output.
pub const RESTRIPE_ERROR_OVERLAP: c_int = 20;
/// The caller's buffer is too small; how many bytes it takes is given.
pub const RESTRIPE_ERROR_BUFFER_TOO_SMALL: c_int = 21;
/// The threads asked for could not be started.
pub const RESTRIPE_ERROR_THREADS: c_int = 22;
/// A defect of restripe itself, which ended in the function called and went no further. Outputs
/// of that call are of no use.
pub const RESTRIPE_ERROR_INTERNAL: c_int = 23;
/// A file or a connection failed.
pub const RESTRIPE_ERROR_IO: c_int = 24;
/// A reconstruction failed; the message says why, and what failed with which source and target.
pub const RESTRIPE_ERROR_RECONSTRUCTION: c_int = 25;

/// What a status says, by number; the number is the index.
const TEXTS: [&CStr; 26] = [
    c"success",
    c"null pointer",
    c"not a handle of this kind, or freed",
    c"value not taken",
    c"unit counts that the code cannot have",
    c"the matrix cannot repair every loss",
    c"whether the matrix repairs every loss is not known",
    c"wrong number of entries",
    c"wrong length",
    c"no such unit",
    c"unit named twice",
    c"unit not read by the plan",
    c"too few units",
    c"not recoverable from the available units",
    c"range out of bounds",
    c"length of more than 64 bits",
    c"checksum mismatch",
    c"kernel unavailable",
    c"computed result fails its check",
    c"malformed bytes",
    c"buffers overlap",
    c"buffer too small",
    c"threads could not be started",
    c"defect of restripe",
    c"input or output failed",
    c"reconstruction failed",
];

/// What ends a call other than success.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Engine(#[from] Error),
    #[error("{0} is NULL")]
    Null(&'static str),
    #[error("{what} {index} is NULL")]
    NullEntry { what: &'static str, index: usize },
    #[error("this is no {0}, or it was freed")]
    Handle(&'static str),
    #[error("{what} is {got}, expected {expected}")]
    Value { what: &'static str, got: u64, expected: &'static str },
    #[error("{what} has {got} bytes, more than a buffer can have")]
    Length { what: &'static str, got: usize },
    #[error("{what} {index} overlaps {other_what} {other}")]
    Overlap { what: &'static str, index: usize, other_what: &'static str, other: usize },
    #[error("{what} takes {needed} bytes, the buffer has {got}")]
    TooSmall { what: &'static str, needed: usize, got: usize },
    #[error(transparent)]
    Io(#[from] crate::net::Error),
    #[error("{what} {descriptor}: {source}")]
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has descriptors"))]
    Descriptor { what: &'static str, descriptor: c_int, source: std::io::Error },
    #[error("{what} has {got} bytes, at least {needed} are needed")]
    TooShort { what: &'static str, needed: usize, got: usize },
    #[error("{0} belongs to another reconstruction")]
    Stranger(&'static str),
    #[error("a pool of {threads} threads: {reason}")]
    Threads { threads: usize, reason: String },
    #[error("a defect of restripe: {0}")]
    Panic(String),
}

impl Failure {
    fn status(&self) -> c_int {
        match self {
            Self::Engine(error) => status_of(error),
            Self::Null(_) | Self::NullEntry { .. } => RESTRIPE_ERROR_NULL,
            Self::Io(error) => status_of_io(error),
            Self::Descriptor { .. } => RESTRIPE_ERROR_IO,
            Self::TooShort { .. } => RESTRIPE_ERROR_LENGTH,
            Self::Handle(_) | Self::Stranger(_) => RESTRIPE_ERROR_HANDLE,
            Self::Value { .. } => RESTRIPE_ERROR_VALUE,
            Self::Length { .. } => RESTRIPE_ERROR_LENGTH,
            Self::Overlap { .. } => RESTRIPE_ERROR_OVERLAP,
            Self::TooSmall { .. } => RESTRIPE_ERROR_BUFFER_TOO_SMALL,
            Self::Threads { .. } => RESTRIPE_ERROR_THREADS,
            Self::Panic(_) => RESTRIPE_ERROR_INTERNAL,
        }
    }
}

fn status_of(error: &Error) -> c_int {
    match error {
        Error::UnitCounts { .. } | Error::ParityUnits { .. } => RESTRIPE_ERROR_UNIT_COUNTS,
        Error::NotMds { .. } => RESTRIPE_ERROR_NOT_MDS,
        Error::MdsUnknown { .. } => RESTRIPE_ERROR_MDS_UNKNOWN,
        Error::Count { .. } | Error::NotAdded { .. } => RESTRIPE_ERROR_COUNT,
        Error::Length { .. } | Error::TooLong { .. } => RESTRIPE_ERROR_LENGTH,
        Error::NotADataUnit { .. } | Error::UnitOutOfRange { .. } => RESTRIPE_ERROR_UNIT,
        Error::DuplicateUnit { .. } | Error::AvailableAndWanted { .. } => {
            RESTRIPE_ERROR_DUPLICATE_UNIT
        }
        Error::NotRead { .. } => RESTRIPE_ERROR_NOT_READ,
        Error::TooFewUnits { .. } => RESTRIPE_ERROR_TOO_FEW_UNITS,
        Error::NotRecoverable { .. } => RESTRIPE_ERROR_NOT_RECOVERABLE,
        Error::Range { .. } => RESTRIPE_ERROR_RANGE,
        Error::OutOfBounds { .. } | Error::Invalid { .. } => RESTRIPE_ERROR_VALUE,
        Error::Overflow { .. } => RESTRIPE_ERROR_OVERFLOW,
        Error::ChecksumMismatch { .. } | Error::UnitChecksumMismatch { .. } => {
            RESTRIPE_ERROR_CHECKSUM
        }
        Error::KernelUnavailable { .. } => RESTRIPE_ERROR_KERNEL,
        Error::ComputeCheck { .. } => RESTRIPE_ERROR_COMPUTE_CHECK,
        Error::PlanBytes { .. }
        | Error::MetaHeader { .. }
        | Error::Message { .. }
        | Error::Packet { .. }
        | Error::PacketNumber { .. }
        | Error::PacketOrder { .. } => RESTRIPE_ERROR_BYTES,
    }
}

fn status_of_io(error: &crate::net::Error) -> c_int {
    use crate::net::Error;
    match error {
        Error::Invalid(source) => status_of(source),
        Error::Range { .. } => RESTRIPE_ERROR_RANGE,
        Error::Corrupt { .. } => RESTRIPE_ERROR_CHECKSUM,
        Error::Replica { .. } => RESTRIPE_ERROR_BYTES,
        _ => RESTRIPE_ERROR_IO,
    }
}

std::thread_local! {
    static DETAIL: RefCell<CString> = RefCell::default();
}

/// Runs the body of a function. What goes wrong in it becomes a status, a panic too, and the
/// thread's detail message.
pub(super) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> c_int {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return RESTRIPE_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::Panic(
            panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
                .unwrap_or_default(),
        ),
    };
    let message = CString::new(failure.to_string().replace('\0', "\\0")).unwrap_or_default();
    // A thread that is ending has no detail any more.
    let _ = DETAIL.try_with(|detail| *detail.borrow_mut() = message);
    failure.status()
}

/// What a status means, in a few words; never NULL. The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn restripe_strerror(status: c_int) -> *const c_char {
    let text = usize::try_from(status).ok().and_then(|status| TEXTS.get(status));
    text.map_or(c"unknown status".as_ptr(), |text| text.as_ptr())
}

/// What was wrong in the last call of this thread that did not return RESTRIPE_OK, with the
/// numbers: "parity shard 1 has 511 bytes, expected 512". Empty before the first such call; never
/// NULL.
///
/// The text is the thread's own and stands until its next call that fails; copy it to keep it.
#[unsafe(no_mangle)]
pub extern "C" fn restripe_error_detail() -> *const c_char {
    DETAIL.try_with(|detail| detail.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status_and_its_message_the_detail() {
        assert_eq!(guard(|| panic!("shard {} is odd", 7)), RESTRIPE_ERROR_INTERNAL);
        // SAFETY: a C string of this thread, which no call has replaced.
        let detail = unsafe { CStr::from_ptr(restripe_error_detail()) };
        assert_eq!(detail.to_str(), Ok("a defect of restripe: shard 7 is odd"));
        assert_eq!(guard(|| Ok(())), RESTRIPE_OK);
    }

    #[test]
    fn a_name_with_a_zero_byte_in_it_is_reported() {
        let status = guard(|| {
            Err(Error::Invalid { what: "name", got: "a\0b".into(), expected: "none" }.into())
        });
        assert_eq!(status, RESTRIPE_ERROR_VALUE);
    }
}
