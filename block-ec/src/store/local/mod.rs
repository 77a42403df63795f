//! A folder of a local file system.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{Draft, Found, Source, Store};
use crate::error::{Error, Result};
use crate::file;
use crate::hook::Hook;
use crate::identity::{Entry, Identity, join};

mod draft;
mod system;

use draft::LocalDraft;

/// The folder in which the command keeps a metastore and parity files; never listed.
pub const OWN_FOLDER: &str = ".restripe";

/// What the names of drafts begin with; a number follows. Never listed.
pub const DRAFT_PREFIX: &str = ".restripe-part-";

/// A folder and everything below it.
///
/// Symbolic links are not followed, and names have to be UTF-8; what is passed over is told.
#[derive(Clone, Debug)]
pub struct LocalStore {
    root: PathBuf,
    hook: Hook,
    without: Vec<PathBuf>,
}

impl LocalStore {
    /// The store of a folder.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), hook: Hook::default(), without: Vec::new() }
    }

    /// Calls `hook` before every change.
    #[must_use]
    pub fn with_hook(mut self, hook: Hook) -> Self {
        self.hook = hook;
        self
    }

    /// Leaves something out of listings: a folder with all that is in it, or a file and those whose
    /// names go on from its name.
    #[must_use]
    pub fn without(mut self, path: PathBuf) -> Self {
        self.without.push(path);
        self
    }

    fn leaves_out(&self, full: &Path) -> bool {
        self.without.iter().any(|without| {
            let begins = |name: &std::ffi::OsStr, with: &std::ffi::OsStr| {
                name.as_encoded_bytes().starts_with(with.as_encoded_bytes())
            };
            // Looking whether it is a folder costs, so that comes last.
            full == without
                || full.parent() == without.parent()
                    && full
                        .file_name()
                        .zip(without.file_name())
                        .is_some_and(|(name, with)| begins(name, with))
                    && !without.is_dir()
        })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn full(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    fn draft_path(&self, path: &str, number: u64) -> PathBuf {
        self.full(path).with_file_name(format!("{DRAFT_PREFIX}{number}"))
    }

    /// Adds what is below a folder. Its own recursion is as deep as the tree.
    fn list_folder(&self, folder: &str, found: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        let skip = |path: String, why: String| Found::Skipped { path, why, matters: true };
        let entries = match fs::read_dir(self.full(folder)) {
            Ok(entries) => entries,
            Err(error) => return found(skip(folder.to_owned(), error.to_string())),
        };
        let mut names = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => names.push(entry.file_name()),
                Err(error) => return found(skip(folder.to_owned(), error.to_string())),
            }
        }
        names.sort_unstable();
        let mut folders = Vec::new();
        for name in names {
            let Some(name) = name.to_str() else {
                let path = join(folder, &name.to_string_lossy());
                found(skip(path, "its name is not UTF-8".to_owned()))?;
                continue;
            };
            let path = join(folder, name);
            let own = name == OWN_FOLDER || name.starts_with(DRAFT_PREFIX);
            if own || (!self.without.is_empty() && self.leaves_out(&self.full(&path))) {
                continue;
            }
            match fs::symlink_metadata(self.full(&path)) {
                Ok(metadata) if metadata.is_dir() => folders.push(path),
                Ok(metadata) => found(found_file(path, &metadata))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => found(skip(path, error.to_string()))?,
            }
        }
        folders.iter().try_for_each(|folder| self.list_folder(folder, found))
    }
}

fn found_file(path: String, metadata: &fs::Metadata) -> Found {
    if metadata.is_file() {
        return Found::File(Entry {
            path,
            identity: system::identity(metadata),
            owner: system::owner(metadata),
        });
    }
    let why = if metadata.is_symlink() { "a symbolic link" } else { "not a regular file" };
    Found::Skipped { path, why: why.to_owned(), matters: false }
}

/// What `error` says, or `None` where it says that there is no such file.
fn unless_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Store for LocalStore {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn list(&self, under: &str, found: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        match fs::symlink_metadata(self.full(under)) {
            Ok(metadata) if metadata.is_dir() => self.list_folder(under, found),
            Ok(metadata) => found(found_file(under.to_owned(), &metadata)),
            Err(error) => found(Found::Skipped {
                path: under.to_owned(),
                why: error.to_string(),
                matters: true,
            }),
        }
    }

    fn entry(&self, path: &str) -> Result<Option<Entry>> {
        let metadata = unless_missing(fs::symlink_metadata(self.full(path)))
            .map_err(Error::store("look at", path))?;
        Ok(metadata.and_then(|metadata| match found_file(path.to_owned(), &metadata) {
            Found::File(entry) => Some(entry),
            Found::Skipped { .. } => None,
        }))
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Source>>> {
        let opened = system::open(&self.full(path)).and_then(|file| {
            let regular = file.metadata()?.is_file();
            Ok(regular.then_some(file))
        });
        let file = unless_missing(opened).map_err(Error::store("open", path))?.flatten();
        let path = path.to_owned();
        Ok(file.map(|file| Box::new(LocalSource { file, path }) as Box<dyn Source>))
    }

    fn create(&self, path: &str, number: u64, _len: u64) -> Result<Box<dyn Draft>> {
        let draft = LocalDraft::create(
            path,
            self.full(path),
            self.draft_path(path, number),
            self.hook.clone(),
        )?;
        Ok(Box::new(draft))
    }

    fn settle(
        &self,
        path: &str,
        number: u64,
        replaced: Option<&Identity>,
        draft: Option<&Identity>,
    ) -> Result<()> {
        let draft_path = self.draft_path(path, number);
        draft::settle(path, &self.full(path), &draft_path, replaced.zip(draft), &self.hook)
    }

    fn remove(&self, path: &str) -> Result<()> {
        let full = self.full(path);
        let removed =
            self.hook.before("unlink").and_then(|()| unless_missing(fs::remove_file(&full)));
        if removed.map_err(Error::store("remove", path))?.is_some() {
            system::sync_folder_of(&full).map_err(Error::store("sync the folder of", path))?;
        }
        Ok(())
    }
}

struct LocalSource {
    file: File,
    path: String,
}

impl Source for LocalSource {
    fn identity(&self) -> Result<Identity> {
        let metadata = self.file.metadata().map_err(Error::store("look at", &*self.path))?;
        Ok(system::identity(&metadata))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file::read_at(&self.file, buffer, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Publish, Published};

    fn files(store: &LocalStore, under: &str) -> (Vec<String>, Vec<String>) {
        let (mut files, mut skipped) = (Vec::new(), Vec::new());
        store
            .list(under, &mut |found| {
                match found {
                    Found::File(entry) => files.push(entry.path),
                    Found::Skipped { path, .. } => skipped.push(path),
                }
                Ok(())
            })
            .unwrap();
        (files, skipped)
    }

    fn identity(store: &LocalStore, path: &str) -> Identity {
        store.entry(path).unwrap().unwrap().identity
    }

    #[test]
    fn a_listing_has_the_files_and_tells_what_it_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("b/.restripe")).unwrap();
        for name in ["z", "a", "b/c", "b/.restripe/x", "b/.restripe-part-7"] {
            fs::write(root.join(name), name).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        let store = LocalStore::new(root);
        let (listed, skipped) = files(&store, "");
        assert_eq!(listed, ["a", "z", "b/c"]);
        assert_eq!(skipped, if cfg!(unix) { vec!["link"] } else { vec![] });
        assert_eq!(files(&store, "b").0, ["b/c"]);
        assert_eq!(files(&store, "a").0, ["a"]);
        assert_eq!(files(&store, "nowhere"), (vec![], vec!["nowhere".to_owned()]));
    }

    #[test]
    fn a_draft_takes_the_place_of_the_file_that_was_meant_and_of_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let store = LocalStore::new(folder.path());
        fs::write(&path, "damaged").unwrap();
        let meant = identity(&store, "file");
        let draft = |content: &str| {
            let mut draft = store.create("file", 1, 0).unwrap();
            draft.write_at(content.as_bytes(), 0).unwrap();
            draft.sync().unwrap();
            draft
        };
        let Published::Done(now) = draft("healed!").publish(Publish::InPlaceOf(&meant)).unwrap()
        else {
            panic!("the file had not changed")
        };
        assert_eq!(fs::read(&path).unwrap(), b"healed!");
        assert_eq!(now, identity(&store, "file"));
        assert_eq!((now.modified, now.len), (meant.modified, meant.len));
        assert_ne!(now.inode, meant.inode);

        fs::write(&path, "its owner's").unwrap();
        let published = draft("healed!").publish(Publish::InPlaceOf(&now)).unwrap();
        assert_eq!(published, Published::Changed);
        assert_eq!(fs::read(&path).unwrap(), b"its owner's");
        assert!(draft("new").publish(Publish::New).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"its owner's");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_dead_process_left_is_removed_but_never_what_the_owner_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let (path, part) = (folder.path().join("file"), folder.path().join(".restripe-part-3"));
        let store = LocalStore::new(folder.path());
        let read = || fs::read_to_string(&path).unwrap();

        // It died while it wrote the draft.
        fs::write(&path, "damaged").unwrap();
        fs::write(&part, "hea").unwrap();
        let meant = identity(&store, "file");
        store.settle("file", 3, Some(&meant), None).unwrap();
        assert!(!part.exists() && read() == "damaged");

        // It died before the exchange.
        fs::write(&part, "healed!").unwrap();
        let draft = identity(&store, ".restripe-part-3");
        store.settle("file", 3, Some(&meant), Some(&draft)).unwrap();
        assert!(!part.exists() && read() == "damaged");

        // It died after the exchange.
        fs::rename(&path, &part).unwrap();
        fs::write(&path, "healed!").unwrap();
        let draft = identity(&store, "file");
        store.settle("file", 3, Some(&meant), Some(&draft)).unwrap();
        assert!(!part.exists() && read() == "healed!");

        // It died after it had exchanged something that the owner had put there meanwhile.
        fs::write(&part, "its owner's").unwrap();
        store.settle("file", 3, Some(&meant), Some(&draft)).unwrap();
        assert!(!part.exists());
        assert_eq!(read(), "its owner's");
    }
}
