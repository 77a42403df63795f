//! What all workers have in common: the memory that they share, the protocol of turns, the clock.
//!
//! Every contestant is a process of its own, so that no two have to be linked together. All of them
//! map one file of shared memory: they read and write the very same pages. The driver writes one
//! request a line to a worker's standard input, and the worker answers with one line:
//!
//! | request | answer |
//! |---|---|
//! | a [`Case`], as `encode 6 3 4096 best 0 4096 ...` | `ready`, or `cannot` and why |
//! | `turn WARM CALLS` | nanoseconds that the last CALLS of WARM + CALLS calls took |
//!
//! For `encode` a call computes all parity units from the data units; for `decode N` the first N
//! data units from the k units after them. The results stand where those units lie.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::slice;
use std::str::FromStr;
use std::time::{Duration, Instant};

use memmap2::{MmapOptions, MmapRaw};

/// What a call computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The parity units.
    Encode,
    /// The first data unit, from the k units after it.
    DecodeOne,
    /// The first m data units, from the k units after them.
    DecodeAll,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Encode, Self::DecodeOne, Self::DecodeAll];

    /// Its name in requests and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::DecodeOne => "decode-1",
            Self::DecodeAll => "decode-m",
        }
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.name() == name)
            .ok_or_else(|| format!("no operation is called {name:?}"))
    }
}

/// What is to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What a call computes.
    pub operation: Operation,
    /// Data units: k.
    pub data_units: usize,
    /// Parity units: m.
    pub parity_units: usize,
    /// Bytes of a shard.
    pub shard_len: usize,
    /// The instruction set, by the name of restripe's kernel, or `best`: the contestant's choice.
    pub level: String,
    /// Where each unit's shard begins in the shared memory, data units first.
    pub offsets: Vec<usize>,
}

impl Case {
    /// Data units that are lost: they are the first ones.
    #[must_use]
    pub fn lost(&self) -> usize {
        match self.operation {
            Operation::Encode => 0,
            Operation::DecodeOne => 1,
            Operation::DecodeAll => self.parity_units,
        }
    }

    /// Shards that a call writes.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self.operation {
            Operation::Encode => self.parity_units,
            _ => self.lost(),
        }
    }

    /// Bytes that a call reads and writes.
    #[must_use]
    pub fn call_bytes(&self) -> usize {
        (self.data_units + self.outputs()) * self.shard_len
    }

    /// Splits the shards into those that a call reads, in the order of the units, and those that it
    /// writes.
    #[must_use]
    pub fn split<'a>(&self, mut shards: Vec<&'a mut [u8]>) -> (Vec<&'a [u8]>, Vec<&'a mut [u8]>) {
        let (inputs, outputs) = match self.operation {
            Operation::Encode => {
                let parity = shards.split_off(self.data_units);
                (shards, parity)
            }
            _ => {
                let mut inputs = shards.split_off(self.lost());
                inputs.truncate(self.data_units);
                (inputs, shards)
            }
        };
        (inputs.into_iter().map(|shard| &*shard).collect(), outputs)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data_units, parity_units, shard_len, level, .. } = self;
        let operation = self.operation.name();
        write!(formatter, "{operation} {data_units} {parity_units} {shard_len} {level}")?;
        self.offsets.iter().try_for_each(|offset| write!(formatter, " {offset}"))
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [operation, data_units, parity_units, shard_len, level, offsets @ ..] = &words[..]
        else {
            return Err(format!("not a case: {line:?}"));
        };
        let case = Self {
            operation: operation.parse()?,
            data_units: number(data_units)?,
            parity_units: number(parity_units)?,
            shard_len: number(shard_len)?,
            level: (*level).to_owned(),
            offsets: offsets.iter().map(|offset| number(offset)).collect::<Result<_, _>>()?,
        };
        if case.offsets.len() != case.data_units + case.parity_units {
            return Err(format!("{} offsets in {line:?}", case.offsets.len()));
        }
        Ok(case)
    }
}

fn number(word: &str) -> Result<usize, String> {
    word.parse().map_err(|_| format!("not a number: {word:?}"))
}

/// How many calls to make.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    warm_calls: usize,
    calls: usize,
}

impl Turn {
    /// Calls `call` to warm the caches and then under the clock.
    #[inline(always)]
    pub fn time(self, mut call: impl FnMut()) -> Duration {
        for _ in 0..self.warm_calls {
            call();
        }
        let start = Instant::now();
        for _ in 0..self.calls {
            call();
        }
        start.elapsed()
    }

    /// Whether it is the one call by which the results are checked. A contestant whose results do
    /// not come in the caller's memory copies them there for this turn alone.
    #[must_use]
    pub fn is_check(self) -> bool {
        self.warm_calls == 0
    }
}

/// A contestant made ready for a case: takes a turn over the shards of all units.
pub type Work = Box<dyn FnMut(Turn, Vec<&mut [u8]>) -> Duration>;

/// The memory that the driver and all workers share.
pub struct Memory(MmapRaw);

impl Memory {
    /// Maps a file, all of it at once.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        MmapOptions::new().populate().map_raw(&file).map(Self)
    }

    /// The shards of all units.
    ///
    /// Panics where they overlap or do not lie in the memory.
    #[must_use]
    pub fn shards(&mut self, case: &Case) -> Vec<&mut [u8]> {
        let mut starts = case.offsets.clone();
        starts.sort_unstable();
        starts.push(self.0.len());
        let apart = |pair: &[usize]| pair[0] + case.shard_len <= pair[1];
        assert!(starts.windows(2).all(apart), "shards overlap");
        let shard = |&offset: &usize| {
            // SAFETY: the shards lie in the mapping and do not overlap (asserted above), and it is
            // borrowed mutably. Other processes write there only in turns, and whoever has shards
            // while another has the turn does not look at them.
            unsafe { slice::from_raw_parts_mut(self.0.as_mut_ptr().add(offset), case.shard_len) }
        };
        case.offsets.iter().map(shard).collect()
    }
}

/// Answers the driver until it closes standard input. `prepare` makes ready whatever a user would
/// keep between calls.
///
/// Panics where the driver asks for something that makes no sense.
pub fn serve(prepare: impl Fn(&Case) -> Result<Work, String>) {
    let path = std::env::args_os().nth(1).expect("the first argument is the shared memory's path");
    let mut memory = Memory::open(path.as_ref()).expect("shared memory");
    let mut ready: Option<(Case, Work)> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a request");
        let answer = match line.strip_prefix("turn ") {
            Some(counts) => {
                let (case, work) = ready.as_mut().expect("a case comes before a turn");
                let (warm_calls, calls) = counts.split_once(' ').expect("two numbers");
                let count = |word: &str| number(word).expect("a number of calls");
                let turn = Turn { warm_calls: count(warm_calls), calls: count(calls) };
                work(turn, memory.shards(case)).as_nanos().to_string()
            }
            None => {
                let case: Case = line.parse().expect("a case");
                match prepare(&case) {
                    Ok(work) => {
                        ready = Some((case, work));
                        "ready".to_owned()
                    }
                    Err(why) => format!("cannot {why}"),
                }
            }
        };
        let mut output = std::io::stdout().lock();
        writeln!(output, "{answer}").and_then(|()| output.flush()).expect("the driver listens");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(operation: Operation) -> Case {
        let offsets = vec![0, 512, 1024, 1536, 2048];
        let level = "best".to_owned();
        Case { operation, data_units: 3, parity_units: 2, shard_len: 512, level, offsets }
    }

    #[test]
    fn cases_are_read_as_they_were_written() {
        for operation in Operation::ALL {
            let case = case(operation);
            assert_eq!(case.to_string().parse(), Ok(case));
        }
        assert!("encode 3 2 512 best 0 512".parse::<Case>().is_err());
    }

    #[test]
    fn a_call_reads_k_shards_and_writes_those_that_are_computed() {
        for (operation, read, written) in [
            (Operation::Encode, [0, 1, 2], vec![3, 4]),
            (Operation::DecodeOne, [1, 2, 3], vec![0]),
            (Operation::DecodeAll, [2, 3, 4], vec![0, 1]),
        ] {
            let mut shards: Vec<[u8; 1]> = (0..5).map(|unit| [unit]).collect();
            let shards = shards.iter_mut().map(<[u8; 1]>::as_mut_slice).collect();
            let (inputs, outputs) = case(operation).split(shards);
            assert_eq!(inputs.concat(), read);
            assert_eq!(outputs.iter().map(|shard| shard[0]).collect::<Vec<u8>>(), written);
            assert_eq!(case(operation).call_bytes(), (3 + written.len()) * 512);
        }
    }
}
