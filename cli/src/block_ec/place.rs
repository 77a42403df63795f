//! Which metastore, which data and which parity a command line means.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use restripe_block_ec::metastore::Metastore;
use restripe_block_ec::{Hook, LocalStore, Protection, Store};

use crate::failure::{Failure, Result};

/// The folder that holds metastore and parity unless other places are named.
const OWN: &str = ".restripe";
const DATABASE: &str = "metastore.db";

/// The places of some protected files.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of the files.
    pub root: PathBuf,
    /// The database.
    pub metastore: PathBuf,
    /// The folder of the parity files.
    pub parity: PathBuf,
}

impl Place {
    /// The place that holds `paths`, or the one that a new metastore would make of them.
    ///
    /// # Errors
    ///
    /// [`Failure::Asked`] where that cannot be told, or `parity` is not where the metastore says.
    pub fn to_protect(
        paths: &[PathBuf],
        store: Option<&Path>,
        parity: Option<&Path>,
    ) -> Result<Self> {
        let paths = paths.iter().map(|path| resolve(path)).collect::<Result<Vec<_>>>()?;
        let found = match store {
            Some(store) => Some(absolute(store)?),
            None => find(&paths[0]),
        };
        match found {
            Some(database) if database.exists() => {
                let place = Self::recorded(&database)?;
                let wanted = parity.map(resolve).transpose()?;
                if wanted.as_ref().is_some_and(|wanted| *wanted != place.parity) {
                    return Err(Failure::asked(
                        format!("the parity files are in {}", place.parity.display()),
                        "leave --parity-dir away, or name another metastore with --store",
                    ));
                }
                Ok(place)
            }
            database => {
                let root = common_folder(&paths)?;
                let metastore = database.unwrap_or_else(|| root.join(OWN).join(DATABASE));
                let parity = match parity {
                    Some(parity) => absolute(parity)?,
                    None => beside(&metastore),
                };
                Ok(Self { root, metastore, parity })
            }
        }
    }

    /// The place that holds a path, or that of the working directory.
    ///
    /// # Errors
    ///
    /// [`Failure::Asked`] where there is no metastore.
    pub fn of(path: Option<&Path>, store: Option<&Path>) -> Result<Self> {
        let path = resolve(path.unwrap_or(Path::new(".")))?;
        let database = match store {
            Some(store) => absolute(store)?,
            None => find(&path).ok_or_else(|| {
                Failure::asked(
                    format!("{} is not protected, nor is a folder above it", path.display()),
                    "protect it first, or name the metastore with --store",
                )
            })?,
        };
        Self::recorded(&database)
    }

    /// The place of a rescan, whose metastore may be lost.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] for a folder that is not there.
    pub fn to_rescan(folder: &Path, store: Option<&Path>, parity: Option<&Path>) -> Result<Self> {
        let root = resolve(folder)?;
        let metastore = match store {
            Some(store) => absolute(store)?,
            None => root.join(OWN).join(DATABASE),
        };
        let parity = match parity {
            Some(parity) => absolute(parity)?,
            None => {
                Self::recorded(&metastore).map_or_else(|_| beside(&metastore), |place| place.parity)
            }
        };
        Ok(Self { root, metastore, parity })
    }

    /// What a metastore says of its places.
    fn recorded(database: &Path) -> Result<Self> {
        let metastore = Metastore::open_read_only(database)?;
        let own_root = || database.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        let root = metastore.place("root")?.map_or_else(|| own_root().to_owned(), PathBuf::from);
        let parity = metastore.place("parity")?.map_or_else(|| beside(database), PathBuf::from);
        Ok(Self { root, metastore: database.to_owned(), parity })
    }

    /// The store of the files: everything below the root but metastore and parity.
    #[must_use]
    pub fn data(&self) -> LocalStore {
        LocalStore::new(&self.root).without(self.parity.clone()).without(self.metastore.clone())
    }

    /// The store of the parity files.
    #[must_use]
    pub fn parity_store(&self) -> LocalStore {
        LocalStore::new(&self.parity)
    }

    /// Opens it for work.
    ///
    /// # Errors
    ///
    /// As [`Protection::open`].
    pub fn open(&self) -> Result<Protection> {
        let (data, parity): (Arc<dyn Store>, Arc<dyn Store>) =
            (Arc::new(self.data()), Arc::new(self.parity_store()));
        let protection =
            Protection::open_with_hook(data, parity, &self.metastore, Hook::default())?;
        self.record(&protection)?;
        Ok(protection)
    }

    /// Opens it to look and to read.
    ///
    /// # Errors
    ///
    /// As [`Protection::open_read_only`].
    pub fn open_read_only(&self) -> Result<Protection> {
        let (data, parity) = (Arc::new(self.data()), Arc::new(self.parity_store()));
        Ok(Protection::open_read_only(data, parity, &self.metastore)?)
    }

    /// Notes in the metastore where everything is, unless it is where it is looked for anyway: a
    /// folder with its own metastore may then be moved.
    ///
    /// # Errors
    ///
    /// [`Failure::BlockEc`].
    pub fn record(&self, protection: &Protection) -> Result<()> {
        let metastore = protection.metastore();
        let own = self.metastore == self.root.join(OWN).join(DATABASE);
        if !own && metastore.place("root")?.is_none() {
            metastore.set_place("root", &self.root.to_string_lossy())?;
        }
        if self.parity != beside(&self.metastore) && metastore.place("parity")?.is_none() {
            metastore.set_place("parity", &self.parity.to_string_lossy())?;
        }
        Ok(())
    }

    /// A path as the stores know it.
    ///
    /// # Errors
    ///
    /// [`Failure::Asked`] for one that does not lie in the root, or is not UTF-8.
    pub fn within(&self, path: &Path) -> Result<String> {
        let full = resolve(path)?;
        let inside = full.strip_prefix(&self.root).map_err(|_| {
            Failure::asked(
                format!("{} does not lie in {}", path.display(), self.root.display()),
                format!("{} knows only what does", self.metastore.display()),
            )
        })?;
        let names: Option<Vec<&str>> = inside.iter().map(|name| name.to_str()).collect();
        let names = names.ok_or_else(|| {
            Failure::asked(format!("{} is not UTF-8", path.display()), "rename it")
        })?;
        Ok(names.join("/"))
    }

    /// [`within`](Self::within) for several; all that there is for none.
    ///
    /// # Errors
    ///
    /// As [`within`](Self::within).
    pub fn all_within(&self, paths: &[PathBuf]) -> Result<Vec<String>> {
        if paths.is_empty() {
            return Ok(vec![String::new()]);
        }
        let mut inside =
            paths.iter().map(|path| self.within(path)).collect::<Result<Vec<String>>>()?;
        inside.sort();
        // What lies below another of them would be looked at twice.
        let mut kept: Vec<String> = Vec::new();
        for path in inside {
            if !kept.iter().any(|above| restripe_block_ec::is_under(&path, above)) {
                kept.push(path);
            }
        }
        Ok(kept)
    }
}

/// Where parity is unless another place is named.
fn beside(metastore: &Path) -> PathBuf {
    let folder = metastore.parent().unwrap_or(Path::new("."));
    match metastore.file_name() {
        Some(name) if name != DATABASE => {
            let mut name = name.to_owned();
            name.push(".parity");
            folder.join(name)
        }
        _ => folder.join("parity"),
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Failure::io("find", path, error))
}

/// A path without symbolic links but for its last name: that of a file that may be gone.
fn resolve(path: &Path) -> Result<PathBuf> {
    let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
    if !is_link && let Ok(full) = path.canonicalize() {
        return Ok(full);
    }
    let full = absolute(path)?;
    let (Some(folder), Some(name)) = (full.parent(), full.file_name()) else { return Ok(full) };
    let folder = folder.canonicalize().map_err(|error| Failure::io("find", folder, error))?;
    Ok(folder.join(name))
}

/// The metastore of the folder that a path is or lies in, or of one above it.
fn find(path: &Path) -> Option<PathBuf> {
    path.ancestors().map(|folder| folder.join(OWN).join(DATABASE)).find(|path| path.is_file())
}

/// The deepest folder that holds all of some paths.
fn common_folder(paths: &[PathBuf]) -> Result<PathBuf> {
    let folder = |path: &PathBuf| match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(path.clone()),
        Ok(_) => Ok(path.parent().unwrap_or(path).to_owned()),
        Err(error) => Err(Failure::io("look at", path, error)),
    };
    let mut common = folder(&paths[0])?;
    for path in &paths[1..] {
        let other = folder(path)?;
        while !other.starts_with(&common) {
            common.pop();
        }
    }
    if common.parent().is_none() {
        return Err(Failure::asked(
            "these paths have nothing in common but the root of the file system",
            "protect them one by one, or say with --store where the metastore is to be",
        ));
    }
    Ok(common)
}
