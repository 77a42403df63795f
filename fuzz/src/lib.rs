//! What the targets share: choices by the fuzzer's bytes, and the oracle of the tests.

#[path = "../../tests/oracle/mod.rs"]
pub mod oracle;

/// Makes choices of the bytes, one behind the other. Where they are used up all is 0.
#[derive(Clone, Debug)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all bytes are used up.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    /// Two bytes, the most significant one first.
    pub fn number(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    /// Eight bytes, the most significant one first.
    pub fn long_number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// A number below `count`, which is 65,536 at most.
    pub fn below(&mut self, count: usize) -> usize {
        let number = if count <= 256 { usize::from(self.byte()) } else { self.number() };
        number % count.max(1)
    }

    /// A bool that is seldom true.
    pub fn seldom(&mut self) -> bool {
        self.byte() >= 240
    }

    pub fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Takes `count` of the items out of the list, or as many as there are.
    pub fn take<T>(&mut self, items: &mut Vec<T>, count: usize) -> Vec<T> {
        (0..count.min(items.len())).map(|_| items.swap_remove(self.below(items.len()))).collect()
    }

    /// A length of shards: mostly short, often where vectors and tiles of kernels end.
    pub fn shard_len(&mut self) -> usize {
        match self.byte() {
            0..128 => self.below(256),
            128..224 => (64 * self.below(32) + self.below(5)).saturating_sub(2),
            224..252 => self.below(8192),
            _ => self.number(),
        }
    }

    /// What is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Has kernels store past the caches in all calls on 4 KiB and more, instead of on many MiB: the
/// stores are then tried as well. To be called before anything is computed.
pub fn stream_from_a_page() {
    // SAFETY: the fuzzer has begun no thread that could look at the environment.
    unsafe { std::env::set_var("RESTRIPE_STREAM_FROM", "4096") };
}
