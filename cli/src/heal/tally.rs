//! What was found in a group, added up: which ranges of which block are wrong, and how much of
//! that can be put right.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::Exit;
use crate::heal::group::Group;
use crate::heal::marks::{Fate, Found, Trust};
use crate::heal::tile::Tile;
use crate::ranges::Ranges;

/// What can be said of a block, a group or a file; each is worse than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Nothing is wrong.
    Whole,
    /// Something is wrong, and all of it can be rebuilt.
    Repairable,
    /// Something is proved by nothing, or blocks disagree and it cannot be told which is wrong.
    Undecided,
    /// Something cannot be rebuilt.
    Lost,
}

impl Condition {
    /// The exit status that says so.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Self::Whole => Exit::Success,
            Self::Repairable => Exit::Repairable,
            Self::Undecided => Exit::Undecided,
            Self::Lost => Exit::Lost,
        }
    }
}

/// What was found in a block. Ranges are bytes of the block.
#[derive(Clone, Debug, Default)]
pub struct UnitTally {
    /// Wrong or not there.
    pub damaged: Ranges,
    /// Of these: wrong although the sum agrees.
    pub refuted: Ranges,
    /// Right, but the sum is missing or wrong.
    pub wrong_sums: Ranges,
    /// Resting on sums of a `.meta` file that is not the one in the manifest.
    pub plausible: Ranges,
    /// Resting on nothing.
    pub blind: Ranges,
    /// Cannot be rebuilt.
    pub lost: Ranges,
    /// Cannot be rebuilt because blocks with right sums disagree.
    pub contradicted: Ranges,
}

impl UnitTally {
    fn is_empty(&self) -> bool {
        [
            &self.damaged,
            &self.wrong_sums,
            &self.plausible,
            &self.blind,
            &self.lost,
            &self.contradicted,
        ]
        .iter()
        .all(|ranges| ranges.is_empty())
    }

    /// Whether something of it is not proved by the right sums or by parity.
    #[must_use]
    pub fn rests_on_little(&self) -> bool {
        !self.plausible.is_empty() || !self.blind.is_empty()
    }

    /// The condition of a block of which this was found. `provable`: the manifest has its digest,
    /// so that what rests on little is proved or disproved once it is rebuilt.
    #[must_use]
    pub fn condition(&self, has_findings: bool, provable: bool) -> Condition {
        if !self.lost.is_empty() {
            Condition::Lost
        } else if !self.contradicted.is_empty() || (self.rests_on_little() && !provable) {
            Condition::Undecided
        } else if has_findings || !self.is_empty() {
            Condition::Repairable
        } else {
            Condition::Whole
        }
    }

    fn add(&mut self, range: Range<u64>, found: Found, fate: Fate) {
        match fate {
            Fate::Fine => return,
            Fate::Kept(Trust::Proven) => {
                if found != Found::SelfConsistent {
                    self.wrong_sums.add(range);
                }
                return;
            }
            Fate::Kept(Trust::Plausible) => return self.plausible.add(range),
            Fate::Kept(Trust::Blind) => return self.blind.add(range),
            Fate::Rebuilt(Trust::Proven) => {}
            Fate::Rebuilt(Trust::Plausible) => self.plausible.add(range.clone()),
            Fate::Rebuilt(Trust::Blind) => self.blind.add(range.clone()),
            Fate::Lost => self.lost.add(range.clone()),
            Fate::Contradicted => self.contradicted.add(range.clone()),
        }
        if found == Found::Refuted {
            self.refuted.add(range.clone());
        }
        self.damaged.add(range);
    }
}

/// What was found in a group; added to from many threads.
#[derive(Debug)]
pub struct GroupTally {
    units: Vec<Mutex<UnitTally>>,
    disagreeing: Mutex<Ranges>,
}

impl GroupTally {
    /// Nothing found yet.
    #[must_use]
    pub fn new(group: &Group) -> Self {
        let units = group.units().iter().map(|_| Mutex::default()).collect();
        Self { units, disagreeing: Mutex::default() }
    }

    /// Adds what was found in a tile.
    pub fn add(&self, tile: &Tile<'_>) {
        if tile.marks.all_good() {
            return;
        }
        let columns = tile.columns();
        for row in 0..tile.rows.count() {
            let tally = &self.units[tile.rows.unit(row)];
            let (found, fate) = (tile.marks.found(row), tile.marks.fate(row));
            let mut start = 0;
            for column in 1..=columns {
                let same = column < columns
                    && (found[column], fate[column]) == (found[start], fate[start]);
                if same {
                    continue;
                }
                if fate[start] != Fate::Fine {
                    let (span, offset) = (tile.unit_span(row, &(start..column)), tile.offset(row));
                    let range = offset + span.start as u64..offset + span.end as u64;
                    lock(tally).add(range, found[start], fate[start]);
                }
                start = column;
            }
        }
        for column in (0..columns).filter(|&column| tile.marks.contradicted(column)) {
            let span = tile.full_span(&(column..column + 1));
            for offset in tile.rows.of_unit(0).map(|row| tile.offset(row)) {
                lock(&self.disagreeing).add(offset + span.start as u64..offset + span.end as u64);
            }
        }
    }

    /// What was found in a unit.
    #[must_use]
    pub fn unit(&self, unit: usize) -> UnitTally {
        lock(&self.units[unit]).clone()
    }

    /// Ranges of the internal blocks in which units with right sums disagree, without it being
    /// known which is wrong.
    #[must_use]
    pub fn disagreeing(&self) -> Ranges {
        lock(&self.disagreeing).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
