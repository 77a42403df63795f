//! Encoding a data shard at a time, as they arrive.

use alloc::vec;
use alloc::vec::Vec;

use super::Plan;
use super::encode::check_parity;
use super::plan::check_count;
use crate::{Error, Result};

/// An encoding under way: made by [`ErasureCode::progressive`](crate::ErasureCode::progressive).
///
/// Until [`finish`](Self::finish) has said that every data unit was added, the parity shards hold
/// partial sums and are of no use. It borrows code and parity; an encoding that is to own them
/// keeps parity shards that began as zeros and calls [`Plan::add_input`] of the
/// [encode plan](crate::ErasureCode::encode_plan).
///
/// ```
/// use restripe::{ErasureCode, ReedSolomon};
///
/// let code = ReedSolomon::new(3, 2)?;
/// let data = [[1; 8], [2; 8], [3; 8]];
/// let mut parity = [[0; 8]; 2];
/// let mut encoding = code.progressive(&mut parity)?;
/// encoding.add(2, &data[2])?; // in any order
/// encoding.add(0, &data[0])?;
/// assert!(encoding.missing().eq([1]));
/// encoding.add(1, &data[1])?;
/// encoding.finish()?;
///
/// let mut expected = [[0; 8]; 2];
/// code.encode(&data, &mut expected)?;
/// assert_eq!(parity, expected);
/// # Ok::<(), restripe::Error>(())
/// ```
#[must_use = "the parity is complete only when finish() says so"]
#[derive(Debug)]
pub struct Progressive<'a, P> {
    plan: &'a Plan,
    parity: &'a mut [P],
    parity_len: usize,
    added: Vec<bool>,
}

impl<'a, P: AsMut<[u8]>> Progressive<'a, P> {
    pub(super) fn new(plan: &'a Plan, parity: &'a mut [P]) -> Result<Self> {
        if !plan.is_dense_over_whole_shards() {
            return Err(Error::Invalid {
                what: "code",
                got: "with sub-shards".into(),
                expected: "one without, whose data units each have one share in a parity unit",
            });
        }
        check_count("parity shards", plan.outputs().len(), parity.len())?;
        let parity_len = parity.first_mut().map_or(0, |shard| shard.as_mut().len());
        check_parity(parity, parity_len)?;
        for shard in parity.iter_mut() {
            shard.as_mut().fill(0);
        }
        Ok(Self { plan, parity, parity_len, added: vec![false; plan.reads().len()] })
    }

    /// Adds data unit `unit`: a shard of at most the parity's length (a shorter one counts as
    /// continued with zeros).
    ///
    /// # Errors
    ///
    /// [`Error::NotADataUnit`] unless it is one, [`Error::DuplicateUnit`] when it was added
    /// before, [`Error::TooLong`] for a shard longer than the parity; nothing is added then.
    pub fn add(&mut self, unit: usize, shard: &[u8]) -> Result<()> {
        match self.added.get(unit) {
            None => return Err(Error::NotADataUnit { unit, data_units: self.added.len() }),
            Some(true) => return Err(Error::DuplicateUnit { unit }),
            Some(false) => {}
        }
        if shard.len() > self.parity_len {
            let (what, most, got) = ("data shard", self.parity_len, shard.len());
            return Err(Error::TooLong { what, index: unit, most, got });
        }
        self.plan.add_input(unit, shard, self.parity)?;
        self.added[unit] = true;
        Ok(())
    }

    /// The data units not added yet.
    pub fn missing(&self) -> impl Iterator<Item = usize> {
        (0..self.added.len()).filter(|&unit| !self.added[unit])
    }

    /// Ends the encoding: the parity shards are complete.
    ///
    /// # Errors
    ///
    /// [`Error::NotAdded`] when data units are missing, with the first of them.
    pub fn finish(self) -> Result<()> {
        let (missing, data_units) = (self.missing().count(), self.added.len());
        let first = self.missing().next();
        first.map_or(Ok(()), |unit| Err(Error::NotAdded { unit, missing, data_units }))
    }
}
