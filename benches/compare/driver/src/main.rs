//! restripe beside other erasure coders: builds a worker for each, lets them take turns on one core
//! and writes what came out as CSV, a Markdown table and a picture.

#[path = "../../../../cli/src/chart.rs"]
#[allow(dead_code, reason = "the command uses all of it")]
mod chart;

mod cases;
mod contest;
mod machine;
mod picture;
mod record;
mod rivals;
mod table;

use std::error::Error;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use std::{fs, io};

use worker::Operation;

use crate::cases::{CODES, SHARD_LENS};
use crate::record::{Key, Record};

const HELP: &str = "\
Measures restripe beside ISA-L, klauspost/reedsolomon, rustfs-erasure-codec, reed-solomon-erasure
and reed-solomon-simd, in turns on one core. Builds them first; what cannot be built is left out,
and the table says why.

Usage: cargo compare [--out DIR] [--shard BYTES]... [--code K,M]... [--operation NAME]...
                     [--build | --report]

  --out DIR         where the record goes [default: target/compare/record]
  --shard BYTES     only shards of that length: 512, 4096, 65536, 1048576 or 16777216
  --code K,M        only that code: 3,2 or 6,3 or 10,4 or 17,3 or 8,6
  --operation NAME  only encode, decode-1, decode-m, or levels (encode at forced levels)
  --build           only build
  --report          only write the table and the picture anew, from the measurements in DIR

DIR gets measurements.csv, to which every run adds (what is measured again counts from then on),
machine.txt, table.md and comparison.svg. Parts may be measured in several runs.
";

struct Arguments {
    out: PathBuf,
    shard_lens: Vec<usize>,
    codes: Vec<(usize, usize)>,
    operations: Vec<String>,
    build_only: bool,
    report_only: bool,
}

fn arguments() -> Result<Arguments, lexopt::Error> {
    use lexopt::prelude::*;
    let mut arguments = Arguments {
        out: rivals::folder().join("../../target/compare/record"),
        shard_lens: Vec::new(),
        codes: Vec::new(),
        operations: Vec::new(),
        build_only: false,
        report_only: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("out") => arguments.out = parser.value()?.into(),
            Long("shard") => arguments.shard_lens.push(parser.value()?.parse()?),
            Long("code") => arguments.codes.push(parser.value()?.parse_with(|code| {
                let (k, m) = code.split_once(',').ok_or("two numbers")?;
                Ok::<_, Box<dyn Error + Send + Sync>>((k.parse()?, m.parse()?))
            })?),
            Long("operation") => arguments.operations.push(parser.value()?.string()?),
            Long("build") => arguments.build_only = true,
            Long("report") => arguments.report_only = true,
            Short('h') | Long("help") => {
                print!("{HELP}");
                std::process::exit(0);
            }
            other => return Err(other.unexpected()),
        }
    }
    if arguments.shard_lens.is_empty() {
        arguments.shard_lens = SHARD_LENS.to_vec();
    }
    if arguments.codes.is_empty() {
        arguments.codes = CODES.to_vec();
    }
    if arguments.operations.is_empty() {
        let names = Operation::ALL.map(|operation| operation.name().to_owned());
        arguments.operations = names.into_iter().chain(["levels".to_owned()]).collect();
    }
    Ok(arguments)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprint!("compare: {error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    if !arguments.report_only {
        let rivals = rivals::build()?;
        if arguments.build_only {
            return Ok(());
        }
        fs::create_dir_all(&arguments.out)?;
        fs::write(arguments.out.join("machine.txt"), machine::describe(&rivals))?;
        let started = Instant::now();
        contest::pin_to_one_core()?;
        let mut arena = contest::Arena::new(&rivals, &arguments.shard_lens)?;
        for shard_len in &arguments.shard_lens {
            for operation in &arguments.operations {
                let mut record = Record::append_to(&arguments.out)?;
                let contests = cases::contests(operation, *shard_len, &arguments.codes);
                for contest in contests.map_err(io::Error::other)? {
                    if io::stderr().is_terminal() {
                        eprint!(
                            "\r{:>4} s  {:<60}",
                            started.elapsed().as_secs(),
                            Key::from(&contest).to_string()
                        );
                    }
                    record.add(&arena.hold(&contest)?)?;
                }
            }
        }
        eprintln!("\rmeasured in {} s{:<60}", started.elapsed().as_secs(), "");
    }
    let rows = record::read(&arguments.out)?;
    let machine = fs::read_to_string(arguments.out.join("machine.txt"))?;
    fs::write(arguments.out.join("table.md"), table::write(&machine, &rows))?;
    fs::write(arguments.out.join("comparison.svg"), picture::draw(&machine, &rows))?;
    eprintln!("written to {}", arguments.out.display());
    Ok(())
}
