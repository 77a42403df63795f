//! Rebuilding with a check of what was computed: a second, different computation over the same
//! inputs and over the outputs as they lie in memory.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use super::self_check::next_nonzero;
use super::shards::{part, part_mut};
use super::syndromes::is_zero;
use super::{ErasureCode, Plan};
use crate::gf8::{Matrix, mul_without_tables};
use crate::kernel::{KernelMatrix, Program};
use crate::{Error, KernelId, Result};

/// Bytes of a shard that are rebuilt, then checked: they are still in cache at the check.
const TILE: usize = 4096;

/// A plan, and one random combination of the parity checks over its inputs and outputs, in which
/// no output has the coefficient zero.
///
/// Like the check of [`ErasureCode::encode_verified`] it finds one wrong output byte in a column
/// always, several but once in 255. The coefficients of the plan itself are held against the
/// generator matrix, without tables, when the check is made.
#[derive(Debug)]
pub(crate) struct CheckedPlan {
    plan: Arc<Plan>,
    /// None where the caller wants no check, or there is nothing to compute.
    check: Option<Check>,
}

struct Check {
    /// One row over outputs and inputs, both from the last to the first: see
    /// [`self_check`](super::self_check).
    row: Matrix,
    program: Program,
}

impl core::fmt::Debug for Check {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Check").field("row", &self.row).finish_non_exhaustive()
    }
}

impl CheckedPlan {
    /// With no `seed` nothing is checked.
    ///
    /// # Errors
    ///
    /// [`Error::ComputeCheck`] where the plan does not compute what the generator matrix says;
    /// [`Error::Invalid`] for a plan of several steps or over sub-shards.
    pub(crate) fn new(code: &dyn ErasureCode, plan: Arc<Plan>, seed: Option<u64>) -> Result<Self> {
        if plan.reads().is_empty() || plan.outputs().is_empty() {
            return Ok(Self { plan, check: None });
        }
        if !plan.is_dense_over_whole_shards() {
            return Err(Error::Invalid {
                what: "plan",
                got: "with sub-shards or several steps".into(),
                expected: "a plan of one step over whole shards",
            });
        }
        let Some(seed) = seed else { return Ok(Self { plan, check: None }) };
        let coefficients = plan.coefficients();
        prove(code, &plan, &coefficients)?;
        let (outputs, inputs) = (coefficients.rows(), coefficients.columns());
        let mut row = Matrix::zero(1, inputs + outputs);
        let mut random = seed;
        for output in 0..outputs {
            let weight = next_nonzero(&mut random);
            row.set(0, outputs - 1 - output, weight);
            for input in 0..inputs {
                let product = mul_without_tables(weight, coefficients.get(output, input));
                let column = outputs + inputs - 1 - input;
                row.set(0, column, row.get(0, column) ^ product);
            }
        }
        let program = program(plan.kernel(), &row)?;
        Ok(Self { plan, check: Some(Check { row, program }) })
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Computes a range of the outputs, all of one length, from the inputs, which end where they
    /// end.
    ///
    /// Where the check does not come out, that part is computed and checked once more on the
    /// scalar kernel.
    ///
    /// # Errors
    ///
    /// [`Error::ComputeCheck`] where the scalar kernel gives other outputs or fails the check
    /// too; [`Error::Count`] for another number of inputs or outputs.
    pub(crate) fn apply<O: AsMut<[u8]>>(
        &self,
        inputs: &[&[u8]],
        outputs: &mut [O],
        range: Range<usize>,
    ) -> Result<()> {
        self.apply_then_check(inputs, outputs, range, |_, _| {})
    }

    /// [`apply`](Self::apply), with a function that sees each range of the outputs between its
    /// computation and its check.
    pub(crate) fn apply_then_check<O: AsMut<[u8]>>(
        &self,
        inputs: &[&[u8]],
        outputs: &mut [O],
        range: Range<usize>,
        mut after: impl FnMut(&mut [O], Range<usize>),
    ) -> Result<()> {
        super::plan::check_count("inputs", self.plan.reads().len(), inputs.len())?;
        super::plan::check_count("outputs", self.plan.outputs().len(), outputs.len())?;
        let len = outputs.first_mut().map_or(0, |output| output.as_mut().len());
        let all = range.start.min(len)..range.end.min(len);
        let tile = if self.check.is_some() { TILE } else { all.len().max(1) };
        let mut differences = [0; TILE];
        for start in all.clone().step_by(tile) {
            let end = all.end.min(start + tile);
            self.plan.run_dense(
                inputs.iter().map(|input| part(input, start, end)),
                outputs.iter_mut().map(|output| part_mut(output.as_mut(), start, end)),
                false,
            );
            after(outputs, start..end);
            let Some(check) = &self.check else { continue };
            let Some(offset) =
                first_difference(&check.program, inputs, outputs, start..end, &mut differences)
            else {
                continue;
            };
            self.compute_again(check, inputs, outputs, start..end, offset)?;
        }
        Ok(())
    }

    /// The second computation, on the kernel that is the plainest.
    fn compute_again<O: AsMut<[u8]>>(
        &self,
        check: &Check,
        inputs: &[&[u8]],
        outputs: &mut [O],
        range: Range<usize>,
        offset: usize,
    ) -> Result<()> {
        let scalar = KernelId::from_name("scalar")?;
        let Range { start, end } = range;
        let mut again: Vec<Vec<u8>> = outputs.iter().map(|_| alloc::vec![0; end - start]).collect();
        program(scalar, &self.plan.coefficients())?.run(
            inputs.iter().map(|input| part(input, start, end)),
            again.iter_mut().map(|output| &mut output[..]),
            core::iter::empty(),
            false,
        );
        let same = outputs
            .iter_mut()
            .zip(&again)
            .all(|(output, again)| *part_mut(output.as_mut(), start, end) == again[..]);
        let second = program(scalar, &check.row)?;
        match first_difference(&second, inputs, outputs, start..end, &mut [0; TILE]) {
            None if same => Ok(()),
            found => Err(Error::ComputeCheck {
                offset: found.unwrap_or(offset),
                kernel: self.plan.kernel().name(),
            }),
        }
    }
}

/// The first byte of a range, at most a tile, at which the combination is not zero.
fn first_difference<O: AsMut<[u8]>>(
    check: &Program,
    inputs: &[&[u8]],
    outputs: &mut [O],
    range: Range<usize>,
    differences: &mut [u8; TILE],
) -> Option<usize> {
    let Range { start, end } = range;
    let differences = &mut differences[..end - start];
    let inputs = inputs.iter().map(|input| part(input, start, end));
    let outputs = outputs.iter_mut().map(|output| &*part_mut(output.as_mut(), start, end));
    check.run(
        outputs.rev().chain(inputs.rev()),
        core::iter::once(&mut *differences),
        core::iter::empty(),
        false,
    );
    if is_zero(differences) {
        return None;
    }
    differences.iter().position(|&difference| difference != 0).map(|first| start + first)
}

fn program(kernel: KernelId, coefficients: &Matrix) -> Result<Program> {
    Program::dense(KernelMatrix::new(kernel, coefficients)).ok_or(Error::Count {
        what: "units in one combination",
        expected: super::MAX_UNITS,
        got: coefficients.columns(),
    })
}

/// Holds the coefficients against the generator matrix: each output's row of it must be the
/// combination of the inputs' rows that the plan says.
fn prove(code: &dyn ErasureCode, plan: &Plan, coefficients: &Matrix) -> Result<()> {
    let k = code.data_units();
    let generator = |unit: usize, column: usize| match unit.checked_sub(k) {
        Some(parity) => code.parity_rows().get(parity, column),
        None => u8::from(unit == column),
    };
    for (row, &output) in plan.outputs().iter().enumerate() {
        for column in 0..k {
            let sum = plan.reads().iter().enumerate().fold(0, |sum, (input, read)| {
                let coefficient = coefficients.get(row, input);
                sum ^ mul_without_tables(coefficient, generator(read.unit, column))
            });
            if sum != generator(output, column) {
                return Err(Error::ComputeCheck { offset: 0, kernel: plan.kernel().name() });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReedSolomon;
    use alloc::vec;

    const LEN: usize = 2 * TILE + 77;

    fn shards(code: &ReedSolomon) -> Vec<Vec<u8>> {
        let mut shards: Vec<Vec<u8>> = (0..code.data_units())
            .map(|unit| (0..LEN).map(|i| (i * (unit + 3) + i / 251) as u8).collect())
            .collect();
        let mut parity = vec![vec![0; LEN]; code.parity_units()];
        code.encode(&shards, &mut parity).unwrap();
        shards.extend(parity);
        shards
    }

    fn checked(code: &ReedSolomon, available: &[usize], wanted: &[usize]) -> CheckedPlan {
        let plan = code.plan(available, wanted).unwrap();
        CheckedPlan::new(code, plan, Some(7)).unwrap()
    }

    #[test]
    fn passes_what_the_plan_computes_for_data_and_parity() {
        let code = ReedSolomon::new(6, 3).unwrap();
        let shards = shards(&code);
        for wanted in [&[1][..], &[7], &[0, 8, 4]] {
            let available: Vec<usize> = (0..9).filter(|unit| !wanted.contains(unit)).collect();
            let checked = checked(&code, &available, wanted);
            let inputs: Vec<&[u8]> =
                checked.plan().reads().iter().map(|read| &shards[read.unit][..]).collect();
            let mut outputs = vec![vec![0; LEN]; wanted.len()];
            // In two parts, the first of which ends within a tile.
            for range in [0..TILE + 5, TILE + 5..LEN] {
                checked.apply(&inputs, &mut outputs, range).unwrap();
            }
            for (output, &unit) in outputs.iter().zip(wanted) {
                assert!(*output == shards[unit], "unit {unit}");
            }
        }
    }

    #[test]
    fn a_byte_that_memory_or_kernel_changes_is_a_fault_and_named() {
        let code = ReedSolomon::new(6, 3).unwrap();
        let shards = shards(&code);
        let checked = checked(&code, &[0, 2, 3, 5, 6, 8], &[1, 4, 7]);
        let inputs: Vec<&[u8]> =
            checked.plan().reads().iter().map(|read| &shards[read.unit][..]).collect();
        for (output, offset) in [(0, 0), (1, TILE - 1), (2, TILE), (1, LEN - 1)] {
            let mut outputs = vec![vec![0; LEN]; 3];
            let result =
                checked.apply_then_check(&inputs, &mut outputs, 0..LEN, |outputs, range| {
                    if range.contains(&offset) {
                        outputs[output][offset] ^= 0x20;
                    }
                });
            assert_eq!(result, Err(Error::ComputeCheck { offset, kernel: code.kernel().name() }));
        }
    }

    #[test]
    fn a_plan_of_wrong_coefficients_is_refused() {
        let (code, other) = (ReedSolomon::new(4, 2).unwrap(), ReedSolomon::new(4, 2).unwrap());
        let right = code.plan(&[1, 2, 3, 4], &[0]).unwrap();
        assert!(CheckedPlan::new(&other, Arc::clone(&right), Some(1)).is_ok());
        let vandermonde = ReedSolomon::with_matrix(4, 2, crate::MatrixKind::Backblaze).unwrap();
        assert!(matches!(
            CheckedPlan::new(&vandermonde, right, Some(1)),
            Err(Error::ComputeCheck { .. })
        ));
    }
}
