//! Looking at everything that has parity: what is clean, what is damaged, what its owner has
//! changed, and what was not looked at.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::check::{Finding, Findings};
use crate::error::Result;
use crate::identity::Identity;
use crate::metastore::{FileRecord, ScrubRecord};
use crate::protection::Protection;
use crate::report::{Count, Problem};
use crate::run::{Progress, Run, for_each, now};
use crate::set::Set;
use crate::state::State;
use crate::store::Found;

/// What a scrub or a healing found, and what the healing did.
#[derive(Clone, Debug, Default)]
pub struct ScrubReport {
    /// Files that were read from their first byte to their last and are what they were.
    pub clean: Count,
    /// Files with damage.
    pub damaged_files: Vec<DamagedFile>,
    /// Parity files with damage.
    pub damaged_parity: Vec<DamagedParity>,
    /// Files that are not what their parity was made of, because their owner has changed or
    /// deleted them. They are never healed.
    pub changed: Vec<Problem>,
    /// Files without parity: they were not looked at.
    pub unprotected: Count,
    /// What else was not looked at, or could not be healed, and why.
    pub problems: Vec<Problem>,
    /// Groups of which something was rebuilt and is in its place.
    pub repaired_groups: Vec<RepairedGroup>,
    /// Bytes of data and parity that were read.
    pub bytes_read: u64,
    /// Files that were under the paths, with parity of them.
    pub protected: Count,
}

impl ScrubReport {
    /// Whether everything that has parity was looked at and is what it was, or has been healed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.damaged_files.iter().all(|file| file.outcome == Outcome::Healed)
            && self.damaged_parity.iter().all(|parity| parity.outcome == Outcome::Healed)
            && !self.problems.iter().any(|problem| problem.matters)
    }

    /// Whether something is damaged beyond what is left of its group can give back.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.damaged_files.iter().any(|file| file.outcome == Outcome::BeyondRepair)
    }
}

/// A file with damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedFile {
    /// Its path.
    pub path: String,
    /// Bytes in chunks that are wrong, cannot be read, or are not there.
    pub bytes: u64,
    /// Chunks of these that cannot be rebuilt.
    pub lost_chunks: u64,
    /// What can be done, or was.
    pub outcome: Outcome,
}

/// A group of which something was rebuilt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairedGroup {
    /// The parity file that it had its parity in.
    pub parity: String,
    /// Its number in that.
    pub group: u64,
    /// Chunks of data that were rebuilt.
    pub data_chunks: u64,
    /// Chunks of parity that were rebuilt.
    pub parity_chunks: u64,
    /// The files whose chunks these are.
    pub files: Vec<String>,
}

/// A parity file with damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedParity {
    /// Its path in its store.
    pub path: String,
    /// Chunks that are wrong, cannot be read, or are not there.
    pub chunks: u64,
    /// What can be done, or was.
    pub outcome: Outcome,
}

/// What can be done about damage, or was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It can be healed.
    Repairable,
    /// It was healed.
    Healed,
    /// It cannot be healed.
    BeyondRepair,
    /// It could be, but something kept it from being healed: see the problems.
    LeftAlone,
}

impl Protection {
    /// Reads everything that has parity and is any of `paths` or below it, its parity too, and
    /// records how it stands. Nothing but the metastore is changed.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`](crate::Error::Stopped) and what the metastore refuses. What cannot be
    /// read is in the report.
    pub fn scrub(&self, paths: &[String], run: &Run<'_>) -> Result<ScrubReport> {
        self.look(paths, run, false)
    }

    /// [`scrub`](Self::scrub), and what is damaged is healed where it can be: files in place, with
    /// mode, owner, times and extended attributes as they were, and parity files.
    ///
    /// A file that its owner has changed is never touched.
    ///
    /// # Errors
    ///
    /// As [`scrub`](Self::scrub); and what makes no sense to go on after, such as a full disk.
    pub fn heal(&self, paths: &[String], run: &Run<'_>) -> Result<ScrubReport> {
        self.look(paths, run, true)
    }

    fn look(&self, paths: &[String], run: &Run<'_>, heal: bool) -> Result<ScrubReport> {
        let begun = now();
        let mut report = ScrubReport::default();
        let mut sets: BTreeMap<i64, HashSet<String>> = BTreeMap::new();
        for path in paths {
            for folder in self.metastore.folders(path)? {
                for file in self.metastore.files_in(&folder)? {
                    if let Some((parity, _)) = file.parity
                        && crate::is_under(&file.path, path)
                        && sets.entry(parity).or_default().insert(file.path)
                    {
                        report.protected.add(file.identity.len);
                    }
                }
            }
            self.find_unprotected(path, &mut report)?;
        }
        let sets: Vec<(i64, HashSet<String>)> = sets.into_iter().collect();
        let report = Mutex::new(report);
        let one = |number: usize, threads: usize| -> Result<()> {
            let (id, paths) = &sets[number];
            let set = match self.set(*id) {
                Ok(Some(set)) => set,
                Ok(None) => return Ok(()),
                Err(error) if error.is_about_one_file() => {
                    // Neither the metastore nor the parity file has its header any more.
                    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                    for path in paths {
                        report.problems.push(Problem::new(path, error.to_string()));
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let findings = self.check(&set, threads, run)?;
            let found = self.judge(&set, &findings, paths)?;
            let found = if heal { self.heal_set(&set, found, threads, run)? } else { found };
            report.lock().unwrap_or_else(PoisonError::into_inner).merge(found);
            Ok(())
        };
        // Long sets keep all threads busy by themselves.
        let (mut long, mut short) = (Vec::new(), Vec::new());
        let mut most = 0;
        for (number, (id, _)) in sets.iter().enumerate() {
            let Some(record) = self.metastore.parity(*id)? else { continue };
            (run.progress)(Progress::Found(record.data_len));
            let policy: restripe::layout::Policy = record.policy.parse()?;
            let group = policy.cell_size() * policy.data_units() as u64;
            if record.data_len > 4 * group {
                long.push(number);
            } else {
                let held = group + policy.cell_size() * policy.parity_units() as u64;
                most = most.max(held.min(record.data_len + record.file_len));
                short.push(number);
            }
        }
        for number in long {
            one(number, run.threads)?;
        }
        for_each(short.len(), run.threads_holding(most), || (), |(), at| one(short[at], 1))?;
        let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.sort();
        let count = |outcomes: &[Outcome]| {
            let files = report.damaged_files.iter();
            files.filter(|file| outcomes.contains(&file.outcome)).count() as u64
        };
        let record = ScrubRecord {
            under: String::new(),
            begun,
            ended: now(),
            bytes_read: report.bytes_read,
            clean: report.clean.files + count(&[Outcome::Healed]),
            corrupted: count(&[Outcome::Repairable, Outcome::LeftAlone]),
            damaged: count(&[Outcome::BeyondRepair]),
            changed: report.changed.len() as u64,
            not_looked_at: report.unprotected.files + report.problems.len() as u64,
        };
        self.metastore.change(|change| {
            for path in paths {
                change.add_scrub(&ScrubRecord { under: path.clone(), ..record.clone() })?;
            }
            Ok(())
        })?;
        Ok(report)
    }

    /// Counts files that are there and have no parity: nobody looks at them.
    fn find_unprotected(&self, path: &str, report: &mut ScrubReport) -> Result<()> {
        let mut folder: Option<(String, HashSet<String>)> = None;
        self.data.list(path, &mut |found| {
            match found {
                Found::Skipped { path, why, matters } => {
                    report.problems.push(Problem { path, message: why, matters });
                }
                Found::File(entry) => {
                    let (parent, _) = crate::split(&entry.path);
                    if folder.as_ref().is_none_or(|(name, _)| name != parent) {
                        let files = self.metastore.files_in(parent)?.into_iter();
                        let with_parity = files.filter(|file| file.parity.is_some());
                        let paths = with_parity.map(|file| file.path).collect();
                        folder = Some((parent.to_owned(), paths));
                    }
                    if !folder.as_ref().is_some_and(|(_, files)| files.contains(&entry.path)) {
                        report.unprotected.add(entry.identity.len);
                    }
                }
            }
            Ok(())
        })
    }

    /// Says what the findings mean, and records it.
    fn judge(
        &self,
        set: &Set,
        findings: &Findings,
        paths: &HashSet<String>,
    ) -> Result<ScrubReport> {
        let mut report = ScrubReport { bytes_read: findings.bytes_read, ..ScrubReport::default() };
        let verdicts: Vec<(&FileRecord, &Finding, Verdict)> = set
            .records
            .iter()
            .zip(&findings.members)
            .filter_map(|(record, finding)| record.as_ref().map(|record| (record, finding)))
            .map(|(record, finding)| (record, finding, self.verdict(record, finding)))
            .collect();
        self.metastore.change(|change| {
            for (record, _, verdict) in &verdicts {
                let path = &record.path;
                match verdict {
                    Verdict::Clean(identity) => {
                        change.set_state(path, State::Healthy)?;
                        if *identity != record.identity {
                            change.set_identity(path, identity)?;
                        }
                        change.set_checked(path, now())?;
                    }
                    Verdict::Repairable => change.set_state(path, State::Corrupted)?,
                    Verdict::Lost => change.set_state(path, State::Damaged)?,
                    Verdict::Changed => change.set_changed(path)?,
                    Verdict::Gone | Verdict::NotLookedAt(_) => {}
                }
            }
            change.set_parity_checked(set.id, findings.parity_is_bad(), now())
        })?;
        for (record, finding, verdict) in verdicts {
            if !paths.contains(&record.path) {
                continue;
            }
            let path = record.path.clone();
            let damaged = |outcome| DamagedFile {
                path: path.clone(),
                bytes: finding.bad_bytes,
                lost_chunks: finding.lost,
                outcome,
            };
            match verdict {
                Verdict::Clean(_) => report.clean.add(record.identity.len),
                Verdict::Repairable => report.damaged_files.push(damaged(Outcome::Repairable)),
                Verdict::Lost => report.damaged_files.push(damaged(Outcome::BeyondRepair)),
                Verdict::Changed => {
                    let message = "its owner has changed it; protect it again";
                    report.changed.push(Problem { path, message: message.into(), matters: false });
                }
                Verdict::Gone => {
                    let message = "it is gone";
                    report.changed.push(Problem { path, message: message.into(), matters: false });
                }
                Verdict::NotLookedAt(why) => report.problems.push(Problem::new(path, why)),
            }
        }
        if findings.parity_is_bad() {
            let outcome = match findings.parity_lost {
                0 => Outcome::Repairable,
                _ => Outcome::BeyondRepair,
            };
            report.damaged_parity.push(DamagedParity {
                path: set.parity_path.clone(),
                chunks: findings.parity_bad,
                outcome,
            });
        }
        Ok(report)
    }

    /// What a finding means, now that the file was read: its identity is asked once more.
    fn verdict(&self, record: &FileRecord, finding: &Finding) -> Verdict {
        if let Some(error) = &finding.unreadable {
            return Verdict::NotLookedAt(error.to_string());
        }
        let now = match self.data.entry(&record.path) {
            Err(error) => return Verdict::NotLookedAt(error.to_string()),
            Ok(None) => return Verdict::Gone,
            Ok(Some(entry)) => entry.identity,
        };
        if finding.before.as_ref() != Some(&now) {
            return Verdict::NotLookedAt("it changed while it was being read".to_owned());
        }
        let good = finding.bad == 0 && !finding.digest_is_wrong;
        if now != record.identity {
            // Somebody wrote it since. If it is what it was all the same, that does not matter.
            let same = good && now.len == record.identity.len;
            return if same { Verdict::Clean(now) } else { Verdict::Changed };
        }
        match finding {
            _ if good => Verdict::Clean(now),
            Finding { lost: 0, digest_is_wrong: false, .. } => Verdict::Repairable,
            _ => Verdict::Lost,
        }
    }
}

enum Verdict {
    Clean(Identity),
    Repairable,
    Lost,
    Changed,
    Gone,
    NotLookedAt(String),
}

impl ScrubReport {
    fn merge(&mut self, other: Self) {
        self.clean.files += other.clean.files;
        self.clean.bytes += other.clean.bytes;
        self.damaged_files.extend(other.damaged_files);
        self.damaged_parity.extend(other.damaged_parity);
        self.changed.extend(other.changed);
        self.problems.extend(other.problems);
        self.repaired_groups.extend(other.repaired_groups);
        self.bytes_read += other.bytes_read;
    }

    /// Threads come to their ends in any order.
    fn sort(&mut self) {
        self.damaged_files.sort_by(|a, b| a.path.cmp(&b.path));
        self.damaged_parity.sort_by(|a, b| a.path.cmp(&b.path));
        self.changed.sort_by(|a, b| a.path.cmp(&b.path));
        self.problems.sort_by(|a, b| a.path.cmp(&b.path));
        self.repaired_groups.sort_by(|a, b| (&a.parity, a.group).cmp(&(&b.parity, b.group)));
    }
}
