//! As much of protobuf as HDFS's transfer protocol takes: fields of a message, read and written.
//!
//! Written by hand because a generated decoder takes a required field that is missing for zero,
//! and the zero of `Status` is SUCCESS: half a message would be good news.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{Error, Result};

/// Longest varint: ten groups of seven bits hold 64.
const MAX_VARINT_LEN: usize = 10;

/// The fields of a message in the order in which they stand.
pub(super) struct Fields<'a> {
    /// What the message is called in errors.
    message: &'static str,
    bytes: &'a [u8],
    offset: usize,
}

/// One field: its number and what stands there.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    message: &'static str,
    offset: usize,
    value: Value<'a>,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'static str, bytes: &'a [u8]) -> Self {
        Self { message, bytes, offset: 0 }
    }

    /// The next field; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>> {
        if self.offset == self.bytes.len() {
            return Ok(None);
        }
        let offset = self.offset;
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > MAX_FIELD_NUMBER {
            return Err(self.error(offset, "no field has that number"));
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.array()?),
            2 => {
                let len = self.varint()?;
                // A length beyond the address space is beyond the message too.
                Value::Bytes(self.take(usize::try_from(len).unwrap_or(usize::MAX))?)
            }
            5 => Value::Fixed32(self.array()?),
            _ => return Err(self.error(offset, "its type on the wire is not known")),
        };
        Ok(Some(Field { number, message: self.message, offset, value }))
    }

    fn error(&self, offset: usize, reason: &'static str) -> Error {
        Error::Message { message: self.message, offset, reason }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let taken = self.bytes[self.offset..].get(..len);
        let taken = taken.ok_or(self.error(self.offset, "it ends too early"))?;
        self.offset += len;
        Ok(taken)
    }

    fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN]> {
        let mut array = [0; LEN];
        array.copy_from_slice(self.take(LEN)?);
        Ok(array)
    }

    fn varint(&mut self) -> Result<u64> {
        match varint(&self.bytes[self.offset..]) {
            Ok(Some((value, len))) => {
                self.offset += len;
                Ok(value)
            }
            Ok(None) => Err(self.error(self.offset, "it ends too early")),
            Err(TooLong) => Err(self.error(self.offset, "a number has more than 64 bits")),
        }
    }
}

const MAX_FIELD_NUMBER: u64 = (1 << 29) - 1;

/// A varint that does not end within ten bytes, or has more than 64 bits.
pub(super) struct TooLong;

/// The varint that `bytes` begin with, and its length; `None` where more bytes are needed.
pub(super) fn varint(bytes: &[u8]) -> core::result::Result<Option<(u64, usize)>, TooLong> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        // The tenth byte has room for the 64th bit only.
        if index == MAX_VARINT_LEN - 1 && byte > 1 {
            return Err(TooLong);
        }
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1)));
        }
    }
    Ok(None)
}

impl<'a> Field<'a> {
    fn error(&self, reason: &'static str) -> Error {
        Error::Message { message: self.message, offset: self.offset, reason }
    }

    pub(super) fn uint64(&self) -> Result<u64> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(self.error("it should be a varint")),
        }
    }

    /// An `enum` or a `uint32`: parsers cut them to 32 bits.
    pub(super) fn uint32(&self) -> Result<u32> {
        self.uint64().map(|value| value as u32)
    }

    pub(super) fn sint64(&self) -> Result<i64> {
        self.uint64().map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn boolean(&self) -> Result<bool> {
        self.uint64().map(|value| value != 0)
    }

    pub(super) fn sfixed64(&self) -> Result<i64> {
        match self.value {
            Value::Fixed64(bytes) => Ok(i64::from_le_bytes(bytes)),
            _ => Err(self.error("it should have 64 fixed bits")),
        }
    }

    pub(super) fn sfixed32(&self) -> Result<i32> {
        match self.value {
            Value::Fixed32(bytes) => Ok(i32::from_le_bytes(bytes)),
            _ => Err(self.error("it should have 32 fixed bits")),
        }
    }

    pub(super) fn bytes(&self) -> Result<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.error("it should have a length")),
        }
    }

    pub(super) fn string(&self) -> Result<String> {
        let text = core::str::from_utf8(self.bytes()?);
        text.map(ToOwned::to_owned).map_err(|_| self.error("it is not UTF-8"))
    }

    /// A value of this field that the message type does not know.
    pub(super) fn refused(&self, reason: &'static str) -> Error {
        self.error(reason)
    }

    /// Appends repeated numbers, which may come packed or one field each.
    pub(super) fn extend(&self, numbers: &mut Vec<u32>) -> Result<()> {
        if let Value::Varint(value) = self.value {
            numbers.push(value as u32);
            return Ok(());
        }
        let mut packed = Fields::new(self.message, self.bytes()?);
        while packed.offset < packed.bytes.len() {
            numbers.push(packed.varint()? as u32);
        }
        Ok(())
    }
}

/// The error for a field that the message must have and has not.
pub(super) fn missing(message: &'static str, bytes: &[u8], reason: &'static str) -> Error {
    Error::Message { message, offset: bytes.len(), reason }
}

/// A message being written.
#[derive(Default)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(super) fn uint64(&mut self, number: u32, value: u64) {
        self.raw_varint(u64::from(number) << 3);
        self.raw_varint(value);
    }

    pub(super) fn sint64(&mut self, number: u32, value: i64) {
        self.uint64(number, (value << 1) as u64 ^ (value >> 63) as u64);
    }

    pub(super) fn boolean(&mut self, number: u32, value: bool) {
        self.uint64(number, value.into());
    }

    pub(super) fn bytes(&mut self, number: u32, value: &[u8]) {
        self.raw_varint(u64::from(number) << 3 | 2);
        self.raw_varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn packed(&mut self, number: u32, values: &[u32]) {
        if !values.is_empty() {
            let mut packed = Self::default();
            values.iter().for_each(|&value| packed.raw_varint(value.into()));
            self.bytes(number, &packed.bytes);
        }
    }

    /// `message` with its length before it.
    pub(super) fn delimited(message: &[u8]) -> Vec<u8> {
        let mut encoder = Self { bytes: Vec::with_capacity(message.len() + 3) };
        encoder.raw_varint(message.len() as u64);
        encoder.bytes.extend_from_slice(message);
        encoder.bytes
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn only(bytes: &[u8]) -> Result<Field<'_>> {
        Fields::new("test", bytes).next().map(|field| field.expect("a field"))
    }

    #[test]
    fn numbers_survive_encoding() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
            let mut encoder = Encoder::default();
            encoder.uint64(15, value);
            assert_eq!(only(&encoder.into_bytes()).and_then(|field| field.uint64()), Ok(value));
        }
        for value in [0, -1, 1, -2, i64::MAX, i64::MIN] {
            let mut encoder = Encoder::default();
            encoder.sint64(16, value);
            let bytes = encoder.into_bytes();
            let field = only(&bytes).unwrap();
            assert_eq!((field.number, field.sint64()), (16, Ok(value)));
        }
    }

    #[test]
    fn numbers_have_the_bytes_of_the_protobuf_documentation() {
        let mut encoder = Encoder::default();
        encoder.uint64(1, 150);
        encoder.bytes(2, b"testing");
        encoder.packed(6, &[3, 270, 86_942]);
        encoder.packed(7, &[]);
        let expected = b"\x08\x96\x01\x12\x07testing\x32\x06\x03\x8e\x02\x9e\xa7\x05";
        assert_eq!(encoder.into_bytes(), expected);
    }

    #[test]
    fn repeated_numbers_are_read_packed_and_unpacked() {
        let mut numbers = vec![];
        let mut fields = Fields::new("test", b"\x32\x06\x03\x8e\x02\x9e\xa7\x05\x30\x04");
        while let Some(field) = fields.next().unwrap() {
            assert_eq!(field.number, 6);
            field.extend(&mut numbers).unwrap();
        }
        assert_eq!(numbers, [3, 270, 86_942, 4]);
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_refused() {
        let longest = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(only(longest).and_then(|field| field.uint64()), Ok(u64::MAX));
        let refused = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
        let reason = "a number has more than 64 bits";
        assert_eq!(
            only(refused).map(|_| ()),
            Err(Error::Message { message: "test", offset: 1, reason })
        );
    }

    #[test]
    fn what_no_message_holds_is_refused_where_it_stands() {
        for (bytes, offset, reason) in [
            (&b"\x00\x01"[..], 0, "no field has that number"),
            (b"\x0b", 0, "its type on the wire is not known"),
            (b"\x0e", 0, "its type on the wire is not known"),
            (b"\x80", 0, "it ends too early"),
            (b"\x08", 1, "it ends too early"),
            (b"\x09\x01\x02", 1, "it ends too early"),
            (b"\x0d\x01\x02\x03", 1, "it ends too early"),
            (b"\x0a\x03ab", 2, "it ends too early"),
            (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "it ends too early"),
        ] {
            let refused = Error::Message { message: "test", offset, reason };
            assert_eq!(only(bytes).map(|_| ()), Err(refused), "{bytes:02x?}");
        }
    }
}
