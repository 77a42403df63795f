//! `restripe reconstruct`: lost blocks of one group, from files and datanodes to files and
//! datanodes.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{ExtendedBlock, ReadBlock, WriteBlock};
use restripe::layout::{Layout as _, StripedLayout};
use restripe::net::{
    BlockSource, BlockStore, BlockTarget, Limits, Rebuild, RebuildError, Rebuilder,
};
use restripe::round::{Cause, Config, OnDamage, Progress as RoundProgress};

use super::Done;
use crate::args::{Output, Reconstruct};
use crate::block_place::{BlockPlace, UnitPlace};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::report::{ReconstructReport, Report, SourceReport, TargetReport};

pub(super) fn run(asked: &Reconstruct, output: &Output) -> Result<Done> {
    let layout = asked.policy.group(asked.length);
    let sources = sources(asked, &layout)?;
    let targets = targets(asked, &layout, newest_stamp(&sources))?;
    let rebuild = Rebuild {
        config: config(asked),
        code: Arc::new(asked.policy.code().map_err(Failure::engine("cannot reconstruct"))?),
        layout,
        sources,
        targets,
    };
    let mut limits = Limits::default();
    limits.computing_threads = asked.resources.threads();
    limits.bytes = asked.resources.memory.0;
    limits.read_rate = asked.read_rate.and_then(|rate| NonZeroU64::new(rate.0));
    limits.write_rate = asked.write_rate.and_then(|rate| NonZeroU64::new(rate.0));

    let all = asked.targets.iter().map(|target| layout.unit_len(target.unit)).sum();
    let bar = Progress::new(output, "rebuilding", Some(all));
    let mut shown = 0;
    let begun = Instant::now();
    let outcome = Rebuilder::new(&limits).run(rebuild, |progress| {
        let acked = progress.targets.iter().map(|target| target.acked).sum();
        bar.add(u64::saturating_sub(acked, shown));
        shown = acked;
        true
    });
    drop(bar);
    let progress = outcome.map_err(|error| failed(asked, error))?;
    let report = report(asked, &progress, begun.elapsed());
    let all_rebuilt = report.targets.iter().all(|target| target.rebuilt);
    let exit = if all_rebuilt { Exit::Success } else { Exit::Failed };
    Ok(Done::new(Report::Reconstruct(report), exit))
}

fn config(asked: &Reconstruct) -> Config {
    // Each of these hashers has a random state of its own.
    let seed = std::collections::hash_map::RandomState::new().build_hasher().finish();
    let mut config = Config::new(seed);
    let timeout = Duration::from_secs(asked.timeout.into());
    (config.open_timeout, config.read_timeout, config.ack_timeout) = (timeout, timeout, timeout);
    config.buffer_len = usize::try_from(asked.buffer.0).unwrap_or(usize::MAX);
    config.max_memory = usize::try_from(asked.resources.memory.0).unwrap_or(usize::MAX);
    config.extra_sources = asked.extra_sources.into();
    if asked.leave_out_damage {
        config.on_damage = OnDamage::LeaveOut;
    }
    config
}

fn sources(asked: &Reconstruct, layout: &StripedLayout) -> Result<Vec<(usize, BlockSource)>> {
    let mut sources = Vec::new();
    for UnitPlace { unit, place } in &asked.sources {
        let source = match place {
            BlockPlace::Folder { folder, block } => {
                let replica = BlockStore::open(folder)
                    .and_then(|store| store.find(block.id, block.generation_stamp))
                    .map_err(Failure::network(format!("cannot use source {unit}={place}")))?;
                let stamp = replica.generation_stamp();
                let data = replica.data_path().to_path_buf();
                let meta = data.with_file_name(format!("blk_{}_{stamp}.meta", block.id.0));
                BlockSource::Files { id: block.id, generation_stamp: stamp, data, meta }
            }
            BlockPlace::Datanode { host, .. } => BlockSource::Datanode {
                address: address(host)?,
                read: ReadBlock::new(
                    extended(asked, place, layout.unit_len(*unit)),
                    "restripe",
                    0,
                    0,
                ),
            },
        };
        sources.push((*unit, source));
    }
    Ok(sources)
}

/// The version that rebuilt blocks get unless they are given one.
fn newest_stamp(sources: &[(usize, BlockSource)]) -> u64 {
    let stamps = sources.iter().map(|(_, source)| match source {
        BlockSource::Files { generation_stamp, .. } => *generation_stamp,
        BlockSource::Datanode { read, .. } => read.block.generation_stamp,
    });
    stamps.max().unwrap_or(0)
}

fn targets(
    asked: &Reconstruct,
    layout: &StripedLayout,
    stamp: u64,
) -> Result<Vec<(usize, BlockTarget)>> {
    // One lock a folder, however many blocks go there.
    let mut stores: HashMap<&PathBuf, BlockStore> = HashMap::new();
    let mut targets = Vec::new();
    for UnitPlace { unit, place } in &asked.targets {
        let block = place.block();
        let generation_stamp =
            if block.generation_stamp > 0 { block.generation_stamp } else { stamp };
        let target = match place {
            BlockPlace::Folder { folder, .. } => {
                let store = match stores.get(folder) {
                    Some(store) => store.clone(),
                    None => BlockStore::open_for_writing(folder)
                        .map_err(Failure::network(format!("cannot write {place}")))?,
                };
                stores.insert(folder, store.clone());
                BlockTarget::Folder { store, id: block.id, generation_stamp }
            }
            BlockPlace::Datanode { host, .. } => {
                let len = layout.unit_len(*unit);
                let block = ExtendedBlock { generation_stamp, ..extended(asked, place, len) };
                // The checksums will be those of the sources.
                let any = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)
                    .map_err(Failure::engine("cannot reconstruct"))?;
                let write = Box::new(WriteBlock::create(block, "restripe", any));
                BlockTarget::Datanode { address: address(host)?, write }
            }
        };
        targets.push((*unit, target));
    }
    Ok(targets)
}

fn extended(asked: &Reconstruct, place: &BlockPlace, len: u64) -> ExtendedBlock {
    let block = place.block();
    let pool_id = asked.pool.clone();
    ExtendedBlock { pool_id, id: block.id, generation_stamp: block.generation_stamp, len }
}

fn address(host: &str) -> Result<SocketAddr> {
    let advice = "datanodes listen at port 9866 unless configured otherwise";
    let found = host.to_socket_addrs().map(|mut addresses| addresses.next());
    match found {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(Failure::asked(format!("{host} stands for no address"), advice)),
        Err(error) => Err(Failure::asked(format!("cannot find {host}: {error}"), advice)),
    }
}

fn failed(asked: &Reconstruct, error: RebuildError) -> Failure {
    match error {
        RebuildError::Refused(source) => Failure::engine("cannot reconstruct the group")(source),
        RebuildError::Failed(failure) => {
            let name = |unit: usize, place: &BlockPlace| format!("{unit}={place}");
            let sources = failure.sources.iter().filter_map(|(source, reason)| {
                let UnitPlace { unit, place } = asked.sources.get(*source)?;
                Some(format!("; source {} {reason}", name(*unit, place)))
            });
            let targets = failure.targets.iter().filter_map(|(target, reason)| {
                let UnitPlace { unit, place } = asked.targets.get(*target)?;
                Some(format!("; target {}: {reason}", name(*unit, place)))
            });
            let details: String = sources.chain(targets).collect();
            let message = format!("the group was not rebuilt: {}{details}", failure.cause);
            match failure.cause {
                Cause::TooFewSources { .. } => Failure::asked(
                    message,
                    "name further live blocks of the group with --source, if there are any",
                ),
                _ => Failure::Asked { message, advice: None },
            }
        }
        other => Failure::Asked { message: other.to_string(), advice: None },
    }
}

fn report(asked: &Reconstruct, progress: &RoundProgress, took: Duration) -> ReconstructReport {
    let reason = |reason: &restripe::round::Reason| reason.to_string();
    let sources = asked.sources.iter().zip(&progress.sources).map(|(named, source)| SourceReport {
        unit: named.unit,
        from: named.place.to_string(),
        bytes: source.bytes,
        reads: source.reads,
        cancelled: source.cancelled,
        damage: source.damage.as_ref().map(reason),
        failure: source.failure.as_ref().map(reason),
    });
    let targets = asked.targets.iter().zip(&progress.targets).map(|(named, target)| TargetReport {
        unit: named.unit,
        to: named.place.to_string(),
        bytes: target.acked,
        rebuilt: target.is_rebuilt,
        failure: target.failure.as_ref().map(reason),
    });
    ReconstructReport {
        policy: asked.policy.to_string(),
        length: asked.length,
        rounds: progress.rounds,
        hedges: progress.hedges,
        seconds: took.as_secs_f64(),
        reading_seconds: progress.reading.as_secs_f64(),
        computing_seconds: progress.computing.as_secs_f64(),
        sending_seconds: progress.sending.as_secs_f64(),
        sources: sources.collect(),
        targets: targets.collect(),
    }
}
