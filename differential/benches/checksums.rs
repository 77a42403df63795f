//! Chunk checksums, and encoding with them, beside ISA-L and other crates in one run.
//!
//! `cargo bench -p restripe-differential --features isal --bench checksums` prints the table. All
//! contestants take turns, forwards and backwards, so that what disturbs the machine disturbs all.
//! The table has each one's fastest turn, that as a ratio to ISA-L's fastest, and the median and
//! quartiles of the ratios turn by turn, which tell how disturbed the run was. One core. Before
//! anything is measured, all must have computed the same. An argument (`-- '(6,3), 1 MiB'`) leaves
//! only the comparisons whose titles contain it.

use std::hint::black_box;
use std::time::Instant;

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::{ErasureCode, ReedSolomon, cpu};
use restripe_differential::isal;

/// Turns of each contestant: an even number.
const TURNS: usize = 100;

/// Bytes that a turn works on, or one call's if those are more.
const TURN_BYTES: usize = 4 << 20;

/// Computes something into the sums, big-endian and 4 bytes each.
type Work<'a> = Box<dyn FnMut(&mut [u8]) + 'a>;

struct Contestant<'a> {
    name: &'static str,
    work: Work<'a>,
}

fn contestant<'a>(name: &'static str, work: impl FnMut(&mut [u8]) + 'a) -> Contestant<'a> {
    Contestant { name, work: Box::new(work) }
}

fn main() {
    let cpu = cpu::info();
    let ours = ChunkedChecksum::new(ChecksumKind::Crc32c, 512).expect("512 is a chunk length");
    println!(
        "{}; kernel {} ({})",
        cpu.brand.as_deref().unwrap_or("unknown CPU"),
        ours.kernel(),
        ours.method()
    );
    println!("\n{:<36}{:>8}  ratio to ISA-L: of the fastest, median (quartiles)", "", "GB/s");
    for (chunk_len, total) in [
        (512, 64 << 10),
        (512, 1 << 20),
        (512, 16 << 20),
        (4096, 64 << 10),
        (4096, 16 << 20),
        (1 << 20, 1 << 20),
        (1 << 20, 16 << 20),
    ] {
        sums_of_chunks(ChecksumKind::Crc32c, chunk_len, total);
    }
    for total in [64 << 10, 16 << 20] {
        sums_of_chunks(ChecksumKind::Crc32, 512, total);
    }
    for (data_units, parity_units) in [(6, 3), (10, 4)] {
        for shard_len in [64 << 10, 1 << 20, 16 << 20] {
            encoding_with_sums(data_units, parity_units, shard_len);
        }
    }
}

/// Bytes that begin at a cache line, as buffers of storage systems do: from elsewhere on, all are
/// slower, and ISA-L more than restripe.
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    fn zeros(len: usize) -> Self {
        let bytes = vec![0; len + 64];
        let start = bytes.as_ptr().align_offset(64);
        Self { bytes, start }
    }

    fn random(seed: usize, len: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed as u64);
        let mut buffer = Self::zeros(len);
        random.fill(buffer.as_mut());
        buffer
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..][..self.bytes.len() - 64]
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        let len = self.bytes.len() - 64;
        &mut self.bytes[self.start..][..len]
    }
}

/// The checksum of every chunk, by a function that computes one.
fn each_chunk(data: &[u8], chunk_len: usize, sums: &mut [u8], sum_of: impl Fn(&[u8]) -> u32) {
    for (chunk, sum) in data.chunks(chunk_len).zip(sums.as_chunks_mut::<4>().0) {
        *sum = sum_of(chunk).to_be_bytes();
    }
}

fn sums_of_chunks(kind: ChecksumKind, chunk_len: usize, total: usize) {
    let data = Buffer::random(1, total);
    let data = data.as_ref();
    let checksum = ChunkedChecksum::new(kind, chunk_len).expect("a chunk length");
    let mut contestants = if kind == ChecksumKind::Crc32c {
        vec![
            contestant("ISA-L crc32_iscsi", |sums| {
                isal::crc32c_of_chunks(black_box(data), chunk_len, sums);
            }),
            contestant("crc-fast", |sums| {
                each_chunk(black_box(data), chunk_len, sums, crc_fast::crc32_iscsi);
            }),
            contestant("crc32c", |sums| {
                each_chunk(black_box(data), chunk_len, sums, crc32c::crc32c);
            }),
        ]
    } else {
        vec![
            contestant("ISA-L crc32_gzip_refl", |sums| {
                isal::crc32_of_chunks(black_box(data), chunk_len, sums);
            }),
            contestant("crc-fast", |sums| {
                each_chunk(black_box(data), chunk_len, sums, crc_fast::crc32_iso_hdlc);
            }),
        ]
    };
    contestants.push(contestant("restripe", |sums| {
        checksum.compute(black_box(data), sums).expect("room for the sums");
    }));
    let title = format!("{kind:?} of {} in {}", length(chunk_len), length(total));
    compare(&title, total, 4 * total.div_ceil(chunk_len), contestants);
}

fn encoding_with_sums(data_units: usize, parity_units: usize, shard_len: usize) {
    const CHUNK: usize = 512;
    let code = ReedSolomon::new(data_units, parity_units).expect("an MDS code");
    let encoder = isal::Encoder::new(&isal::cauchy_rows(data_units, parity_units));
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, CHUNK).expect("a chunk length");
    let data: Vec<Buffer> = (0..data_units).map(|unit| Buffer::random(unit, shard_len)).collect();
    let data = &data[..];
    let parity =
        || -> Vec<Buffer> { (0..parity_units).map(|_| Buffer::zeros(shard_len)).collect() };
    let (mut isal_parity, mut parity_then, mut fused_parity) = (parity(), parity(), parity());
    let sums_len = shard_len / CHUNK * 4;
    let contestants = vec![
        contestant("ISA-L encode, then crc32_iscsi", |sums| {
            encoder.encode(black_box(data), &mut isal_parity);
            let shards = data.iter().chain(&isal_parity);
            for (shard, sums) in shards.zip(sums.chunks_exact_mut(sums_len)) {
                isal::crc32c_of_chunks(shard.as_ref(), CHUNK, sums);
            }
        }),
        contestant("encode, then compute", |sums| {
            code.encode(black_box(data), &mut parity_then).expect("shards of one length");
            let shards = data.iter().chain(&parity_then);
            for (shard, sums) in shards.zip(sums.chunks_exact_mut(sums_len)) {
                checksum.compute(shard.as_ref(), sums).expect("room for the sums");
            }
        }),
        contestant("encode_with_checksums", |sums| {
            let mut arrays: Vec<&mut [u8]> = sums.chunks_exact_mut(sums_len).collect();
            let (data_sums, parity_sums) = arrays.split_at_mut(data_units);
            let data = black_box(data);
            code.encode_with_checksums(&checksum, data, &mut fused_parity, data_sums, parity_sums)
                .expect("room for the sums");
        }),
    ];
    let units = data_units + parity_units;
    let title = format!("({data_units},{parity_units}), {} a shard", length(shard_len));
    compare(&title, units * shard_len, units * sums_len, contestants);
}

/// Lets all take turns, the first being what the others are compared with, and prints a line of
/// each.
fn compare(title: &str, call_bytes: usize, sums_len: usize, contestants: Vec<Contestant<'_>>) {
    if std::env::args().skip(1).any(|wanted| wanted != "--bench" && !title.contains(&wanted)) {
        return;
    }
    let mut contestants = contestants;
    let mut expected = vec![0; sums_len];
    (contestants[0].work)(&mut expected);
    let mut sums = vec![0; sums_len];
    for other in &mut contestants[1..] {
        (other.work)(&mut sums);
        assert!(sums == expected, "{title}: {} computed something else", other.name);
        sums.fill(0);
    }
    let calls = (TURN_BYTES / call_bytes).max(1);
    let mut seconds = vec![Vec::with_capacity(TURNS); contestants.len()];
    let forwards: Vec<usize> = (0..contestants.len()).collect();
    let backwards: Vec<usize> = forwards.iter().rev().copied().collect();
    for turn in 0..TURNS {
        for &index in if turn % 2 == 0 { &forwards } else { &backwards } {
            let start = Instant::now();
            for _ in 0..calls {
                (contestants[index].work)(black_box(&mut sums));
            }
            seconds[index].push(start.elapsed().as_secs_f64());
        }
    }
    println!("{title}");
    for (contestant, taken) in contestants.iter().zip(&seconds) {
        let fastest = |taken: &[f64]| taken.iter().copied().fold(f64::INFINITY, f64::min);
        let rate = (calls * call_bytes) as f64 / fastest(taken) / 1e9;
        let ratio = fastest(&seconds[0]) / fastest(taken);
        let [low, median, high] =
            quartiles(seconds[0].iter().zip(taken).map(|(first, own)| first / own));
        let name = contestant.name;
        println!("  {name:<34}{rate:>8.1}  {ratio:.2}, {median:.2} ({low:.2} - {high:.2})");
    }
}

fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| sorted[sorted.len() * quarter / 4])
}

fn length(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}
