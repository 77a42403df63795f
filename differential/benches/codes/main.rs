//! Encoding and rebuilding beside ISA-L in one run, with what the machine can do at the most.
//!
//! `cargo bench -p restripe-differential --features isal --bench codes -- PART...` prints one line
//! a code, shard length and layout. All contestants take turns, forwards and backwards, so that
//! what disturbs the machine disturbs all. Rates are GB/s of inputs and outputs in each one's fastest
//! turn; ratios to ISA-L are that of these, then the median and the quartiles of those turn by turn,
//! which tell how disturbed the run was. One core. Before anything is measured both must have
//! computed the same.
//!
//! The bound is the lower of two, measured in the same turns: products (as many affine transforms
//! as the CPU issues on registers alone) and copying as many bytes, half of them read and half
//! written, by the faster of plain and non-temporal stores.

mod bounds;
mod buffers;
mod others;
mod turns;

use std::cell::RefCell;
use std::ops::Range;

use restripe::gf8::Matrix;
use restripe::{ErasureCode, KernelId, Plan, ReedSolomon, cpu};
use restripe_differential::isal;

use bounds::CopyBound;
use buffers::{Buffers, Layout};
use turns::{Contestant, Turns, contestant};

const CODES: [(usize, usize); 5] = [(3, 2), (6, 3), (10, 4), (17, 3), (8, 6)];
const WIDE: [(usize, usize); 3] = [(50, 20), (100, 30), (200, 55)];
const LENS: [usize; 5] = [512, 4 << 10, 64 << 10, 1 << 20, 16 << 20];

/// Bytes of a call from which on copying by non-temporal stores is tried: in caches it is slow, and
/// slows down what comes after it.
const STREAMED: usize = 4 << 20;

const HELP: &str = "\
Parts (all codes and shard lengths, unless --code K,M and --len BYTES name some):
  encode   encoding, on the kernel that RESTRIPE_KERNEL names or the best one
  uneven   the same, with uneven distances between shards
  unaligned  the same, with shards one byte past a cache line
  decode   rebuilding one data unit and m of them, with a kept plan
  plans    nanoseconds to rebuild m data units with a kept plan, a cached one, and a cold one
  cores    encoding on all cores beside encoding on one; no ISA-L
  others   what else computes, beside encoding; WideReedSolomon beside reed-solomon-simd
  levels   encoding on every kernel beside ISA-L's function for it, 4 KiB and 64 KiB
  wide     encoding by codes of 70 to 255 units
Options:
  --csv    lines of comma-separated values instead of a table
";

struct Options {
    parts: Vec<String>,
    codes: Vec<(usize, usize)>,
    lens: Vec<usize>,
    csv: bool,
}

fn options() -> Option<Options> {
    let mut options = Options { parts: vec![], codes: vec![], lens: vec![], csv: false };
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--csv" => options.csv = true,
            "--len" => options.lens.push(arguments.next()?.parse().ok()?),
            "--code" => {
                let code = arguments.next()?;
                let (k, m) = code.split_once(',')?;
                options.codes.push((k.parse().ok()?, m.parse().ok()?));
            }
            "encode" | "uneven" | "unaligned" | "decode" | "plans" | "cores" | "others"
            | "levels" | "wide" => {
                options.parts.push(argument);
            }
            _ => return None,
        }
    }
    if options.parts.is_empty() {
        options.parts.push("encode".into());
    }
    Some(options)
}

fn main() {
    let Some(options) = options() else {
        eprint!("{HELP}");
        std::process::exit(2);
    };
    let cpu = cpu::info();
    let kernel = KernelId::selected().expect("RESTRIPE_KERNEL names one of this CPU");
    let brand = cpu.brand.as_deref().unwrap_or("unknown CPU");
    let (family, model) = cpu.family_model.unwrap_or_default();
    println!("# {brand}, family {family}, model {model}; restripe's kernel {kernel}; ISA-L 2.31");
    let report = Report { csv: options.csv };
    report.head();
    let chosen = |default: &[(usize, usize)]| match &options.codes[..] {
        [] => default.to_vec(),
        codes => codes.to_vec(),
    };
    let lens = |default: &[usize]| match &options.lens[..] {
        [] => default.to_vec(),
        lens => lens.to_vec(),
    };
    for part in &options.parts {
        match part.as_str() {
            "encode" => each(&chosen(&CODES), &lens(&LENS), |k, m, len| {
                encode(&report, "encode", k, m, len, Layout::Constant, kernel, false);
            }),
            "uneven" => each(&chosen(&CODES), &lens(&LENS), |k, m, len| {
                encode(&report, "encode", k, m, len, Layout::Uneven, kernel, false);
            }),
            "unaligned" => each(&chosen(&CODES), &lens(&LENS), |k, m, len| {
                encode(&report, "encode", k, m, len, Layout::Unaligned, kernel, false);
            }),
            "decode" => each(&chosen(&CODES), &lens(&LENS), |k, m, len| {
                decode(&report, "decode of 1", k, m, 1, len, kernel);
                decode(&report, "decode of m", k, m, m.min(k), len, kernel);
            }),
            "cores" => {
                let sizes =
                    [4, 16, 32, 64, 128, 512, 1024, 16 << 10].map(|kibibytes| kibibytes << 10);
                each(&chosen(&[(6, 3), (10, 4)]), &lens(&sizes), others::cores);
            }
            "others" => {
                let codes = [(6, 3), (10, 4), (50, 20)];
                each(&chosen(&codes), &lens(&[64 << 10, 1 << 20]), others::beside_encoding);
                others::wide();
            }
            "plans" => each(&chosen(&CODES), &lens(&[512, 4 << 10]), plans),
            "levels" => each(&chosen(&CODES), &lens(&[4 << 10, 64 << 10]), |k, m, len| {
                for kernel in KernelId::available().filter(|kernel| kernel.name() != "scalar") {
                    encode(&report, kernel.name(), k, m, len, Layout::Constant, kernel, true);
                }
            }),
            _ => each(&chosen(&WIDE), &lens(&LENS[1..4]), |k, m, len| {
                encode(&report, "encode", k, m, len, Layout::Constant, kernel, false);
            }),
        }
    }
}

fn each(codes: &[(usize, usize)], lens: &[usize], mut measure: impl FnMut(usize, usize, usize)) {
    for &len in lens {
        for &(k, m) in codes {
            measure(k, m, len);
        }
    }
}

#[allow(clippy::too_many_arguments)]
fn encode(
    report: &Report,
    what: &str,
    k: usize,
    m: usize,
    len: usize,
    layout: Layout,
    kernel: KernelId,
    same_level: bool,
) {
    let code = ReedSolomon::builder(k, m).kernel(kernel).build().expect("an MDS code");
    let rows = isal::cauchy_rows(k, m);
    let encoder = match same_level {
        true => isal::Encoder::for_kernel(&rows, kernel).expect("ISA-L has a function for it"),
        false => isal::Encoder::new(&rows),
    };
    let mut buffers = Buffers::new(k, m, len, layout);
    let (data, mut expected, mut parity) = buffers.split();
    encoder.encode(&data, &mut expected);
    code.encode(&data, &mut parity).expect("shards of one length");
    assert!(expected == parity, "{what} ({k},{m}) {len}: both compute the same");
    let mut call = encoder.call(&data, &mut expected);
    let ours = contestant(|| {
        code.encode(&data, &mut parity).expect("shards of one length");
    });
    let line = Line { what, k, m, rows: m, len, layout };
    report.measure(&line, kernel, contestant(|| call.run()), ours);
}

fn decode(
    report: &Report,
    what: &str,
    k: usize,
    m: usize,
    lost: usize,
    len: usize,
    kernel: KernelId,
) {
    let code = ReedSolomon::builder(k, m).kernel(kernel).build().expect("an MDS code");
    let available: Vec<usize> = (lost..k + lost).collect();
    let wanted: Vec<usize> = (0..lost).collect();
    let plan = code.plan(&available, &wanted).expect("k units are there");
    let plan: &Plan = &plan;
    let coefficients: Matrix = plan.coefficients();
    let encoder = isal::Encoder::new(&coefficients);
    let mut buffers = Buffers::new(k, lost, len, Layout::Constant);
    let (inputs, mut expected, mut outputs) = buffers.split();
    encoder.encode(&inputs, &mut expected);
    plan.apply(&inputs, &mut outputs).expect("as many shards as it reads");
    assert!(expected == outputs, "{what} ({k},{m}) {len}: both compute the same");
    let mut call = encoder.call(&inputs, &mut expected);
    let ours = contestant(|| {
        plan.apply(&inputs, &mut outputs).expect("as many as it reads");
    });
    let line = Line { what, k, m, rows: lost, len, layout: Layout::Constant };
    report.measure(&line, kernel, contestant(|| call.run()), ours);
}

/// Nanoseconds a call: a plan kept, one looked up, one made; ISA-L with tables kept, and from the
/// generator matrix on.
fn plans(k: usize, m: usize, len: usize) {
    const ORDERS: usize = 8192;
    let lost = m.min(k);
    let code = ReedSolomon::new(k, m).expect("an MDS code");
    let mut random = fastrand::Rng::with_seed(3);
    // More orders of the units than the cache keeps, so that none is found again: but for (3,2),
    // of which there are twelve.
    let mut shuffled = |units: Range<usize>| {
        let mut units: Vec<usize> = units.collect();
        random.shuffle(&mut units);
        units
    };
    let orders: Vec<(Vec<usize>, Vec<usize>)> =
        (0..ORDERS).map(|_| (shuffled(lost..k + lost), shuffled(0..lost))).collect();
    let (available, wanted) = &orders[0];
    let plan = code.plan(available, wanted).expect("k units are there");
    let encoder = isal::Encoder::new(&plan.coefficients());
    let mut decoder = isal::ColdDecoder::new(k, m);
    let mut buffers = Buffers::new(k, lost, len, Layout::Uneven);
    let (inputs, mut expected, mut outputs) = buffers.split();
    decoder.decode(available, wanted, &inputs, &mut expected);
    plan.apply(&inputs, &mut outputs).expect("as many as it reads");
    assert!(expected == outputs, "plans ({k},{m}) {len}: both compute the same");
    let outputs = RefCell::new(outputs);
    let expected = RefCell::new(expected);
    let (mut ours_at, mut isal_at) = (0, 0);
    let turns = Turns::take(
        (k + lost) * len,
        vec![
            contestant(|| encoder.encode(&inputs, &mut expected.borrow_mut())),
            contestant(|| {
                isal_at = (isal_at + 1) % ORDERS;
                let (available, wanted) = &orders[isal_at];
                decoder.decode(available, wanted, &inputs, &mut expected.borrow_mut());
            }),
            contestant(|| plan.apply(&inputs, &mut outputs.borrow_mut()).expect("it fits")),
            contestant(|| {
                let plan = code.plan(available, wanted).expect("k units are there");
                plan.apply(&inputs, &mut outputs.borrow_mut()).expect("it fits");
            }),
            contestant(|| {
                ours_at = (ours_at + 1) % ORDERS;
                let (available, wanted) = &orders[ours_at];
                let plan = code.plan(available, wanted).expect("k units are there");
                plan.apply(&inputs, &mut outputs.borrow_mut()).expect("it fits");
            }),
        ],
    );
    let [isal_kept, isal_cold, kept, cached, cold] = [0, 1, 2, 3, 4].map(|i| turns.nanoseconds(i));
    let (code, len) = (format!("({k},{m})"), length(len));
    println!(
        "plans {code:>8} {len:>8}  ns: ISA-L kept {isal_kept:.0}, cold {isal_cold:.0}; kept {kept:.0}, \
         cached {cached:.0}, cold {cold:.0}, {:.2} of ISA-L's cold",
        cold / isal_cold
    );
}

struct Line<'a> {
    what: &'a str,
    k: usize,
    m: usize,
    rows: usize,
    len: usize,
    layout: Layout,
}

struct Report {
    csv: bool,
}

impl Report {
    fn head(&self) {
        if self.csv {
            println!(
                "what,code,shard_bytes,layout,isal_gbps,restripe_gbps,ratio,ratio_median,ratio_low,ratio_high,\
                 product_bound_gbps,copy_bound_gbps,share_of_bound"
            );
        } else {
            println!(
                "{:<12} {:>8} {:>8} {:<9} {:>6} {:>8}  {:<21} {:>8} {:>6} {:>6}",
                "what",
                "code",
                "shard",
                "layout",
                "ISA-L",
                "restripe",
                "ratio (quartiles)",
                "products",
                "copy",
                "share"
            );
        }
    }

    fn measure(
        &self,
        line: &Line<'_>,
        kernel: KernelId,
        isal: Contestant<'_>,
        ours: Contestant<'_>,
    ) {
        let &Line { what, k, m, rows, len, layout } = line;
        let call_bytes = (k + rows) * len;
        let plain = RefCell::new(CopyBound::new(call_bytes));
        let turns = Turns::take(
            call_bytes,
            vec![
                isal,
                ours,
                contestant(|| plain.borrow_mut().plain()),
                contestant(|| {
                    if call_bytes >= STREAMED {
                        plain.borrow_mut().streaming()
                    }
                }),
                contestant(|| _ = bounds::products(kernel, k * rows, len)),
            ],
        );
        let [isal, ours, plain, streaming, products] = [0, 1, 2, 3, 4].map(|i| turns.rate(i));
        let [ratio, low, median, high] = turns.ratios(0, 1);
        let copy = if call_bytes >= STREAMED { plain.max(streaming) } else { plain };
        let share = ours / copy.min(products);
        let layout = layout.name();
        if self.csv {
            println!(
                "{what},RS-{k}-{m},{len},{layout},{isal:.1},{ours:.1},{ratio:.2},{median:.2},\
                 {low:.2},{high:.2},{products:.1},{copy:.1},{share:.2}"
            );
        } else {
            let code = format!("({k},{m})");
            let ratio = format!("{ratio:.2} {median:.2} ({low:.2}-{high:.2})");
            let len = length(len);
            println!(
                "{what:<12} {code:>8} {len:>8} {layout:<9} {isal:>6.1} {ours:>8.1}  {ratio:<21} \
                 {products:>8.1} {copy:>6.1} {share:>6.2}"
            );
        }
    }
}

fn length(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}
