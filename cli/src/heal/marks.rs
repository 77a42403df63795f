//! What is known of each chunk: what was found in the file, and what became of it.

use std::ops::Range;

/// A chunk as it was found in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// Not looked at yet.
    Unread,
    /// Past the end of its unit: known to be zero, there is nothing to read.
    Zero,
    /// Its sum agrees, and nothing speaks against the sum.
    Good,
    /// Its sum agrees, but the `.meta` file is not the one that belongs here: either that file
    /// is damaged elsewhere, or block and `.meta` come from another encode.
    SelfConsistent,
    /// There is no sum for it.
    NoSum,
    /// Its sum disagrees.
    Disputed,
    /// Its sum agrees, but parity shows that it is wrong.
    Refuted,
    /// It is not there, or cannot be read.
    Absent,
}

/// How well something is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// By sums that nothing speaks against, or by parity to spare.
    Proven,
    /// By sums of a `.meta` file that is not the one that belongs here.
    Plausible,
    /// By nothing.
    Blind,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was good.
    Fine,
    /// It is right as it is; only its sum is missing or wrong.
    Kept(Trust),
    /// It was wrong or absent, and has been (or can be) rebuilt.
    Rebuilt(Trust),
    /// The good units of its stripe do not give it back.
    Lost,
    /// There are enough units with right sums, but they disagree, and which is wrong cannot be
    /// told.
    Contradicted,
}

/// The marks of a tile: for every unit (rows) and chunk (columns) what was found and what became
/// of it.
#[derive(Debug, Default)]
pub struct Marks {
    columns: usize,
    found: Vec<Found>,
    fate: Vec<Fate>,
    contradicted: Vec<bool>,
}

impl Marks {
    /// Begins anew, with nothing looked at.
    pub fn reset(&mut self, units: usize, columns: usize) {
        self.columns = columns;
        for_all(&mut self.found, units * columns, Found::Unread);
        for_all(&mut self.fate, units * columns, Fate::Fine);
        for_all(&mut self.contradicted, columns, false);
    }

    /// Chunks a unit.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// What was found of a unit.
    #[must_use]
    pub fn found(&self, unit: usize) -> &[Found] {
        &self.found[unit * self.columns..][..self.columns]
    }

    /// What was found of a unit, to be written.
    pub fn found_mut(&mut self, unit: usize) -> &mut [Found] {
        &mut self.found[unit * self.columns..][..self.columns]
    }

    /// What became of a unit.
    #[must_use]
    pub fn fate(&self, unit: usize) -> &[Fate] {
        &self.fate[unit * self.columns..][..self.columns]
    }

    /// Sets what became of a unit's chunks.
    pub fn set_fate(&mut self, unit: usize, columns: Range<usize>, fate: Fate) {
        self.fate[unit * self.columns..][columns].fill(fate);
    }

    /// Marks columns whose units disagree without it being known which is wrong.
    pub fn contradict(&mut self, columns: Range<usize>) {
        self.contradicted[columns].fill(true);
    }

    /// Whether the units of a column are known to disagree.
    #[must_use]
    pub fn contradicted(&self, column: usize) -> bool {
        self.contradicted[column]
    }

    /// Whether everything wanted was found good (or known to be zero).
    #[must_use]
    pub fn good_where(&self, wanted: &[Range<usize>]) -> bool {
        let good = |found: &Found| matches!(found, Found::Good | Found::Zero);
        wanted
            .iter()
            .enumerate()
            .all(|(unit, columns)| self.found(unit)[columns.clone()].iter().all(good))
    }

    /// Whether every unit was found good (or known to be zero) everywhere: the usual case, told
    /// quickly.
    #[must_use]
    pub fn all_good(&self) -> bool {
        self.found.iter().all(|found| matches!(found, Found::Good | Found::Zero))
            && !self.contradicted.contains(&true)
    }
}

fn for_all<T: Copy>(list: &mut Vec<T>, len: usize, value: T) {
    list.clear();
    list.resize(len, value);
}
