//! Byte ranges on the command line: `1000..2000`, `1000..`, `..2000`.

use std::ops::Range;
use std::str::FromStr;

use crate::failure::{Failure, Result};
use crate::size::Size;

/// A byte range of a file whose length is not known yet; the end is not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    start: u64,
    end: Option<u64>,
}

impl FromStr for ByteRange {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let expected = || format!("{text:?} is not a range: START..END, START.. or ..END in bytes");
        let (start, end) = text.split_once("..").ok_or_else(expected)?;
        let number = |text: &str| text.parse::<Size>().map(|size| size.0).map_err(|_| expected());
        let start = if start.is_empty() { 0 } else { number(start)? };
        let end = if end.is_empty() { None } else { Some(number(end)?) };
        if end.is_some_and(|end| end < start) {
            return Err(format!("{text:?} ends before it begins"));
        }
        Ok(Self { start, end })
    }
}

impl ByteRange {
    /// The first byte.
    #[must_use]
    pub fn start(self) -> u64 {
        self.start
    }

    /// One past the last byte, where the range has an end.
    #[must_use]
    pub fn end(self) -> Option<u64> {
        self.end
    }

    /// The range within a file of `size` bytes.
    ///
    /// # Errors
    ///
    /// [`Failure::Asked`] when it does not lie within the file.
    pub fn within(self, size: u64) -> Result<Range<u64>> {
        let end = self.end.unwrap_or(size.max(self.start));
        if end > size {
            return Err(Failure::asked(
                format!(
                    "the range {}..{end} does not lie within the file's {size} bytes",
                    self.start
                ),
                format!("the largest range is 0..{size}"),
            ));
        }
        Ok(self.start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_may_be_left_out() {
        let within = |text: &str, size| text.parse::<ByteRange>().unwrap().within(size).ok();
        assert_eq!(within("2..5", 10), Some(2..5));
        assert_eq!(within("2..", 10), Some(2..10));
        assert_eq!(within("..5", 10), Some(0..5));
        assert_eq!(within("..", 10), Some(0..10));
        assert_eq!(within("1k..2k", 4096), Some(1024..2048));
        assert_eq!(within("10..", 10), Some(10..10));
        assert_eq!(within("11..", 10), None);
        assert_eq!(within("2..11", 10), None);
    }

    #[test]
    fn what_is_not_a_range_is_refused() {
        for text in ["", "5", "5-6", "a..b", "6..5", "1...2"] {
            assert!(text.parse::<ByteRange>().is_err(), "{text}");
        }
    }
}
