//! Reports for people.

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};

use super::{
    BenchReport, BlockReport, CheckReport, CoresSpeed, DecodeReport, EncodeReport, ErrorReport,
    FetchReport, FolderReport, InfoReport, MatrixReport, PolicyReport, Proof, RangesReport,
    ReconstructReport, Report, ServeReport,
};
use crate::block_ec::text as block_ec;
use crate::heal::finding::Finding;
use crate::heal::tally::Condition;
use crate::mend::{Outcome, Reason};
use crate::size::{exact, human};

/// Blocks, and ranges of a block, that are listed; of more only the number is told.
const MOST_BLOCKS: usize = 200;
const MOST_RANGES: usize = 4;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const CARE: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const QUIET: Style = Style::new().dimmed();

/// Prints a report: results on standard output, errors on standard error. `piped`: standard
/// output carries data, so everything goes to standard error.
pub fn print_text(report: &Report, piped: bool) {
    let lines = match report {
        Report::Encode(report) => encode(report),
        Report::Verify(report) => check(report, false),
        Report::Repair(report) => check(report, true),
        Report::Decode(report) => decode(report),
        Report::Serve(report) => serve(report),
        Report::Fetch(report) => fetch(report),
        Report::Reconstruct(report) => reconstruct(report),
        Report::Protect(report) => block_ec::protect(report),
        Report::Status(report) => block_ec::status(report),
        Report::Scrub(report) | Report::Heal(report) => block_ec::look(report),
        Report::Cat(report) => block_ec::cat(report),
        Report::Unprotect(report) => block_ec::unprotect(report),
        Report::Watch(report) => block_ec::watch(report),
        Report::Rescan(report) => block_ec::rescan(report),
        Report::Info(report) => info(report),
        Report::Bench(report) => bench(report),
        Report::Matrix(report) => return matrix(report),
        Report::Error(report) => return error(report),
    };
    for line in lines {
        if piped {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }
}

pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

pub(crate) fn count(number: u64, singular: &str) -> String {
    format!("{number} {singular}{}", if number == 1 { "" } else { "s" })
}

fn heading(folder: &FolderReport) -> String {
    format!(
        "{}: {}{}, {}, {} with {}",
        folder.path,
        folder.name.as_ref().map_or(String::new(), |name| format!("{name}, ")),
        human(folder.size),
        folder.policy,
        count(folder.groups, "group"),
        count(folder.blocks, "block"),
    )
}

fn encode(report: &EncodeReport) -> Vec<String> {
    vec![
        heading(&report.folder),
        format!("{} {} written", styled(GOOD, "encoded:"), human(report.bytes_written)),
    ]
}

fn check(report: &CheckReport, repair: bool) -> Vec<String> {
    let mut lines = vec![heading(&report.folder)];
    for block in report.damaged_blocks.iter().take(MOST_BLOCKS) {
        lines.extend(block_lines(block));
    }
    if report.damaged_blocks.len() > MOST_BLOCKS {
        let more = report.damaged_blocks.len() - MOST_BLOCKS;
        lines.push(format!("  and {more} more (--json lists all)"));
    }
    for disagreement in &report.disagreements {
        lines.push(format!(
            "  group {}: blocks with right checksums disagree, and which is wrong cannot be told: {}",
            disagreement.group,
            ranges(&disagreement.ranges),
        ));
    }
    lines.push(verdict(report, repair));
    lines.extend(report.notes.iter().map(|note| format!("{} {note}", styled(CARE, "note:"))));
    for what in &report.not_checked {
        lines.push(styled(QUIET, &format!("not checked: {what}")));
    }
    lines
}

fn block_lines(block: &BlockReport) -> Vec<String> {
    let mut lines = vec![format!("  {} ({})", block.file, block.role)];
    let mut say = |text: String| lines.push(format!("      {text}"));
    block.findings.iter().for_each(|finding| say(finding.message.clone()));
    let missing = block.findings.iter().any(|report| report.finding == Finding::BlockMissing);
    let listed = [
        ("damaged", &block.damaged, !missing),
        ("damaged although the checksums agree", &block.damaged_with_right_sums, true),
        ("checksums wrong or missing, data right", &block.wrong_sums, true),
        ("not proved by anything", &block.unproven, true),
        ("beyond repair", &block.lost, true),
    ];
    for (what, which, shown) in listed {
        if shown && !which.is_empty() {
            say(format!("{what}: {}", ranges(which)));
        }
    }
    match &block.outcome {
        Some(Outcome::Rebuilt { block, meta }) => {
            say(styled(GOOD, &format!("rebuilt: {}", what_of(*block, *meta))));
        }
        Some(Outcome::WouldRebuild { block, meta }) => {
            say(format!("would be rebuilt: {}", what_of(*block, *meta)));
        }
        Some(Outcome::LeftAlone { reason }) => {
            say(styled(BAD, &format!("left as it was: {}", why(reason))));
        }
        Some(Outcome::Verified) | None => {}
    }
    lines
}

fn what_of(block: bool, meta: bool) -> &'static str {
    match (block, meta) {
        (true, true) => "block and .meta file",
        (false, true) => ".meta file",
        _ => "block",
    }
}

fn why(reason: &Reason) -> &str {
    match reason {
        Reason::Unproven => {
            "it could be rebuilt only from data that nothing proves (--trust-unverified does that)"
        }
        Reason::Contradicted => {
            "blocks with right checksums disagree, and which is wrong cannot be told (try --deep)"
        }
        Reason::GenerationUnknown => {
            "no .meta file of its group is left to tell the generation stamp in their names"
        }
        Reason::System { error } => error,
        Reason::ReadBack => "what was written did not read back the same: check the disk",
        Reason::NotInManifest => {
            "what was rebuilt is not what the manifest has: some other block is wrong although its \
             checksums agree"
        }
        Reason::Lost => "the good blocks that are left cannot rebuild it",
    }
}

fn ranges(ranges: &RangesReport) -> String {
    let mut listed: Vec<String> = ranges
        .ranges
        .iter()
        .take(MOST_RANGES)
        .map(|[start, end]| format!("{start}..{end}"))
        .collect();
    let more = ranges.ranges.len().saturating_sub(MOST_RANGES);
    if ranges.bytes_not_listed > 0 {
        listed.push("and many more".to_owned());
    } else if more > 0 {
        listed.push(format!("and {more} more"));
    }
    format!("{} at {}", human(ranges.bytes), listed.join(", "))
}

fn verdict(report: &CheckReport, repair: bool) -> String {
    let damaged = count(report.blocks_damaged, "block");
    let rebuilt = report
        .damaged_blocks
        .iter()
        .filter(|block| matches!(block.outcome, Some(Outcome::Rebuilt { .. })))
        .count() as u64;
    let whole = count(report.blocks_whole, "block");
    let rest = count(report.blocks_damaged - rebuilt, "block");
    let rebuilt_too = if repair { format!(", {rebuilt} rebuilt") } else { String::new() };
    match report.verdict {
        Condition::Whole if rebuilt > 0 => format!(
            "{} {whole} verified, {rebuilt} rebuilt and read back",
            styled(GOOD, "whole again:"),
        ),
        Condition::Whole => format!("{} {whole} verified", styled(GOOD, "whole:")),
        Condition::Repairable if report.dry_run && repair => format!(
            "{} {whole} verified, {damaged} can be rebuilt; nothing was changed",
            styled(CARE, "damaged:"),
        ),
        Condition::Repairable if repair => format!(
            "{} {whole} verified{rebuilt_too}, {rest} left as they were; see above",
            styled(BAD, "still damaged:"),
        ),
        Condition::Repairable => format!(
            "{} {whole} whole, {damaged} can be rebuilt: restripe repair {}",
            styled(CARE, "damaged:"),
            report.folder.path,
        ),
        Condition::Undecided => format!(
            "{} {whole} whole{rebuilt_too}, {rest} not; see above",
            styled(CARE, "not certain:"),
        ),
        Condition::Lost => format!(
            "{} {whole} whole{rebuilt_too}, {rest} not; look for other copies of those blocks",
            styled(BAD, "beyond repair:"),
        ),
    }
}

fn decode(report: &DecodeReport) -> Vec<String> {
    let mut lines = vec![heading(&report.folder)];
    for block in &report.healed_blocks {
        if !block.rebuilt.is_empty() {
            lines.push(format!("  {}: rebuilt on the way: {}", block.file, ranges(&block.rebuilt)));
        }
        if !block.unproven.is_empty() {
            lines.push(format!("  {}: not proved: {}", block.file, ranges(&block.unproven)));
        }
    }
    let proof = match report.proof {
        Proof::Sha256 => "the SHA-256 is that of the manifest",
        Proof::Checksums => "every chunk had a right checksum",
        Proof::None => "but some chunks are proved by nothing",
    };
    let style = if report.proof == Proof::None { CARE } else { GOOD };
    lines.push(format!(
        "{} bytes {}..{} to {}; {proof}",
        styled(style, "decoded:"),
        report.start,
        report.end,
        report.file
    ));
    if !report.healed_blocks.is_empty() {
        lines.push(format!(
            "{} the folder itself is still damaged: restripe repair {}",
            styled(CARE, "note:"),
            report.folder.path
        ));
    }
    lines.extend(report.notes.iter().map(|note| format!("{} {note}", styled(CARE, "note:"))));
    lines
}

fn serve(report: &ServeReport) -> Vec<String> {
    let what = if report.writable { "reading and writing" } else { "reading only" };
    let address = styled(GOOD, &report.address);
    vec![format!("serving {} for {what} at {address}", report.folder)]
}

fn fetch(report: &FetchReport) -> Vec<String> {
    let proof = match report.checksum {
        "NULL" => styled(CARE, "not verified: it has no checksums"),
        checksum => format!("verified by {checksum}"),
    };
    let (from, len) = (&report.from, report.end - report.start);
    vec![format!(
        "{} {} of {} from {from}, {proof}",
        styled(GOOD, "fetched:"),
        human(len),
        report.block
    )]
}

fn policies(reports: &[PolicyReport]) -> Vec<String> {
    let width = reports.iter().map(|report| report.policy.len()).max().unwrap_or(0);
    let mut lines = vec![
        styled(
            QUIET,
            &format!("{:width$}   stored  survives   read to rebuild one block, in blocks", ""),
        ),
        styled(
            QUIET,
            &format!("{:width$}                      data, mean   any, mean   worst", "policy"),
        ),
    ];
    lines.extend(reports.iter().map(|report| {
        format!(
            "{:width$}  {:>6.2}x  {:>8}  {:>11.2}  {:>10.2}  {:>6.2}",
            report.policy,
            report.stored,
            report.failures_survived,
            report.blocks_read_for_data_mean,
            report.blocks_read_mean,
            report.blocks_read_worst,
        )
    }));
    lines
}

fn reconstruct(report: &ReconstructReport) -> Vec<String> {
    let mut lines = Vec::new();
    for source in &report.sources {
        if let Some(failure) = &source.failure {
            let (unit, from) = (source.unit, &source.from);
            lines.push(format!("{} source {unit}={from} {failure}", styled(CARE, "given up:")));
        } else if let Some(damage) = &source.damage {
            let (unit, from) = (source.unit, &source.from);
            lines.push(format!("{} source {unit}={from} {damage}", styled(CARE, "damaged:")));
        }
    }
    for target in &report.targets {
        let place = format!("{}={}", target.unit, target.to);
        lines.push(match &target.failure {
            None => format!("{} {place}, {}", styled(GOOD, "rebuilt:"), human(target.bytes)),
            Some(failure) => format!("{} {place}: {failure}", styled(BAD, "not rebuilt:")),
        });
    }
    let read = report.sources.iter().map(|source| source.bytes).sum();
    let used = report.sources.iter().filter(|source| source.bytes > 0).count() as u64;
    lines.push(format!(
        "read {} of {} in {} and {:.1} s; {}",
        human(read),
        count(used, "source"),
        count(report.rounds, "round"),
        report.seconds,
        count(report.hedges, "hedge"),
    ));
    lines.push(format!(
        "busy, added up: reading {:.2} s, computing {:.2} s, sending {:.2} s",
        report.reading_seconds, report.computing_seconds, report.sending_seconds,
    ));
    lines
}

fn info(report: &InfoReport) -> Vec<String> {
    if !report.policies.is_empty() {
        return policies(&report.policies);
    }
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    let family = report
        .family_model
        .map_or(String::new(), |[family, model]| format!(", family {family} model {model}"));
    let mut lines = vec![
        format!(
            "cpu:       {} ({}{family}), {}",
            or_unknown(&report.cpu),
            or_unknown(&report.vendor),
            report.architecture,
        ),
        format!("cores:     {}", report.cores),
        format!("features:  {}", report.features.join(" ")),
    ];
    for cache in &report.caches {
        lines.push(format!(
            "cache:     level {}, {}, {}, shared by {}",
            cache.level,
            cache.holds,
            human(cache.bytes),
            count(u64::from(cache.shared_by), "core")
        ));
    }
    lines.push(format!("kernels:   {}", report.kernels.join(" ")));
    let forced = if report.kernel_forced { " (by RESTRIPE_KERNEL)" } else { "" };
    lines.push(format!("chosen:    {}{forced}", styled(GOOD, report.kernel)));
    let streaming = match report.stream_from {
        Some(bytes) => format!("past the caches from {} a call on", human(bytes)),
        None => "never past the caches".to_owned(),
    };
    lines.push(format!("stores:    {streaming} ({})", report.stream_reason));
    lines.push(match report.prefetch {
        Some([inputs, ahead]) => {
            format!("reads:     then {} ahead from {inputs} inputs on", human(ahead))
        }
        None => "reads:     as the CPU foresees them".to_owned(),
    });
    lines.push(format!("tiles:     {} with checksums", human(report.tile)));
    lines.push(format!("checksums: {}", report.checksums));
    lines
}

fn bench(report: &BenchReport) -> Vec<String> {
    let cpu = report.cpu.as_deref().unwrap_or("unknown CPU");
    let mut lines = vec![format!("{cpu}, {}", count(report.cores as u64, "core"))];
    let copying = report.copying.iter();
    let copying: Vec<String> =
        copying.map(|copy| format!("{} {:.1}", copy.place, copy.gb_per_s)).collect();
    lines.push(format!("memcpy, GB/s: {}", copying.join(", ")));
    for operation in BenchReport::OPERATIONS {
        let rows = report.rows(operation);
        let Some(first) = rows.first() else { continue };
        let kernels: String = first.iter().map(|speed| format!("{:>13}", speed.kernel)).collect();
        lines.push(String::new());
        lines.push(styled(QUIET, &format!("{operation:<9}{:>12}{kernels}{:>13}", "", "memcpy")));
        for row in rows {
            let speeds: String =
                row.iter().map(|speed| format!("{:>13.1}", speed.gb_per_s)).collect();
            let (code, shard) = (row[0].code(), exact(row[0].shard_bytes as u64));
            lines.push(format!("{code:<9}{shard:>12}{speeds}{:>13.1}", row[0].copy_gb_per_s));
        }
    }
    if !report.on_cores.is_empty() {
        lines.push(String::new());
        lines.push(styled(QUIET, "encode on several cores"));
    }
    for speed in &report.on_cores {
        let CoresSpeed { data_units, parity_units, shard_bytes, threads, gb_per_s } = speed;
        let (code, shard) = (format!("{data_units}+{parity_units}"), exact(*shard_bytes as u64));
        let threads = count(*threads as u64, "thread");
        lines.push(format!("{code:<9}{shard:>12}{threads:>13}{gb_per_s:>13.1}"));
    }
    if let Some(html) = &report.html {
        lines.push(format!("{} {html}", styled(GOOD, "page written:")));
    }
    lines
}

fn matrix(report: &MatrixReport) {
    for row in &report.rows {
        println!("{row}");
    }
}

fn error(report: &ErrorReport) {
    eprintln!("{} {}", styled(BAD, "restripe:"), report.message);
    if let Some(advice) = &report.advice {
        eprintln!("  {advice}");
    }
}
