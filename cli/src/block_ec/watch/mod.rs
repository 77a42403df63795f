//! `restripe watch`: rules are followed until the process is asked to end.
//!
//! Between two rounds the metastores are closed, so that other commands get their turn. What fails
//! is tried again, each time after twice the time, up to an hour.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use restripe_block_ec::{Error, Filter, Outcome, ProtectOptions, Rate, Run};
use serde_json::json;

use crate::args::Resources;
use crate::block_ec::place::{Place, Scratch};
use crate::failure::{Failure, Result};

pub mod metrics;
pub mod rules;

use metrics::Metrics;
use rules::Rule;

const LONGEST_BACK_OFF: Duration = Duration::from_secs(3600);

/// Follows rules.
#[derive(Debug)]
pub struct Watch<'a> {
    /// Time between two looks at a rule's files.
    pub interval: Duration,
    /// Memory and threads.
    pub resources: &'a Resources,
    /// Where numbers are kept.
    pub metrics: Metrics,
    /// What would be done is only told.
    pub dry_run: bool,
    /// Work ends soon after this is set.
    pub stop: &'static AtomicBool,
}

/// A rule and when it is its turn.
struct Turn {
    rule: Rule,
    next: Instant,
    failures: u32,
}

impl Watch<'_> {
    /// Follows the rules: once, or until it is told to stop. Says whether all went well in the end.
    #[must_use]
    pub fn follow(&self, rules: Vec<Rule>, once: bool) -> bool {
        let now = Instant::now();
        let mut turns: Vec<Turn> =
            rules.into_iter().map(|rule| Turn { rule, next: now, failures: 0 }).collect();
        loop {
            for turn in turns.iter_mut().filter(|turn| turn.next <= Instant::now()) {
                if self.stop.load(Ordering::Relaxed) {
                    break;
                }
                self.take(turn);
            }
            if once || self.stop.load(Ordering::Relaxed) {
                return turns.iter().all(|turn| turn.failures == 0);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn take(&self, turn: &mut Turn) {
        let rule = &turn.rule;
        let time = jiff::Zoned::now().time();
        if !self.dry_run && rule.hours.is_some_and(|hours| !hours.contain(time)) {
            turn.next = Instant::now() + self.interval;
            return;
        }
        match self.round(rule) {
            Ok(()) | Err(Failure::BlockEc(Error::Stopped)) => {
                turn.failures = 0;
                turn.next = Instant::now() + self.interval;
            }
            Err(failure) => {
                turn.failures = turn.failures.saturating_add(1);
                let factor = 1_u32.checked_shl(turn.failures - 1).unwrap_or(u32::MAX);
                let wait = self.interval.saturating_mul(factor).min(LONGEST_BACK_OFF);
                turn.next = Instant::now() + wait;
                self.metrics.add("restripe_failures_total", &rule.name, 1);
                log(
                    "failed",
                    &rule.name,
                    &json!({
                        "message": failure.to_string(),
                        "advice": failure.advice(),
                        "again_in_seconds": wait.as_secs_f64(),
                    }),
                );
            }
        }
    }

    /// Protects what a rule means, and where the time has come, reads all of it and heals.
    fn round(&self, rule: &Rule) -> Result<()> {
        let paths = [rule.path.clone()];
        let place = Place::to_protect(&paths, rule.store.as_deref(), rule.parity_dir.as_deref())?;
        let within = place.within(&rule.path)?;
        let rate = rule.rate.map(|rate| Rate::new(rate.0));
        let run = Run {
            threads: self.resources.threads(),
            memory: self.resources.memory.0,
            rate: rate.as_ref(),
            stop: self.stop,
            progress: &|_| {},
        };
        let scratch = Scratch::new()?;
        let protection =
            if self.dry_run { place.open_for_dry_run(&scratch)? } else { place.open()? };
        let mut options = ProtectOptions::new(rule.policy);
        options.dry_run = self.dry_run;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        let (taken, under) = (rule.clone(), within.clone());
        options.filter = Some(Filter::new(move |entry| {
            let path = entry.path.strip_prefix(&under).unwrap_or(&entry.path);
            taken.takes(path.trim_start_matches('/'), entry, now)
        }));
        let within = [within];
        let report = protection.protect(&within, &options, &run)?;
        self.metrics.add("restripe_protected_files_total", &rule.name, report.protected.files);
        self.metrics.add("restripe_protected_bytes_total", &rule.name, report.protected.bytes);
        if report.protected.files + report.regrouped.files > 0 {
            log(
                if self.dry_run { "would protect" } else { "protected" },
                &rule.name,
                &json!({
                    "files": report.protected.files,
                    "bytes": report.protected.bytes,
                    "regrouped_files": report.regrouped.files,
                    "parity_bytes": report.parity_bytes,
                }),
            );
        }
        for problem in report.problems.iter().filter(|problem| problem.matters) {
            log(
                "passed over",
                &rule.name,
                &json!({
                    "path": problem.path,
                    "message": problem.message,
                }),
            );
        }
        let last = protection.metastore().last_scrub(&within[0])?.map_or(0, |scrub| scrub.ended);
        let due = rule.scrub_every.is_some_and(|every| {
            let next = last.saturating_add(i64::try_from(every.as_secs()).unwrap_or(i64::MAX));
            next <= now / 1_000_000_000
        });
        match due {
            true if self.dry_run => log("would scrub", &rule.name, &json!({})),
            true => self.heal(rule, &protection, &within, &run)?,
            false => {}
        }
        Ok(())
    }

    fn heal(
        &self,
        rule: &Rule,
        protection: &restripe_block_ec::Protection,
        within: &[String],
        run: &Run<'_>,
    ) -> Result<()> {
        let report = protection.heal(within, run)?;
        let name = &rule.name;
        for group in &report.repaired_groups {
            log(
                "repaired",
                name,
                &json!({
                    "parity": group.parity,
                    "group": group.group,
                    "data_chunks": group.data_chunks,
                    "parity_chunks": group.parity_chunks,
                    "files": group.files,
                }),
            );
        }
        let healed = report.damaged_files.iter().filter(|file| file.outcome == Outcome::Healed);
        let healed = healed.count() as u64;
        let damaged = report.damaged_files.len() as u64 - healed;
        for file in report.damaged_files.iter().filter(|file| file.outcome != Outcome::Healed) {
            let outcome = crate::block_ec::report::Outcome::from(file.outcome);
            log("damaged", name, &json!({ "path": file.path, "outcome": outcome }));
        }
        let metrics = &self.metrics;
        metrics.add("restripe_scrubs_total", name, 1);
        metrics.add("restripe_read_bytes_total", name, report.bytes_read);
        metrics.add("restripe_healed_files_total", name, healed);
        metrics.add("restripe_repaired_groups_total", name, report.repaired_groups.len() as u64);
        metrics.set("restripe_damaged_files", name, damaged as f64);
        metrics.set("restripe_unprotected_files", name, report.unprotected.files as f64);
        metrics.set("restripe_clean_files", name, (report.clean.files + healed) as f64);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        metrics.set("restripe_last_scrub_seconds", name, now.as_secs() as f64);
        log(
            "scrubbed",
            name,
            &json!({
                "clean": report.clean.files,
                "healed": healed,
                "damaged": damaged,
                "changed": report.changed.len(),
                "unprotected": report.unprotected.files,
                "bytes_read": report.bytes_read,
            }),
        );
        Ok(())
    }
}

/// Writes a line to standard error: one JSON object.
fn log(event: &str, rule: &str, fields: &serde_json::Value) {
    let mut line = json!({
        "time": jiff::Timestamp::now().to_string(),
        "event": event,
        "rule": rule,
    });
    if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object()) {
        line.extend(fields.clone());
    }
    eprintln!("{line}");
}
