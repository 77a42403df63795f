//! Chunks that come in pieces: how far one stream of bytes is, and its checksums from there on.

use super::kernel::{Crc, INITIAL};

/// Where a stream stands: the chunk that has begun.
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    state: u32,
    /// Bytes of that chunk so far: fewer than a whole one's.
    filled: usize,
}

/// Sums that are computed before they are compared: on the stack.
const MAX_SUMS: usize = 128;

impl Progress {
    /// The beginning of a chunk.
    pub(crate) const START: Self = Self { state: INITIAL, filled: 0 };

    /// How many chunks come to an end within the next `len` bytes.
    pub(super) fn ends_within(self, chunk_len: usize, len: usize) -> usize {
        (self.filled + len) / chunk_len
    }

    /// Whether a chunk has begun.
    pub(super) fn is_within_chunk(self) -> bool {
        self.filled > 0
    }

    /// Goes on by `data` and writes the checksums of the chunks that come to an end within it.
    /// Panics unless there is room for exactly those. `behind`: as for [`Crc::sums`].
    pub(super) fn sums(
        &mut self,
        crc: Crc,
        chunk_len: usize,
        data: &[u8],
        behind: usize,
        sums: &mut [[u8; 4]],
    ) {
        assert_eq!(sums.len(), self.ends_within(chunk_len, data.len()));
        let missing = if self.filled == 0 { 0 } else { chunk_len - self.filled };
        let (head, rest) = data.split_at(missing.min(data.len()));
        self.state = crc.extend(self.state, head);
        self.filled += head.len();
        let mut sums = sums;
        if self.filled == chunk_len
            && let Some(first) = sums.split_off_first_mut()
        {
            *first = self.end();
        }
        let (chunks, tail) = rest.split_at(sums.len() * chunk_len);
        crc.sums(chunks, behind + tail.len(), chunk_len, sums);
        if !tail.is_empty() {
            *self = Self { state: crc.extend(INITIAL, tail), filled: tail.len() };
        }
    }

    /// Ends the chunk that has begun, and gives its checksum.
    pub(super) fn end(&mut self) -> [u8; 4] {
        let sum = (!self.state).to_be_bytes();
        *self = Self::START;
        sum
    }

    /// Goes on by `data`, as long as the chunks that come to an end within it have the checksums
    /// expected: else says which of those has not, and its checksum. Panics unless as many are
    /// expected as come to an end.
    pub(super) fn first_mismatch(
        &mut self,
        crc: Crc,
        chunk_len: usize,
        data: &[u8],
        behind: usize,
        expected: &[[u8; 4]],
    ) -> Option<(usize, u32)> {
        assert_eq!(expected.len(), self.ends_within(chunk_len, data.len()));
        let mut found = [[0; 4]; MAX_SUMS];
        let mut compared = 0;
        let mut rest = data;
        while !rest.is_empty() {
            let batch_len = chunk_len.saturating_mul(MAX_SUMS) - self.filled;
            let (batch, behind_batch) = rest.split_at(batch_len.min(rest.len()));
            rest = behind_batch;
            let count = self.ends_within(chunk_len, batch.len());
            let found = &mut found[..count];
            self.sums(crc, chunk_len, batch, behind + rest.len(), found);
            let expected = &expected[compared..compared + count];
            if found != expected {
                let index = found.iter().zip(expected).position(|(found, sum)| found != sum)?;
                return Some((compared + index, u32::from_be_bytes(found[index])));
            }
            compared += count;
        }
        None
    }
}
