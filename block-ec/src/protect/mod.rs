//! Parity for files that have none or have changed.
//!
//! Folder by folder it is found out what has to be done ([`survey`]); what has, is done in batches
//! by several threads ([`build`]). A parity file that covers something deleted or changed is
//! replaced by one of the rest: the old one goes when the new one is recorded.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use restripe::layout::Policy;

use crate::error::{Error, Result};
use crate::identity::{Entry, split};
use crate::protection::Protection;
use crate::report::{Count, Problem};
use crate::run::{Progress, Run, for_each};
use crate::store::Found;

mod build;
mod parity_draft;

mod survey;

pub(crate) use parity_draft::ParityDraft;
pub(crate) use survey::digest;
use survey::{Homeless, Work};

/// How files are to be protected.
#[derive(Clone, Debug)]
pub struct ProtectOptions {
    /// Code and length of a unit (the cell of the policy's name).
    pub policy: Policy,
    /// Whether to change nothing, and only say what would be done.
    pub dry_run: bool,
    /// How many copies the store is to keep of a file once its parity is recorded, where it keeps
    /// several.
    pub replication: Option<u16>,
    /// Only files for which this is true are protected; others keep what they have.
    pub filter: Option<Filter>,
}

/// Says which files are meant.
#[derive(Clone)]
pub struct Filter(Arc<dyn Fn(&Entry) -> bool + Send + Sync>);

impl Filter {
    /// Those for which a function is true.
    pub fn new(function: impl Fn(&Entry) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    pub(crate) fn takes(&self, entry: &Entry) -> bool {
        (self.0)(entry)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter")
    }
}

impl ProtectOptions {
    /// Parity by a policy, and nothing special.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, dry_run: false, replication: None, filter: None }
    }
}

/// What a protection did, or of a dry run would have done.
#[derive(Clone, Debug, Default)]
pub struct ProtectReport {
    /// Files whose parity was made, because they had none or have changed.
    pub protected: Count,
    /// Files that had parity of what they are.
    pub unchanged: Count,
    /// Files that got new parity because others that shared the old one were changed or deleted.
    pub regrouped: Count,
    /// Files that are found under other paths now, with their parity.
    pub renamed: u64,
    /// Files that are gone, and forgotten.
    pub gone: u64,
    /// Parity files that were made.
    pub parity_files: u64,
    /// Bytes of them.
    pub parity_bytes: u64,
    /// Files that have no parity of what they are, and why.
    pub problems: Vec<Problem>,
}

impl ProtectReport {
    /// Whether every file that was meant has its parity.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.problems.iter().any(|problem| problem.matters)
    }
}

/// Work is done when so much of it has come together: enough for many threads, little enough to
/// hold in memory what is to be done.
const BATCH_BYTES: u64 = 4 << 30;
const BATCH_FILES: usize = 20_000;

impl Protection {
    /// Makes parity for the files that are any of `paths` or below it.
    ///
    /// Files keep the parity that they have, whatever its policy. A file that cannot be read, or
    /// changes while it is read, is among the report's problems; the others go on.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`], and what makes no sense to go on after, such as a full disk: what is
    /// recorded then stays, and the next run carries on from there.
    pub fn protect(
        &self,
        paths: &[String],
        options: &ProtectOptions,
        run: &Run<'_>,
    ) -> Result<ProtectReport> {
        let mut report = ProtectReport::default();
        let mut homeless = self.find_homeless(paths)?;
        if !options.dry_run {
            self.follow_renames(paths, &mut homeless, &mut report)?;
        }
        // First, so that what shared parity with them is seen to cover less than it did.
        self.forget(homeless, options, &mut report)?;
        let mut batch = Batch::default();
        let mut entries: Vec<Entry> = Vec::new();
        for path in paths {
            self.data.list(path, &mut |found| {
                if run.stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return Err(Error::Stopped);
                }
                match found {
                    Found::Skipped { path, why, matters } => {
                        report.problems.push(Problem { path, message: why, matters });
                    }
                    Found::File(entry) => {
                        if entries
                            .first()
                            .is_some_and(|first| split(&first.path).0 != split(&entry.path).0)
                        {
                            self.survey(&mut entries, options, run, &mut batch, &mut report)?;
                            if batch.is_full() {
                                self.work_off(&mut batch, options, run, &mut report)?;
                            }
                        }
                        entries.push(entry);
                    }
                }
                Ok(())
            })?;
            if !entries.is_empty() {
                self.survey(&mut entries, options, run, &mut batch, &mut report)?;
            }
        }
        self.work_off(&mut batch, options, run, &mut report)?;
        Ok(report)
    }

    /// Takes the parity of files away, and forgets them. Others that shared it get parity of their
    /// own first.
    ///
    /// # Errors
    ///
    /// As [`protect`](Self::protect).
    pub fn unprotect(
        &self,
        paths: &[String],
        dry_run: bool,
        run: &Run<'_>,
    ) -> Result<UnprotectReport> {
        let mut report = UnprotectReport::default();
        let (mut files, mut parities) = (Vec::new(), HashSet::new());
        for path in paths {
            for file in self.metastore.files(path)? {
                if let Some((parity, _)) = file.parity {
                    report.unprotected.add(file.identity.len);
                    parities.insert(parity);
                }
                files.push(file.path);
            }
        }
        if dry_run {
            return Ok(report);
        }
        let parities: Vec<i64> = parities.into_iter().collect();
        let jobs = self.metastore.change(|change| {
            files.iter().try_for_each(|path| change.remove_file(path))?;
            change.retire(&parities)
        })?;
        self.remove_retired(&jobs)?;
        for parity in parities {
            let (mut others, Some(record)) =
                (self.metastore.members(parity)?, self.metastore.parity(parity)?)
            else {
                continue;
            };
            let policy = record.policy.parse::<Policy>()?;
            let options = ProtectOptions::new(policy);
            others.sort_by(|a, b| a.path.cmp(&b.path));
            let mut done = ProtectReport::default();
            for folder in others.chunk_by(|a, b| split(&a.path).0 == split(&b.path).0) {
                let mut entries = Vec::new();
                for file in folder {
                    entries.extend(self.data.entry(&file.path)?);
                }
                let mut batch = Batch::default();
                self.survey(&mut entries, &options, run, &mut batch, &mut done)?;
                self.work_off(&mut batch, &options, run, &mut done)?;
            }
            report.regrouped.files += done.regrouped.files;
            report.regrouped.bytes += done.regrouped.bytes;
            report.problems.append(&mut done.problems);
        }
        Ok(report)
    }

    /// Does what has come together.
    fn work_off(
        &self,
        batch: &mut Batch,
        options: &ProtectOptions,
        run: &Run<'_>,
        report: &mut ProtectReport,
    ) -> Result<()> {
        let Batch { work, .. } = std::mem::take(batch);
        if options.dry_run {
            for work in &work {
                report.add_planned(work);
            }
            return Ok(());
        }
        (run.progress)(Progress::Found(work.iter().map(Work::bytes).sum()));
        // A long file keeps all threads busy by itself; what has one group keeps one.
        let (long, short): (Vec<Work>, Vec<Work>) =
            work.into_iter().partition(|work| work.bytes() > 4 * work.group_len(options.policy));
        let done = Mutex::new(report);
        let add = |built: build::Built| {
            done.lock().unwrap_or_else(PoisonError::into_inner).add_built(built);
        };
        for work in &long {
            add(self.build(work, options, run.threads, &mut build::Buffers::default(), run)?);
        }
        let policy = options.policy;
        let group = policy.cell_size() * (policy.data_units() + policy.parity_units()) as u64;
        for_each(
            short.len(),
            run.threads_holding(group),
            build::Buffers::default,
            |buffers, number| {
                add(self.build(&short[number], options, 1, buffers, run)?);
                Ok(())
            },
        )
    }

    /// Forgets files that are gone, and whose parity files nothing is left of.
    fn forget(
        &self,
        homeless: Homeless,
        options: &ProtectOptions,
        report: &mut ProtectReport,
    ) -> Result<()> {
        let gone: Vec<_> = homeless.into_gone();
        report.gone += gone.len() as u64;
        if options.dry_run || gone.is_empty() {
            return Ok(());
        }
        let mut parities: Vec<i64> =
            gone.iter().filter_map(|file| file.parity.map(|(parity, _)| parity)).collect();
        parities.sort_unstable();
        parities.dedup();
        let jobs = self.metastore.change(|change| {
            gone.iter().try_for_each(|file| change.remove_file(&file.path))?;
            change.retire(&parities)
        })?;
        self.remove_retired(&jobs)
    }
}

/// What an end of protection did.
#[derive(Clone, Debug, Default)]
pub struct UnprotectReport {
    /// Files that have no parity any more.
    pub unprotected: Count,
    /// Others that got new parity because they had shared it with these.
    pub regrouped: Count,
    /// What of these could not be given new parity; the old one stays.
    pub problems: Vec<Problem>,
}

#[derive(Debug, Default)]
struct Batch {
    work: Vec<Work>,
    bytes: u64,
    files: usize,
}

impl Batch {
    fn push(&mut self, work: Work) {
        self.bytes += work.bytes();
        self.files += work.candidates.len();
        self.work.push(work);
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.files >= BATCH_FILES
    }
}

impl ProtectReport {
    fn add_planned(&mut self, work: &Work) {
        for candidate in &work.candidates {
            let count = if candidate.is_new() { &mut self.protected } else { &mut self.regrouped };
            count.add(candidate.entry.identity.len);
        }
        self.parity_files += 1;
    }

    fn add_built(&mut self, built: build::Built) {
        self.protected.files += built.protected.files;
        self.protected.bytes += built.protected.bytes;
        self.regrouped.files += built.regrouped.files;
        self.regrouped.bytes += built.regrouped.bytes;
        self.parity_files += u64::from(built.parity_bytes > 0);
        self.parity_bytes += built.parity_bytes;
        self.problems.extend(built.problems);
    }
}
