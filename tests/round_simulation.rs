//! Thousands of block groups through the simulator, each from a seed of its own.
#![cfg(feature = "hdfs")]

mod oracle;
mod simulator;

use oracle::{Random, scaled};
use restripe::round::Cause;

#[test]
fn random_groups_end_rebuilt_or_failed_for_good_reason() {
    if let Ok(seed) = std::env::var("RESTRIPE_ROUND_SEED") {
        let seed = seed.parse().expect("RESTRIPE_ROUND_SEED is a number");
        println!("{:#?}", simulator::run_seed(seed).outcome);
        return;
    }
    let (mut rebuilt, mut hedges, mut failed_sources, mut failed) = (0, 0, 0, [0; 4]);
    let groups = scaled(1000, 15_000, 1_000_000);
    for seed in 0..groups {
        let report = simulator::run_seed(seed);
        match report.outcome.as_ref().unwrap() {
            Ok(progress) => {
                rebuilt += 1;
                hedges += progress.hedges;
                failed_sources +=
                    progress.sources.iter().filter(|source| source.failure.is_some()).count();
            }
            Err(failure) => match failure.cause {
                Cause::TooFewSources { .. } => failed[0] += 1,
                Cause::NoTargets => failed[1] += 1,
                Cause::Contradiction { .. } => failed[2] += 1,
                _ => failed[3] += 1,
            },
        }
    }
    println!(
        "{groups} groups: {rebuilt} rebuilt with {hedges} hedges and {failed_sources} failed \
         sources; failed for want of sources, of targets, by contradiction, cancelled: {failed:?}"
    );
    // The simulation is worth something only where all of that happens.
    assert!(rebuilt * 2 > groups, "{rebuilt} of {groups} rebuilt");
    assert!(hedges > 0 && failed_sources > 0 && failed.iter().all(|&count| count > 0));
}

#[test]
fn any_sequence_of_operations_ends_without_a_panic_and_with_all_buffers_home() {
    let mut random = Random(77);
    for number in 0..scaled(1000, 10_000, 2_000_000) {
        let len = 2 + 2 * random.below(400);
        let operations = random.bytes(len);
        let run = || simulator::operations::run(&operations);
        if let Err(cause) = std::panic::catch_unwind(run) {
            eprintln!("sequence {number}: {operations:?}");
            std::panic::resume_unwind(cause);
        }
    }
}
