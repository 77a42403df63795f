//! Groups that suites begin with, and what they ask of a run.

use std::sync::Arc;
use std::time::Duration;

use restripe::ReedSolomon;
use restripe::layout::StripedLayout;
use restripe::round::{Reason, Reconstruction};

use super::scenario::{AnyLayout, Scenario};
use super::verdict::Report;

/// Bytes of a cell; chunks do not divide it.
pub const CELL: u64 = 2000;

/// So many milliseconds.
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A striped group of [`CELL`]s.
pub fn striped(k: usize, m: usize, len: u64) -> AnyLayout {
    AnyLayout::Striped(StripedLayout::new(k, m, CELL, len).unwrap())
}

/// Runs it, and expects every target to be rebuilt: which bytes that are is checked already.
pub fn rebuilt(scenario: &Scenario) -> Report {
    let report = super::run(scenario);
    let progress = report.progress();
    assert!(progress.targets.iter().all(|target| target.is_rebuilt), "{progress:?}");
    report
}

/// Why a source was given up.
pub fn reason(report: &Report, source: usize) -> Option<&Reason> {
    report.progress().sources[source].failure.as_ref()
}

/// The machine of a scenario, with other sources and targets.
pub fn machine(
    scenario: &Scenario,
    sources: &[usize],
    targets: &[usize],
) -> restripe::Result<Reconstruction<Vec<u8>>> {
    let (config, code) = (scenario.config.clone(), Arc::clone(&scenario.code));
    Reconstruction::new(config, code, scenario.layout.clone(), sources, targets, Duration::ZERO)
}

/// RS-6-3 over three and a half stripes.
pub fn six_and_three(lost: &[usize]) -> Scenario {
    group_of(6, 3, 3 * 6 * CELL + 3 * CELL, lost)
}

/// A group of that many data and parity units, some of them lost.
pub fn group_of(k: usize, m: usize, len: u64, lost: &[usize]) -> Scenario {
    Scenario::new(ReedSolomon::new(k, m).unwrap(), striped(k, m, len), lost, 0x0DD5)
}
