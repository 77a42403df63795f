//! What the commands of parity files say, for people.

use std::time::{SystemTime, UNIX_EPOCH};

use super::report::{
    CatReport, Count, FileReport, LookReport, Outcome, Problem, ProtectReport, RescanReport,
    StatusReport, UnprotectReport, WatchReport,
};
use crate::report::{BAD, CARE, GOOD, QUIET, count, styled};
use crate::size::human;

/// Files that are listed; of more only the number is told.
const MOST: usize = 200;

fn files(number: Count) -> String {
    format!("{}, {}", count(number.files, "file"), human(number.bytes))
}

/// Some lines of many, and how many more there are.
fn listed<T>(items: &[T], line: impl Fn(&T) -> String) -> Vec<String> {
    let mut lines: Vec<String> = items.iter().take(MOST).map(line).collect();
    if items.len() > MOST {
        lines.push(format!("  and {} more (--json lists all)", items.len() - MOST));
    }
    lines
}

fn problems(problems: &[Problem]) -> Vec<String> {
    listed(problems, |problem| {
        let style = if problem.matters { CARE } else { QUIET };
        format!("{} {}: {}", styled(style, "passed over:"), problem.path, problem.message)
    })
}

/// `restripe protect`
#[must_use]
pub fn protect(report: &ProtectReport) -> Vec<String> {
    let mut lines = problems(&report.problems);
    let done = if report.dry_run { "would protect:" } else { "protected:" };
    lines.push(format!(
        "{} {}; {}",
        styled(GOOD, done),
        files(report.protected),
        if report.dry_run {
            format!("{} by {}", count(report.parity_files, "parity file"), report.policy)
        } else {
            let parity = count(report.parity_files, "parity file");
            format!("{parity}, {}, by {}", human(report.parity_bytes), report.policy)
        }
    ));
    let mut more = vec![format!("{} unchanged", count(report.unchanged.files, "file"))];
    for (number, what) in [
        (report.regrouped.files, "regrouped because others that shared their parity are gone"),
        (report.renamed, "renamed"),
        (report.gone, "gone"),
    ] {
        if number > 0 {
            more.push(format!("{number} {what}"));
        }
    }
    lines.push(more.join(", "));
    lines
}

/// `restripe status`
#[must_use]
pub fn status(report: &StatusReport) -> Vec<String> {
    let mut lines = listed(&report.files, file);
    lines.extend(listed(&report.damaged_parity, |path| {
        format!("{} parity file {path}", styled(BAD, "missing or damaged:"))
    }));
    lines.extend(problems(&report.problems));
    for state in &report.states {
        let style = match state.state {
            "healthy" => GOOD,
            "damaged" => BAD,
            _ => CARE,
        };
        lines.push(format!(
            "{} {}",
            styled(style, &format!("{}:", state.state)),
            files(state.count)
        ));
    }
    if report.unknown.files > 0 {
        lines.push(format!("{} {}", styled(CARE, "never protected:"), files(report.unknown)));
    }
    if report.less_protected.files > 0 {
        lines.push(format!("{} {}", styled(CARE, "less protected:"), files(report.less_protected)));
    }
    if let Some(overhead) = report.overhead {
        lines.push(format!(
            "stored {overhead:.3} times: {} of data, {} of parity, {} of metastore",
            human(report.protected_bytes),
            human(report.parity_bytes),
            human(report.metastore_bytes),
        ));
    }
    lines.push(match &report.last_scrub {
        None => "never scrubbed".to_owned(),
        Some(scrub) => format!(
            "last scrub {}: {} clean, {} damaged, {} changed, {} not looked at",
            ago(scrub.ended),
            scrub.clean,
            scrub.corrupted + scrub.damaged,
            scrub.changed,
            scrub.not_looked_at,
        ),
    });
    lines.push(match report.without_protection {
        Count { files: 0, .. } => "could be lost now by one bad sector: nothing".to_owned(),
        some => format!("{} {}", styled(CARE, "could be lost now by one bad sector:"), files(some)),
    });
    lines
}

fn file(file: &FileReport) -> String {
    let survives = match (file.survives, file.promised) {
        (Some(survives), Some(promised)) if survives < promised => {
            format!(", survives {survives} of {promised} losses")
        }
        (Some(survives), _) => format!(", survives {}", count(survives as u64, "loss")),
        _ => String::new(),
    };
    let note = file.note.as_ref().map_or(String::new(), |note| format!(": {note}"));
    let style = match file.state {
        "healthy" if file.note.is_none() => GOOD,
        "damaged" => BAD,
        _ => CARE,
    };
    format!("{} {}{survives}{note}", styled(style, &format!("{}:", file.state)), file.path)
}

/// `restripe scrub` and `restripe heal`
#[must_use]
pub fn look(report: &LookReport) -> Vec<String> {
    let style = |outcome| match outcome {
        Outcome::Healed => GOOD,
        Outcome::Repairable | Outcome::LeftAlone => CARE,
        Outcome::BeyondRepair => BAD,
    };
    let word = |outcome| match outcome {
        Outcome::Healed => "healed:",
        Outcome::Repairable => "damaged:",
        Outcome::LeftAlone => "left alone:",
        Outcome::BeyondRepair => "beyond repair:",
    };
    let mut lines = listed(&report.damaged_files, |file| {
        let what = styled(style(file.outcome), word(file.outcome));
        format!("{what} {}, {} in bad chunks", file.path, human(file.bytes))
    });
    lines.extend(listed(&report.damaged_parity, |parity| {
        let what = styled(style(parity.outcome), word(parity.outcome));
        format!("{what} parity file {}, {}", parity.path, count(parity.chunks, "bad chunk"))
    }));
    lines.extend(listed(&report.changed, |problem| {
        format!("{} {}: {}", styled(QUIET, "changed:"), problem.path, problem.message)
    }));
    lines.extend(problems(&report.problems));
    lines.push(format!(
        "{} {} of {} with parity; read {}",
        styled(GOOD, "clean:"),
        files(report.clean),
        count(report.protected.files, "file"),
        human(report.bytes_read),
    ));
    if report.unprotected.files > 0 {
        let unprotected = files(report.unprotected);
        lines.push(format!("{} {unprotected}, without parity", styled(CARE, "not looked at:")));
    }
    lines
}

/// `restripe cat`
#[must_use]
pub fn cat(report: &CatReport) -> Vec<String> {
    if !report.proven {
        let what = "has no parity of what it is; nothing proves these bytes";
        return vec![format!("{} {} {what}", styled(CARE, "note:"), report.file)];
    }
    match report.rebuilt_chunks {
        0 => Vec::new(),
        chunks => vec![format!(
            "{} {}: {} rebuilt; restripe heal would heal it",
            styled(CARE, "damaged:"),
            report.file,
            count(chunks, "chunk"),
        )],
    }
}

/// `restripe unprotect`
#[must_use]
pub fn unprotect(report: &UnprotectReport) -> Vec<String> {
    let mut lines = problems(&report.problems);
    let done = if report.dry_run { "would unprotect:" } else { "unprotected:" };
    lines.push(format!("{} {}", styled(GOOD, done), files(report.unprotected)));
    if report.regrouped.files > 0 {
        lines.push(format!("new parity for {} that had shared it", files(report.regrouped)));
    }
    lines
}

/// `restripe watch`
#[must_use]
pub fn watch(report: &WatchReport) -> Vec<String> {
    let rules = count(report.rules.len() as u64, "rule");
    let metrics = report.metrics.as_ref();
    let metrics = metrics.map_or(String::new(), |address| format!("; metrics at {address}"));
    vec![format!("{} {rules}{metrics}", styled(GOOD, "following"))]
}

/// `restripe block rescan`
#[must_use]
pub fn rescan(report: &RescanReport) -> Vec<String> {
    let mut lines = problems(&report.problems);
    if let Some(path) = &report.moved_to {
        lines.push(format!("the metastore that was there is now {path}"));
    }
    let done = if report.dry_run { "would be protected again:" } else { "protected again:" };
    lines.push(format!(
        "{} {} by {}; {} renamed, {} changed, {} gone",
        styled(GOOD, done),
        files(report.protected),
        count(report.parity_files, "parity file"),
        report.renamed,
        report.changed,
        report.gone,
    ));
    lines
}

/// How long ago a time was.
fn ago(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let age = now.saturating_sub(u64::try_from(seconds).unwrap_or(0));
    match age {
        0..=119 => format!("{age} s ago"),
        120..=7199 => format!("{} minutes ago", age / 60),
        7200..=172_799 => format!("{} hours ago", age / 3600),
        _ => format!("{} days ago", age / 86_400),
    }
}
