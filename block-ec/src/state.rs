//! The states of a file, and which may follow which.

use std::fmt;

/// How a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It has no parity of its present content: it is new, or has changed.
    DataUnderConstruction,
    /// Its parity is being computed.
    ParityUnderConstruction,
    /// It has parity, and nothing wrong is known of it.
    Healthy,
    /// Something of it is damaged; its group can give that back.
    Corrupted,
    /// It is being healed.
    UnderRecovery,
    /// Something of it is damaged beyond what its group can give back.
    Damaged,
}

use State::{
    Corrupted, Damaged, DataUnderConstruction, Healthy, ParityUnderConstruction, UnderRecovery,
};

/// Every legal change of state, and what it means. Nothing else changes a state: the metastore
/// refuses what is not here.
pub const LEGAL: &[(State, State, &str)] = &[
    (DataUnderConstruction, ParityUnderConstruction, "its parity is begun"),
    (ParityUnderConstruction, Healthy, "its parity is on the disk, read back and recorded"),
    (ParityUnderConstruction, DataUnderConstruction, "its parity was given up"),
    (Healthy, Corrupted, "damage was found, or its parity is incomplete"),
    (Healthy, Damaged, "damage was found that cannot be given back"),
    (Healthy, DataUnderConstruction, "its owner changed it"),
    (Corrupted, Healthy, "it reads as it should: a fault that went away, or its owner's repair"),
    (Corrupted, UnderRecovery, "healing was begun"),
    (Corrupted, Damaged, "more is damaged than can be given back"),
    (Corrupted, DataUnderConstruction, "its owner changed it"),
    (UnderRecovery, Healthy, "it was healed"),
    (UnderRecovery, Corrupted, "healing was given up"),
    (UnderRecovery, Damaged, "healing found more damage than can be given back"),
    (UnderRecovery, DataUnderConstruction, "its owner changed it while it was being healed"),
    (Damaged, Healthy, "it reads as it should again"),
    (Damaged, Corrupted, "what was missing of its group is back"),
    (Damaged, DataUnderConstruction, "its owner changed it"),
];

impl State {
    /// All states.
    pub const ALL: [Self; 6] = [
        DataUnderConstruction,
        ParityUnderConstruction,
        Healthy,
        Corrupted,
        UnderRecovery,
        Damaged,
    ];

    /// Whether `next` may follow: it is the same, or the change is in [`LEGAL`].
    ///
    /// ```
    /// use restripe_block_ec::State;
    /// assert!(State::Corrupted.may_become(State::UnderRecovery));
    /// assert!(!State::Damaged.may_become(State::UnderRecovery));
    /// ```
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self == next || LEGAL.iter().any(|&(from, to, _)| (from, to) == (self, next))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DataUnderConstruction => "data-under-construction",
            ParityUnderConstruction => "parity-under-construction",
            Healthy => "healthy",
            Corrupted => "corrupted",
            UnderRecovery => "under-recovery",
            Damaged => "damaged",
        }
    }

    /// Its number in the metastore; never given another meaning.
    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|number| Self::ALL.get(number).copied())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_tell_states_apart() {
        for (number, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(state.number(), number as i64);
            assert_eq!(State::from_number(number as i64), Some(state));
            assert_eq!(State::ALL.iter().filter(|other| other.name() == state.name()).count(), 1);
        }
        assert_eq!((State::from_number(6), State::from_number(-1)), (None, None));
    }

    #[test]
    fn every_state_can_be_reached_and_left_and_only_the_owner_or_a_build_leaves_the_unprotected() {
        for state in State::ALL {
            assert!(LEGAL.iter().any(|&(from, _, _)| from == state), "{state}");
            assert!(LEGAL.iter().any(|&(_, to, _)| to == state), "{state}");
        }
        for state in [Healthy, Corrupted, UnderRecovery, Damaged] {
            assert!(!DataUnderConstruction.may_become(state), "{state}");
        }
        // What is beyond repair is never written.
        assert!(!Damaged.may_become(UnderRecovery));
        assert!(!Healthy.may_become(UnderRecovery));
    }
}
