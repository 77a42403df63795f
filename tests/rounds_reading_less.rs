//! The buffer-round decoder with codes whose repairs read less: what it reads of each source.
#![cfg(feature = "hdfs")]

mod oracle;
mod simulator;

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::layout::{ContiguousLayout, Layout, StripedLayout};
use restripe::round::{Cause, Hedging, Reason};
use restripe::{ErasureCode, Error, Hitchhiker, LocallyRepairable};
use simulator::groups::{CELL, machine, ms, reason, rebuilt, striped};
use simulator::scenario::{AnyLayout, Content, Open, ReadFault, Scenario, local_code};
use simulator::verdict::Report;

#[test]
fn a_code_whose_plans_read_less_reads_less() {
    let code = || local_code(3, 2);
    let layout = || striped(6, 4, 3 * 6 * CELL);
    let scenario = Scenario::new(code(), layout(), &[1], 9);
    let report = rebuilt(&scenario);
    // Units 0 and 2, and the sum of their group.
    assert_eq!(report.bytes_read, 3 * 3 * CELL);
    // Two of a group take more, and a source that fails another plan.
    rebuilt(&Scenario::new(code(), layout(), &[1, 2], 9));
    let mut scenario = Scenario::new(code(), layout(), &[1], 9);
    scenario.sources[0].fault = Some((3, ReadFault::Fails));
    rebuilt(&scenario);
}

/// Bytes that were read of each unit.
fn bytes_of_units(scenario: &Scenario, report: &Report) -> Vec<u64> {
    let mut bytes = vec![0; scenario.code.total_units()];
    for (source, progress) in scenario.sources.iter().zip(&report.progress().sources) {
        bytes[source.unit] += progress.bytes;
    }
    bytes
}

#[test]
fn a_block_of_a_local_group_is_rebuilt_from_that_group_alone() {
    for k in [6, 12] {
        let code = || LocallyRepairable::new(k, 2, 2).unwrap();
        let len = 3 * CELL;
        // A data unit of either group, and the parity unit of the second one.
        for lost in [0, k / 2 - 1, k / 2, k - 1, k + 1] {
            let scenario = Scenario::new(code(), striped(k, 4, 3 * k as u64 * CELL), &[lost], 9);
            let report = rebuilt(&scenario);
            let second = lost >= k / 2;
            let (data, parity) = if second { (k / 2..k, k + 1) } else { (0..k / 2, k) };
            let expected: Vec<u64> = (0..k + 4)
                .map(|unit| {
                    let is_read = unit != lost && (data.contains(&unit) || unit == parity);
                    if is_read { len } else { 0 }
                })
                .collect();
            assert_eq!(bytes_of_units(&scenario, &report), expected, "unit {lost} of {k}-2-2");
            // Nothing that was cancelled either.
            assert_eq!(report.bytes_read, k as u64 / 2 * len);
        }
    }
}

#[test]
fn a_data_unit_of_a_hitchhiker_code_is_rebuilt_from_the_halves_that_its_plan_says() {
    for (k, m) in [(6, 3), (10, 4)] {
        let code = || Hitchhiker::new(k, m).unwrap();
        let (cell, stripes) = (4096, 3);
        let layout = StripedLayout::new(k, m, cell, stripes * k as u64 * cell).unwrap();
        for lost in 0..k {
            let layout = AnyLayout::Striped(layout.with_whole_parity_cells());
            let scenario = Scenario::new(code(), layout, &[lost], 9);
            let report = rebuilt(&scenario);
            let others: Vec<usize> = (0..k + m).filter(|&unit| unit != lost).collect();
            let halves = code().repair_cost(&[lost], &others).unwrap().shards() * 2.0;
            assert_eq!(report.bytes_read, halves as u64 * stripes * cell / 2, "unit {lost}");
            assert!(halves < 2.0 * k as f64);
        }
    }
}

#[test]
fn layouts_and_chunks_that_halves_do_not_fit_are_refused() {
    let code = || Hitchhiker::new(4, 2).unwrap();
    let whole = StripedLayout::new(4, 2, 4096, 20_000).unwrap().with_whole_parity_cells();
    let scenario = Scenario::new(code(), AnyLayout::Striped(whole), &[1], 9);
    let odd = StripedLayout::new(4, 2, 4095, 20_000).unwrap().with_whole_parity_cells();
    let short = StripedLayout::new(4, 2, 4096, 20_000).unwrap();
    let contiguous = ContiguousLayout::new([4096; 4], 2).unwrap();
    for layout in
        [AnyLayout::Striped(odd), AnyLayout::Striped(short), AnyLayout::Contiguous(contiguous)]
    {
        let other = Scenario { layout, ..scenario.clone() };
        let refused = machine(&other, &[0, 2, 3, 4, 5], &[1]).unwrap_err();
        assert!(matches!(refused, Error::Invalid { .. }), "{refused}");
    }
    let mut scenario = scenario;
    scenario.checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 3000).unwrap();
    let report = simulator::run_unchecked(&scenario);
    assert!(matches!(report.failure().cause, Cause::Computing { .. }));
}

#[test]
fn zeros_and_what_was_read_already_cost_nothing_where_the_cheapest_sources_are_chosen() {
    // Units 3 to 5 end after the first stripe: the second one of unit 0 needs units 1 and 2 and
    // the sum of the group, and so would a parity unit over all.
    let code = || LocallyRepairable::new(6, 2, 2).unwrap();
    let layout = striped(6, 4, 6 * CELL + 3 * CELL);
    let mut scenario = Scenario::new(code(), layout, &[0], 9);
    scenario.checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 500).unwrap();
    scenario.config.buffer_len = 500;
    // Gone at the second stripe, so one of the others comes in for it, and nobody else.
    let place = scenario.sources.iter().position(|source| source.unit == 6).unwrap();
    scenario.sources[place].fault = Some((4, ReadFault::Fails));
    let report = rebuilt(&scenario);
    let bytes = bytes_of_units(&scenario, &report);
    assert_eq!(bytes[1..3], [2 * CELL; 2]);
    assert_eq!((bytes[6], bytes[8] + bytes[9]), (CELL, CELL));
    assert_eq!((&bytes[3..6], bytes[7]), (&[0; 3][..], 0));
}

#[test]
fn a_source_of_a_local_group_that_fails_or_is_slow_takes_another_plan() {
    let code = || LocallyRepairable::new(12, 2, 2).unwrap();
    let group = || Scenario::new(code(), striped(12, 4, 8 * 12 * CELL), &[1], 9);
    // Two of the group are gone then: twelve are read.
    let mut scenario = group();
    scenario.sources[0].fault = Some((3, ReadFault::Fails));
    let report = rebuilt(&scenario);
    assert!(matches!(reason(&report, 0), Some(Reason::Read(_))));
    let reads: Vec<u64> = report.progress().sources.iter().map(|source| source.reads).collect();
    assert_eq!(reads.iter().filter(|&&reads| reads == report.progress().rounds - 3).count(), 7);

    let mut scenario = group();
    scenario.config.hedging = Hedging::After(ms(10));
    scenario.sources[0].fault = Some((3, ReadFault::Stalls));
    let report = rebuilt(&scenario);
    assert!(report.progress().hedges > 0);
    assert_eq!(reason(&report, 0), None);
    assert!(report.ended_at < ms(2000), "{:?}", report.ended_at);

    // One that is always slow is done without, once it has been so often enough.
    let mut scenario = group();
    scenario.config.hedging = Hedging::After(ms(10));
    scenario.sources[0].latency = (ms(50), ms(50));
    let report = rebuilt(&scenario);
    let (hedges, rounds) = (report.progress().hedges, report.progress().rounds);
    assert!((1..rounds / 2).contains(&hedges), "{hedges} hedges in {rounds} rounds");
}

/// Fewest rows beside the wanted ones that are there with which all of those are known: tried by all
/// sets, the smaller ones first. A row is a unit, or half of each of its cells.
fn fewest_rows(code: &dyn ErasureCode, free: &[usize], live: &[usize], wanted: &[usize]) -> usize {
    let given: Vec<usize> = wanted.iter().copied().filter(|row| live.contains(row)).collect();
    let others: Vec<usize> = live.iter().copied().filter(|row| !given.contains(row)).collect();
    let is_enough = |set: u32| {
        let chosen = others.iter().enumerate().filter(|(place, _)| set >> place & 1 == 1);
        let mut rows: Vec<usize> = free.iter().chain(&given).copied().collect();
        rows.extend(chosen.map(|(_, row)| *row));
        rows.sort_unstable();
        let known = code.determined_by(&rows).unwrap();
        wanted.iter().all(|row| known.contains(row))
    };
    let sets = (0..1 << others.len()).filter(|&set: &u32| is_enough(set));
    given.len() + sets.map(u32::count_ones).min().unwrap() as usize
}

#[test]
fn a_degraded_read_reads_the_least_that_gives_back_its_bytes() {
    const CHUNK: u64 = 64;
    let cases: [(Box<dyn ErasureCode>, AnyLayout); 3] = [
        (
            Box::new(Hitchhiker::new(4, 2).unwrap()),
            // The last stripe has one and a half cells.
            AnyLayout::Striped(
                StripedLayout::new(4, 2, 256, 1024 + 384).unwrap().with_whole_parity_cells(),
            ),
        ),
        (
            Box::new(LocallyRepairable::new(4, 2, 1).unwrap()),
            AnyLayout::Striped(StripedLayout::new(4, 3, 256, 1024 + 320).unwrap()),
        ),
        (
            Box::new(restripe::ReedSolomon::new(3, 2).unwrap()),
            AnyLayout::Striped(StripedLayout::new(3, 2, 256, 768 + 320).unwrap()),
        ),
    ];
    let mut degraded = 0;
    for (code, layout) in cases {
        let code: std::sync::Arc<dyn ErasureCode> = code.into();
        let subs = code.sub_shards();
        let rows_code = code.over_sub_shards().unwrap_or_else(|| code.clone());
        let (k, units) = (code.data_units(), code.total_units());
        let part = 256 / subs as u64;
        for lost in [vec![0], vec![1], vec![k - 1], vec![k], vec![0, 1], vec![1, k]] {
            let live: Vec<usize> = (0..units).filter(|unit| !lost.contains(unit)).collect();
            if code.plan(&live, &lost).is_err() {
                continue;
            }
            for range in [0..64, 64..128, 128..256, 64..192, 320..384, 0..512, 192..576, 1024..1088]
            {
                let mut scenario =
                    Scenario::new(std::sync::Arc::clone(&code), layout.clone(), &lost, 9);
                scenario.checksum =
                    ChunkedChecksum::new(ChecksumKind::Crc32c, CHUNK as usize).unwrap();
                let end = scenario.layout.group_len().min(range.end);
                scenario.range = Some(range.start.min(end)..end);
                let report = simulator::run(&scenario);
                report.progress();
                let mut expected = 0;
                for at in (0..512).step_by(CHUNK as usize).filter(|at| at % 256 < part) {
                    let wants = |row: &usize| {
                        let start = at + (row % subs) as u64 * part;
                        scenario.ranges().iter().any(|range| {
                            range.units.contains(&(row / subs)) && range.unit_range.contains(&start)
                        })
                    };
                    let wanted: Vec<usize> = (0..k * subs).filter(wants).collect();
                    let is_zero = |row: &usize| {
                        let start = at + (row % subs) as u64 * part;
                        scenario.layout.unit_len(row / subs) <= start
                    };
                    let (free, rest): (Vec<usize>, Vec<usize>) =
                        (0..units * subs).partition(|row| is_zero(row));
                    let is_live = |row: &usize| live.contains(&(row / subs));
                    let rest: Vec<usize> = rest.into_iter().filter(is_live).collect();
                    if !wanted.is_empty() {
                        degraded += usize::from(!wanted.iter().all(is_live));
                        let rows = fewest_rows(&*rows_code, &free, &rest, &wanted);
                        expected += rows as u64 * CHUNK;
                    }
                }
                let what = format!("{code:?} without {lost:?}: {range:?}");
                assert_eq!(report.bytes_read, expected, "{what}");
            }
        }
    }
    assert!(degraded > 50, "{degraded}");
}

#[test]
fn a_liar_in_a_code_with_halves_is_noticed_and_with_enough_others_named() {
    let group = |lost: &[usize]| {
        let layout = StripedLayout::new(6, 3, 2048, 3 * 6 * 2048).unwrap();
        let layout = AnyLayout::Striped(layout.with_whole_parity_cells());
        let mut scenario = Scenario::new(Hitchhiker::new(6, 3).unwrap(), layout, lost, 9);
        scenario.config.extra_sources = 1;
        // One byte in the first half of the second cell, two in the other.
        scenario.sources[3].content = Content::Lying(vec![(2100, 7), (3100, 1), (4000, 9)]);
        scenario
    };
    let report = rebuilt(&group(&[1]));
    assert!(matches!(reason(&report, 3), Some(Reason::Lies { offset: 2048, .. })));
    let report = simulator::run(&group(&[1, 7]));
    assert!(matches!(report.failure().cause, Cause::Contradiction { offset: 2048, .. }));
    // Of two that may lie it takes a third one beyond those required to name even one.
    let mut two_may_lie = group(&[1]);
    two_may_lie.config.extra_sources = 2;
    let report = simulator::run(&two_may_lie);
    assert!(matches!(report.failure().cause, Cause::Contradiction { offset: 2048, .. }));
}

#[test]
fn how_many_are_required_is_said_only_where_it_is_a_number() {
    for (code, m, required) in [
        (Box::new(LocallyRepairable::new(6, 2, 2).unwrap()) as Box<dyn ErasureCode>, 4, None),
        (Box::new(restripe::ReedSolomon::new(6, 4).unwrap()), 4, Some(6)),
    ] {
        let mut scenario = Scenario::new(code, striped(6, m, 6 * CELL), &[0, 6], 9);
        scenario.sources.iter_mut().take(4).for_each(|source| source.open = Open::Fails(ms(1)));
        let report = simulator::run(&scenario);
        assert_eq!(report.failure().cause, Cause::TooFewSources { offset: 0, required });
        let says = report.failure().to_string();
        assert_eq!(says.contains("6 are required"), required.is_some(), "{says}");
    }
}
