//! `restripe info`: what the engine sees of this machine.

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::{KernelId, cpu};

use super::Done;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::report::{CacheReport, InfoReport, Report};

pub(super) fn run() -> Result<Done> {
    let info = cpu::info();
    let kernel = KernelId::selected().map_err(Failure::engine("choosing a kernel"))?;
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512)
        .map_err(Failure::engine("choosing a kernel"))?;
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
        kernel_forced: std::env::var_os("RESTRIPE_KERNEL").is_some_and(|name| !name.is_empty()),
        checksums: checksum.method(),
    };
    Ok(Done::new(Report::Info(report), Exit::Success))
}
