//! What must hold of every reconstruction, whatever went wrong around it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::time::Duration;

use restripe::layout::{AlignedRange, Layout};
use restripe::round::{Action, Cause, Delivery, Failure, Progress};

use super::scenario::{Content, Scenario};
use super::world::SimBuffer;

/// What happened.
#[derive(Debug, Default)]
pub struct Report {
    pub outcome: Option<Result<Progress, Failure>>,
    pub targets: Vec<Rebuilt>,
    pub closed: Vec<usize>,
    pub buffers: usize,
    /// Bytes of data that reads asked for.
    pub bytes_read: u64,
    /// Bytes that jobs read and wrote.
    pub computed: u64,
    pub heartbeats: usize,
    /// Jobs that began while reads were out.
    pub overlaps: usize,
    pub ended_at: Duration,
    /// What was delivered: (unit, offset, bytes, whether they were rebuilt).
    pub delivered: Vec<(usize, u64, Vec<u8>, bool)>,
    /// All actions with their times, and the bytes in them, as one number each.
    pub trace: Vec<u64>,
}

/// What one target got.
#[derive(Debug, Default)]
pub struct Rebuilt {
    pub bytes: Vec<u8>,
    pub has_last: bool,
    pub is_finished: bool,
}

impl Report {
    pub fn progress(&self) -> &Progress {
        match &self.outcome {
            Some(Ok(progress)) => progress,
            other => panic!("not rebuilt: {other:?}"),
        }
    }

    pub fn failure(&self) -> &Failure {
        match &self.outcome {
            Some(Err(failure)) => failure,
            other => panic!("did not fail: {other:?}"),
        }
    }

    pub(super) fn deliver(&mut self, delivery: &Delivery<SimBuffer>) {
        let bytes = delivery.data().to_vec();
        self.delivered.push((delivery.unit(), delivery.offset(), bytes, delivery.is_rebuilt()));
    }

    pub(super) fn note(&mut self, now: Duration, action: &Action<SimBuffer>) {
        let mut hasher = DefaultHasher::new();
        now.hash(&mut hasher);
        match action {
            Action::Read(read) => {
                (1, read.token(), read.source(), read.offset(), read.data_len()).hash(&mut hasher);
            }
            Action::Send(packet) => {
                (2, packet.target(), packet.head()).hash(&mut hasher);
                packet.data().for_each(|part| part.hash(&mut hasher));
            }
            Action::Deliver(delivery) => {
                (4, delivery.unit(), delivery.offset(), delivery.data()).hash(&mut hasher);
            }
            Action::Compute(job) => (3, job.bytes()).hash(&mut hasher),
            other => format!("{other:?}").hash(&mut hasher),
        }
        self.trace.push(hasher.finish());
    }
}

/// Holds a report to all of it.
pub fn check(scenario: &Scenario, report: &Report) {
    let outcome = report.outcome.as_ref().expect("it ended");
    let units = scenario.target_units();
    assert_eq!(units.len(), report.targets.len());
    let lying = scenario.sources.iter().filter(|source| scenario.lies(source)).count();
    let is_sound = lying <= scenario.config.extra_sources;
    for (target, &unit) in report.targets.iter().zip(&units) {
        if target.is_finished {
            assert!(target.has_last, "finished without a last packet");
            assert_eq!(target.bytes.len(), scenario.blocks[unit].len(), "length of unit {unit}");
        }
        // Nothing wrong is sent, not even to a target that fails later.
        let right = &scenario.blocks[unit][..target.bytes.len()];
        assert!(!is_sound || target.bytes == right, "unit {unit} is not the lost one");
    }
    check_delivered(scenario, report, outcome.is_ok(), is_sound);
    for (place, source) in scenario.sources.iter().enumerate() {
        let failed = match outcome {
            Ok(progress) => progress.sources[place].failure.clone(),
            Err(failure) => failure
                .sources
                .iter()
                .find(|(other, _)| *other == place)
                .map(|(_, why)| why.clone()),
        };
        let is_given_up = match outcome {
            Ok(_) => failed.is_some(),
            // That of which something is left out is told, too.
            Err(_) => failed.is_some() && source.content == Content::Right,
        };
        if scenario.must_be_kept(source) && is_sound && !has_other_checksums(scenario) {
            assert!(!is_given_up, "source {place} is of use: {failed:?}");
        }
    }
    match outcome {
        Ok(progress) => check_progress(scenario, report, progress),
        Err(failure) => check_failure(scenario, failure),
    }
}

fn check_progress(scenario: &Scenario, report: &Report, progress: &Progress) {
    assert!(progress.hedges <= scenario.config.max_hedges);
    let units = scenario.target_units();
    let any = report.targets.iter().any(|target| target.is_finished);
    let delivered: usize = report.delivered.iter().map(|(_, _, bytes, _)| bytes.len()).sum();
    assert_eq!(progress.delivered, delivered as u64);
    assert!(any || units.is_empty(), "nothing is rebuilt");
    for (place, target) in report.targets.iter().enumerate() {
        let told = &progress.targets[place];
        assert_eq!(told.is_rebuilt, target.is_finished);
        assert_eq!(told.is_rebuilt, told.failure.is_none());
        if told.is_rebuilt {
            assert_eq!((told.sent, told.acked), (target.bytes.len() as u64, told.sent));
        }
        let is_healthy = scenario.behaviours[place].fault.is_none();
        assert!(!is_healthy || told.is_rebuilt, "target {place} is healthy: {told:?}");
    }
}

/// It may fail only where it must.
fn check_failure(scenario: &Scenario, failure: &Failure) {
    let targets = scenario.target_units().len();
    let all_faulty =
        scenario.behaviours[..targets].iter().all(|behaviour| behaviour.fault.is_some());
    let lying = scenario.sources.iter().any(|source| scenario.lies(source));
    match &failure.cause {
        Cause::Cancelled => assert!(scenario.cancel_at.is_some()),
        Cause::NoTargets => assert!(all_faulty, "a target is healthy: {failure}"),
        Cause::TooFewSources { .. } => {
            assert!(
                lying || has_other_checksums(scenario) || !healthy_ones_suffice(scenario),
                "the healthy sources suffice: {failure}"
            );
        }
        Cause::Contradiction { .. } => assert!(lying, "nobody lies: {failure}"),
        other => panic!("{other}"),
    }
}

/// Which checksums most sources have depends on who opens first.
fn has_other_checksums(scenario: &Scenario) -> bool {
    scenario.sources.iter().any(|source| source.content == Content::OtherChecksums)
}

/// Every byte asked for is delivered once, and no other: in order within its unit, where units are
/// not divided.
fn check_delivered(scenario: &Scenario, report: &Report, is_whole: bool, is_sound: bool) {
    let ranges = scenario.ranges();
    let mut missing: Vec<Vec<Range<u64>>> = vec![Vec::new(); scenario.code.total_units()];
    for range in ranges {
        for unit in range.units {
            missing[unit].push(range.unit_range.clone());
        }
    }
    for (unit, offset, bytes, _) in &report.delivered {
        let (start, end) = (*offset, offset + bytes.len() as u64);
        let missing = &mut missing[*unit];
        let is_in = |range: &Range<u64>| range.start <= start && end <= range.end;
        let place = missing.iter().position(is_in).expect("bytes that nobody asked for");
        let range = missing.remove(place);
        if scenario.code.sub_shards() == 1 {
            assert_eq!((place, range.start), (0, start), "order in unit {unit}");
        }
        assert!(start < end);
        let rest = [range.start..start, end..range.end];
        let rest = rest.into_iter().filter(|range| !range.is_empty());
        missing.splice(place..place, rest);
        let start = *offset as usize;
        let right = &scenario.blocks[*unit][start..start + bytes.len()];
        assert!(!is_sound || bytes == right, "unit {unit} from {offset} on");
    }
    assert!(!is_whole || missing.iter().all(Vec::is_empty), "not delivered: {missing:?}");
}

fn healthy_ones_suffice(scenario: &Scenario) -> bool {
    let (code, layout) = (&scenario.code, &scenario.layout);
    if scenario.reads_ranges() {
        return healthy_ones_suffice_for_ranges(scenario);
    }
    let extra = scenario.config.extra_sources;
    let wanted = |place: u64| -> Vec<usize> {
        let units = scenario.target_units().into_iter();
        units.filter(|&unit| layout.unit_len(unit) > place).collect()
    };
    let suffices = |place: u64| {
        let wanted = wanted(place);
        let available: Vec<usize> = (0..code.total_units())
            .filter(|unit| !wanted.contains(unit))
            .filter(|&unit| layout.known_zero(unit, place) || is_given(scenario, unit, place))
            .collect();
        let enough = extra == 0 || available.len() >= code.data_units() + extra;
        enough && code.plan(&available, &wanted).is_ok()
    };
    let mut places = scenario.places().into_iter();
    checksums_are_told(scenario) && places.all(|place| wanted(place).is_empty() || suffices(place))
}

/// Whether some source gives right bytes of a unit's chunk at some offset.
fn is_given(scenario: &Scenario, unit: usize, place: u64) -> bool {
    scenario.sources.iter().any(|source| source.unit == unit && scenario.gives(source, place))
}

/// Whether a healthy source has any bytes: those of a target may all be known zeros, but which
/// checksums they are to have only a source tells.
fn checksums_are_told(scenario: &Scenario) -> bool {
    let has_bytes = |unit| scenario.layout.unit_len(unit) > 0;
    scenario.sources.iter().any(|source| source.is_healthy() && has_bytes(source.unit))
}

fn healthy_ones_suffice_for_ranges(scenario: &Scenario) -> bool {
    let (code, layout) = (&scenario.code, &scenario.layout);
    let extra = scenario.config.extra_sources;
    let chunk = scenario.checksum.bytes_per_checksum() as u64;
    let suffices = |range: &AlignedRange, start: u64| {
        // Of a code with sub-shards the rest of the cell may depend on its beginning.
        let cell = if code.sub_shards() == 1 { 1 } else { layout.cell_len().unwrap_or(1) };
        let is_zero = |unit: usize| layout.known_zero(unit, start - start % cell);
        let available: Vec<usize> = (0..code.total_units())
            .filter(|&unit| is_zero(unit) || is_given(scenario, unit, start))
            .collect();
        let lost: Vec<usize> =
            range.units.clone().filter(|unit| !available.contains(unit)).collect();
        let enough = extra == 0 || available.len() >= code.data_units() + extra;
        enough && code.plan(&available, &lost).is_ok()
    };
    scenario.ranges().iter().all(|range| {
        let Range { start, end } = range.unit_range;
        let is_in = |place: &u64| (start - start % chunk..end).contains(place);
        let places = scenario.places().into_iter().filter(is_in).map(|place| place.max(start));
        std::iter::once(start).chain(places).all(|place| suffices(range, place))
    })
}
