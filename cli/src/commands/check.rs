//! `restripe verify` and `restripe repair`: the same look at every block, with and without
//! writing.

use std::fs::File;

use super::Done;
use crate::args::{Output, Repair, Resources, Verify};
use crate::exit::Exit;
use crate::failure::Result;
use crate::folder::{Folder, remove_leftovers};
use crate::heal::group::Group;
use crate::heal::pass::PassBudget;
use crate::heal::tally::Condition;
use crate::mend::{self, Mended, Outcome, Reason, Terms};
use crate::pipeline::Budget;
use crate::progress::Progress;
use crate::report::{
    BlockReport, CheckReport, Disagreement, FindingReport, FolderReport, RangesReport, Report,
};
use crate::unfinished::lock_folder;

pub(super) fn verify(asked: &Verify, output: &Output) -> Result<Done> {
    let folder = Folder::open(&asked.folder, &asked.layout)?;
    let budget = budget(&folder, &asked.resources)?;
    // Verifying is repairing without writing.
    let terms = Terms { deep: asked.deep, trust_unverified: false, durable: false, dry_run: true };
    let mut report = begin(&folder, asked.deep, true);
    let progress = Progress::new(output, "verifying", Some(folder.geometry().stored()));
    for index in 0..folder.geometry().groups() {
        let group = Group::open(&folder, index)?;
        let mended = mend::run(&folder, &group, terms, budget, &progress)?;
        add_group(&mut report, &group, &mended);
    }
    drop(progress);
    report.damaged_blocks.iter_mut().for_each(|block| block.outcome = None);
    let exit = report.verdict.exit();
    Ok(Done::new(Report::Verify(report), exit))
}

pub(super) fn repair(asked: &Repair, output: &Output) -> Result<Done> {
    let lock: Option<File> = if asked.dry_run { None } else { lock_folder(&asked.folder)? };
    let folder = Folder::open(&asked.folder, &asked.layout)?;
    let budget = budget(&folder, &asked.resources)?;
    let terms = Terms {
        deep: asked.deep,
        trust_unverified: asked.trust_unverified,
        durable: !asked.no_fsync,
        dry_run: asked.dry_run,
    };
    let mut report = begin(&folder, asked.deep, asked.dry_run);
    if !asked.dry_run {
        let removed = remove_leftovers(&folder)?;
        if removed > 0 {
            report.notes.push(format!("removed {removed} unfinished file(s) of an earlier run"));
        }
    }
    let mut failed = false;
    let progress = Progress::new(output, "repairing", Some(folder.geometry().stored()));
    for index in 0..folder.geometry().groups() {
        let group = Group::open(&folder, index)?;
        let mended = mend::run(&folder, &group, terms, budget, &progress)?;
        failed |= mended.outcomes.iter().any(|outcome| match outcome {
            Outcome::LeftAlone { reason } => {
                matches!(reason, Reason::System { .. } | Reason::ReadBack)
            }
            _ => false,
        });
        add_group(&mut report, &group, &mended);
    }
    let may_vouch = asked.deep && !asked.dry_run && report.verdict == Condition::Whole;
    if may_vouch && folder.lacks_its_manifest() {
        let (memory, threads) = (asked.resources.memory.0, asked.resources.threads());
        let budget = Budget::new(folder.geometry(), folder.sum_kind(), memory, threads, false)?;
        mend::manifest::restore(&folder, budget, &progress, terms.durable)?;
        report.notes.push("wrote a new manifest.json; the file's name is not known".to_owned());
    }
    drop((progress, lock));
    let exit = match report.verdict.exit() {
        Exit::Lost => Exit::Lost,
        _ if failed => Exit::Failed,
        // What is left for a repair to do after a repair was not in its power.
        Exit::Repairable if !asked.dry_run => Exit::Failed,
        exit => exit,
    };
    Ok(Done::new(Report::Repair(report), exit))
}

fn budget(folder: &Folder, resources: &Resources) -> Result<PassBudget> {
    let (memory, threads) = (resources.memory.0, resources.threads());
    PassBudget::new(folder.geometry(), folder.sum_kind(), memory, threads)
}

fn begin(folder: &Folder, deep: bool, dry_run: bool) -> CheckReport {
    let mut not_checked = Vec::new();
    if !deep {
        not_checked.push("parity against data (--deep does that)".to_owned());
    }
    let others = folder.others().iter().map(|name| format!("{name}: no block of this file"));
    not_checked.extend(others);
    if dry_run {
        not_checked.extend(folder.leftovers().iter().map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("{name}: unfinished file of another run, which repair removes")
        }));
    }
    let mut notes = folder.notes().to_vec();
    if folder.manifest().is_none() {
        notes.push(
            "without a manifest a block of another file, with right checksums of its own, is not \
             told from the right one; --deep may find it"
                .to_owned(),
        );
    }
    CheckReport {
        folder: FolderReport::new(folder),
        verdict: Condition::Whole,
        deep,
        dry_run,
        blocks_whole: 0,
        blocks_damaged: 0,
        damaged_blocks: Vec::new(),
        disagreements: Vec::new(),
        not_checked,
        notes,
    }
}

/// Adds a group to a report. The verdict is on how it is now.
fn add_group(report: &mut CheckReport, group: &Group, mended: &Mended) {
    let Mended { tally, outcomes } = mended;
    for (unit, files) in group.units().iter().enumerate().filter(|(_, files)| !files.is_empty()) {
        let found = tally.unit(unit);
        let findings: Vec<FindingReport> = files.findings().map(FindingReport::from).collect();
        let mut condition = found.condition(!findings.is_empty(), files.digest().is_some());
        let now = match &outcomes[unit] {
            Outcome::WouldRebuild { .. } => condition,
            Outcome::Verified | Outcome::Rebuilt { .. } => Condition::Whole,
            Outcome::LeftAlone { reason } => match reason {
                Reason::Lost | Reason::NotInManifest => Condition::Lost,
                Reason::Unproven | Reason::Contradicted => Condition::Undecided,
                _ => condition.max(Condition::Repairable),
            },
        };
        condition = condition.max(now);
        report.verdict = report.verdict.max(now);
        if condition == Condition::Whole && now == Condition::Whole {
            report.blocks_whole += 1;
            continue;
        }
        report.blocks_damaged += 1;
        let file = files.files().block.file_name().unwrap_or_default();
        let block = BlockReport {
            group: group.index(),
            unit,
            role: if unit < group.code().data_units() { "data" } else { "parity" },
            file: file.to_string_lossy().into_owned(),
            condition,
            findings,
            damaged: RangesReport::default(),
            damaged_with_right_sums: RangesReport::default(),
            wrong_sums: RangesReport::default(),
            unproven: RangesReport::default(),
            lost: RangesReport::default(),
            outcome: Some(outcomes[unit].clone()),
        };
        report.damaged_blocks.push(block.with_tally(&found));
    }
    let disagreeing = tally.disagreeing();
    if !disagreeing.is_empty() {
        report.verdict = report.verdict.max(Condition::Undecided);
        let ranges = (&disagreeing).into();
        report.disagreements.push(Disagreement { group: group.index(), ranges });
    }
}
