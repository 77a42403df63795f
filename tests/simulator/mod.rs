//! Block groups in a simulated cluster: time that is only a number, sources and targets that
//! fail in every way there is, and what must hold whatever they do.
//!
//! Everything follows from a seed. See [`scenario`] for what can go wrong, [`world`] for who does
//! it, [`verdict`] for what must hold.

// Each suite is a crate of its own and uses its own part of this module.
#![allow(dead_code)]

pub mod groups;
pub mod operations;
pub mod scenario;
pub mod verdict;
pub mod world;

use std::panic::{self, AssertUnwindSafe};

use restripe::round::Action;
use scenario::Scenario;
use world::World;

/// Runs the group of a seed; panics with the seed where something that must hold does not.
pub fn run_seed(seed: u64) -> verdict::Report {
    let run = || {
        let scenario = Scenario::random(seed);
        let report = World::new(&scenario).run();
        verdict::check(&scenario, &report);
        if seed.is_multiple_of(16) {
            let again = World::new(&scenario).run();
            assert_eq!(report.trace, again.trace, "the same events gave other actions");
        }
        report
    };
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|cause| {
        eprintln!("seed {seed}: {:#?}", Scenario::random(seed));
        eprintln!("to see it again: RESTRIPE_ROUND_SEED={seed} cargo test --features hdfs --test round_simulation");
        panic::resume_unwind(cause)
    })
}

/// Runs one scenario that is not to be judged.
pub fn run_unchecked(scenario: &Scenario) -> verdict::Report {
    World::new(scenario).run()
}

/// Runs one scenario and shows all its actions.
pub fn run_watching(
    scenario: &Scenario,
    mut watch: impl FnMut(&Action<world::SimBuffer>),
) -> verdict::Report {
    let mut world = World::new(scenario);
    world.watch = Some(&mut watch);
    let report = world.run();
    verdict::check(scenario, &report);
    report
}

/// Runs one scenario and holds it to everything that must hold.
pub fn run(scenario: &Scenario) -> verdict::Report {
    let report = World::new(scenario).run();
    verdict::check(scenario, &report);
    report
}
