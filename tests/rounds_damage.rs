//! The buffer-round decoder with sources that are damaged in places: what is damaged is left out, and
//! the rest of its block used.
#![cfg(feature = "hdfs")]

mod oracle;
mod simulator;

use std::sync::Arc;
use std::time::Duration;

use restripe::Error;
use restripe::round::{Action, Cause, OnDamage, Reason, Reconstruction};
use simulator::groups::{rebuilt, six_and_three};
use simulator::scenario::{Content, ReadFault, Scenario};

/// Positions of a damaged byte in every chunk of a block that a filter says.
fn every_chunk(scenario: &Scenario, unit: usize, is_damaged: impl Fn(usize) -> bool) -> Content {
    let chunks = scenario.blocks[unit].len().div_ceil(512);
    Content::Damaged(
        (0..chunks).filter(|&chunk| is_damaged(chunk)).map(|chunk| chunk * 512).collect(),
    )
}

#[test]
fn a_group_is_rebuilt_though_every_block_is_damaged_somewhere() {
    let mut scenario = six_and_three(&[0]);
    scenario.config.buffer_len = 16 << 10;
    for place in 0..scenario.sources.len() {
        let unit = scenario.sources[place].unit;
        // Of the eight at most two are damaged in any chunk.
        scenario.sources[place].content =
            every_chunk(&scenario, unit, |chunk| chunk % 4 == place % 4);
    }
    let report = simulator::run(&scenario);
    assert!(matches!(report.failure().cause, Cause::TooFewSources { .. }));
    scenario.config.on_damage = OnDamage::LeaveOut;
    let report = rebuilt(&scenario);
    for source in &report.progress().sources {
        assert_eq!(source.failure, None);
        assert!(matches!(source.damage, Some(Reason::Corrupt { .. })), "{source:?}");
    }
}

#[test]
fn the_end_that_a_block_lacks_and_a_range_that_cannot_be_read_are_left_out() {
    let mut scenario = six_and_three(&[0]);
    scenario.config.on_damage = OnDamage::LeaveOut;
    scenario.sources.truncate(7);
    scenario.sources[1].content = Content::Cut(3000);
    let report = rebuilt(&scenario);
    let short = &report.progress().sources[1];
    assert!(matches!(short.damage, Some(Reason::Short { expected: 8000, .. })), "{short:?}");
    assert!(short.bytes >= 2560, "{short:?}");

    scenario.sources[1].content = Content::Right;
    scenario.sources[2].fault = Some((4, ReadFault::Fails));
    let report = rebuilt(&scenario);
    let failing = &report.progress().sources[2];
    assert!(matches!(failing.damage, Some(Reason::Read(_))), "{failing:?}");
    assert_eq!((failing.reads, &failing.failure), (4, &None));
}

#[test]
fn rounds_end_where_damage_does_and_no_further_sources_are_read_beside_it() {
    let mut scenario = six_and_three(&[0]);
    scenario.config.on_damage = OnDamage::LeaveOut;
    scenario.config.buffer_len = 4096;
    scenario.sources[0].content = Content::Damaged(vec![1024]);
    let mut reads = Vec::new();
    let report = simulator::run_watching(&scenario, |action| {
        if let Action::Read(read) = action {
            reads.push((read.source(), read.offset(), read.data_len()));
        }
    });
    assert_eq!(report.progress().rounds, 4, "0..1024, the chunk, 4096 bytes and the rest");
    let of_stand_in: Vec<_> = reads.iter().filter(|(source, ..)| *source == 6).collect();
    assert!(of_stand_in.contains(&&(6, 1024, 512)), "{reads:?}");
}

#[test]
fn whoever_reads_all_units_gets_each_chunk_as_it_is_or_rebuilt() {
    let mut scenario = six_and_three(&[7]);
    scenario.config.on_damage = OnDamage::LeaveOut;
    scenario.config.read_all = true;
    scenario.units = Some(((0..9).collect(), 0..8000));
    scenario.sources[3].content = Content::Damaged(vec![0, 5000]);
    scenario.sources[7].content = Content::Damaged(vec![5100]);
    let report = simulator::run(&scenario);
    let mut rebuilt: Vec<_> = report
        .delivered
        .iter()
        .filter(|(unit, .., is_rebuilt)| *is_rebuilt && *unit != 7)
        .map(|(unit, offset, bytes, _)| (*unit, *offset, bytes.len()))
        .collect();
    rebuilt.sort_unstable();
    assert_eq!(rebuilt, [(3, 0, 512), (3, 4608, 512), (8, 4608, 512)]);
    let sources = &report.progress().sources;
    assert!(sources.iter().all(|source| source.bytes >= 7000), "all are read: {sources:?}");
}

#[test]
fn whoever_reads_all_is_told_where_sources_contradict_each_other_before_anything_is_rebuilt() {
    let mut scenario = six_and_three(&[7]);
    scenario.config.on_damage = OnDamage::LeaveOut;
    scenario.config.read_all = true;
    scenario.units = Some(((0..9).collect(), 0..8000));
    scenario.sources[2].content = Content::Lying(vec![(2100, 0x40)]);
    let report = simulator::run_unchecked(&scenario);
    assert_eq!(report.failure().cause, Cause::Contradiction { offset: 2048, len: 1024 });
    assert!(report.delivered.iter().all(|(_, offset, ..)| *offset < 2048));
}

#[test]
fn units_that_are_no_units_of_the_group_are_not_read() {
    let scenario = six_and_three(&[0]);
    let read = |units: &[usize], range| {
        Reconstruction::<Vec<u8>>::of_units(
            scenario.config.clone(),
            Arc::clone(&scenario.code),
            scenario.layout.clone(),
            &[1, 2, 3, 4, 5, 6],
            units,
            range,
            Duration::ZERO,
        )
    };
    assert!(read(&[0, 8], 0..8000).is_ok());
    assert_eq!(read(&[9], 0..1).unwrap_err(), Error::UnitOutOfRange { unit: 9, units: 9 });
    assert_eq!(read(&[8, 8], 0..1).unwrap_err(), Error::DuplicateUnit { unit: 8 });
    let refused = read(&[8], 0..8001).unwrap_err();
    assert_eq!(refused, Error::Range { start: 0, end: 8001, len: 8000 });
}
