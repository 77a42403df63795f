//! What has to be done in a folder: which files have no parity of what they are, which have moved,
//! which parity files cover something that is no more.

use std::collections::{HashMap, HashSet};

use restripe::layout::Policy;

use super::{Batch, ProtectOptions, ProtectReport};
use crate::error::{Error, Result};
use crate::identity::{Entry, Identity, split};
use crate::metastore::FileRecord;
use crate::protection::Protection;
use crate::report::Problem;
use crate::run::Run;
use crate::set::Set;
use crate::store::{Found, Source};

/// A parity file to be made: of one long file, or of small ones of one owner in one folder.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) folder: String,
    pub(super) owner: String,
    pub(super) candidates: Vec<Candidate>,
}

/// A file that is to be in it.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) entry: Entry,
    /// Its digest, where the parity that it has says so. It moves to new parity only with that.
    pub(super) expected: Option<[u8; 32]>,
    /// The parity file that it leaves.
    pub(super) leaves: Option<i64>,
}

impl Candidate {
    /// Whether it has no parity of what it is now.
    pub(super) fn is_new(&self) -> bool {
        self.expected.is_none()
    }
}

impl Work {
    pub(super) fn bytes(&self) -> u64 {
        self.candidates.iter().map(|candidate| candidate.entry.identity.len).sum()
    }

    pub(super) fn group_len(&self, policy: Policy) -> u64 {
        policy.cell_size() * policy.data_units() as u64
    }
}

/// Files that are no longer where they were recorded, by who they are.
#[derive(Debug, Default)]
pub(super) struct Homeless(HashMap<Identity, FileRecord>, Vec<FileRecord>);

impl Homeless {
    /// Those whose paths are empty, once renames have been followed.
    pub(super) fn into_gone(self) -> Vec<FileRecord> {
        self.1
    }
}

impl Protection {
    /// The recorded files below some paths that are not there any more, or have another file in
    /// their place.
    pub(super) fn find_homeless(&self, paths: &[String]) -> Result<Homeless> {
        let mut homeless = Homeless::default();
        for path in paths {
            for folder in self.metastore.folders(path)? {
                for file in self.metastore.files_in(&folder)? {
                    if !crate::is_under(&file.path, path) {
                        continue;
                    }
                    // What cannot be looked at is not gone.
                    let Ok(there) = self.data.entry(&file.path) else { continue };
                    match there {
                        None => {
                            homeless.0.insert(file.identity.clone(), file.clone());
                            homeless.1.push(file);
                        }
                        Some(there) if there.identity.inode != file.identity.inode => {
                            homeless.0.insert(file.identity.clone(), file);
                        }
                        Some(_) => {}
                    }
                }
            }
        }
        Ok(homeless)
    }

    /// Finds homeless files under new paths, and records these.
    pub(super) fn follow_renames(
        &self,
        paths: &[String],
        homeless: &mut Homeless,
        report: &mut ProtectReport,
    ) -> Result<()> {
        if homeless.0.is_empty() {
            return Ok(());
        }
        let mut moves = Vec::new();
        for path in paths {
            self.data.list(path, &mut |found| {
                if let Found::File(entry) = found
                    && let Some(file) = homeless.0.get(&entry.identity)
                    && file.path != entry.path
                {
                    moves.push((file.path.clone(), entry.path));
                    homeless.0.remove(&entry.identity);
                }
                Ok(())
            })?;
        }
        // A path that another file has moved to is not gone, and its old file's parity is unused.
        let mut parities = Vec::new();
        let moved: HashSet<&String> = moves.iter().map(|(from, _)| from).collect();
        for (_, to) in &moves {
            if !moved.contains(to)
                && let Some(FileRecord { parity: Some((parity, _)), .. }) =
                    self.metastore.file(to)?
            {
                parities.push(parity);
            }
        }
        let jobs = self.metastore.change(|change| {
            change.move_files(&moves)?;
            change.retire(&parities)
        })?;
        self.remove_retired(&jobs)?;
        report.renamed += moves.len() as u64;
        let (from, to): (HashSet<String>, HashSet<String>) = moves.into_iter().unzip();
        homeless.1.retain(|file| !from.contains(&file.path) && !to.contains(&file.path));
        Ok(())
    }

    /// Finds out what has to be done for files of one folder, and adds that to `batch`.
    pub(super) fn survey(
        &self,
        entries: &mut Vec<Entry>,
        options: &ProtectOptions,
        run: &Run<'_>,
        batch: &mut Batch,
        report: &mut ProtectReport,
    ) -> Result<()> {
        let folder = entries.first().map(|first| split(&first.path).0.to_owned());
        let Some(folder) = folder else { return Ok(()) };
        let records = self.metastore.files_in(&folder)?;
        let records: HashMap<String, FileRecord> =
            records.into_iter().map(|file| (file.path.clone(), file)).collect();
        let (mut loose, mut kept) = (Vec::new(), Vec::new());
        for entry in entries.drain(..) {
            if options.filter.as_ref().is_some_and(|filter| !filter.takes(&entry)) {
                continue;
            }
            match records.get(&entry.path) {
                Some(FileRecord { identity, parity: Some(parity), .. })
                    if *identity == entry.identity =>
                {
                    kept.push((entry, *parity));
                }
                Some(FileRecord { parity: Some(parity), .. }) => {
                    match self.same_content(&entry, *parity, run) {
                        Ok(true) => {
                            if !options.dry_run {
                                self.metastore.change(|change| {
                                    change.set_identity(&entry.path, &entry.identity)
                                })?;
                            }
                            kept.push((entry, *parity));
                        }
                        Ok(false) => {
                            let leaves = Some(parity.0);
                            loose.push(Candidate { entry, expected: None, leaves });
                        }
                        Err(error) if error.is_about_one_file() => {
                            report.problems.push(Problem::new(&entry.path, error.to_string()));
                        }
                        Err(error) => return Err(error),
                    }
                }
                _ => loose.push(Candidate { entry, expected: None, leaves: None }),
            }
        }
        self.regroup(kept, &mut loose, options, report)?;
        pack(&folder, loose, options.policy, batch);
        Ok(())
    }

    /// Whether a file that is somebody else now (copied back, touched) is still what its parity was
    /// made of.
    fn same_content(&self, entry: &Entry, parity: (i64, usize), run: &Run<'_>) -> Result<bool> {
        let Some(set) = self.set(parity.0)? else { return Ok(false) };
        let Some(member) = set.header.members.get(parity.1) else { return Ok(false) };
        if member.identity.len != entry.identity.len {
            return Ok(false);
        }
        let changed = || Error::Changed { path: entry.path.clone() };
        super::build::wait_until_told_apart(&entry.identity);
        let source = self.data.open(&entry.path)?.ok_or_else(changed)?;
        let digest = digest(&*source, entry, run)?;
        if source.identity()? != entry.identity {
            return Err(changed());
        }
        Ok(digest == member.digest)
    }

    /// Of the files that have their parity: those which have to leave it, because it covers
    /// something that is no more, and those that do well to join the files that need some.
    fn regroup(
        &self,
        kept: Vec<(Entry, (i64, usize))>,
        loose: &mut Vec<Candidate>,
        options: &ProtectOptions,
        report: &mut ProtectReport,
    ) -> Result<()> {
        let mut sets: HashMap<i64, Vec<(Entry, usize)>> = HashMap::new();
        for (entry, (parity, member)) in kept {
            sets.entry(parity).or_default().push((entry, member));
        }
        let leaving: HashSet<String> =
            loose.iter().map(|candidate| candidate.entry.path.clone()).collect();
        let mut whole = Vec::new();
        for (parity, members) in sets {
            let set = match self.set(parity) {
                Err(Error::Format { .. }) => None,
                set => set?,
            };
            let covers_more = set.as_ref().is_none_or(|set| {
                let there = set.records.iter().flatten();
                let there = there.filter(|file| !leaving.contains(&file.path)).count();
                there < set.header.members.len()
            });
            match (set, covers_more) {
                (Some(set), false) => whole.push((set, members)),
                (set, _) => leave(parity, set.as_ref(), members, loose),
            }
        }
        let mut loose_bytes: HashMap<String, u64> = HashMap::new();
        for candidate in &*loose {
            *loose_bytes.entry(candidate.entry.owner.clone()).or_default() +=
                candidate.entry.identity.len;
        }
        let half = options.policy.cell_size() * options.policy.data_units() as u64 / 2;
        for (set, members) in whole {
            let len = set.header.geometry.stream_len;
            let small = len < half && set.header.policy == options.policy;
            // What is joined is at most as long as what joins it: so a file's parity is computed
            // again a logarithmic number of times.
            if small && loose_bytes.get(&set.header.owner).is_some_and(|loose| len <= *loose) {
                leave(set.id, Some(&set), members, loose);
            } else {
                for (entry, _) in members {
                    report.unchanged.add(entry.identity.len);
                }
            }
        }
        Ok(())
    }
}

/// Adds the files of a parity file that is to be replaced to those that need parity.
fn leave(parity: i64, set: Option<&Set>, members: Vec<(Entry, usize)>, loose: &mut Vec<Candidate>) {
    for (entry, member) in members {
        // Where nothing says what a file was, it is what it is.
        let member = set.and_then(|set| set.header.members.get(member));
        let expected = member.map(|member| member.digest);
        loose.push(Candidate { entry, expected, leaves: Some(parity) });
    }
}

/// Puts together what is to share a parity file.
fn pack(folder: &str, mut loose: Vec<Candidate>, policy: Policy, batch: &mut Batch) {
    loose.sort_by(|a, b| (&a.entry.owner, &a.entry.path).cmp(&(&b.entry.owner, &b.entry.path)));
    let work = |candidates: Vec<Candidate>| Work {
        folder: folder.to_owned(),
        owner: candidates.first().map_or(String::new(), |first| first.entry.owner.clone()),
        candidates,
    };
    let full = policy.cell_size() * policy.data_units() as u64;
    let (mut together, mut bytes) = (Vec::<Candidate>::new(), 0);
    for candidate in loose {
        let len = candidate.entry.identity.len;
        if len >= policy.cell_size() {
            batch.push(work(vec![candidate]));
            continue;
        }
        let other_owner =
            together.first().is_some_and(|first| first.entry.owner != candidate.entry.owner);
        if other_owner || bytes + len > full {
            batch.push(work(std::mem::take(&mut together)));
            bytes = 0;
        }
        bytes += len;
        together.push(candidate);
    }
    if !together.is_empty() {
        batch.push(work(together));
    }
}

/// BLAKE3 of a file.
pub(crate) fn digest(source: &dyn Source, entry: &Entry, run: &Run<'_>) -> Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; entry.identity.len.clamp(1, 1 << 20) as usize];
    let mut offset = 0;
    while offset < entry.identity.len {
        run.before_reading(buffer.len() as u64)?;
        let read =
            source.read_at(&mut buffer, offset).map_err(Error::store("read", &*entry.path))?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        offset += read as u64;
    }
    Ok(*hasher.finalize().as_bytes())
}
