//! `restripe info`: what the engine sees of this machine, and what policies cost.

use restripe::kernel::MemoryPolicy;
use restripe::layout::Policy;
use restripe::{ErasureCode as _, KernelId, cpu};

use super::Done;
use crate::args::Info;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::report::{CacheReport, InfoReport, PolicyReport, Report};
use crate::sums::SumKind;

pub(super) fn run(asked: &Info) -> Result<Done> {
    let info = cpu::info();
    let kernel = KernelId::selected().map_err(Failure::engine("choosing a kernel"))?;
    let memory = MemoryPolicy::selected().map_err(Failure::engine("choosing how to store"))?;
    let caches = info.caches.iter().map(|cache| CacheReport {
        level: cache.level,
        holds: if cache.holds_data { "data" } else { "instructions" },
        bytes: cache.bytes,
        shared_by: cache.shared_by,
    });
    let report = InfoReport {
        architecture: info.architecture,
        caches: caches.collect(),
        vendor: info.vendor,
        cpu: info.brand,
        family_model: info.family_model.map(|(family, model)| [family, model]),
        cores: crate::parallel::cores(),
        features: info.features,
        kernels: KernelId::available().map(KernelId::name).collect(),
        kernel: kernel.name(),
        stream_from: memory.stream_from.map(|bytes| bytes as u64),
        stream_reason: memory.reason,
        tile: memory.tile as u64,
        prefetch: (memory.prefetch_ahead > 0)
            .then(|| [memory.prefetch_inputs as u64, memory.prefetch_ahead.into()]),
        policies: asked.policy.map_or(Ok(Vec::new()), |policy| compare(&policy))?,
        kernel_forced: std::env::var_os("RESTRIPE_KERNEL").is_some_and(|name| !name.is_empty()),
        checksums: SumKind::usual()?.method(),
    };
    Ok(Done::new(Report::Info(report), Exit::Success))
}

/// The policy asked for and those built in.
fn compare(asked: &Policy) -> Result<Vec<PolicyReport>> {
    let built_in = Policy::BUILT_IN.iter().map(|(_, policy)| policy).chain(Policy::REPAIR_SAVING);
    let others = built_in.filter(|policy| *policy != asked);
    std::iter::once(asked).chain(others).map(report).collect()
}

fn report(policy: &Policy) -> Result<PolicyReport> {
    let context = || policy.to_string();
    let code = policy.code().map_err(Failure::engine(context()))?;
    let single = code.single_repairs().map_err(Failure::engine(context()))?;
    Ok(PolicyReport {
        policy: policy.to_string(),
        data_units: policy.data_units(),
        parity_units: policy.parity_units(),
        stored: (policy.data_units() + policy.parity_units()) as f64 / policy.data_units() as f64,
        failures_survived: code.failures_survived(),
        blocks_read_for_data_mean: single.data_mean,
        blocks_read_mean: single.mean,
        blocks_read_worst: single.worst,
        most_sources: single.most_units,
    })
}
