//! The contests themselves: workers on one core that share memory and take turns.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{self, Child, ChildStdin, ChildStdout, Command, Stdio};

use restripe::{ErasureCode as _, KernelId, MatrixKind, ReedSolomon};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use worker::{Case, Memory, Operation};

use crate::cases::{BEST, Contest, memory_needed};
use crate::record::Row;
use crate::rivals::{BASELINE, Built, COPY, PRODUCTS};

/// How long a turn takes, or one call if that is longer.
const TURN_NANOSECONDS: f64 = 1_500_000.0;

/// Turns of everybody, where the shards are small and where they are not.
const ROUNDS: usize = 15;
const ROUNDS_OF_LONG_SHARDS: usize = 4;
const LONG_SHARD: usize = 16 << 20;

/// Lets this process and those that it starts from now on run on the last core that it may use.
pub fn pin_to_one_core() -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|&core| allowed.is_set(core));
    let mut one = CpuSet::new();
    one.set(last.ok_or_else(|| io::Error::other("no core"))?);
    Ok(sched_setaffinity(None, &one)?)
}

/// A worker's process. It ends when its standard input does.
struct Worker {
    name: &'static str,
    matrix: Option<MatrixKind>,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    _process: Child,
}

impl Worker {
    fn start(built: &Built, program: &Path, memory: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(memory).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let (requests, answers) = (process.stdin.take(), process.stdout.take());
        Ok(Self {
            name: built.rival.name,
            matrix: built.rival.matrix,
            requests: requests.expect("piped"),
            answers: BufReader::new(answers.expect("piped")),
            _process: process,
        })
    }

    fn ask(&mut self, request: &str) -> io::Result<String> {
        writeln!(self.requests, "{request}")?;
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(io::Error::other(format!("{} has ended after {request:?}", self.name)));
        }
        Ok(answer.trim_end().to_owned())
    }

    /// Makes ready for a case; false where it cannot be done.
    fn prepare(&mut self, case: &Case) -> io::Result<bool> {
        Ok(self.ask(&case.to_string())? == "ready")
    }

    /// Nanoseconds a call.
    fn turn(&mut self, warm_calls: usize, calls: usize) -> io::Result<f64> {
        let answer = self.ask(&format!("turn {warm_calls} {calls}"))?;
        let nanoseconds: f64 = answer.parse().map_err(io::Error::other)?;
        Ok(nanoseconds / calls as f64)
    }
}

/// The workers and the memory that they share.
pub struct Arena {
    workers: Vec<Worker>,
    memory: Memory,
    _file: File,
}

impl Arena {
    /// Starts those that were built.
    pub fn new(rivals: &[Built], shard_lens: &[usize]) -> io::Result<Self> {
        // Without a name: nothing stays behind, however this ends.
        let file = tempfile::tempfile_in("/dev/shm")?;
        let len = memory_needed(shard_lens.iter().copied().max().unwrap_or(0));
        file.set_len(len as u64)?;
        let path = format!("/proc/{}/fd/{}", process::id(), file.as_raw_fd());
        let memory = Memory::open(path.as_ref())?;
        let mut workers = Vec::new();
        for built in rivals {
            if let Ok(program) = &built.program {
                workers.push(Worker::start(built, program, path.as_ref())?);
            }
        }
        Ok(Self { workers, memory, _file: file })
    }

    /// Lets all who can take part take turns, forwards and backwards, after the results of each
    /// have been checked.
    pub fn hold(&mut self, contest: &Contest) -> io::Result<Vec<Row>> {
        let case = &contest.case;
        let mut random = fastrand::Rng::with_seed(case.shard_len as u64);
        self.memory.shards(case).into_iter().for_each(|shard| random.fill(shard));
        let cauchy = parity(MatrixKind::Cauchy, case, &mut self.memory)?;
        let backblaze = parity(MatrixKind::Backblaze, case, &mut self.memory)?;
        let mut entrants = Vec::new();
        for worker in &mut self.workers {
            let expected = match worker.matrix {
                Some(MatrixKind::Cauchy) => Some(&cauchy),
                Some(_) => Some(&backblaze),
                None => None,
            };
            let takes_part = match (worker.name, case.level.as_str()) {
                (COPY, _) => worker.prepare(&Case { level: COPY.to_owned(), ..case.clone() })?,
                (PRODUCTS, BEST) => {
                    let level = KernelId::selected().map_err(io::Error::other)?.name().to_owned();
                    worker.prepare(&Case { level, ..case.clone() })?
                }
                (PRODUCTS, _) => worker.prepare(case)?,
                _ => checked(worker, case, &mut self.memory, expected)?,
            };
            if takes_part {
                entrants.push(Entrant::calibrated(worker)?);
            }
        }
        let rounds = if case.shard_len < LONG_SHARD { ROUNDS } else { ROUNDS_OF_LONG_SHARDS };
        for round in 0..rounds {
            for place in 0..entrants.len() {
                let forwards = round % 2 == 0;
                let index = if forwards { place } else { entrants.len() - 1 - place };
                entrants[index].take_turn()?;
            }
        }
        let baseline = entrants.iter().find(|entrant| entrant.worker.name == BASELINE);
        let baseline = baseline.map(|entrant| entrant.taken.clone());
        let row = |entrant: &Entrant<'_>| {
            let taken = &entrant.taken;
            let ratios = baseline.iter().flat_map(|baseline| baseline.iter().zip(taken));
            let ratios = ratios.map(|(baseline, own)| baseline / own).collect();
            let rates = taken.iter().map(|own| case.call_bytes() as f64 / own).collect();
            Row::new(contest, entrant.worker.name, rates, ratios)
        };
        Ok(entrants.iter().map(row).collect())
    }
}

/// A worker that is ready for the contest.
struct Entrant<'a> {
    worker: &'a mut Worker,
    warm_calls: usize,
    calls: usize,
    /// Nanoseconds a call, turn by turn.
    taken: Vec<f64>,
}

impl<'a> Entrant<'a> {
    /// Finds out how many calls make a turn.
    fn calibrated(worker: &'a mut Worker) -> io::Result<Self> {
        let mut calls = 1;
        loop {
            let nanoseconds = worker.turn(calls / 4, calls)?;
            if nanoseconds * calls as f64 > TURN_NANOSECONDS / 8.0 {
                let calls = (TURN_NANOSECONDS / nanoseconds).ceil().max(1.0) as usize;
                return Ok(Self {
                    worker,
                    warm_calls: calls.div_ceil(4),
                    calls,
                    taken: Vec::new(),
                });
            }
            calls *= 4;
        }
    }

    fn take_turn(&mut self) -> io::Result<()> {
        self.taken.push(self.worker.turn(self.warm_calls, self.calls)?);
        Ok(())
    }
}

/// Parity as this process computes it.
fn parity(kind: MatrixKind, case: &Case, memory: &mut Memory) -> io::Result<Vec<Vec<u8>>> {
    let (k, m) = (case.data_units, case.parity_units);
    let code = ReedSolomon::builder(k, m).matrix(kind).build().map_err(io::Error::other)?;
    let mut parity = vec![vec![0; case.shard_len]; m];
    let shards = memory.shards(case);
    code.encode(&shards[..k], &mut parity).map_err(io::Error::other)?;
    Ok(parity)
}

/// Makes a worker ready for a case after its parity has been compared, where it is known what that
/// must be, and a round trip has gone well where there is decoding or no other way to tell. False
/// for a worker that cannot take part.
fn checked(
    worker: &mut Worker,
    case: &Case,
    memory: &mut Memory,
    expected: Option<&Vec<Vec<u8>>>,
) -> io::Result<bool> {
    let k = case.data_units;
    let encode = Case { operation: Operation::Encode, ..case.clone() };
    if !worker.prepare(&encode)? {
        return Ok(false);
    }
    scrub(&mut memory.shards(case)[k..]);
    worker.turn(0, 1)?;
    if let Some(expected) = expected {
        agree(worker, case, &memory.shards(case)[k..], expected)?;
    }
    if case.operation == Operation::Encode && expected.is_some() {
        return Ok(true);
    }
    let operation = match case.operation {
        Operation::Encode => Operation::DecodeAll,
        decode => decode,
    };
    let decode = Case { operation, ..case.clone() };
    let mut shards = memory.shards(case);
    let lost = &mut shards[..decode.lost()];
    let originals: Vec<Vec<u8>> = lost.iter().map(|shard| shard.to_vec()).collect();
    scrub(lost);
    worker.prepare(&decode)?;
    worker.turn(0, 1)?;
    agree(worker, &decode, &memory.shards(case)[..decode.lost()], &originals)?;
    worker.prepare(case)
}

fn scrub(shards: &mut [&mut [u8]]) {
    shards.iter_mut().for_each(|shard| shard.fill(0xA5));
}

fn agree(worker: &Worker, case: &Case, got: &[&mut [u8]], expected: &[Vec<u8>]) -> io::Result<()> {
    if got.iter().zip(expected).all(|(got, expected)| **got == **expected) {
        return Ok(());
    }
    Err(io::Error::other(format!("{} computed something else in {case}", worker.name)))
}
