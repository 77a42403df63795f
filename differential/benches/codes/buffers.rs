//! Shards in one block of memory, by layout.

/// How shards lie in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// All at one distance, a power of two: where it misleads prefetchers and fills few sets of the
    /// caches.
    Constant,
    /// At distances that differ by cache lines and pages.
    Uneven,
    /// As `Uneven`, and every shard begins one byte past a cache line.
    Unaligned,
}

impl Layout {
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Uneven => "uneven",
            Self::Unaligned => "uneven+1",
        }
    }

    /// Bytes between the end of a shard and the beginning of the next.
    fn gap(self, unit: usize) -> usize {
        match self {
            Self::Constant => 0,
            Self::Uneven | Self::Unaligned => 64 * (unit * 37 % 61) + 4096 * (unit * 5 % 3),
        }
    }
}

const ALIGNMENT: usize = 4096;

pub struct Buffers {
    memory: Vec<u8>,
    starts: Vec<usize>,
    inputs: usize,
    len: usize,
}

impl Buffers {
    /// `inputs` shards of noise, and twice `outputs` of zeros.
    pub fn new(inputs: usize, outputs: usize, len: usize, layout: Layout) -> Self {
        let count = inputs + 2 * outputs;
        let room: usize = (0..count).map(|unit| len + layout.gap(unit)).sum();
        let mut memory = vec![0; room + 2 * ALIGNMENT];
        let mut start = memory.as_ptr().align_offset(ALIGNMENT);
        start += usize::from(layout == Layout::Unaligned);
        let mut starts = vec![];
        for unit in 0..count {
            starts.push(start);
            start += len + layout.gap(unit);
        }
        let mut random = fastrand::Rng::with_seed(5);
        for &start in &starts[..inputs] {
            random.fill(&mut memory[start..start + len]);
        }
        // Pages that were never written are all one page of zeros.
        for &start in &starts[inputs..] {
            memory[start..start + len].fill(1);
        }
        Self { memory, starts, inputs, len }
    }

    /// Inputs, outputs of one contestant, outputs of the other.
    #[allow(clippy::type_complexity)]
    pub fn split(&mut self) -> (Vec<&[u8]>, Vec<&mut [u8]>, Vec<&mut [u8]>) {
        let mut shards = vec![];
        let (mut rest, mut passed) = (&mut self.memory[..], 0);
        for &start in &self.starts {
            let (_, from) = rest.split_at_mut(start - passed);
            let (shard, after) = from.split_at_mut(self.len);
            shards.push(shard);
            (rest, passed) = (after, start + self.len);
        }
        let mut second = shards.split_off(self.inputs);
        let third = second.split_off(second.len() / 2);
        (shards.into_iter().map(|shard| &*shard).collect(), second, third)
    }
}
