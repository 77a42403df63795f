//! What was found damaged is rebuilt: beside its place, verified, and then put there in one act.

use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::header::Header;
use crate::metastore::{FileRecord, Job};
use crate::protect::ParityDraft;
use crate::protection::Protection;
use crate::report::Problem;
use crate::run::{Run, Turns, for_each};
use crate::scrub::{Outcome, RepairedGroup, ScrubReport};
use crate::set::{Loaded, Set};
use crate::state::State;
use crate::store::{Draft, Publish, Published};

/// A file that is being healed.
struct Patient<'a> {
    record: &'a FileRecord,
    member: usize,
    job: u64,
    draft: Box<dyn Draft>,
}

/// What drafts were written of.
struct Written {
    /// Digests of the drafts' contents.
    digests: Vec<[u8; 32]>,
    /// Groups with something rebuilt.
    groups: Vec<RepairedGroup>,
}

/// What is about to be rebuilt of a group, if anything.
fn repaired(
    set: &Set,
    number: u64,
    patients: &[Patient<'_>],
    with_parity: bool,
    loaded: &Loaded,
) -> Option<RepairedGroup> {
    let of_patient = |member: usize| patients.iter().find(|patient| patient.member == member);
    let healed = loaded.bad_data.iter().filter_map(|chunk| of_patient(chunk.of));
    let mut files: Vec<String> = healed.map(|patient| patient.record.path.clone()).collect();
    let data_chunks = files.len() as u64;
    files.dedup();
    let parity_chunks = if with_parity { loaded.bad_parity.len() as u64 } else { 0 };
    (data_chunks + parity_chunks > 0).then(|| RepairedGroup {
        parity: set.parity_path.clone(),
        group: number,
        data_chunks,
        parity_chunks,
        files,
    })
}

impl Protection {
    /// Heals what the report of a set calls repairable, and says in it what came of that.
    pub(crate) fn heal_set(
        &self,
        set: &Set,
        mut report: ScrubReport,
        threads: usize,
        run: &Run<'_>,
    ) -> Result<ScrubReport> {
        let mut patients = Vec::new();
        for file in &mut report.damaged_files {
            let records = set.records.iter().enumerate();
            let found = records
                .filter_map(|(member, record)| Some((member, record.as_ref()?)))
                .find(|(_, record)| record.path == file.path);
            let (Outcome::Repairable, Some((member, record))) = (file.outcome, found) else {
                continue;
            };
            file.outcome = Outcome::LeftAlone;
            match self.begin_healing(record, member) {
                Ok(patient) => patients.push(patient),
                Err(error) if error.is_about_one_file() => {
                    report.problems.push(Problem::new(&file.path, error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        let parity = report.damaged_parity.first_mut();
        let parity = parity.filter(|parity| parity.outcome == Outcome::Repairable);
        if patients.is_empty() && parity.is_none() {
            return Ok(report);
        }
        let new_parity = match parity {
            Some(_) => Some(self.begin_parity(set)?),
            None => None,
        };
        let written = self.write(set, &patients, new_parity.as_ref(), threads, run);
        let Written { digests, mut groups } = match written {
            Ok(written) => written,
            Err(error) => {
                for patient in patients {
                    self.give_up(patient, State::Corrupted)?;
                }
                if let Some((sequence, draft)) = new_parity {
                    drop(draft);
                    self.give_up_build(sequence)?;
                }
                return Err(error);
            }
        };
        for (patient, digest) in patients.into_iter().zip(digests) {
            let path = patient.record.path.clone();
            let outcome = match self.end_healing(set, patient, digest) {
                Ok(outcome) => outcome,
                Err(error) if error.is_about_one_file() => {
                    report.problems.push(Problem::new(&path, error.to_string()));
                    Outcome::LeftAlone
                }
                Err(error) => return Err(error),
            };
            if let Some(file) = report.damaged_files.iter_mut().find(|file| file.path == path) {
                file.outcome = outcome;
            }
        }
        if let (Some((sequence, draft)), Some(parity)) =
            (new_parity, report.damaged_parity.first_mut())
        {
            self.end_parity(set, sequence, draft, threads, run)?;
            parity.outcome = Outcome::Healed;
        }
        let healed = |path: &String| {
            let files = report.damaged_files.iter();
            files.clone().any(|file| file.path == *path && file.outcome == Outcome::Healed)
        };
        groups.retain(|group| group.parity_chunks > 0 || group.files.iter().any(healed));
        report.repaired_groups = groups;
        Ok(report)
    }

    fn begin_healing<'a>(&self, record: &'a FileRecord, member: usize) -> Result<Patient<'a>> {
        let path = record.path.clone();
        let replaced = record.identity.clone();
        let job = self.metastore.change(|change| {
            change.set_state(&path, State::UnderRecovery)?;
            change.begin(&Job::Heal { path: path.clone(), replaced, draft: None })
        })?;
        match self.data.create(&path, job, record.identity.len) {
            Ok(draft) => Ok(Patient { record, member, job, draft }),
            Err(error) => {
                self.metastore.change(|change| {
                    change.set_state(&path, State::Corrupted)?;
                    change.end(job)
                })?;
                Err(error)
            }
        }
    }

    fn begin_parity(&self, set: &Set) -> Result<(u64, ParityDraft)> {
        let sequence = self.metastore.change(|change| change.begin_build())?;
        let len = set.header.geometry.parity_len();
        match ParityDraft::begin(&*self.parity, sequence, len) {
            Ok(draft) => Ok((sequence, draft)),
            Err(error) => {
                self.metastore.change(|change| change.end(sequence))?;
                Err(error)
            }
        }
    }

    /// Reads the set once more, rebuilds what is damaged, and writes the drafts. Returns what
    /// was written for each patient, as digests, and which groups had damage.
    fn write(
        &self,
        set: &Set,
        patients: &[Patient<'_>],
        new_parity: Option<&(u64, ParityDraft)>,
        threads: usize,
        run: &Run<'_>,
    ) -> Result<Written> {
        let hashers = vec![blake3::Hasher::new(); patients.len()];
        let turns = Turns::new((hashers, Vec::new()));
        let groups = set.header.geometry.groups() as usize;
        let threads = run.threads_holding(set.group_bytes()).min(threads);
        let in_order = self.data.writes_in_order() || self.parity.writes_in_order();
        let failure = Mutex::new(None);
        let ended = for_each(groups, threads, Loaded::default, |loaded, number| {
            let mut work = || -> Result<()> {
                set.load(number as u64, None, self.stores(), run, loaded)?;
                let repaired = repaired(set, number as u64, patients, new_parity.is_some(), loaded);
                set.repair(number as u64, loaded)?;
                let group = set.header.geometry.group(number as u64);
                let put = |hashers: Option<&mut Vec<blake3::Hasher>>| -> Result<()> {
                    let mut hashers = hashers;
                    for (at, patient) in patients.iter().enumerate() {
                        let member = set.header.members[patient.member].stream();
                        let (start, end) = (
                            member.start.max(group.stream.start),
                            member.end.min(group.stream.end),
                        );
                        if start >= end {
                            continue;
                        }
                        let bytes = &loaded.data[(start - group.stream.start) as usize
                            ..(end - group.stream.start) as usize];
                        match &mut hashers {
                            Some(hashers) => {
                                hashers[at].update(bytes);
                            }
                            None => patient.draft.write_at(bytes, start - member.start)?,
                        }
                    }
                    if hashers.is_none()
                        && let Some((_, draft)) = new_parity
                    {
                        draft.write(&loaded.parity, group.parity_start)?;
                    }
                    Ok(())
                };
                turns.take(number, |(hashers, groups)| {
                    put(Some(hashers))?;
                    groups.extend(repaired);
                    if in_order { put(None) } else { Ok(()) }
                })?;
                if in_order { Ok(()) } else { put(None) }
            };
            work().map_err(|error| {
                turns.give_up();
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
                Error::Stopped
            })
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        ended?;
        let (hashers, groups) = turns.into_inner();
        let digests = hashers.iter().map(|hasher| *hasher.finalize().as_bytes()).collect();
        Ok(Written { digests, groups })
    }

    /// Puts a healed file in its place, if it is what it was and its owner has not changed it.
    fn end_healing(
        &self,
        set: &Set,
        mut patient: Patient<'_>,
        digest: [u8; 32],
    ) -> Result<Outcome> {
        let path = &patient.record.path;
        let replaced = &patient.record.identity;
        if digest != set.header.members[patient.member].digest {
            self.give_up(patient, State::Damaged)?;
            return Ok(Outcome::BeyondRepair);
        }
        let synced = patient.draft.sync();
        let draft = match synced {
            Ok(draft) => draft,
            Err(error) => {
                self.give_up(patient, State::Corrupted)?;
                return Err(error);
            }
        };
        self.metastore.change(|change| change.set_draft(patient.job, &draft))?;
        match patient.draft.publish(Publish::InPlaceOf(replaced)) {
            Ok(Published::Done(identity)) => {
                self.metastore.change(|change| {
                    change.set_identity(path, &identity)?;
                    change.set_state(path, State::Healthy)?;
                    change.set_checked(path, crate::run::now())?;
                    change.end(patient.job)
                })?;
                Ok(Outcome::Healed)
            }
            Ok(Published::Changed) => {
                let settled = self.data.settle(path, patient.job, Some(replaced), Some(&draft));
                let is_undone = settled.is_ok();
                self.metastore.change(|change| {
                    change.set_changed(path)?;
                    if is_undone { change.end(patient.job) } else { Ok(()) }
                })?;
                Err(Error::Changed { path: path.clone() })
            }
            Err(error) => {
                self.data.settle(path, patient.job, Some(replaced), Some(&draft))?;
                self.metastore.change(|change| {
                    change.set_state(path, State::Corrupted)?;
                    change.end(patient.job)
                })?;
                Err(error)
            }
        }
    }

    /// Ends a healing that came to nothing, before its draft had any part in an exchange.
    fn give_up(&self, patient: Patient<'_>, state: State) -> Result<()> {
        let Patient { record, job, draft, .. } = patient;
        drop(draft);
        // What cannot be removed now is by the next start, to which the job tells of it.
        let is_undone = self.data.settle(&record.path, job, None, None).is_ok();
        self.metastore.change(|change| {
            change.set_state(&record.path, state)?;
            if is_undone { change.end(job) } else { Ok(()) }
        })
    }

    /// Ends the build of a parity file that came to nothing.
    fn give_up_build(&self, sequence: u64) -> Result<()> {
        if !self.undo_build(sequence) {
            return Ok(());
        }
        self.metastore.change(|change| change.end(sequence))
    }

    /// Puts a parity file that was made anew in the place of the damaged one.
    fn end_parity(
        &self,
        set: &Set,
        sequence: u64,
        draft: ParityDraft,
        threads: usize,
        run: &Run<'_>,
    ) -> Result<()> {
        let header = Header { sequence, ..set.header.clone() };
        if let Err(error) = draft.finish(&header, &*self.parity, threads, run) {
            self.give_up_build(sequence)?;
            return Err(error);
        }
        let old = set.header.sequence;
        let job = self.metastore.change(|change| {
            change.replace_parity(set.id, &header)?;
            change.end(sequence)?;
            change.begin(&Job::Remove { sequence: old })
        })?;
        self.remove_retired(&[(job, old)])
    }
}
