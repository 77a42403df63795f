//! What an instruction set must offer to run the one algorithm of [`super::generic`].

/// A register full of field elements.
///
/// Implementations are a newtype over the register and mark every function `#[inline(always)]`;
/// none carries a target feature of its own. They are inlined into entry functions that
/// [`super::entry`] stamps out, and those alone have `#[target_feature]`.
///
/// # Safety
///
/// Every function may only run inside a function whose target features include those of the
/// instruction set. Pointers must be valid for as many bytes as the function says; no alignment
/// is asked for.
pub(super) trait Gf8Vector: Copy {
    /// Bytes of one register.
    const BYTES: usize;

    /// Whether [`load_first`](Self::load_first) and [`store_first`](Self::store_first) exist;
    /// otherwise the last partial vector goes through a buffer on the stack.
    const MASKED: bool;

    /// Whether products of two columns are better added together than one after the other, which
    /// takes more registers.
    const FOLDS: bool = true;

    /// Whether [`stream`](Self::stream) goes past the caches.
    const STREAMS: bool = false;

    /// 64-bit words that a coefficient takes in memory.
    const ENTRY_WORDS: usize;

    /// A coefficient as [`mul`](Self::mul) takes it.
    type Coefficient: Copy;

    /// A register of zeros.
    unsafe fn zero() -> Self;

    /// Reads `BYTES` bytes.
    unsafe fn load(source: *const u8) -> Self;

    /// Writes `BYTES` bytes.
    unsafe fn store(self, target: *mut u8);

    /// Writes `BYTES` bytes past the caches, if the instruction set can: `target` is then a multiple
    /// of `BYTES`, and who lets others see the bytes calls `finish_streaming` before.
    #[inline(always)]
    unsafe fn stream(self, target: *mut u8) {
        // SAFETY: the caller's own promise.
        unsafe { self.store(target) }
    }

    /// Asks for the cache line of an address, which need not be valid; nothing where there is no
    /// such instruction.
    #[inline(always)]
    unsafe fn prefetch(_source: *const u8) {}

    /// Reads the first `count` bytes (1 to `BYTES`) and touches no other; the rest is zero.
    unsafe fn load_first(_source: *const u8, _count: usize) -> Self {
        unreachable!("asked for only where MASKED")
    }

    /// Writes the first `count` bytes (1 to `BYTES`) and touches no other.
    unsafe fn store_first(self, _target: *mut u8, _count: usize) {
        unreachable!("asked for only where MASKED")
    }

    /// Makes the compiler have this register ready here, before what follows; without a cost to the
    /// CPU. Where there are registers enough nothing has to be kept in order.
    #[inline(always)]
    unsafe fn settle(&mut self) {}

    /// Reads a coefficient from its `ENTRY_WORDS` words.
    unsafe fn coefficient(entry: *const u64) -> Self::Coefficient;

    /// Every element times the coefficient.
    unsafe fn mul(self, coefficient: Self::Coefficient) -> Self;

    /// Sum of two.
    unsafe fn xor(self, other: Self) -> Self;

    /// Sum of three: one instruction where there is one.
    #[inline(always)]
    unsafe fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: the caller runs with the features of this instruction set.
        unsafe { self.xor(b.xor(c)) }
    }

    /// `self` + `x` times `c`.
    #[inline(always)]
    unsafe fn add_product(self, x: Self, c: Self::Coefficient) -> Self {
        // SAFETY: the caller runs with the features of this instruction set.
        unsafe { self.xor(x.mul(c)) }
    }

    /// `self` + `x` times `c` + `y` times `d`.
    #[inline(always)]
    unsafe fn add_products(
        self,
        x: Self,
        c: Self::Coefficient,
        y: Self,
        d: Self::Coefficient,
    ) -> Self {
        // SAFETY: the caller runs with the features of this instruction set.
        unsafe { self.xor3(x.mul(c), y.mul(d)) }
    }
}
