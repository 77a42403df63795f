//! A new metastore from what parity files say of themselves.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::header::{Header, Member};
use crate::hook::Hook;
use crate::identity::{Entry, Identity};
use crate::metastore::{Metastore, lock};
use crate::protection::{Protection, read_header};
use crate::report::{Count, Problem};
use crate::run::Run;
use crate::state::State;
use crate::store::{self, Store};

/// What a rescan found.
#[derive(Clone, Debug, Default)]
pub struct RescanReport {
    /// Parity files that are in use again.
    pub parity_files: u64,
    /// Files that have their parity again.
    pub protected: Count,
    /// Files among these that were found under other paths.
    pub renamed: u64,
    /// Files that are not what their parity was made of.
    pub changed: u64,
    /// Files that are gone.
    pub gone: u64,
    /// Parity files of which nothing is left or which later ones replace; they were removed.
    pub retired: u64,
    /// Parity files that could not be used, and why; they are left where they are.
    pub problems: Vec<Problem>,
    /// Where the metastore is that was there before.
    pub moved_to: Option<PathBuf>,
}

/// Where a member is now.
enum Now {
    Here(String, Identity),
    Changed(Identity),
    Gone,
}

impl Protection {
    /// Makes a new metastore out of the parity files. One that is there is moved aside.
    ///
    /// A file is taken for what its parity was made of if it is who it was, under its path or
    /// another; if it has the same length and the same time of writing to the nanosecond, as what
    /// was healed has; or if it has the same bytes. No file is read but for that; a scrub tells
    /// more.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] while another process is at work on the metastore; what the stores refuse.
    pub fn rescan(
        data: Arc<dyn Store>,
        parity: Arc<dyn Store>,
        metastore: &Path,
        run: &Run<'_>,
    ) -> Result<(Self, RescanReport)> {
        let (found, mut report) = Found::new(&*data, &*parity, run)?;
        report.moved_to = move_aside(metastore)?;
        let metastore = Metastore::open(metastore, Hook::default())?;
        let jobs = found.record(&metastore, &mut report)?;
        let protection = Self { data, parity, metastore };
        protection.remove_retired(&jobs)?;
        Ok((protection, report))
    }

    /// What [`rescan`](Self::rescan) would do, and nothing done: a metastore is made at `scratch`, which
    /// should be a path in a folder that the caller throws away.
    ///
    /// # Errors
    ///
    /// What the stores refuse.
    pub fn rescan_dry_run(
        data: &dyn Store,
        parity: &dyn Store,
        scratch: &Path,
        run: &Run<'_>,
    ) -> Result<RescanReport> {
        let (found, mut report) = Found::new(data, parity, run)?;
        found.record(&Metastore::open(scratch, Hook::default())?, &mut report)?;
        Ok(report)
    }
}

/// What the parity files say, and where their members are.
struct Found {
    /// The last one made comes first.
    headers: Vec<Header>,
    /// By header and member; `None` for those that a later parity file covers.
    members: Vec<Vec<Option<Now>>>,
    /// The highest number that a parity file has had.
    highest: u64,
}

impl Found {
    /// Reads the headers of all parity files, and looks for their members.
    fn new(data: &dyn Store, parity: &dyn Store, run: &Run<'_>) -> Result<(Self, RescanReport)> {
        let mut report = RescanReport::default();
        let mut headers = Vec::new();
        let mut highest = 0;
        parity.list("", &mut |found| {
            match found {
                store::Found::Skipped { path, why, matters } => {
                    report.problems.push(Problem { path, message: why, matters });
                }
                store::Found::File(entry) => match read_header(parity, &entry.path) {
                    Ok(header) if crate::protection::parity_path(header.sequence) == entry.path => {
                        highest = highest.max(header.sequence);
                        headers.push(header);
                    }
                    Ok(header) => {
                        highest = highest.max(header.sequence);
                        let message = "it does not have the name that its header says";
                        report.problems.push(Problem::new(entry.path, message));
                    }
                    Err(error) => {
                        // Its number is not to be given again.
                        let number = crate::split(&entry.path).1.split('.').next();
                        highest = highest.max(number.and_then(|n| n.parse().ok()).unwrap_or(0));
                        report.problems.push(Problem::new(entry.path, error.to_string()));
                    }
                },
            }
            Ok(())
        })?;
        // Where two cover a file, the later one does.
        headers.sort_by_key(|header| std::cmp::Reverse(header.sequence));
        let mut places = Places::new(data, &headers, run)?;
        let members = headers
            .iter()
            .map(|header| places.find_all(header, &mut report))
            .collect::<Result<Vec<_>>>()?;
        Ok((Self { headers, members, highest }, report))
    }

    /// Fills a new metastore. Returned are the jobs and numbers of parity files that are of no use.
    fn record(&self, metastore: &Metastore, report: &mut RescanReport) -> Result<Vec<(u64, u64)>> {
        let jobs = metastore.change(|change| {
            change.number_from(self.highest + 1)?;
            let mut unused = Vec::new();
            for (header, members) in self.headers.iter().zip(&self.members) {
                let id = change.add_parity(header, None)?;
                for (number, now) in members.iter().enumerate() {
                    match now {
                        Some(Now::Here(path, identity)) => {
                            let state = State::ParityUnderConstruction;
                            if !change.add_file(path, identity, state)? {
                                change.set_state(path, state)?;
                            }
                            change.set_protected(path, identity, id, number, None)?;
                        }
                        Some(Now::Changed(identity)) => {
                            let path = header.path(number);
                            change.add_file(&path, identity, State::DataUnderConstruction)?;
                        }
                        Some(Now::Gone) | None => {}
                    }
                }
                unused.push(id);
            }
            change.retire(&unused)
        })?;
        report.retired = jobs.len() as u64;
        report.parity_files = self.headers.len() as u64 - report.retired;
        Ok(jobs)
    }
}

/// Moves a metastore that is there out of the way, with what belongs to it.
fn move_aside(metastore: &Path) -> Result<Option<PathBuf>> {
    if !metastore.exists() {
        return Ok(None);
    }
    let _lock = lock(metastore)?;
    let with = |suffix: &str, of: &Path| {
        let mut name = of.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let free = (1..).map(|number| with(&format!(".old-{number}"), metastore));
    let Some(aside) = free.into_iter().find(|path| !path.exists()) else { return Ok(None) };
    for suffix in ["-wal", "-shm", ""] {
        match std::fs::rename(with(suffix, metastore), with(suffix, &aside)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::store("move aside", metastore.display().to_string())(error));
            }
            _ => {}
        }
    }
    Ok(Some(aside))
}

/// The files that are there, and which of them have been recognised.
struct Places<'a> {
    data: &'a dyn Store,
    run: &'a Run<'a>,
    by_identity: HashMap<Identity, String>,
    /// Those that no parity file knows, by length and time.
    others: HashMap<(u64, i64), Vec<Entry>>,
    taken: HashSet<String>,
}

impl<'a> Places<'a> {
    fn new(data: &'a dyn Store, headers: &[Header], run: &'a Run<'a>) -> Result<Self> {
        let members = headers.iter().flat_map(|header| &header.members);
        let known: HashSet<&Identity> = members.map(|member| &member.identity).collect();
        let mut by_identity = HashMap::new();
        let mut others: HashMap<(u64, i64), Vec<Entry>> = HashMap::new();
        data.list("", &mut |found| {
            if let store::Found::File(entry) = found {
                if known.contains(&entry.identity) {
                    by_identity.insert(entry.identity, entry.path);
                } else {
                    let key = (entry.identity.len, entry.identity.modified);
                    others.entry(key).or_default().push(entry);
                }
            }
            Ok(())
        })?;
        Ok(Self { data, run, by_identity, others, taken: HashSet::new() })
    }

    /// The file that a member has become by being healed: another one with the length and the time
    /// of the old one. A time in whole seconds is not enough to know it by.
    fn healed(&self, path: &str, member: &Member) -> Option<&Entry> {
        let Identity { len, modified, .. } = member.identity;
        if modified % 1_000_000_000 == 0 {
            return None;
        }
        let alike = self.others.get(&(len, modified))?;
        if let Some(here) = alike.iter().find(|entry| entry.path == path) {
            return Some(here);
        }
        let mut free = alike.iter().filter(|entry| !self.taken.contains(&entry.path));
        free.next().filter(|_| free.next().is_none())
    }

    /// Where the members of a parity file are; `None` for those that a later one covers.
    fn find_all(&mut self, header: &Header, report: &mut RescanReport) -> Result<Vec<Option<Now>>> {
        let mut found = Vec::new();
        for (number, member) in header.members.iter().enumerate() {
            let path = header.path(number);
            if self.taken.contains(&path) {
                found.push(None);
                continue;
            }
            let now = self.find(&path, member)?;
            match &now {
                Now::Here(there, identity) => {
                    if self.taken.contains(there) {
                        found.push(None);
                        continue;
                    }
                    self.taken.insert(there.clone());
                    report.protected.add(identity.len);
                    report.renamed += u64::from(*there != path);
                }
                Now::Changed(_) => report.changed += 1,
                Now::Gone => report.gone += 1,
            }
            found.push(Some(now));
        }
        Ok(found)
    }

    fn find(&self, path: &str, member: &Member) -> Result<Now> {
        let entry = self.data.entry(path)?;
        if entry.as_ref().is_some_and(|entry| entry.identity == member.identity) {
            return Ok(Now::Here(path.to_owned(), member.identity.clone()));
        }
        if let Some(other) = self.by_identity.get(&member.identity) {
            return Ok(Now::Here(other.clone(), member.identity.clone()));
        }
        if let Some(entry) = self.healed(path, member) {
            return Ok(Now::Here(entry.path.clone(), entry.identity.clone()));
        }
        let Some(entry) = entry else { return Ok(Now::Gone) };
        if entry.identity.len == member.identity.len
            && let Some(source) = self.data.open(path)?
        {
            // Copied from elsewhere, or touched: its bytes tell.
            let digest = crate::protect::digest(&*source, &entry, self.run)?;
            if digest == member.digest && source.identity()? == entry.identity {
                return Ok(Now::Here(path.to_owned(), entry.identity));
            }
        }
        Ok(Now::Changed(entry.identity))
    }
}
