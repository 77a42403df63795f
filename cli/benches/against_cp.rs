//! The command against `cp` of the bytes that it writes, in files that lie in memory.
//!
//! `cargo bench -p restripe-cli --bench against_cp [FOLDER]`; the folder should be on a tmpfs with
//! 4 GB to spare and is `/dev/shm` unless given. Each round runs command, `cp`, `cp`, command; the
//! figure is the ratio of the times, its median and its extremes over the rounds.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

const FILE_LEN: usize = 600_000_000;
const POLICY: &str = "RS-6-3-1024k";
const LOST: [usize; 3] = [0, 2, 4];
const ROUNDS: usize = 9;

fn main() -> io::Result<()> {
    // cargo itself passes --bench.
    let place = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let place = place.unwrap_or_else(|| "/dev/shm".to_owned());
    let work = tempfile::Builder::new().prefix("against-cp-").tempdir_in(&place)?;
    let path = |name: &str| work.path().join(name);
    write_file(&path("file"))?;
    restripe(&["encode", "--no-fsync", "--policy", POLICY], &[&path("file"), &path("blocks")])?;

    let is_lost = |name: &str| LOST.iter().any(|unit| name.contains(&format!("unit-{unit:03}")));
    fs::create_dir(path("damaged"))?;
    let (mut all, mut lost) = (File::create(path("all"))?, File::create(path("lost"))?);
    for entry in fs::read_dir(path("blocks"))? {
        let entry = entry?;
        let name = entry.file_name().into_string().unwrap_or_default();
        io::copy(&mut File::open(entry.path())?, &mut all)?;
        if is_lost(&name) {
            io::copy(&mut File::open(entry.path())?, &mut lost)?;
        } else {
            fs::hard_link(entry.path(), path("damaged").join(name))?;
        }
    }
    drop((all, lost));

    println!("{FILE_LEN} bytes, {POLICY}, in {place}, without fsync\n");
    println!("| command | seconds | cp of what it writes | ratio | least to most |");
    println!("|---|---|---|---|---|");
    let encode = || {
        let command = ["encode", "--no-fsync", "--policy", POLICY];
        timed(|| restripe(&command, &[&path("file"), &path("out")]), &path("out"))
    };
    compare("encode", encode, &path("all"))?;
    let repair = || {
        fs::create_dir(path("out"))?;
        for entry in fs::read_dir(path("damaged"))? {
            let entry = entry?;
            fs::hard_link(entry.path(), path("out").join(entry.file_name()))?;
        }
        timed(|| restripe(&["repair", "--no-fsync"], &[&path("out")]), &path("out"))
    };
    compare("repair, 3 of 9 blocks lost", repair, &path("lost"))?;
    for (name, from) in [("decode", "blocks"), ("decode, 3 of 9 blocks lost", "damaged")] {
        let arguments = ["decode", "--no-fsync"];
        let decode = || timed(|| restripe(&arguments, &[&path(from), &path("out")]), &path("out"));
        compare(name, decode, &path("file"))?;
    }
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() / 1024;
    println!("\nMost memory that any of these processes held: {peak} MiB");
    Ok(())
}

/// Bytes that nothing can compress, the same every time. A piece at a time: what this process
/// holds would count as memory of those that it starts.
fn write_file(path: &Path) -> io::Result<()> {
    let mut state = 1_u64;
    let mut file = BufWriter::new(File::create(path)?);
    for _ in 0..FILE_LEN / 4 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        file.write_all(&(state >> 32).to_le_bytes()[..4])?;
    }
    file.flush()
}

fn run(command: &mut Command) -> io::Result<()> {
    let status = command.stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}

fn restripe(arguments: &[&str], paths: &[&Path]) -> io::Result<()> {
    run(Command::new(env!("CARGO_BIN_EXE_restripe")).args(arguments).args(paths))
}

/// The time of some work, whose result is removed afterwards.
fn timed(work: impl FnOnce() -> io::Result<()>, result: &Path) -> io::Result<Duration> {
    let start = Instant::now();
    work()?;
    let time = start.elapsed();
    if result.is_dir() {
        fs::remove_dir_all(result)?
    } else {
        fs::remove_file(result)?
    }
    Ok(time)
}

/// Prints a row of the table.
fn compare(
    name: &str,
    mut ours: impl FnMut() -> io::Result<Duration>,
    written: &Path,
) -> io::Result<()> {
    let copy = written.with_extension("copy");
    let cp = || timed(|| run(Command::new("cp").arg(written).arg(&copy)), &copy);
    let (mut times, mut cp_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let [a, b, c, d] = [ours()?, cp()?, cp()?, ours()?].map(|time| time.as_secs_f64());
        times.extend([a, d]);
        cp_times.extend([b, c]);
        ratios.push((a + d) / (b + c));
    }
    let [(_, time, _), (_, cp_time, _), (least, ratio, most)] =
        [times, cp_times, ratios].map(|mut values| {
            values.sort_by(f64::total_cmp);
            (values[0], values[values.len() / 2], values[values.len() - 1])
        });
    println!("| {name} | {time:.3} | {cp_time:.3} | {ratio:.2} | {least:.2} to {most:.2} |");
    Ok(())
}
