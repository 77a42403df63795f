//! When a call goes past the caches: by CPU, by the caches found, and by how many bytes it touches.
//!
//! A store through the caches first reads what it will overwrite, and drives out what others read
//! next. Where inputs and outputs are too many for the last-level cache anyway, a streaming store
//! saves both; where they fit, it costs up to five times as much as a plain one. Between the two
//! lies a threshold that differs by CPU.

use alloc::boxed::Box;

use once_cell::race::OnceBox;

#[cfg(feature = "std")]
use crate::Error;
use crate::Result;
use crate::cpu::{self, Maker};

/// What becomes of the outputs of a plan or code next: see [`Plan::with_next_use`].
///
/// [`Plan::with_next_use`]: crate::Plan::with_next_use
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NextUse {
    /// They are read at once by this core (checked, summed, copied): stores stay in the caches.
    Soon,
    /// They are left alone, or nobody knows: calls that touch more than the caches hold store past
    /// them.
    #[default]
    Later,
}

/// How kernels treat memory, on this CPU.
///
/// ```
/// let policy = restripe::kernel::MemoryPolicy::selected()?;
/// println!("past the caches from {:?} bytes on ({})", policy.stream_from, policy.reason);
/// # Ok::<(), restripe::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// Bytes of inputs and outputs together from which on a call stores its outputs past the
    /// caches; `None` for never.
    pub stream_from: Option<usize>,
    /// Inputs from which on such a call asks for them ahead, beyond what the hardware does.
    pub prefetch_inputs: usize,
    /// How many bytes ahead.
    pub prefetch_ahead: u16,
    /// Bytes of all buffers together that are gone through at a time by what reads them twice, as
    /// coding with checksums does: a tile that stays in the second-level cache. Measured for 6 + 3
    /// and 10 + 4 units on a Zen 4, where five eighths of that cache, half or a third more of it are
    /// about as good, and an eighth takes twice as long out of memory.
    pub tile: usize,
    /// What it rests on: a measurement, or how CPUs of that kind are built.
    pub reason: &'static str,
}

/// What the choice depends on.
#[derive(Clone, Copy)]
struct Machine {
    maker: Maker,
    family: u32,
    second_level: Option<usize>,
    last_level: Option<usize>,
}

impl MemoryPolicy {
    /// That of this CPU, with what `RESTRIPE_STREAM_FROM` in the environment says: a number of
    /// bytes, or `never`. Chosen at the first call and kept.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `RESTRIPE_STREAM_FROM` is neither.
    pub fn selected() -> Result<Self> {
        Self::kept().clone()
    }

    #[inline]
    fn kept() -> &'static Result<Self> {
        static SELECTED: OnceBox<Result<MemoryPolicy>> = OnceBox::new();
        SELECTED.get_or_init(|| Box::new(Self::select()))
    }

    /// [`stream_from`](Self::stream_from) of the selected policy, or more than any call has.
    #[inline]
    pub(super) fn selected_stream_from() -> usize {
        match Self::kept() {
            Ok(Self { stream_from: Some(bytes), .. }) => *bytes,
            _ => usize::MAX,
        }
    }

    fn select() -> Result<Self> {
        let policy = Self::of(Machine::this());
        #[cfg(feature = "std")]
        if let Some(text) = std::env::var_os("RESTRIPE_STREAM_FROM") {
            return policy.with_stream_from(&text.to_string_lossy());
        }
        Ok(policy)
    }

    #[cfg(feature = "std")]
    fn with_stream_from(self, text: &str) -> Result<Self> {
        let stream_from = match text {
            "never" => None,
            number => Some(number.parse().map_err(|_| Error::Invalid {
                what: "RESTRIPE_STREAM_FROM",
                got: number.into(),
                expected: "a number of bytes, or never",
            })?),
        };
        Ok(Self { stream_from, reason: "RESTRIPE_STREAM_FROM says so", ..self })
    }

    fn of(machine: Machine) -> Self {
        let second_level = machine.second_level.unwrap_or(512 << 10);
        let last_level = machine.last_level.unwrap_or(16 << 20);
        let tile = (second_level / 8 * 5).clamp(160 << 10, 1280 << 10);
        let policy = |stream_from, prefetch_inputs, prefetch_ahead, reason| Self {
            stream_from: Some(stream_from),
            prefetch_inputs,
            prefetch_ahead,
            tile,
            reason,
        };
        match (machine.maker, machine.family) {
            (Maker::Amd, 25) => {
                policy(last_level / 2, 13, 1024, "measured on Zen 4: benches/records")
            }
            (Maker::Amd, family) if family > 25 => {
                policy(last_level, 17, 1024, "measured on Zen 5 with another kernel")
            }
            (Maker::Intel, _) => {
                // The last level is a victim cache that many cores share, far away.
                policy(4 * second_level, 8, 512, "measured on Sapphire Rapids with another kernel")
            }
            _ => policy(last_level, usize::MAX, 0, "by the size of the last-level cache"),
        }
    }
}

impl Machine {
    fn this() -> Self {
        let (maker, family) = cpu::maker_and_family();
        let caches = cpu::caches();
        let size = |level| {
            let cache = caches.iter().find(|cache| cache.level == level && cache.holds_data)?;
            usize::try_from(cache.bytes).ok()
        };
        let second_level = size(2);
        Self { maker, family, second_level, last_level: size(3).or(second_level) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_a_policy_of_use() {
        for maker in [Maker::Amd, Maker::Intel, Maker::Other] {
            for family in [0, 6, 23, 25, 26] {
                for (second_level, last_level) in
                    [(None, None), (Some(1 << 20), Some(32 << 20)), (Some(0), Some(0))]
                {
                    let machine = Machine { maker, family, second_level, last_level };
                    let policy = MemoryPolicy::of(machine);
                    assert!((160 << 10..=1280 << 10).contains(&policy.tile));
                    assert!(!policy.reason.is_empty());
                }
            }
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn the_environment_gives_a_number_or_never() {
        let policy = MemoryPolicy::of(Machine {
            maker: Maker::Other,
            family: 0,
            second_level: None,
            last_level: None,
        });
        assert_eq!(policy.with_stream_from("4096").unwrap().stream_from, Some(4096));
        assert_eq!(policy.with_stream_from("never").unwrap().stream_from, None);
        for text in ["", "4k", "-1"] {
            assert!(matches!(policy.with_stream_from(text), Err(Error::Invalid { .. })));
        }
    }
}
