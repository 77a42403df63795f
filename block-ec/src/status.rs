//! How everything stands, from what is recorded and from who the files are now. No file is read.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use crate::error::Result;
use crate::metastore::{FileRecord, ParityRecord, ScrubRecord};
use crate::protection::{Protection, parity_path};
use crate::report::{Count, Problem};
use crate::set::Set;
use crate::state::State;
use crate::store::Found;

/// How files stand.
#[derive(Clone, Debug, Default)]
pub struct StatusReport {
    /// All of them together.
    pub totals: Totals,
    /// Files of which there is something to say: not healthy, changed, gone, or less protected
    /// than their policy promises. A file that was asked for by its own path is always here.
    pub files: Vec<FileStatus>,
    /// Parity files that are not there or were found damaged.
    pub damaged_parity: Vec<String>,
    /// What could not be looked at.
    pub problems: Vec<Problem>,
    /// The last scrub that covered all of it.
    pub last_scrub: Option<ScrubRecord>,
}

/// Sums over files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files by state.
    pub by_state: BTreeMap<State, Count>,
    /// Files that are there and not known at all: they have no parity.
    pub unknown: Count,
    /// Files that survive fewer losses than their policy promises.
    pub less_protected: Count,
    /// Bytes of data under parity.
    pub protected_bytes: u64,
    /// Bytes of parity files.
    pub parity_bytes: u64,
    /// Bytes of the metastore, where it is a file.
    pub metastore_bytes: u64,
}

impl Totals {
    /// What could be lost now by the loss of any one unit or sector: what has no parity of what it
    /// is, what no more loss would be survived of, and what is damaged beyond repair.
    #[must_use]
    pub fn without_protection(&self) -> Count {
        let mut count = self.unknown;
        for state in [State::DataUnderConstruction, State::ParityUnderConstruction, State::Damaged]
        {
            if let Some(more) = self.by_state.get(&state) {
                count.files += more.files;
                count.bytes += more.bytes;
            }
        }
        count
    }
}

/// How a file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Its path.
    pub path: String,
    /// Its state; what the owner has changed since is not protected, whatever is recorded.
    pub state: State,
    /// Its bytes, as recorded.
    pub bytes: u64,
    /// Policy of its parity.
    pub policy: Option<String>,
    /// How many units of its groups may still be lost, whichever these are. `None` without parity.
    pub survives: Option<usize>,
    /// How many that would be if all of its groups were whole.
    pub promised: Option<usize>,
    /// What there is to say.
    pub note: Option<String>,
    /// When all of it was last read and found right: seconds since 1970.
    pub checked: Option<i64>,
}

impl Protection {
    /// How the files that are any of `paths` or below it stand.
    ///
    /// # Errors
    ///
    /// What the metastore refuses.
    pub fn status(&self, paths: &[String]) -> Result<StatusReport> {
        let mut report = StatusReport::default();
        let (mut sets, mut known) = (BTreeMap::<i64, Vec<FileRecord>>::new(), HashSet::new());
        for path in paths {
            for file in self.metastore.files(path)? {
                if !known.insert(file.path.clone()) {
                    continue;
                }
                match file.parity {
                    Some((parity, _)) => sets.entry(parity).or_default().push(file),
                    None => {
                        let asked = *path == file.path;
                        self.add_unprotected(file, asked, &mut report);
                    }
                }
            }
            self.data.list(path, &mut |found| {
                match found {
                    Found::Skipped { path, why, matters } => {
                        report.problems.push(Problem { path, message: why, matters });
                    }
                    Found::File(entry) if !known.contains(&entry.path) => {
                        report.totals.unknown.add(entry.identity.len);
                    }
                    Found::File(_) => {}
                }
                Ok(())
            })?;
        }
        for (parity, files) in sets {
            if let Some(record) = self.metastore.parity(parity)? {
                self.add_set(&record, files, paths, &mut report)?;
            }
        }
        report.files.sort_by(|a, b| a.path.cmp(&b.path));
        let database = std::fs::metadata(self.metastore.path());
        report.totals.metastore_bytes = database.map_or(0, |metadata| metadata.len());
        // The oldest of the last scrubs of each: since then all of it was covered.
        let mut scrubs = Vec::new();
        for path in paths {
            scrubs.push(self.metastore.last_scrub(path)?);
        }
        let all: Option<Vec<ScrubRecord>> = scrubs.into_iter().collect();
        report.last_scrub =
            all.and_then(|scrubs| scrubs.into_iter().min_by_key(|scrub| scrub.ended));
        Ok(report)
    }

    fn add_unprotected(&self, file: FileRecord, asked: bool, report: &mut StatusReport) {
        if matches!(self.data.entry(&file.path), Ok(None)) && !asked {
            return;
        }
        report.totals.add(file.state, file.identity.len);
        report.files.push(FileStatus {
            path: file.path,
            state: file.state,
            bytes: file.identity.len,
            policy: None,
            survives: None,
            promised: None,
            note: Some("it has no parity of what it is; protect it".to_owned()),
            checked: None,
        });
    }

    fn add_set(
        &self,
        record: &ParityRecord,
        files: Vec<FileRecord>,
        asked: &[String],
        report: &mut StatusReport,
    ) -> Result<()> {
        let set = match self.set(record.id) {
            Ok(Some(set)) => set,
            Ok(None) => return Ok(()),
            Err(error) if error.is_about_one_file() => {
                report.damaged_parity.push(parity_path(record.sequence));
                for file in files {
                    report.problems.push(Problem::new(&file.path, error.to_string()));
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        report.totals.parity_bytes += record.file_len;
        let promised = set.code.failures_survived();
        let parity_there = self
            .parity
            .entry(&parity_path(record.sequence))
            .is_ok_and(|entry| entry.is_some_and(|entry| entry.identity.len == record.file_len));
        if !parity_there || record.damaged {
            report.damaged_parity.push(parity_path(record.sequence));
        }
        let changes: Vec<Option<String>> =
            (0..set.records.len()).map(|member| self.change_of(&set, member)).collect();
        let gone: Vec<bool> = changes.iter().map(Option::is_some).collect();
        for file in files {
            let Some((_, member)) = file.parity else { continue };
            let note = changes.get(member).cloned().flatten();
            let state = if note.is_some() { State::DataUnderConstruction } else { file.state };
            let survives = match (&note, parity_there) {
                (Some(_), _) => None,
                (None, false) => Some(0),
                (None, true) => {
                    Some(promised.saturating_sub(set.most_erased_beside(member, &gone)))
                }
            };
            report.totals.add(state, file.identity.len);
            report.totals.protected_bytes += file.identity.len;
            let less = survives.is_some_and(|survives| survives < promised);
            if less {
                report.totals.less_protected.add(file.identity.len);
            }
            let note = note.or_else(|| {
                less.then(|| {
                    let why = if parity_there {
                        "files that share its parity were changed or deleted; protect again"
                    } else {
                        "its parity file is missing; heal"
                    };
                    why.to_owned()
                })
            });
            if state != State::Healthy || note.is_some() || asked.contains(&file.path) {
                report.files.push(FileStatus {
                    path: file.path,
                    state,
                    bytes: file.identity.len,
                    policy: Some(record.policy.clone()),
                    survives,
                    promised: Some(promised),
                    note,
                    checked: file.checked,
                });
            }
        }
        Ok(())
    }

    /// What has become of a member since its parity was made, if anything.
    fn change_of(&self, set: &Set, member: usize) -> Option<String> {
        let Some(record) = &set.records[member] else {
            return Some("it was changed or deleted".to_owned());
        };
        match self.data.entry(&record.path) {
            Ok(Some(entry)) if entry.identity == record.identity => None,
            Ok(Some(_)) => Some("its owner has changed it; protect it again".to_owned()),
            Ok(None) => Some("it is gone".to_owned()),
            // What cannot be looked at has not changed as far as anybody knows.
            Err(_) => None,
        }
    }
}

impl Totals {
    fn add(&mut self, state: State, bytes: u64) {
        self.by_state.entry(state).or_default().add(bytes);
    }
}

impl Set {
    /// In how many other units at the most, at any column of a member, something is gone.
    fn most_erased_beside(&self, member: usize, gone: &[bool]) -> usize {
        if gone.iter().all(|gone| !gone) || self.header.geometry.groups() == 0 {
            return 0;
        }
        // Several files are in one group only.
        let group = self.header.geometry.group(0);
        let units = |member: usize| {
            let stream = self.header.members[member].stream();
            let inside = stream.start.min(group.stream.end)..stream.end.min(group.stream.end);
            self.unit_ranges(inside, &group).collect::<Vec<(usize, Range<u64>)>>()
        };
        let erased: Vec<(usize, Range<u64>)> = (0..gone.len())
            .filter(|&other| gone[other] && other != member)
            .flat_map(units)
            .collect();
        let mut most = 0;
        for (unit, columns) in units(member) {
            // Ranges of one unit do not overlap, so at a column there is one for each unit.
            let mut ends: Vec<(u64, i64)> = erased
                .iter()
                .filter(|(other, range)| {
                    *other != unit && range.start < columns.end && columns.start < range.end
                })
                .flat_map(|(_, range)| [(range.start, 1), (range.end, -1)])
                .collect();
            ends.sort_unstable();
            let mut now = 0;
            for (_, change) in ends {
                now += change;
                most = most.max(usize::try_from(now).unwrap_or(0));
            }
        }
        most
    }
}
