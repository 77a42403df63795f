//! `restripe bench`: how fast the engine is on this machine.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use restripe::{KernelId, cpu};

use super::Done;
use super::decode::Place;
use crate::args::{Bench, Output};
use crate::bench::{CodeShape, Measured, Plan, page};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::report::{BenchReport, Report};

/// What is measured where nothing is said; `--quick` takes as many of the first ones.
const CODES: [(usize, usize); 4] = [(6, 3), (3, 2), (10, 4), (17, 3)];
const SHARD_LENS: [usize; 4] = [4 << 10, 64 << 10, 1 << 20, 16 << 20];
const QUICK: (usize, usize) = (1, 3);

/// The longest shard: 256 of them are still memory that a machine can have.
const LONGEST_SHARD: u64 = 256 << 20;

pub(super) fn run(asked: &Bench, output: &Output) -> Result<Done> {
    let plan = plan(asked)?;
    // Before anything is measured: what cannot be written is better known soon.
    let place = asked.html.as_deref().map(|path| Place::open(path, asked.force)).transpose()?;
    let progress = Progress::steps(output, "measuring", plan.steps());
    let measured = plan.measure(|| progress.add(1)).map_err(Failure::engine("measuring"))?;
    drop(progress);
    let Measured { copying, speeds, on_cores } = measured;
    let report = BenchReport {
        cpu: cpu::info().brand,
        cores: crate::parallel::cores(),
        kernel: KernelId::selected().map_err(Failure::engine("choosing a kernel"))?.name(),
        milliseconds: plan.time.as_millis() as u64,
        copying,
        speeds,
        on_cores,
        html: asked.html.as_ref().map(|path| path.display().to_string()),
    };
    let mut piped = false;
    if let (Some(path), Some(place)) = (&asked.html, place) {
        let written = place.file().write_all(page(&report).as_bytes());
        written.map_err(|error| Failure::io("write", path, error))?;
        place.finish(path, false)?;
        piped = path == Path::new("-");
    }
    Ok(Done { report: Some(Report::Bench(report)), exit: Exit::Success, piped })
}

fn plan(asked: &Bench) -> Result<Plan> {
    let (codes, lens) = if asked.quick { QUICK } else { (CODES.len(), SHARD_LENS.len()) };
    let shape = |&(data_units, parity_units): &_| CodeShape { data_units, parity_units };
    let default_codes = CODES[..codes].iter().map(shape).collect();
    let shard_lens = asked.shards.iter().map(|size| match size.0 {
        1..=LONGEST_SHARD => Ok(size.0 as usize),
        other => Err(Failure::asked(
            format!("shards of {other} bytes are not measured"),
            "name a length from 1 byte to 256MiB with --shard",
        )),
    });
    let shard_lens = shard_lens.collect::<Result<Vec<usize>>>()?;
    let kernels = asked.kernels.iter().map(|name| KernelId::from_name(name));
    let kernels: restripe::Result<Vec<KernelId>> = kernels.collect();
    let kernels = kernels.map_err(Failure::engine("choosing a kernel"))?;
    let milliseconds = asked.time.unwrap_or(if asked.quick { 20 } else { 100 });
    Ok(Plan {
        codes: distinct_or(&asked.codes, default_codes),
        shard_lens: distinct_or(&shard_lens, SHARD_LENS[..lens].to_vec()),
        kernels: distinct_or(&kernels, KernelId::available().collect()),
        time: Duration::from_millis(milliseconds),
        cores: asked.threads.map_or_else(crate::parallel::cores, usize::from),
    })
}

/// What was asked for, each thing once; where that is nothing, the default.
fn distinct_or<T: PartialEq + Copy>(asked: &[T], default: Vec<T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for value in asked {
        if !distinct.contains(value) {
            distinct.push(*value);
        }
    }
    if distinct.is_empty() { default } else { distinct }
}
