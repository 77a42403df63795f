//! `restripe protect`, `scrub` and `heal` beside `cp` of the same bytes and beside par2 at the same
//! overhead: one long file, and many small ones.
//!
//! `cargo bench -p restripe-cli --bench against_par2 [-- [--bytes N] [--files N] [--no-par2]
//! [FOLDER]]`; the folder should be on a tmpfs with four times the bytes to spare, and is
//! `/dev/shm` unless given. All of them sync as they always do, which a tmpfs does in no time.
//!
//! The floor reads as many bytes as the command does, and writes as many, into as many files:
//! to protect is to read the data, to write parity and to read that back; to heal is to read
//! everything, and then to read it once more for the files that are written anew. What is only read
//! is read by `cat`, what is read and written is copied by `cp`; each is a process of its own, on
//! one core, as they are. Command and floor take turns; figures are medians.
//!
//! par2 is Debian's, with its own defaults but for the redundancy, which is that of RS-6-3, and for the
//! number of blocks where there are more files than its 2000: then it is one for each file. It takes
//! minutes, on all cores, and has one turn; so it is compared by processor time, which other work on
//! the machine disturbs least.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

const POLICY: &str = "RS-6-3-4096k";
const TURNS: usize = 7;
const SMALL: u64 = 20_000;

struct Asked {
    bytes: u64,
    files: u64,
    par2: bool,
    folder: PathBuf,
}

fn main() -> io::Result<()> {
    let asked = asked();
    let work = tempfile::Builder::new().prefix("against-par2-").tempdir_in(&asked.folder)?;
    println!(
        "| what | seconds | floor | ratio, least to most | processor | par2's processor | ratio | \
         memory | par2's |\n|---|---|---|---|---|---|---|---|---|"
    );
    let long = work.path().join("long");
    fs::create_dir(&long)?;
    write_file(&long.join("file"), asked.bytes, 1)?;
    let mut told = measure(&format!("{} MB", asked.bytes / 1_000_000), &long, asked.par2)?;
    fs::remove_dir_all(&long)?;
    let many = work.path().join("many");
    fs::create_dir(&many)?;
    for number in 0..asked.files {
        write_file(&many.join(format!("{number:06}.bin")), SMALL, number + 2)?;
    }
    told += &measure(&format!("{} files of 20 kB", asked.files), &many, asked.par2)?;
    println!("\n{POLICY}, in {}\n{told}", asked.folder.display());
    Ok(())
}

fn asked() -> Asked {
    let mut asked = Asked {
        bytes: 1_000_000_000,
        files: 10_000,
        par2: true,
        folder: PathBuf::from("/dev/shm"),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|number| number.parse().ok());
        match argument.as_str() {
            // cargo itself passes it.
            "--bench" => {}
            "--bytes" => asked.bytes = number().unwrap_or(asked.bytes),
            "--files" => asked.files = number().unwrap_or(asked.files),
            "--no-par2" => asked.par2 = false,
            folder => asked.folder = PathBuf::from(folder),
        }
    }
    asked
}

/// Bytes that nothing can compress, the same every time. A piece at a time: what this process
/// holds would count as memory of those that it starts.
fn write_file(path: &Path, len: u64, seed: u64) -> io::Result<()> {
    let mut state = seed;
    let mut file = BufWriter::new(fs::File::create(path)?);
    for _ in 0..len / 4 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        file.write_all(&(state >> 32).to_le_bytes()[..4])?;
    }
    file.flush()
}

/// What a process took.
#[derive(Clone, Copy, Default)]
struct Cost {
    seconds: f64,
    /// Seconds of all processors together.
    processor: f64,
    /// The most memory that it held, in MiB.
    memory: u64,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            seconds: self.seconds + other.seconds,
            processor: self.processor + other.processor,
            memory: self.memory.max(other.memory),
        }
    }
}

/// Runs a command, which is to end with one of some exit statuses.
fn run(command: &mut Command, wanted: &[i32]) -> io::Result<Cost> {
    let processor = || -> io::Result<f64> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let time = usage.user_time() + usage.system_time();
        Ok(time.num_microseconds() as f64 / 1e6)
    };
    let before = processor()?;
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let status_path = format!("/proc/{}/status", child.id());
    let (status, seconds, memory) = std::thread::scope(|scope| {
        let memory = scope.spawn(|| {
            let mut most = 0;
            // The mark only rises, and is gone with the process.
            while let Some(mark) = high_water_mark(&status_path) {
                most = mark;
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let status = child.wait();
        (status, begun.elapsed().as_secs_f64(), memory.join().unwrap_or(0))
    });
    let status = status?;
    if status.code().is_none_or(|code| !wanted.contains(&code)) {
        // Not all of it: it may name thousands of files.
        let name = command.get_program().display();
        return Err(io::Error::other(format!("{name}: {status}")));
    }
    Ok(Cost { seconds, processor: processor()? - before, memory })
}

fn high_water_mark(status_path: &str) -> Option<u64> {
    let text = fs::read_to_string(status_path).ok()?;
    let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = mark.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024)
}

fn restripe(arguments: &[&str], folder: &Path) -> io::Result<Cost> {
    run(Command::new(env!("CARGO_BIN_EXE_restripe")).args(arguments).arg(folder), &[0])
}

/// A program over files, as many a time as fit into a command line.
fn over(program: &str, files: &[PathBuf], last: Option<&Path>) -> io::Result<Cost> {
    let mut total = Cost::default();
    for files in files.chunks(10_000) {
        total = total + run(Command::new(program).args(files).args(last), &[0])?;
    }
    Ok(total)
}

/// All files in a folder and below it, in order.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}

/// What each command is held against.
struct Floor<'a> {
    data: &'a [PathBuf],
    parity: &'a [PathBuf],
    damaged: &'a [PathBuf],
    out: PathBuf,
}

impl Floor<'_> {
    fn copy(&self, files: &[PathBuf]) -> io::Result<Cost> {
        fs::create_dir(&self.out)?;
        let cost = over("cp", files, Some(&self.out))?;
        fs::remove_dir_all(&self.out)?;
        Ok(cost)
    }

    fn protect(&self) -> io::Result<Cost> {
        Ok(over("cat", self.data, None)? + self.copy(self.parity)?)
    }

    fn scrub(&self) -> io::Result<Cost> {
        Ok(over("cat", self.data, None)? + over("cat", self.parity, None)?)
    }

    fn heal(&self) -> io::Result<Cost> {
        let whole: Vec<PathBuf> =
            self.data.iter().filter(|path| !self.damaged.contains(path)).cloned().collect();
        let again = over("cat", &whole, None)? + over("cat", self.parity, None)?;
        Ok(self.scrub()? + again + self.copy(self.damaged)?)
    }
}

/// Flips bytes of some files, as bad sectors do: the times stay. Returns these files.
fn damage(data: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    use std::os::unix::fs::FileExt as _;
    let some: Vec<PathBuf> = data.iter().step_by(data.len().div_ceil(10)).cloned().collect();
    for path in &some {
        let metadata = fs::metadata(path)?;
        let file = fs::File::options().read(true).write(true).open(path)?;
        for part in [7, 3, 2] {
            let mut bytes = [0; 512];
            let place = metadata.len() / part;
            file.read_exact_at(&mut bytes, place)?;
            bytes.iter_mut().for_each(|byte| *byte ^= 1);
            file.write_all_at(&bytes, place)?;
        }
        file.set_modified(metadata.modified()?)?;
    }
    Ok(some)
}

/// Prints rows for a folder with files. Returns what else there is to say.
fn measure(name: &str, folder: &Path, par2: bool) -> io::Result<String> {
    let data = files(folder)?;
    let own = folder.join(".restripe");
    let mut costs: [Vec<(Cost, Cost)>; 3] = Default::default();
    let mut stored = 0;
    for _ in 0..TURNS {
        let protect = restripe(&["protect", "--policy", POLICY], folder)?;
        let parity = files(&own.join("parity"))?;
        let scrub = restripe(&["scrub"], folder)?;
        let damaged = damage(&data)?;
        let heal = restripe(&["heal"], folder)?;
        stored = len(&files(&own)?)?;
        let out = folder.with_extension("copy");
        let floor = Floor { data: &data, parity: &parity, damaged: &damaged, out };
        costs[0].push((protect, floor.protect()?));
        costs[1].push((scrub, floor.scrub()?));
        costs[2].push((heal, floor.heal()?));
        fs::remove_dir_all(&own)?;
    }
    let par2 = if par2 { Some(par2_of(folder, &data)?) } else { None };
    for (number, costs) in costs.iter().enumerate() {
        let median = |value: &dyn Fn(&(Cost, Cost)) -> f64| {
            let mut values: Vec<f64> = costs.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            (values[0], values[values.len() / 2], values[values.len() - 1])
        };
        let (_, seconds, _) = median(&|(ours, _)| ours.seconds);
        let (_, floor, _) = median(&|(_, floor)| floor.seconds);
        let (least, ratio, most) = median(&|(ours, floor)| ours.seconds / floor.seconds);
        let (_, processor, _) = median(&|(ours, _)| ours.processor);
        let memory = costs.iter().map(|(ours, _)| ours.memory).max().unwrap_or(0);
        let what = ["protect", "scrub", "heal"][number];
        let beside = par2.map_or("| | |".to_owned(), |par2| {
            let Cost { processor: theirs, .. } = par2[number];
            format!("| {theirs:.1} | {:.0}", theirs / processor)
        });
        let theirs = par2.map_or(String::new(), |par2| format!("{} MiB", par2[number].memory));
        println!(
            "| {what}, {name} | {seconds:.3} | {floor:.3} | {ratio:.2}, {least:.2} to {most:.2} | \
             {processor:.2} {beside} | {memory} MiB | {theirs} |"
        );
    }
    let data_len = len(&data)?;
    let overhead = (data_len + stored) as f64 / data_len as f64;
    Ok(format!("{name}: {overhead:.4} bytes stored for a byte, the metastore among them\n"))
}

fn len(files: &[PathBuf]) -> io::Result<u64> {
    files.iter().map(|path| Ok(fs::metadata(path)?.len())).sum()
}

/// What par2 takes to create, verify and repair. Its files are removed afterwards.
fn par2_of(folder: &Path, data: &[PathBuf]) -> io::Result<[Cost; 3]> {
    let par2 = |arguments: &str, files: &[PathBuf]| {
        let mut par2 = Command::new("par2");
        run(par2.args(arguments.split(' ')).arg(folder.join("p.par2")).args(files), &[0])
    };
    let blocks = data.len().max(2000);
    let create = par2(&format!("create -q -q -r50 -n1 -b{blocks}"), data)?;
    let verify = par2("verify -q -q", &[])?;
    damage(data)?;
    let repair = par2("repair -q -q", &[])?;
    for path in files(folder)?.into_iter().filter(|path| !data.contains(path)) {
        fs::remove_file(path)?;
    }
    Ok([create, verify, repair])
}
