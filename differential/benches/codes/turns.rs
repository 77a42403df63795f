//! Contestants that take turns.

use std::time::Instant;

/// Bytes that a turn works on at the least.
const TURN_BYTES: usize = 24 << 20;

/// Rounds in which everybody has one turn: more where turns are short.
const MOST_ROUNDS: usize = 100;
const FEWEST_ROUNDS: usize = 16;

/// Bytes that all turns of a contestant work on, roughly.
const ALL_BYTES: usize = 2 << 30;

pub type Contestant<'a> = Box<dyn FnMut() + 'a>;

pub fn contestant<'a>(work: impl FnMut() + 'a) -> Contestant<'a> {
    Box::new(work)
}

/// Seconds of a call, by contestant and round.
pub struct Turns {
    call_bytes: usize,
    seconds: Vec<Vec<f64>>,
}

impl Turns {
    /// Lets all take turns, forwards and backwards. A turn begins with a call that does not count:
    /// what others have put into the caches is gone then.
    pub fn take(call_bytes: usize, mut contestants: Vec<Contestant<'_>>) -> Self {
        let calls = TURN_BYTES.div_ceil(call_bytes);
        let rounds = (ALL_BYTES / (calls * call_bytes)).clamp(FEWEST_ROUNDS, MOST_ROUNDS);
        let mut seconds = vec![Vec::with_capacity(rounds); contestants.len()];
        for round in 0..rounds {
            for position in 0..contestants.len() {
                let index = match round % 2 {
                    0 => position,
                    _ => contestants.len() - 1 - position,
                };
                let work = &mut contestants[index];
                work();
                let start = Instant::now();
                for _ in 0..calls {
                    work();
                }
                seconds[index].push(start.elapsed().as_secs_f64() / calls as f64);
            }
        }
        Self { call_bytes, seconds }
    }

    /// Nanoseconds of a call in a contestant's fastest turn.
    pub fn nanoseconds(&self, index: usize) -> f64 {
        self.seconds[index].iter().copied().fold(f64::INFINITY, f64::min) * 1e9
    }

    /// GB/s of a contestant's fastest turn.
    pub fn rate(&self, index: usize) -> f64 {
        self.call_bytes as f64 / self.nanoseconds(index)
    }

    /// How many times as fast as the first one the second was, each in its fastest turn; and the
    /// quartiles of turns taken together.
    pub fn ratios(&self, first: usize, second: usize) -> [f64; 4] {
        let of_fastest = self.nanoseconds(first) / self.nanoseconds(second);
        let pairs = self.seconds[first].iter().zip(&self.seconds[second]);
        let [low, median, high] = quartiles(pairs.map(|(a, b)| a / b));
        [of_fastest, low, median, high]
    }
}

fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| sorted[sorted.len() * quarter / 4])
}
