//! The rules of the buffer-round decoder, one by one, and what earlier decoders got wrong.
#![cfg(feature = "hdfs")]

mod oracle;
mod simulator;

use std::sync::Arc;
use std::time::Duration;

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::gf8;
use restripe::layout::{AlignedRange, ContiguousLayout, Layout};
use restripe::round::{Action, Cause, Config, Event, Hedging, ReadOutcome, Reason, Reconstruction};
use restripe::{ErasureCode, Error, ReedSolomon};
use simulator::groups::{CELL, group_of, machine, ms, reason, rebuilt, six_and_three, striped};
use simulator::scenario::{
    AfterCancel, AnyLayout, Content, Open, ReadFault, Scenario, TargetFault, local_code,
};
use simulator::verdict::Report;

// --- The rules, by the numbers of the specification.

#[test]
fn fewer_live_sources_than_required_are_refused_before_anything_is_read() {
    let scenario = six_and_three(&[0]);
    let refused = machine(&scenario, &[1, 2, 3, 4, 5], &[0]).unwrap_err();
    assert_eq!(refused, Error::TooFewUnits { required: 6, available: 5 });
    // A group of two cells requires two units, wherever they are.
    let scenario = group_of(6, 3, CELL + 1, &[0]);
    assert!(machine(&scenario, &[1, 7], &[0]).is_ok());
    let refused = machine(&scenario, &[8], &[0]).unwrap_err();
    assert_eq!(refused, Error::TooFewUnits { required: 2, available: 1 });
    // Units without a byte are no help.
    let refused = machine(&scenario, &[8, 2, 3, 4, 5], &[0]).unwrap_err();
    assert_eq!(refused, Error::TooFewUnits { required: 2, available: 1 });
}

#[test]
fn targets_that_are_live_out_of_range_or_named_twice_are_refused() {
    let scenario = six_and_three(&[0, 1]);
    let live = [2, 3, 4, 5, 6, 7, 8];
    let refused = |targets: &[usize]| machine(&scenario, &live, targets).unwrap_err();
    assert_eq!(refused(&[0, 5]), Error::AvailableAndWanted { unit: 5 });
    assert_eq!(refused(&[0, 9]), Error::UnitOutOfRange { unit: 9, units: 9 });
    assert_eq!(refused(&[1, 0, 1]), Error::DuplicateUnit { unit: 1 });
    let refused = machine(&scenario, &[2, 300], &[0]).unwrap_err();
    assert_eq!(refused, Error::UnitOutOfRange { unit: 300, units: 9 });
}

#[test]
fn sources_are_opened_at_the_same_time_and_one_that_cannot_be_is_passed_over() {
    let mut scenario = six_and_three(&[0]);
    let mut first = machine(&scenario, &[1, 2, 3, 4, 5, 6, 7], &[0]).unwrap();
    let opened: Vec<usize> = std::iter::from_fn(|| first.poll())
        .map(|action| match action {
            Action::Open { source, .. } => source,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(opened, [0, 1, 2, 3, 4, 5]);

    scenario.sources[2].open = Open::Fails(ms(1));
    scenario.sources[4].open = Open::Fails(ms(3));
    let report = rebuilt(&scenario);
    assert!(matches!(reason(&report, 2), Some(Reason::Open(_))));
    let reads: Vec<bool> =
        report.progress().sources.iter().map(|source| source.reads > 0).collect();
    assert_eq!(reads, [true, true, false, true, false, true, true, true]);
}

#[test]
fn a_source_that_opens_late_gets_company() {
    let mut scenario = six_and_three(&[0]);
    scenario.config.hedging = Hedging::After(ms(20));
    scenario.sources[1].open = Open::Stalls;
    let report = rebuilt(&scenario);
    assert_eq!(report.progress().hedges, 1);
    assert_eq!(reason(&report, 1), None);
    assert!(report.ended_at < scenario.config.open_timeout);
}

#[test]
fn a_source_with_other_checksums_than_most_is_refused() {
    let mut scenario = six_and_three(&[0]);
    scenario.sources[0].content = Content::OtherChecksums;
    // One that opens later is held to the same.
    scenario.sources[6].content = Content::OtherChecksums;
    scenario.sources[3].open = Open::Fails(ms(9));
    scenario.sources.push(scenario.sources[4].clone());
    let report = simulator::run(&scenario);
    let failure = report.failure();
    assert!(matches!(failure.cause, Cause::TooFewSources { offset: 0, required: Some(6) }));
    let others: Vec<usize> = failure
        .sources
        .iter()
        .filter(|(_, why)| matches!(why, Reason::OtherChecksums { .. }))
        .map(|(source, _)| *source)
        .collect();
    assert_eq!(others, [0, 6]);
}

#[test]
fn rounds_are_whole_chunks_and_at_least_one() {
    for (buffer_len, chunk, round_len) in
        [(1024, 512, 1024), (1023, 512, 512), (1, 512, 512), (1500, 100, 1500), (99, 100, 100)]
    {
        let mut scenario = six_and_three(&[1]);
        scenario.checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, chunk).unwrap();
        scenario.config.buffer_len = buffer_len;
        let report = rebuilt(&scenario);
        assert_eq!(report.progress().rounds, (4 * CELL).div_ceil(round_len), "{buffer_len}");
    }
}

#[test]
fn rounds_shorten_where_they_would_take_more_memory_than_allowed() {
    let mut scenario = six_and_three(&[1]);
    scenario.config.buffer_len = 8000;
    // Two rounds of eight sources, and three buffers for the target.
    scenario.config.max_memory = 19 * 3 * 516;
    let report = rebuilt(&scenario);
    assert_eq!(report.progress().rounds, (4 * CELL).div_ceil(3 * 512));
    scenario.config.max_memory = 19 * 516 - 1;
    let report = simulator::run_unchecked(&scenario);
    let Cause::Memory { needed, allowed } = report.failure().cause else {
        panic!("{}", report.failure())
    };
    assert_eq!((needed, allowed), (19 * 516, 19 * 516 - 1));
}

#[test]
fn no_more_is_read_than_the_longest_target_and_no_unit_that_is_known_to_be_zero() {
    // Unit 5 ends after three cells; its target needs no more of the others than that.
    let mut scenario = six_and_three(&[5]);
    scenario.checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 500).unwrap();
    assert_eq!(scenario.layout.unit_len(5), 3 * CELL);
    assert_eq!(rebuilt(&scenario).bytes_read, 6 * 3 * CELL);
    // From there on units 3, 4 and 5 are known: three others are enough.
    let mut scenario = six_and_three(&[0]);
    scenario.config.buffer_len = 500;
    scenario.checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 500).unwrap();
    assert_eq!(rebuilt(&scenario).bytes_read, 6 * 3 * CELL + 3 * CELL);
}

#[test]
fn contiguous_units_of_any_lengths_are_rebuilt_at_theirs() {
    let layout = || ContiguousLayout::new([700, 9000, 0, 3100], 3).unwrap();
    for lost in [[0, 1], [1, 5], [3, 4], [5, 6]] {
        let code = ReedSolomon::new(4, 3).unwrap();
        let scenario = Scenario::new(code, AnyLayout::Contiguous(layout()), &lost, 5);
        let report = rebuilt(&scenario);
        let lens: Vec<usize> = report.targets.iter().map(|target| target.bytes.len()).collect();
        assert_eq!(lens, lost.map(|unit| layout().unit_len(unit) as usize));
    }
}

#[test]
fn a_source_that_fails_is_closed_and_another_takes_its_place_in_the_same_round() {
    let mut scenario = six_and_three(&[0]);
    scenario.sources[1].fault = Some((3, ReadFault::Fails));
    let report = rebuilt(&scenario);
    assert!(matches!(reason(&report, 1), Some(Reason::Read(_))));
    let reads: Vec<u64> = report.progress().sources.iter().map(|source| source.reads).collect();
    let rounds = report.progress().rounds;
    assert_eq!((reads[1], reads[6]), (3, rounds - 3));
    assert_eq!(report.progress().hedges, 0);
}

#[test]
fn a_slow_source_gets_company_and_the_winners_are_remembered() {
    let mut scenario = group_of(6, 3, 4 * 6 * CELL, &[0]);
    scenario.config.hedging = Hedging::After(ms(10));
    scenario.sources[2].latency = (ms(500), ms(500));
    let report = rebuilt(&scenario);
    let progress = report.progress();
    assert_eq!(progress.hedges, 1);
    assert_eq!((progress.sources[2].reads, progress.sources[2].cancelled), (0, 1));
    assert_eq!(progress.sources[6].reads, progress.rounds);
    assert_eq!(progress.sources[2].failure, None);
}

#[test]
fn the_threshold_is_learnt_from_the_reads_that_completed() {
    let mut scenario = six_and_three(&[0]);
    scenario.config.hedging =
        Hedging::Learnt { percent: 90, times: 3, at_least: ms(1), at_first: ms(1000) };
    // Quick reads of 1 ms, and one that stalls in the third round.
    scenario.sources[2].fault = Some((2, ReadFault::Stalls));
    let report = rebuilt(&scenario);
    assert_eq!(report.progress().hedges, 1);
    assert!(report.ended_at < ms(200), "{:?}", report.ended_at);
}

#[test]
fn hedges_are_capped_for_each_round_and_for_the_group() {
    for (per_round, in_all) in [(0, 9), (9, 0), (1, 9), (9, 1), (2, 9)] {
        let mut scenario = six_and_three(&[0]);
        scenario.config.hedging = Hedging::After(ms(5));
        scenario.config.read_timeout = ms(300);
        scenario.config.max_hedges_per_round = per_round;
        scenario.config.max_hedges = in_all;
        for source in [0, 1] {
            scenario.sources[source].fault = Some((0, ReadFault::Stalls));
        }
        let report = rebuilt(&scenario);
        let hedges = report.progress().hedges;
        assert!(hedges <= in_all && hedges <= per_round as u64, "{hedges}");
        let enough = per_round >= 2 && in_all >= 2;
        assert_eq!(report.ended_at < ms(300), enough, "{per_round} {in_all}");
    }
}

#[test]
fn with_no_source_left_it_fails_and_says_what_happened_to_each() {
    let mut scenario = six_and_three(&[0, 1]);
    scenario.sources[0].open = Open::Fails(ms(1));
    scenario.sources[3].fault = Some((2, ReadFault::Fails));
    let report = simulator::run(&scenario);
    let failure = report.failure();
    assert_eq!(failure.cause, Cause::TooFewSources { offset: 2048, required: Some(6) });
    let text = failure.to_string();
    for part in
        ["from 2048 on", "source 0 cannot be opened: no such block", "source 3 cannot be read"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn packets_are_as_long_as_they_may_be_and_span_rounds() {
    let mut scenario = group_of(3, 2, 3 * 300_000, &[1, 4]);
    scenario.config.buffer_len = 65_536;
    let mut lens = Vec::new();
    let report = simulator::run_watching(&scenario, |action| {
        if let Action::Send(packet) = action
            && packet.target() == 0
        {
            lens.push(packet.header().data_len as usize);
        }
    });
    assert!(report.progress().targets.iter().all(|target| target.is_rebuilt));
    let full = 126 * 512;
    assert_eq!(lens, [full, full, full, full, 300_000 - 4 * full, 0]);
}

#[test]
fn a_target_that_fails_is_dropped_and_the_others_go_on() {
    for fault in
        [TargetFault::Fails, TargetFault::Stalls, TargetFault::LosesAcks, TargetFault::AcksAnother]
    {
        for from in [0, 1, 7] {
            let mut scenario = six_and_three(&[0, 4, 8]);
            scenario.config.packet_len = 600;
            scenario.config.ack_timeout = ms(100);
            scenario.behaviours[1].fault = Some((from, fault));
            let report = simulator::run(&scenario);
            let rebuilt: Vec<bool> =
                report.progress().targets.iter().map(|target| target.is_rebuilt).collect();
            assert_eq!(rebuilt, [true, false, true], "{fault:?} from packet {from}");
        }
    }
}

#[test]
fn with_all_targets_failed_it_fails() {
    let mut scenario = six_and_three(&[0, 4]);
    for target in 0..2 {
        scenario.behaviours[target].fault = Some((1, TargetFault::Fails));
    }
    let report = simulator::run(&scenario);
    assert_eq!(report.failure().cause, Cause::NoTargets);
    assert_eq!(report.failure().targets.len(), 2);
}

#[test]
fn when_the_longest_target_is_gone_no_more_is_read_than_the_rest_needs() {
    let mut scenario = group_of(6, 3, 2 * 6 * CELL + 40, &[0, 3]);
    scenario.checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 500).unwrap();
    scenario.config.buffer_len = 500;
    scenario.behaviours[0].fault = Some((0, TargetFault::Fails));
    let report = simulator::run(&scenario);
    assert!(report.progress().targets[1].is_rebuilt);
    assert!(report.bytes_read <= 6 * 2 * CELL, "{}", report.bytes_read);
}

// --- What earlier decoders got wrong.

#[test]
fn exactly_the_targets_asked_for_are_computed() {
    let mut scenario = group_of(6, 3, 3 * 6 * CELL, &[0, 4, 8]);
    scenario.targets = vec![4];
    let report = rebuilt(&scenario);
    // Six units in, and one out.
    assert_eq!(report.computed, 7 * 3 * CELL);
}

#[test]
fn parity_is_rebuilt_although_a_data_source_cannot_be_opened() {
    let mut scenario = six_and_three(&[7]);
    scenario.sources[1].open = Open::Fails(ms(2));
    rebuilt(&scenario);
    scenario.sources[0].open = Open::Fails(ms(0));
    rebuilt(&scenario);
}

#[test]
fn parity_targets_get_their_bytes_and_not_zeros() {
    for lost in [[6, 0], [8, 3], [7, 8]] {
        let report = rebuilt(&six_and_three(&lost));
        assert!(report.targets.iter().all(|target| target.bytes.iter().any(|&byte| byte != 0)));
    }
}

#[test]
fn a_lone_short_data_block_is_rebuilt_and_gets_its_last_packet() {
    // Unit 5 is shorter than all the others, and shorter than a round.
    for len in [CELL * 5 + 1, CELL * 5 + 700, CELL * 12 - 1] {
        let report = rebuilt(&group_of(6, 3, len, &[5]));
        assert!(report.targets[0].has_last);
    }
}

#[test]
fn a_target_counts_as_rebuilt_only_when_all_acknowledgements_came() {
    let mut scenario = six_and_three(&[0, 1]);
    scenario.config.packet_len = 600;
    scenario.config.ack_timeout = ms(50);
    // Every acknowledgement but the last packet's.
    let packets = (4 * CELL).div_ceil(512);
    scenario.behaviours[0].fault = Some((packets, TargetFault::LosesAcks));
    let report = simulator::run(&scenario);
    let [first, second] = &report.progress().targets[..] else { panic!("two targets") };
    assert!(!first.is_rebuilt && second.is_rebuilt);
    assert_eq!((first.acked, first.sent), (4 * CELL, 4 * CELL));
    assert!(matches!(first.failure, Some(Reason::TimedOut { .. })));
}

#[test]
fn a_target_that_waits_for_slow_sources_hears_that_more_will_come() {
    let mut scenario = six_and_three(&[0]);
    scenario.config.packet_len = 600;
    scenario.config.hedging = Hedging::Never;
    scenario.sources.iter_mut().for_each(|source| source.latency = (ms(200), ms(200)));
    assert_eq!(rebuilt(&scenario).heartbeats, 0);
    scenario.config.heartbeat_after = ms(60);
    let report = rebuilt(&scenario);
    // Between any two of the rounds: their packets come 200 ms after each other.
    let gaps = report.progress().rounds as usize - 1;
    assert!((2 * gaps..=3 * gaps).contains(&report.heartbeats), "{}", report.heartbeats);
    // They are acknowledged like anything else: a target that is gone is noticed meanwhile.
    scenario.config.ack_timeout = ms(50);
    scenario.behaviours[0].fault = Some((2, TargetFault::LosesAcks));
    let report = simulator::run(&scenario);
    assert_eq!(report.failure().cause, Cause::NoTargets);
    assert!(report.ended_at < ms(450), "{:?}", report.ended_at);
}

#[test]
fn a_read_that_comes_after_it_was_cancelled_gives_its_buffer_back_and_no_more() {
    for after_cancel in [
        AfterCancel::Completes(ms(3)),
        AfterCancel::Completes(ms(60)),
        AfterCancel::Ends(ms(60)),
        AfterCancel::Fails(ms(60)),
        AfterCancel::Ignores,
    ] {
        let mut scenario = six_and_three(&[0, 7]);
        scenario.config.hedging = Hedging::After(ms(4));
        scenario.sources[2].latency = (ms(100), ms(100));
        scenario.sources[2].after_cancel = after_cancel;
        let report = rebuilt(&scenario);
        assert!(report.progress().hedges > 0);
    }
}

#[test]
fn a_short_read_is_a_failed_source_and_not_zeros() {
    let mut scenario = six_and_three(&[0]);
    scenario.sources[1].content = Content::Cut(2500);
    scenario.sources[2].fault = Some((1, ReadFault::Short));
    let report = rebuilt(&scenario);
    assert_eq!(reason(&report, 1), Some(&Reason::Short { got: 2500, expected: 4 * CELL }));
    assert_eq!(reason(&report, 2), Some(&Reason::Short { got: 1024 + 512, expected: 3 * CELL }));
    // One that says when it is opened how short it is need not be read at all.
    scenario.sources[1].tells_len = true;
    assert_eq!(rebuilt(&scenario).progress().sources[1].reads, 0);
}

#[test]
fn two_sources_of_one_unit_count_once() {
    let scenario = six_and_three(&[0]);
    let refused = machine(&scenario, &[1, 2, 3, 4, 5, 5, 5], &[0]).unwrap_err();
    assert_eq!(refused, Error::TooFewUnits { required: 6, available: 5 });
}

#[test]
fn a_second_source_of_a_unit_stands_in_for_the_first() {
    let mut scenario = six_and_three(&[0, 7, 8]);
    scenario.sources.push(scenario.sources[1].clone());
    scenario.sources[1].fault = Some((2, ReadFault::Fails));
    rebuilt(&scenario);
    // And a slow one gets company by it.
    scenario.sources[1].fault = Some((0, ReadFault::Stalls));
    scenario.config.hedging = Hedging::After(ms(10));
    let report = rebuilt(&scenario);
    assert_eq!((report.progress().hedges, reason(&report, 1)), (1, None));
}

#[test]
fn with_no_target_named_every_missing_unit_is_one_and_unit_0_only_if_it_is_missing() {
    let mut scenario = six_and_three(&[3, 7]);
    scenario.targets.clear();
    assert_eq!(rebuilt(&scenario).progress().units, [3, 7]);
    // A unit without a byte has no block to be missing.
    let mut scenario = group_of(6, 3, CELL, &[0, 4]);
    scenario.targets.clear();
    assert_eq!(rebuilt(&scenario).progress().units, [0]);
}

#[test]
fn targets_and_sources_in_any_order_give_the_same_bytes() {
    for targets in [[8, 0, 4], [4, 8, 0], [0, 4, 8]] {
        let mut scenario = six_and_three(&[0, 4, 8]);
        scenario.targets = targets.to_vec();
        rebuilt(&scenario);
        scenario.sources.reverse();
        let report = rebuilt(&scenario);
        assert_eq!(report.progress().units, targets);
    }
}

#[test]
fn reading_computing_and_sending_overlap() {
    let mut scenario = six_and_three(&[0]);
    scenario.job_time = ms(5);
    let report = rebuilt(&scenario);
    assert!(report.overlaps > 0);
    // 8 rounds: reading (1 ms) hides behind computing (5 ms).
    let rounds = report.progress().rounds as u32;
    assert!(report.ended_at < ms(5) * rounds + ms(8), "{:?}", report.ended_at);
}

// --- Checks.

#[test]
fn damage_is_named_with_source_and_chunk_and_read_around() {
    let mut scenario = six_and_three(&[0]);
    scenario.sources[3].content = Content::Damaged(vec![3333]);
    let report = rebuilt(&scenario);
    let Some(Reason::Corrupt { offset, source }) = reason(&report, 3) else {
        panic!("{:?}", reason(&report, 3))
    };
    assert_eq!(*offset, 3072);
    assert!(matches!(source, Error::ChecksumMismatch { .. }));
}

#[test]
fn one_extra_source_tells_that_one_lies_and_a_further_one_which() {
    let mut scenario = six_and_three(&[0]);
    scenario.config.extra_sources = 1;
    scenario.sources[3].content = Content::Lying(vec![(5000, 0x11)]);
    let report = rebuilt(&scenario);
    assert_eq!(reason(&report, 3), Some(&Reason::Lies { offset: 4096, len: 1024 }));
    // Where there is no further one, it fails rather than to guess.
    scenario.sources.pop();
    let report = simulator::run(&scenario);
    assert_eq!(report.failure().cause, Cause::Contradiction { offset: 4096, len: 1024 });
}

#[test]
fn an_innocent_source_is_not_blamed_for_what_two_liars_do() {
    let code = ReedSolomon::new(4, 4).unwrap();
    // Errors of units 1 and 2 that look, to units 5 and 6, as if unit 3 had one.
    let columns = code.plan(&[1, 2, 3, 4], &[5, 6]).unwrap().coefficients();
    let column =
        |place: usize, error: u8| [0, 1].map(|row| gf8::mul(columns.get(row, place), error));
    let pairs = (1..=255).flat_map(|second| (1..=255).map(move |third| (second, third)));
    let looks_like = |&(second, third): &(u8, u8)| {
        let sum = [0, 1].map(|row| column(0, 1)[row] ^ column(1, second)[row]);
        sum == column(2, third)
    };
    let (second, _) = pairs.into_iter().find(looks_like).unwrap();

    let mut scenario = Scenario::new(code, striped(4, 4, 4 * CELL), &[0], 5);
    scenario.config.extra_sources = 2;
    scenario.sources[0].content = Content::Lying(vec![(700, 1)]);
    scenario.sources[1].content = Content::Lying(vec![(700, second)]);
    let report = simulator::run(&scenario);
    let failure = report.failure();
    assert_eq!(failure.cause, Cause::Contradiction { offset: 0, len: 1024 });
    assert_eq!(failure.sources, []);
}

#[test]
fn without_extra_sources_a_lie_goes_unnoticed_and_nothing_else_breaks() {
    let mut scenario = six_and_three(&[0]);
    scenario.sources[3].content = Content::Lying(vec![(5000, 0x11)]);
    let report = simulator::run(&scenario);
    let wrong: Vec<usize> = (0..report.targets[0].bytes.len())
        .filter(|&at| report.targets[0].bytes[at] != scenario.blocks[0][at])
        .collect();
    assert_eq!(wrong, [5000]);
}

// --- It always ends.

#[test]
fn opens_and_reads_that_stall_end_at_their_deadlines() {
    let mut scenario = six_and_three(&[0, 1, 2]);
    scenario.config.hedging = Hedging::Never;
    scenario.config.open_timeout = ms(70);
    scenario.sources[1].open = Open::Stalls;
    let report = simulator::run(&scenario);
    let why = &report.failure().sources[0];
    assert_eq!(*why, (1, Reason::TimedOut { what: "open", after: ms(70) }));
    assert!(report.ended_at < ms(80));

    let mut scenario = six_and_three(&[0, 1, 2]);
    scenario.config.read_timeout = ms(70);
    scenario.sources[1].fault = Some((2, ReadFault::Stalls));
    let report = simulator::run(&scenario);
    let why = &report.failure().sources[0];
    assert_eq!(*why, (1, Reason::TimedOut { what: "read", after: ms(70) }));
    assert!(report.ended_at < ms(110));
}

#[test]
fn cancelled_at_any_moment_it_leaves_nothing_running() {
    let mut scenario = six_and_three(&[0, 8]);
    scenario.config.hedging = Hedging::After(ms(3));
    scenario.sources[2].latency = (ms(1), ms(9));
    let end = rebuilt(&scenario).ended_at;
    let mut cancelled = 0;
    let mut at = Duration::ZERO;
    while at < end {
        scenario.cancel_at = Some(at);
        let report = simulator::run(&scenario);
        cancelled += usize::from(matches!(report.outcome, Some(Err(_))));
        at += Duration::from_micros(150);
    }
    assert!(cancelled > 100, "{cancelled}");
}

// --- Ranges that are read, lost or not.

fn read(scenario: &mut Scenario, range: std::ops::Range<u64>) -> Report {
    scenario.range = Some(range);
    scenario.checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 100).unwrap();
    let report = simulator::run(scenario);
    report.progress();
    report
}

#[test]
fn a_range_of_live_units_reads_no_more_than_itself() {
    let mut scenario = six_and_three(&[5]);
    // 300 bytes of unit 1, then all of unit 2's cell.
    let report = read(&mut scenario, 2 * CELL - 300..3 * CELL);
    assert_eq!(report.bytes_read, 300 + CELL);
    assert!(report.delivered.iter().all(|(_, _, _, is_rebuilt)| !is_rebuilt));
    // Not at chunks: the chunks around it are read.
    let report = read(&mut scenario, 150..160);
    assert_eq!(report.bytes_read, 100);
    assert_eq!(report.delivered, [(0, 150, scenario.blocks[0][150..160].to_vec(), false)]);
    assert_eq!(read(&mut scenario, 7..7).bytes_read, 0);
}

#[test]
fn a_range_of_a_lost_unit_reads_that_range_of_as_many_others_as_required() {
    let mut scenario = six_and_three(&[1]);
    let report = read(&mut scenario, CELL + 500..CELL + 900);
    assert_eq!(report.bytes_read, 6 * 400);
    assert_eq!(report.delivered, [(1, 500, scenario.blocks[1][500..900].to_vec(), true)]);
    // Of the last stripe there are three cells: three units are enough.
    let start = 3 * 6 * CELL + CELL;
    let report = read(&mut scenario, start..start + 200);
    assert_eq!(report.bytes_read, 3 * 200);
    // Live units of the range are among those read, and are not read twice.
    let report = read(&mut scenario, 0..6 * CELL);
    assert_eq!(report.bytes_read, 6 * CELL);
}

#[test]
fn a_live_unit_that_is_slow_or_fails_is_rebuilt_for_the_reader() {
    for fault in [ReadFault::Stalls, ReadFault::Fails, ReadFault::Short] {
        let mut scenario = six_and_three(&[1]);
        scenario.config.hedging = Hedging::After(ms(5));
        scenario.sources[1].fault = Some((0, fault));
        let report = read(&mut scenario, 2 * CELL..2 * CELL + 300);
        assert_eq!(report.delivered, [(2, 0, scenario.blocks[2][..300].to_vec(), true)]);
        assert!(report.ended_at < ms(50));
    }
}

#[test]
fn ranges_past_the_units_or_beyond_repair_are_refused() {
    let scenario = six_and_three(&[0]);
    let refused = |sources: &[usize], units: std::ops::Range<usize>, unit_range| {
        let (config, code) = (scenario.config.clone(), Arc::clone(&scenario.code));
        let ranges = [AlignedRange { unit_range, units }];
        let layout = scenario.layout.clone();
        Reconstruction::<Vec<u8>>::of_ranges(config, code, layout, sources, ranges, Duration::ZERO)
            .unwrap_err()
    };
    let live = [1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(refused(&live, 5..7, 0..1), Error::NotADataUnit { unit: 6, data_units: 6 });
    let len = 3 * CELL;
    let past = refused(&live, 5..6, 0..len + 1);
    assert_eq!(past, Error::Range { start: 0, end: len + 1, len });
    let too_few = Error::TooFewUnits { required: 6, available: 5 };
    assert_eq!(refused(&live[..5], 0..1, 0..1), too_few);
}

// --- What the driver must not do, and gets away with.

#[test]
fn events_that_make_no_sense_change_nothing() {
    let scenario = six_and_three(&[0]);
    let live = [1, 2, 3, 4, 5, 6, 7];
    let (mut first, mut second) =
        (machine(&scenario, &live, &[0]).unwrap(), machine(&scenario, &live, &[0]).unwrap());
    let now = Duration::ZERO;
    let checksum = scenario.checksum;
    let mut reads = Vec::new();
    for machine in [&mut first, &mut second] {
        for _ in 0..6 {
            let Some(Action::Open { token, .. }) = machine.poll() else { panic!("an open") };
            machine.handle(Event::Opened { token, checksum, len: None }, now);
            machine.handle(Event::Opened { token, checksum, len: None }, now);
            machine.handle(Event::OpenFailed { token, message: "late".into() }, now);
        }
        let Some(Action::Lend { buffers, len }) = machine.poll() else { panic!("a loan") };
        for _ in 0..buffers + 3 {
            machine.handle(Event::Lent(vec![0; len]), now);
        }
        machine.handle(Event::Acked { target: 0, seqno: 0 }, now);
        machine.handle(Event::Acked { target: 99, seqno: 0 }, now);
        machine.handle(Event::TargetFailed { target: 99, message: "who".into() }, now);
        machine.handle(Event::Timer, now);
        while let Some(action) = machine.poll() {
            match action {
                Action::Read(read) => reads.push(read),
                Action::DropTarget { .. } | Action::Done(_) | Action::Close { .. } => {}
                Action::Cancel { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
    // The acknowledgement of a packet never sent has failed the only target.
    for read in reads {
        first.handle(Event::Read { read, outcome: ReadOutcome::Cancelled }, now);
    }
    assert!(first.poll_timeout().is_none());
}

#[test]
fn numbers_that_are_none_to_work_with_are_refused() {
    let scenario = six_and_three(&[0]);
    let refused = |change: fn(&mut Config)| {
        let mut scenario = scenario.clone();
        change(&mut scenario.config);
        machine(&scenario, &[1, 2, 3, 4, 5, 6, 7], &[0]).unwrap_err()
    };
    let out_of_bounds = |error| matches!(error, Error::OutOfBounds { .. });
    assert!(out_of_bounds(refused(|config| config.buffer_len = 0)));
    assert!(out_of_bounds(refused(|config| config.max_unacked_packets = 0)));
    assert!(out_of_bounds(refused(|config| config.extra_sources = 3)));
    let refused = machine(&scenario, &[1, 2, 3, 4, 5, 6], &[0, 7, 8]);
    assert!(refused.is_ok());
    let other = ReedSolomon::new(6, 4).unwrap();
    let refused = Reconstruction::<Vec<u8>>::new(
        Config::new(1),
        Arc::new(other),
        scenario.layout.clone(),
        &[1, 2, 3, 4, 5, 6],
        &[0],
        Duration::ZERO,
    );
    assert!(matches!(refused, Err(Error::Count { expected: 4, got: 3, .. })));
    let local = Scenario::new(local_code(2, 2), striped(4, 4, 4 * CELL), &[0], 1);
    let mut config = local.config.clone();
    config.extra_sources = 1;
    let refused = Reconstruction::<Vec<u8>>::new(
        config,
        Arc::clone(&local.code),
        local.layout.clone(),
        &[1, 2, 3, 4, 5, 6, 7],
        &[0],
        Duration::ZERO,
    );
    assert!(matches!(refused, Err(Error::Invalid { .. })));
    assert_eq!(local.code.total_units(), 8);
}

// --- What slow sources cost.

/// When groups end, of six sources and forty rounds each, in order.
fn ends(hedging: Hedging, disturb: impl Fn(&mut Scenario, usize)) -> Vec<Duration> {
    let end = |seed: usize| {
        let layout = striped(6, 3, 20 * 6 * CELL);
        let code = ReedSolomon::new(6, 3).unwrap();
        let mut scenario = Scenario::new(code, layout, &[0], seed as u64);
        scenario.config.hedging = hedging;
        scenario.sources.iter_mut().for_each(|source| source.latency = (ms(2), ms(6)));
        disturb(&mut scenario, seed);
        rebuilt(&scenario).ended_at
    };
    let mut ends: Vec<Duration> = (0..100).map(end).collect();
    ends.sort_unstable();
    ends
}

#[test]
fn one_source_that_stalls_or_is_slow_costs_a_threshold_and_little_more() {
    let threshold = ms(20);
    let stall = |scenario: &mut Scenario, seed: usize| {
        scenario.sources[seed % 6].fault = Some((seed as u64 % 30, ReadFault::Stalls));
    };
    let slow = |scenario: &mut Scenario, seed: usize| {
        scenario.sources[seed % 6].latency = (ms(60), ms(100));
    };
    let undisturbed = ends(Hedging::After(threshold), |_, _| {});
    for (what, hedged, not) in [
        ("stalls", ends(Hedging::After(threshold), stall), ends(Hedging::Never, stall)),
        ("is slow", ends(Hedging::After(threshold), slow), ends(Hedging::Never, slow)),
    ] {
        println!("one source {what}: median, 95th and slowest of 100, in milliseconds");
        for (name, ends) in [("undisturbed", &undisturbed), ("hedged", &hedged), ("not", &not)] {
            println!("{name}: {:?}", [50, 94, 99].map(|place| ends[place].as_millis()));
        }
        for (place, end) in hedged.iter().enumerate() {
            let most = undisturbed[place] * 11 / 10 + threshold;
            assert!(*end <= most, "{what}: {end:?}, and not {most:?}");
            assert!(not[place] > most, "{what}: it would cost nothing");
        }
    }
}

#[test]
fn a_source_whose_stand_in_was_faster_is_not_read_again() {
    let mut scenario = six_and_three(&[0]);
    scenario.config.hedging = Hedging::After(ms(5));
    scenario.sources.truncate(6);
    // The stand-in of the first source; the last one holds every round up.
    scenario.sources.push(scenario.sources[0].clone());
    scenario.sources[0].latency = (ms(20), ms(20));
    scenario.sources[5].latency = (ms(200), ms(200));
    let mut reads = std::collections::BTreeMap::new();
    simulator::run_watching(&scenario, |action| {
        if let Action::Read(read) = action {
            *reads.entry((read.source(), read.offset())).or_insert(0) += 1;
        }
    });
    assert!(reads.keys().any(|&(source, _)| source == 6), "it had no stand-in");
    assert!(reads.values().all(|&count| count == 1), "{reads:?}");
}

// --- Several cores.

#[cfg(feature = "rayon")]
#[test]
fn jobs_divided_among_cores_bring_the_same_bytes_and_find_the_same_damage() {
    use restripe::layout::StripedLayout;

    let pool = rayon::ThreadPoolBuilder::new().num_threads(5).build().unwrap();
    for (lost, chunk, unit_len) in [
        (&[1][..], 512, 1 << 20),
        (&[8, 0][..], 512, (1 << 20) + 77),
        (&[2, 3, 7][..], 700, 900_001),
    ] {
        let layout = StripedLayout::new(6, 3, 1 << 20, 6 * unit_len).unwrap();
        let code = ReedSolomon::new(6, 3).unwrap();
        let mut scenario = Scenario::new(code, AnyLayout::Striped(layout), lost, 5);
        scenario.checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, chunk).unwrap();
        scenario.config.buffer_len = 1 << 20;
        if lost.len() < 3 {
            scenario.sources[3].content = Content::Damaged(vec![700_000]);
        }
        let alone = simulator::run(&scenario);
        assert!(alone.computed > 6 << 20, "too little to be divided");
        scenario.in_parallel = true;
        let divided = pool.install(|| simulator::run(&scenario));
        assert!(alone.trace == divided.trace, "{lost:?}: other actions, or other bytes in them");
        assert_eq!(divided.progress().sources[3].failure.is_some(), lost.len() < 3);
    }
}
