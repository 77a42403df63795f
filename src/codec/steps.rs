//! The steps of a plan with sub-shards: its rows are sparse, and rows with much the same inputs
//! are computed together.

use alloc::vec::Vec;

use super::plan::PlanStep;
use crate::gf8::Matrix;

/// Rows that are computed together, and the columns that they need.
struct Together {
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl Together {
    /// A product for every element, and a load for every column.
    fn work(&self) -> usize {
        self.columns.len() * (self.rows.len() + 1)
    }

    fn with(&self, other: &Self) -> Self {
        let mut rows = [&self.rows[..], &other.rows].concat();
        let mut columns = [&self.columns[..], &other.columns].concat();
        rows.sort_unstable();
        columns.sort_unstable();
        columns.dedup();
        Self { rows, columns }
    }
}

/// Steps from inputs (columns) to outputs (rows) that come to the same as one step of all
/// coefficients, and to less work where many of these are zeros.
pub(super) fn of(coefficients: &Matrix) -> Vec<PlanStep> {
    let mut steps: Vec<Together> = Vec::new();
    for row in 0..coefficients.rows() {
        let mut columns: Vec<usize> = (0..coefficients.columns())
            .filter(|&column| coefficients.get(row, column) != 0)
            .collect();
        if columns.is_empty() && coefficients.columns() > 0 {
            // Zeros: no less than any input times 0.
            columns.push(0);
        }
        let alone = Together { rows: [row].into(), columns };
        let joined = steps.iter_mut().find_map(|step| {
            let joined = step.with(&alone);
            (joined.work() <= step.work() + alone.work()).then_some((step, joined))
        });
        match joined {
            Some((step, joined)) => *step = joined,
            None => steps.push(alone),
        }
    }
    let inputs = coefficients.columns();
    let step = |step: Together| PlanStep {
        coefficients: Matrix::from_fn(step.rows.len(), step.columns.len(), |row, column| {
            coefficients.get(step.rows[row], step.columns[column])
        }),
        sources: step.columns.iter().map(|&column| column as u16).collect(),
        targets: step.rows.iter().map(|&row| (inputs + row) as u16).collect(),
    };
    steps.into_iter().filter(|step| !step.columns.is_empty()).map(step).collect()
}
