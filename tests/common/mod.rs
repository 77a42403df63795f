//! What several suites need: where the vectors are, and the bytes that they were made from.
//!
//! `tests/data/**/README.md` says what made the vectors and defines both generators.

// Each suite is a crate of its own and uses its own part of this module.
#![allow(dead_code)]

use std::env;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// The folder with the vectors: `RESTRIPE_VECTORS`, or else `tests/data` of this repository.
pub(crate) fn vectors_dir() -> PathBuf {
    env::var_os("RESTRIPE_VECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data"), PathBuf::from)
}

/// The objects of a `.jsonl` file, named by its path inside [`vectors_dir`].
pub(crate) fn json_lines(path: &str) -> Vec<Value> {
    let path = vectors_dir().join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let objects: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{path:?}: {error}")))
        .collect();
    assert!(!objects.is_empty(), "{path:?} is empty");
    objects
}

/// A whole number in an object.
pub(crate) fn number(object: &Value, key: &str) -> u64 {
    object[key].as_u64().unwrap_or_else(|| panic!("no number {key:?} in {object}"))
}

/// A whole number in an object that counts or indexes something.
pub(crate) fn count(object: &Value, key: &str) -> usize {
    number(object, key).try_into().expect("a count fits in usize")
}

/// A string in an object.
pub(crate) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_else(|| panic!("no string {key:?} in {object}"))
}

/// An array in an object.
pub(crate) fn array<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    object[key].as_array().unwrap_or_else(|| panic!("no array {key:?} in {object}"))
}

/// The bytes that a string of hexadecimal digits stands for.
pub(crate) fn from_hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "an odd number of digits");
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

/// An array of strings of hexadecimal digits in an object.
pub(crate) fn hex_array(object: &Value, key: &str) -> Vec<Vec<u8>> {
    array(object, key)
        .iter()
        .map(|digits| from_hex(digits.as_str().expect("an array of strings")))
        .collect()
}

/// One shard of the Hadoop vectors' input: 32-bit xorshift.
pub(crate) fn hadoop_bytes(seed: u32, shard: u32, len: usize) -> Vec<u8> {
    let mut state = seed
        .wrapping_mul(0x9E37_79B9)
        .wrapping_add(shard.wrapping_mul(0x85EB_CA6B))
        .wrapping_add(0x0123_4567)
        .max(1);
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .collect()
}

/// The input stream of the matrix vectors, and random bytes for any test: 64-bit xorshift*.
pub(crate) fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    (0..len)
        .map(|_| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
        })
        .collect()
}
