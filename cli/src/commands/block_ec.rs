//! The commands of parity files.

use std::io::Write as _;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use restripe_block_ec::{self as block_ec, Healing, ProtectOptions, Protection, Rate, Run, State};

use super::{Done, finish};
use crate::args::{Output, Resources};
use crate::block_ec::args::{
    Block, BlockCommand, Cat, Heal, Look, Protect, Rescan, Scrub, Status, Unprotect, Watch,
};
use crate::block_ec::place::{Place, Scratch};
use crate::block_ec::report::{
    CatReport, DamagedFileReport, DamagedParityReport, FileReport, LookReport, ProtectReport,
    RescanReport, ScrubSummary, StateCount, StatusReport, UnprotectReport, WatchReport, problems,
};
use crate::block_ec::watch::Watch as WatchRules;
use crate::block_ec::watch::metrics::Metrics;
use crate::block_ec::watch::rules::Rules;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::io::standard_output;
use crate::progress::Progress;
use crate::report::Report;
use crate::unfinished;

/// How the library is to work: with these resources, ended by Ctrl-C between two reads.
fn run<'a>(
    resources: &Resources,
    rate: Option<&'a Rate>,
    stop: &'a AtomicBool,
    progress: &'a (dyn Fn(block_ec::Progress) + Sync),
) -> Run<'a> {
    Run { threads: resources.threads(), memory: resources.memory.0, rate, stop, progress }
}

pub(super) fn protect(asked: &Protect, output: &Output) -> Result<Done> {
    let store = asked.place.store.as_deref();
    let place = Place::to_protect(&asked.paths, store, asked.parity_dir.as_deref())?;
    let paths = place.all_within(&asked.paths)?;
    let stop = unfinished::stop_gently();
    let mut options = ProtectOptions::new(asked.policy);
    options.dry_run = asked.dry_run;
    let bar = Progress::growing(output, "protecting");
    let progress = |progress| bar.follow(progress);
    let run = run(&asked.resources, None, stop, &progress);
    let report = if asked.dry_run {
        let scratch = Scratch::new()?;
        place.open_for_dry_run(&scratch)?.protect(&paths, &options, &run)?
    } else {
        place.open()?.protect(&paths, &options, &run)?
    };
    drop(bar);
    let complete = report.is_complete();
    let report = ProtectReport {
        place: (&place).into(),
        policy: asked.policy.to_string(),
        dry_run: asked.dry_run,
        protected: report.protected.into(),
        unchanged: report.unchanged.into(),
        regrouped: report.regrouped.into(),
        renamed: report.renamed,
        gone: report.gone,
        parity_files: report.parity_files,
        parity_bytes: report.parity_bytes,
        complete,
        problems: problems(&report.problems),
    };
    let exit = if complete { Exit::Success } else { Exit::Failed };
    Ok(Done::new(Report::Protect(report), exit))
}

pub(super) fn status(asked: &Status) -> Result<Done> {
    let place = Place::of(asked.path.as_deref(), asked.place.store.as_deref())?;
    let path = asked.path.as_ref().map_or(Ok(String::new()), |path| place.within(path))?;
    let report = place.open_read_only()?.status(&[path])?;
    let totals = &report.totals;
    let known = |state| totals.by_state.get(&state).is_some_and(|count| count.files > 0);
    let exit = if known(State::Damaged) {
        Exit::Lost
    } else if known(State::Corrupted) || !report.damaged_parity.is_empty() {
        Exit::Repairable
    } else {
        Exit::Success
    };
    let stored = totals.protected_bytes + totals.parity_bytes + totals.metastore_bytes;
    let overhead =
        (totals.protected_bytes > 0).then(|| stored as f64 / totals.protected_bytes as f64);
    let report = StatusReport {
        place: (&place).into(),
        states: totals
            .by_state
            .iter()
            .map(|(state, count)| StateCount { state: state.name(), count: (*count).into() })
            .collect(),
        unknown: totals.unknown.into(),
        without_protection: totals.without_protection().into(),
        less_protected: totals.less_protected.into(),
        protected_bytes: totals.protected_bytes,
        parity_bytes: totals.parity_bytes,
        metastore_bytes: totals.metastore_bytes,
        overhead,
        files: report.files.iter().map(file).collect(),
        damaged_parity: report.damaged_parity.clone(),
        last_scrub: report.last_scrub.as_ref().map(|scrub| ScrubSummary {
            begun: scrub.begun,
            ended: scrub.ended,
            bytes_read: scrub.bytes_read,
            clean: scrub.clean,
            corrupted: scrub.corrupted,
            damaged: scrub.damaged,
            changed: scrub.changed,
            not_looked_at: scrub.not_looked_at,
        }),
        problems: problems(&report.problems),
    };
    Ok(Done::new(Report::Status(report), exit))
}

fn file(file: &block_ec::FileStatus) -> FileReport {
    FileReport {
        path: file.path.clone(),
        state: file.state.name(),
        bytes: file.bytes,
        policy: file.policy.clone(),
        survives: file.survives,
        promised: file.promised,
        note: file.note.clone(),
        checked: file.checked,
    }
}

pub(super) fn scrub(asked: &Scrub, output: &Output) -> Result<Done> {
    let (report, exit) = look(&asked.look, false, false, output)?;
    Ok(Done::new(Report::Scrub(report), exit))
}

pub(super) fn heal(asked: &Heal, output: &Output) -> Result<Done> {
    let (report, exit) = look(&asked.look, !asked.dry_run, asked.dry_run, output)?;
    Ok(Done::new(Report::Heal(report), exit))
}

fn look(asked: &Look, heal: bool, dry_run: bool, output: &Output) -> Result<(LookReport, Exit)> {
    let first = asked.paths.first().map(std::path::PathBuf::as_path);
    let place = Place::of(first, asked.place.store.as_deref())?;
    let paths = place.all_within(&asked.paths)?;
    let stop = unfinished::stop_gently();
    let rate = asked.rate.map(|rate| Rate::new(rate.0));
    let bar = Progress::growing(output, if heal { "healing" } else { "scrubbing" });
    let progress = |progress| bar.follow(progress);
    let run = run(&asked.resources, rate.as_ref(), stop, &progress);
    let protection = place.open()?;
    let report =
        if heal { protection.heal(&paths, &run)? } else { protection.scrub(&paths, &run)? };
    drop(bar);
    let damage = |outcome| {
        report.damaged_files.iter().any(|file| file.outcome == outcome)
            || report.damaged_parity.iter().any(|parity| parity.outcome == outcome)
    };
    let exit = if report.has_lost() {
        Exit::Lost
    } else if damage(block_ec::Outcome::LeftAlone) {
        Exit::Failed
    } else if damage(block_ec::Outcome::Repairable) || damage(block_ec::Outcome::BeyondRepair) {
        // Parity that cannot be made again is made anew by the next protection.
        Exit::Repairable
    } else if report.problems.iter().any(|problem| problem.matters) {
        Exit::Undecided
    } else {
        Exit::Success
    };
    let report = LookReport {
        place: (&place).into(),
        dry_run,
        clean: report.clean.into(),
        protected: report.protected.into(),
        unprotected: report.unprotected.into(),
        damaged_files: report
            .damaged_files
            .iter()
            .map(|file| DamagedFileReport {
                path: file.path.clone(),
                bytes: file.bytes,
                lost_chunks: file.lost_chunks,
                outcome: file.outcome.into(),
            })
            .collect(),
        damaged_parity: report
            .damaged_parity
            .iter()
            .map(|parity| DamagedParityReport {
                path: parity.path.clone(),
                chunks: parity.chunks,
                outcome: parity.outcome.into(),
            })
            .collect(),
        changed: problems(&report.changed),
        problems: problems(&report.problems),
        bytes_read: report.bytes_read,
    };
    Ok((report, exit))
}

pub(super) fn cat(asked: &Cat) -> Result<Done> {
    let place = Place::of(Some(&asked.file), asked.place.store.as_deref())?;
    let path = place.within(&asked.file)?;
    let protection = place.open_read_only()?;
    let failed = |error| Failure::io("write", "standard output", error);
    let mut stdout = standard_output().map_err(failed)?;
    // What standard output refuses is not the library's to tell.
    let mut refused = None;
    let mut output = |bytes: &[u8]| {
        stdout.write_all(bytes).map_err(|error| {
            refused = Some(error);
            block_ec::Error::Stopped
        })
    };
    let (start, end) = asked.range.map_or((0, None), |range| (range.start(), range.end()));
    let read = protection.read(&path, start, end, &Run::simple(), &mut output);
    if let Some(error) = refused {
        return Err(failed(error));
    }
    let read = read?;
    let (rebuilt_chunks, proven) = match read.healing {
        Healing::None => (0, true),
        Healing::Chunks(chunks) => (chunks, true),
        Healing::Unproven => (0, false),
    };
    let report = CatReport { file: path, bytes: read.bytes, rebuilt_chunks, proven };
    Ok(Done { report: Some(Report::Cat(report)), exit: Exit::Success, piped: true })
}

pub(super) fn unprotect(asked: &Unprotect, output: &Output) -> Result<Done> {
    let place = Place::of(
        asked.paths.first().map(std::path::PathBuf::as_path),
        asked.place.store.as_deref(),
    )?;
    let paths = place.all_within(&asked.paths)?;
    let stop = unfinished::stop_gently();
    let bar = Progress::growing(output, "regrouping");
    let progress = |progress| bar.follow(progress);
    let run = run(&asked.resources, None, stop, &progress);
    let report = place.open()?.unprotect(&paths, asked.dry_run, &run)?;
    drop(bar);
    let report = UnprotectReport {
        place: (&place).into(),
        dry_run: asked.dry_run,
        unprotected: report.unprotected.into(),
        regrouped: report.regrouped.into(),
        problems: problems(&report.problems),
    };
    let exit = if report.problems.is_empty() { Exit::Success } else { Exit::Failed };
    Ok(Done::new(Report::Unprotect(report), exit))
}

pub(super) fn block(asked: &Block, output: &Output) -> Result<Done> {
    match &asked.command {
        BlockCommand::Rescan(asked) => rescan(asked, output),
    }
}

pub(super) fn watch(asked: &Watch, output: &Output) -> Result<Done> {
    let rules = Rules::read(&asked.rules)?.rules;
    let stop = unfinished::stop_gently();
    let metrics = Metrics::default();
    let address = match asked.metrics {
        Some(address) => Some(metrics.serve(address).map_err(|error| {
            Failure::asked(
                format!("cannot answer at {address}: {error}"),
                "name another port of 127.0.0.1; 0 takes any that is free",
            )
        })?),
        None => None,
    };
    let report = WatchReport {
        rules: rules.iter().map(|rule| rule.name.clone()).collect(),
        metrics: address.map(|address| format!("http://{address}/metrics")),
    };
    // It is said now: there is no end at which it could be.
    finish(Ok(Done::new(Report::Watch(report), Exit::Success)), output);
    let interval = Duration::from_secs(asked.interval.into());
    let once = asked.once || asked.dry_run;
    let dry_run = asked.dry_run;
    let watch = WatchRules { interval, resources: &asked.resources, metrics, dry_run, stop };
    let well = watch.follow(rules, once);
    let exit = if well || !once { Exit::Success } else { Exit::Failed };
    Ok(Done { report: None, exit, piped: false })
}

fn rescan(asked: &Rescan, output: &Output) -> Result<Done> {
    let store = asked.place.store.as_deref();
    let place = Place::to_rescan(&asked.folder, store, asked.parity_dir.as_deref())?;
    if let Some(folder) = place.parity.local()
        && !folder.is_dir()
    {
        return Err(Failure::folder(
            folder,
            "there are no parity files here",
            "name their folder with --parity-dir",
        ));
    }
    let (data, parity) = place.stores()?;
    let bar = Progress::growing(output, "looking for files");
    let progress = |progress| bar.follow(progress);
    let stop = unfinished::stop_gently();
    let run = Run { stop, progress: &progress, ..Run::simple() };
    let report = if asked.dry_run {
        let scratch = Scratch::new()?;
        Protection::rescan_dry_run(&*data, &*parity, &scratch.metastore(), &run)?
    } else {
        let (protection, report) = Protection::rescan(data, parity, &place.metastore, &run)?;
        place.record(&protection)?;
        report
    };
    drop(bar);
    let report = RescanReport {
        place: (&place).into(),
        dry_run: asked.dry_run,
        parity_files: report.parity_files,
        protected: report.protected.into(),
        renamed: report.renamed,
        changed: report.changed,
        gone: report.gone,
        retired: report.retired,
        moved_to: report.moved_to.map(|path| path.display().to_string()),
        problems: problems(&report.problems),
    };
    let exit = if report.problems.is_empty() { Exit::Success } else { Exit::Repairable };
    Ok(Done::new(Report::Rescan(report), exit))
}
