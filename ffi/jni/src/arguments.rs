//! Plain arguments: lists of numbers, units, kinds of checksums.

use std::ops::Range;

use jni::Env;
use jni::objects::JIntArray;
use jni::sys::jint;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};

use super::failure::{Failure, Outcome};
use super::memory::{List, MAX_BUFFERS};

/// The first `count` numbers of an array.
pub(crate) fn numbers(env: &Env<'_>, array: &JIntArray<'_>, count: usize) -> Outcome<List<jint>> {
    let refused = |got: usize| Failure::Value {
        what: "length of a list",
        got: i64::try_from(got).unwrap_or(i64::MAX),
        expected: "as many numbers as are needed, at most 512",
    };
    if count > MAX_BUFFERS {
        return Err(refused(count));
    }
    if array.len(env)? < count {
        return Err(refused(array.len(env)?));
    }
    let mut numbers = List::from_elem(0, count);
    array.get_region(env, 0, &mut numbers)?;
    Ok(numbers)
}

/// Four lists that stand one behind the other: the range of each, from their lengths.
pub(crate) fn counts(env: &Env<'_>, lens: &JIntArray<'_>) -> Outcome<[Range<usize>; 4]> {
    let mut ranges = [const { 0..0 }; 4];
    let mut end = 0;
    for (range, &len) in ranges.iter_mut().zip(&numbers(env, lens, 4)?) {
        let start = end;
        end += count("number of buffers", len)?;
        *range = start..end;
    }
    Ok(ranges)
}

/// A number of bytes.
pub(crate) fn length(number: jint) -> Outcome<usize> {
    usize::try_from(number).map_err(|_| Failure::Value {
        what: "number of bytes",
        got: number.into(),
        expected: "0 or more",
    })
}

/// A list of units: as many as the array has.
pub(crate) fn units(env: &Env<'_>, array: &JIntArray<'_>) -> Outcome<List<usize>> {
    let numbers = numbers(env, array, array.len(env)?)?;
    let unit = |&number: &jint| {
        usize::try_from(number).map_err(|_| Failure::Value {
            what: "unit",
            got: number.into(),
            expected: "0 or more",
        })
    };
    numbers.iter().map(unit).collect()
}

/// A positive number of units.
pub(crate) fn count(what: &'static str, number: jint) -> Outcome<usize> {
    usize::try_from(number).map_err(|_| Failure::Value {
        what,
        got: number.into(),
        expected: "1 or more",
    })
}

/// The checksum of HDFS's type number `kind`.
pub(crate) fn checksum(kind: jint, bytes_per_checksum: jint) -> Outcome<ChunkedChecksum> {
    let bytes_per_checksum = count("bytes per checksum", bytes_per_checksum)?;
    Ok(ChunkedChecksum::new(checksum_kind(kind)?, bytes_per_checksum)?)
}

/// The kind of HDFS's type number `kind`.
pub(crate) fn checksum_kind(kind: jint) -> Outcome<ChecksumKind> {
    u8::try_from(kind).ok().and_then(ChecksumKind::from_id).ok_or(Failure::Value {
        what: "kind of checksum",
        got: kind.into(),
        expected: "0 to 2",
    })
}
