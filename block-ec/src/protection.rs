//! The handle of everything: stores, metastore, and what a start has to put in order.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::header::Header;
use crate::hook::Hook;
use crate::metastore::{Job, Metastore};
use crate::set::Set;
use crate::state::State;
use crate::store::{Found, Store};

/// Files of a store that are protected by parity files in the same store or another.
///
/// ```
/// use restripe_block_ec::{LocalStore, ProtectOptions, Protection, Run};
/// # let folder = tempfile::tempdir().unwrap();
/// # let root = folder.path();
/// std::fs::write(root.join("film.mkv"), vec![7; 100_000]).unwrap();
///
/// let own = root.join(".restripe");
/// let protection = Protection::open(
///     LocalStore::new(root),
///     LocalStore::new(own.join("parity")),
///     &own.join("metastore.db"),
/// )?;
/// let options = ProtectOptions::new("RS-6-3-4096k".parse()?);
/// let report = protection.protect(&["".to_owned()], &options, &Run::simple())?;
/// assert_eq!((report.protected.files, report.protected.bytes), (1, 100_000));
/// let report = protection.scrub(&["".to_owned()], &Run::simple())?;
/// assert!(report.is_clean());
/// # Ok::<(), restripe_block_ec::Error>(())
/// ```
#[derive(Debug)]
pub struct Protection {
    pub(crate) data: Arc<dyn Store>,
    pub(crate) parity: Arc<dyn Store>,
    pub(crate) metastore: Metastore,
}

impl Protection {
    /// Opens stores and metastore for work, and ends what a process that died has left half-done.
    /// Where there is no metastore, one is made.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] while another process is at work on the metastore, [`Error::Metastore`] for
    /// one that cannot be used, or that is new where there are parity files, and what the stores
    /// refuse.
    pub fn open(
        data: impl Store + 'static,
        parity: impl Store + 'static,
        metastore: &Path,
    ) -> Result<Self> {
        Self::open_with_hook(Arc::new(data), Arc::new(parity), metastore, Hook::default())
    }

    /// [`open`](Self::open), with a hook before every change of the metastore.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with_hook(
        data: Arc<dyn Store>,
        parity: Arc<dyn Store>,
        metastore: &Path,
        hook: Hook,
    ) -> Result<Self> {
        let metastore = Metastore::open(metastore, hook)?;
        let protection = Self { data, parity, metastore };
        protection.expect_known_parity()?;
        protection.recover()?;
        Ok(protection)
    }

    /// Opens a metastore that is there to look and to read, while others may be at work.
    ///
    /// # Errors
    ///
    /// [`Error::Metastore`] where there is none or it cannot be used.
    pub fn open_read_only(
        data: Arc<dyn Store>,
        parity: Arc<dyn Store>,
        metastore: &Path,
    ) -> Result<Self> {
        let metastore = Metastore::open_read_only(metastore)?;
        let protection = Self { data, parity, metastore };
        protection.expect_known_parity()?;
        Ok(protection)
    }

    /// The metastore, to be read.
    #[must_use]
    pub fn metastore(&self) -> &Metastore {
        &self.metastore
    }

    /// The store of the files.
    #[must_use]
    pub fn data(&self) -> &dyn Store {
        &*self.data
    }

    /// The store of the parity files.
    #[must_use]
    pub fn parity(&self) -> &dyn Store {
        &*self.parity
    }

    pub(crate) fn stores(&self) -> (&dyn Store, &dyn Store) {
        (&*self.data, &*self.parity)
    }

    /// A metastore that knows nothing, beside parity files, is one that was lost: what there is
    /// would be given numbers that are taken, and never be removed.
    fn expect_known_parity(&self) -> Result<()> {
        if !self.metastore.is_unused()? {
            return Ok(());
        }
        let mut known = Ok(());
        let ended = self.parity.list("", &mut |found| match found {
            Found::File(entry) if entry.path.ends_with(PARITY_SUFFIX) => {
                known = Err(Error::Metastore {
                    path: self.metastore.path().display().to_string(),
                    message: format!("knows nothing of the parity files in {}", self.parity.name()),
                    damaged: true,
                });
                Err(Error::Stopped)
            }
            _ => Ok(()),
        });
        known.and(match ended {
            Err(Error::Stopped) => Ok(()),
            ended => ended,
        })
    }

    /// Ends the jobs of a process that died: what was begun is undone, what was to be removed is
    /// removed. Nothing that was recorded as done is touched.
    fn recover(&self) -> Result<()> {
        for (number, job) in self.metastore.jobs()? {
            match &job {
                Job::Build { sequence } => {
                    let path = parity_path(*sequence);
                    self.parity.settle(&path, number, None, None)?;
                    self.parity.remove(&path)?;
                }
                Job::Remove { sequence } => self.parity.remove(&parity_path(*sequence))?,
                Job::Heal { path, replaced, draft } => {
                    self.data.settle(path, number, Some(replaced), draft.as_ref())?;
                }
            }
            self.metastore.change(|change| {
                if let Job::Heal { path, .. } = &job
                    && change.file(path)?.is_some_and(|file| file.state == State::UnderRecovery)
                {
                    change.set_state(path, State::Corrupted)?;
                }
                change.end(number)
            })?;
        }
        // With one process at a time, whatever is still said to be under construction is not.
        let jobs = self.metastore.change(|change| {
            change.give_up_builds()?;
            change.retire(&change.unused()?)
        })?;
        self.remove_retired(&jobs)
    }

    /// Removes what a build that failed has left of its draft. False where that cannot be done now:
    /// then its job has to stay, and the next start does it.
    pub(crate) fn undo_build(&self, sequence: u64) -> bool {
        self.parity.settle(&parity_path(sequence), sequence, None, None).is_ok()
    }

    /// A set with its header: as recorded, or where that is damaged, as the parity file has it.
    pub(crate) fn set(&self, id: i64) -> Result<Option<Set>> {
        let Some(record) = self.metastore.parity(id)? else { return Ok(None) };
        let path = parity_path(record.sequence);
        let header = match self.metastore.header(id)? {
            Some(header) => header,
            None => read_header(&*self.parity, &path)?,
        };
        Set::new(id, header, path, self.metastore.members(id)?).map(Some)
    }

    /// Removes parity files whose removal has begun.
    pub(crate) fn remove_retired(&self, jobs: &[(u64, u64)]) -> Result<()> {
        for &(job, sequence) in jobs {
            self.parity.remove(&parity_path(sequence))?;
            self.metastore.change(|change| change.end(job))?;
        }
        Ok(())
    }
}

/// Reads the header at the end of a parity file.
pub(crate) fn read_header(parity: &dyn Store, path: &str) -> Result<Header> {
    let wrong = |what| Error::Format { path: path.to_owned(), what };
    let source = parity.open(path)?.ok_or_else(|| wrong("it is not there"))?;
    let len = source.identity()?.len;
    Header::read(&*source, len, path)
}

/// What the names of parity files end with.
const PARITY_SUFFIX: &str = ".parity";

/// Where the parity file with a number is, a thousand to a folder.
pub(crate) fn parity_path(sequence: u64) -> String {
    format!("{:06}/{sequence:09}{PARITY_SUFFIX}", sequence / 1000)
}
