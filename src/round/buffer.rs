//! Lent buffers: whose they are at each moment.

use alloc::sync::Arc;
use core::ops::Range;

use super::Token;

/// A buffer of the caller's that a [`Reconstruction`](super::Reconstruction) can work with.
///
/// It gives the same bytes, as many of them, whenever it is asked.
pub trait Buffer: AsRef<[u8]> + AsMut<[u8]> + Send + Sync {}

impl<B: AsRef<[u8]> + AsMut<[u8]> + Send + Sync> Buffer for B {}

/// A lent buffer. It has one owner while it is read into and computed into; several hold it,
/// none of which changes it, while packets of it are on their way.
#[derive(Debug)]
pub(super) struct Lent<B>(Arc<B>);

impl<B: Buffer> Lent<B> {
    pub(super) fn new(buffer: B) -> Self {
        Self(Arc::new(buffer))
    }

    pub(super) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    pub(super) fn len(&self) -> usize {
        (*self.0).as_ref().len()
    }

    /// Whether nobody else holds it.
    pub(super) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        (*self.0).as_ref().get(range).unwrap_or_default()
    }

    /// No bytes where somebody else holds it.
    pub(super) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        let whole = Arc::get_mut(&mut self.0).map(AsMut::as_mut);
        whole.and_then(|bytes| bytes.get_mut(range)).unwrap_or_default()
    }

    pub(super) fn buffer_mut(&mut self) -> Option<&mut B> {
        Arc::get_mut(&mut self.0)
    }

    pub(super) fn into_buffer(self) -> Option<B> {
        Arc::into_inner(self.0)
    }
}

/// How a buffer is divided: data from its beginning, checksums behind the room for data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Division {
    pub(super) sums_at: usize,
    pub(super) sum_size: usize,
    pub(super) chunk: usize,
}

impl Division {
    /// Where the checksums of a range of the data lie; it starts at a chunk, or at the data's end.
    pub(super) fn sums_of(&self, data: Range<usize>) -> Range<usize> {
        let (first, end) = (self.sums_len(data.start), self.sums_len(data.end));
        self.sums_at + first..self.sums_at + end.max(first)
    }

    /// Bytes of the checksums of so many bytes of data.
    pub(super) fn sums_len(&self, len: usize) -> usize {
        len.div_ceil(self.chunk) * self.sum_size
    }
}

/// A range of a source to be read, and the buffer that it is to be read into: the driver takes
/// it out of [`Action::Read`](super::Action::Read), fills it, and brings it back with
/// [`Event::Read`](super::Event::Read), whatever came of it.
#[derive(Debug)]
#[must_use = "it comes back with Event::Read"]
pub struct SourceRead<B> {
    pub(super) token: Token,
    pub(super) source: usize,
    pub(super) unit: usize,
    pub(super) row: usize,
    pub(super) offset: u64,
    pub(super) len: usize,
    /// Where the checksums go, relative to the buffer; empty where none are wanted.
    pub(super) sums: Range<usize>,
    pub(super) buffer: Lent<B>,
}

impl<B: Buffer> SourceRead<B> {
    /// What it is cancelled by.
    #[must_use]
    pub fn token(&self) -> Token {
        self.token
    }

    /// Which of the sources is read, as [`Reconstruction::new`](super::Reconstruction::new) was
    /// given them.
    #[must_use]
    pub fn source(&self) -> usize {
        self.source
    }

    /// The unit of the code that the source holds.
    #[must_use]
    pub fn unit(&self) -> usize {
        self.unit
    }

    /// First byte in the internal block: the start of a chunk.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of data to be read: whole chunks, but at the internal block's end.
    #[must_use]
    pub fn data_len(&self) -> usize {
        self.len
    }

    /// Room for the data, and for the checksums of its chunks, big-endian: to be filled both.
    /// The second is empty where no checksums are wanted.
    #[must_use]
    pub fn parts_mut(&mut self) -> (&mut [u8], &mut [u8]) {
        let (len, sums) = (self.len, self.sums.clone());
        let whole = self.buffer.bytes_mut(0..sums.end.max(len));
        let Some((data, behind)) = whole.split_at_mut_checked(len) else {
            return (&mut [], &mut []);
        };
        let sums = behind.get_mut(sums.start.saturating_sub(len)..sums.end.saturating_sub(len));
        (data, sums.unwrap_or_default())
    }

    /// The lent buffer itself; the data goes to its beginning, the checksums to
    /// [`sums_range`](Self::sums_range).
    #[must_use]
    pub fn buffer_mut(&mut self) -> Option<&mut B> {
        self.buffer.buffer_mut()
    }

    /// Where in the buffer the checksums go.
    #[must_use]
    pub fn sums_range(&self) -> Range<usize> {
        self.sums.clone()
    }

    /// Keeps what belongs to a round of `len` bytes.
    pub(super) fn cut(&mut self, len: usize, division: Division) {
        let whole = len.next_multiple_of(division.chunk);
        if self.len > whole {
            self.len = whole;
            let sums = if self.sums.is_empty() { 0..0 } else { division.sums_of(0..whole) };
            self.sums = sums;
        }
    }

    pub(super) fn data(&self) -> &[u8] {
        self.buffer.bytes(0..self.len)
    }

    pub(super) fn sums(&self) -> &[u8] {
        self.buffer.bytes(self.sums.clone())
    }
}
