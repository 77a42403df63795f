//! What some units of a code give back: decided by the code itself, and remembered.
//!
//! In a code that is MDS any k units determine all others, and counting them would do. In others
//! it matters which units they are.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use restripe::{ErasureCode, MatrixKind, Mds, ReadCost};

use crate::set::UnitSet;

/// Answers that are remembered at the most; damage that calls for more has no pattern.
const MOST_ANSWERS: usize = 4096;

/// A code, and what it was asked.
#[derive(Debug)]
pub struct Reach {
    code: Arc<dyn ErasureCode>,
    determined: HashMap<UnitSet, UnitSet>,
    sources: HashMap<[UnitSet; 3], UnitSet>,
}

impl Reach {
    /// Nothing asked yet.
    #[must_use]
    pub fn new(code: Arc<dyn ErasureCode>) -> Self {
        Self { code, determined: HashMap::new(), sources: HashMap::new() }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &Arc<dyn ErasureCode> {
        &self.code
    }

    fn is_mds(&self) -> bool {
        self.code.mds() != Mds::Unchecked
    }

    /// Everything that some units determine.
    fn all_determined(&mut self, by: &UnitSet) -> UnitSet {
        let code = &self.code;
        remembered(&mut self.determined, *by, || {
            let units: Vec<usize> = by.iter().collect();
            // Units of the code, each once: it answers.
            code.determined_by(&units).unwrap_or(units).into_iter().collect()
        })
    }

    /// Those of `units` that the units `by` determine, those among them included.
    pub fn determined(&mut self, units: &UnitSet, by: &UnitSet) -> UnitSet {
        let all = self.all_determined(by);
        units.minus(&units.minus(&all))
    }

    /// Whether the units `by` determine all of `units`.
    pub fn determines(&mut self, units: &UnitSet, by: &UnitSet) -> bool {
        self.determined(units, by) == *units
    }

    /// Whether some units determine all there are.
    pub fn determines_everything(&mut self, by: &UnitSet) -> bool {
        self.all_determined(by).len() == self.code.total_units()
    }

    /// Whether one of some units is determined by the others, so that there is something to
    /// compare.
    pub fn has_spare(&mut self, units: &UnitSet) -> bool {
        if self.is_mds() {
            return units.len() > self.code.data_units();
        }
        units.len() > self.code.data_units()
            || units.iter().any(|unit| self.is_checked(unit, units))
    }

    /// Whether comparing the units `among` shows each of `units` to be wrong that is.
    pub fn checks(&mut self, units: &UnitSet, among: &UnitSet) -> bool {
        if self.is_mds() {
            return among.len() > self.code.data_units();
        }
        units.iter().all(|unit| self.is_checked(unit, among))
    }

    /// Whether comparing the units `among` also shows that two of `units` changed places. It does
    /// not where both are in nothing but plain sums; that is certain where the others give back
    /// both.
    pub fn tells_apart(&mut self, units: &UnitSet, among: &UnitSet) -> bool {
        let has_plain_sums =
            matches!(self.code.matrix_kind(), MatrixKind::Xor | MatrixKind::LocallyRepairable);
        if !has_plain_sums {
            return true;
        }
        let units: Vec<usize> = units.iter().collect();
        units.iter().enumerate().all(|(index, &first)| {
            units[index + 1..].iter().all(|&second| {
                let pair = [first, second].into_iter().collect();
                self.determines(&pair, &among.minus(&pair))
            })
        })
    }

    fn is_checked(&mut self, unit: usize, among: &UnitSet) -> bool {
        let mut others = *among;
        others.remove(unit);
        self.all_determined(&others).contains(unit)
    }

    /// The units to have for `wanted`: of `good` ones any, of `unread` ones as few as can be. Where
    /// all together do not determine what is wanted, all of them.
    ///
    /// # Errors
    ///
    /// The engine's about lists of units, which these never are.
    pub fn cheapest_sources(
        &mut self,
        good: UnitSet,
        unread: UnitSet,
        wanted: UnitSet,
    ) -> restripe::Result<UnitSet> {
        let key = [good, unread, wanted];
        if let Some(sources) = self.sources.get(&key) {
            return Ok(*sources);
        }
        let costs: Vec<u64> =
            (0..self.code.total_units()).map(|unit| u64::from(!good.contains(unit))).collect();
        let available: Vec<usize> = good.iter().chain(unread.iter()).collect();
        let wanted: Vec<usize> = wanted.iter().collect();
        let plan = self.code.cheapest_plan(&available, &wanted, ReadCost::Sources(&costs));
        let sources = match plan {
            Ok(plan) => plan.reads().iter().map(|read| read.unit).collect(),
            Err(restripe::Error::NotRecoverable { .. } | restripe::Error::TooFewUnits { .. }) => {
                good.union(&unread)
            }
            Err(error) => return Err(error),
        };
        Ok(remembered(&mut self.sources, key, || sources))
    }
}

/// The answer to a question, found out if it is not known.
fn remembered<Q: Eq + Hash>(
    answers: &mut HashMap<Q, UnitSet>,
    question: Q,
    find_out: impl FnOnce() -> UnitSet,
) -> UnitSet {
    if let Some(answer) = answers.get(&question) {
        return *answer;
    }
    if answers.len() >= MOST_ANSWERS {
        answers.clear();
    }
    let answer = find_out();
    answers.insert(question, answer);
    answer
}
