//! Plain arguments: lists of numbers, units, kinds of checksums.

use std::ops::Range;

use jni::Env;
use jni::objects::JIntArray;
use jni::sys::jint;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};

use super::failure::{Failure, Outcome};
use super::memory::List;
use super::raw::RawEnv;

/// Four lists that stand one behind the other: the range of each, from their lengths.
pub(crate) fn counts(env: RawEnv, lens: &JIntArray<'_>) -> Outcome<[Range<usize>; 4]> {
    let mut ranges = [const { 0..0 }; 4];
    let mut numbers = List::new();
    env.ints(lens, Some(ranges.len()), &mut numbers)?;
    let mut end = 0;
    for (range, &len) in ranges.iter_mut().zip(&numbers) {
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
    let mut units = List::new();
    units_into(env.into(), array, &mut units)?;
    Ok(units)
}

/// A list of units, where it stays: moving it costs more than reading it.
pub(crate) fn units_into(env: RawEnv, array: &JIntArray<'_>, units: &mut List<usize>) -> Outcome {
    let mut numbers = List::new();
    env.ints(array, None, &mut numbers)?;
    for &number in &numbers {
        units.push(usize::try_from(number).map_err(|_| Failure::Value {
            what: "unit",
            got: number.into(),
            expected: "0 or more",
        })?);
    }
    Ok(())
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
