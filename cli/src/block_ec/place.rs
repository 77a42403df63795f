//! Which metastore, which data and which parity a command line means.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use restripe_block_ec::metastore::Metastore;
use restripe_block_ec::{Hook, Protection, Store};

use super::location::{Location, absolute, endpoint};
use crate::failure::{Failure, Result};

/// The folder that holds metastore and parity unless other places are named.
const OWN: &str = ".restripe";
const DATABASE: &str = "metastore.db";

/// The places of some protected files.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of the files, or what the names of objects begin with.
    pub root: Location,
    /// The database.
    pub metastore: PathBuf,
    /// The place of the parity files.
    pub parity: Location,
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
        let paths = paths.iter().map(|path| Location::of(path)).collect::<Result<Vec<_>>>()?;
        let found = match store {
            Some(store) => Some(absolute(store)?),
            None => find(&paths[0]),
        };
        let parity = parity.map(Location::of).transpose()?;
        match found {
            Some(database) if database.exists() => {
                let place = Self::recorded(&database)?;
                if parity.is_some_and(|wanted| wanted != place.parity) {
                    return Err(Failure::asked(
                        format!("the parity files are in {}", place.parity),
                        "leave --parity-dir away, or name another metastore with --store",
                    ));
                }
                Ok(place)
            }
            database => {
                let root = common_folder(&paths)?;
                let metastore = match database {
                    Some(database) => database,
                    None => own_metastore(&root)?,
                };
                let parity = parity.unwrap_or_else(|| beside(&root, &metastore));
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
        let path = Location::of(path.unwrap_or(Path::new(".")))?;
        let database = match store {
            Some(store) => absolute(store)?,
            None => find(&path).ok_or_else(|| {
                Failure::asked(
                    format!("{path} is not protected, nor is a folder above it"),
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
        let root = Location::of(folder)?;
        let metastore = match store {
            Some(store) => absolute(store)?,
            None => own_metastore(&root)?,
        };
        let parity = match parity {
            Some(parity) => Location::of(parity)?,
            None => Self::recorded(&metastore)
                .map_or_else(|_| beside(&root, &metastore), |place| place.parity),
        };
        Ok(Self { root, metastore, parity })
    }

    /// What a metastore says of its places.
    fn recorded(database: &Path) -> Result<Self> {
        let metastore = Metastore::open_read_only(database)?;
        let own_root = || database.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        let root = metastore
            .place("root")?
            .map_or_else(|| Location::Local(own_root().to_owned()), |root| Location::noted(&root));
        let parity = metastore
            .place("parity")?
            .map_or_else(|| beside(&root, database), |parity| Location::noted(&parity));
        Ok(Self { root, metastore: database.to_owned(), parity })
    }

    /// The stores of the files, without metastore and parity, and of the parity files.
    ///
    /// # Errors
    ///
    /// What keeps an object store from being used.
    pub fn stores(&self) -> Result<(Arc<dyn Store>, Arc<dyn Store>)> {
        let metastore = Location::Local(self.metastore.clone());
        Ok((self.root.store(&[&self.parity, &metastore])?, self.parity.store(&[])?))
    }

    /// Opens it for work.
    ///
    /// # Errors
    ///
    /// As [`Protection::open`].
    pub fn open(&self) -> Result<Protection> {
        let (data, parity) = self.stores()?;
        let protection =
            Protection::open_with_hook(data, parity, &self.metastore, Hook::default())?;
        self.record(&protection)?;
        Ok(protection)
    }

    /// Opens it for a dry run: where there is no metastore, not even that is made, but for one in a
    /// folder that goes away.
    ///
    /// # Errors
    ///
    /// As [`Protection::open`].
    pub fn open_for_dry_run(&self, scratch: &Scratch) -> Result<Protection> {
        if self.metastore.exists() {
            return self.open();
        }
        let (data, parity) = self.stores()?;
        let metastore = scratch.metastore();
        Ok(Protection::open_with_hook(data, parity, &metastore, Hook::default())?)
    }

    /// Opens it to look and to read.
    ///
    /// # Errors
    ///
    /// As [`Protection::open_read_only`].
    pub fn open_read_only(&self) -> Result<Protection> {
        let (data, parity) = self.stores()?;
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
        let own = self.root.local().is_some_and(|root| self.metastore == in_folder(root));
        if !own && metastore.place("root")?.is_none() {
            metastore.set_place("root", &self.root.to_string())?;
        }
        if self.parity != beside(&self.root, &self.metastore)
            && metastore.place("parity")?.is_none()
        {
            metastore.set_place("parity", &self.parity.to_string())?;
        }
        Ok(())
    }

    /// A path as the stores know it.
    ///
    /// # Errors
    ///
    /// [`Failure::Asked`] for one that does not lie in the root, or is not UTF-8.
    pub fn within(&self, path: &Path) -> Result<String> {
        self.root.within(&Location::of(path)?)?.ok_or_else(|| {
            Failure::asked(
                format!("{} does not lie in {}", path.display(), self.root),
                format!("{} knows only what does", self.metastore.display()),
            )
        })
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

/// Where parity is unless another place is named: that of objects is with the objects.
fn beside(root: &Location, metastore: &Path) -> Location {
    if let Location::Objects { .. } = root {
        return root.join(OWN).join("parity");
    }
    let folder = metastore.parent().unwrap_or(Path::new("."));
    Location::Local(match metastore.file_name() {
        Some(name) if name != DATABASE => {
            let mut name = name.to_owned();
            name.push(".parity");
            folder.join(name)
        }
        _ => folder.join("parity"),
    })
}

fn in_folder(root: &Path) -> PathBuf {
    root.join(OWN).join(DATABASE)
}

/// Where the metastore of a folder is unless another place is named: in it. That of objects has to
/// be a file of this machine, in the user's folder for data, by endpoint, bucket and prefix.
fn own_metastore(root: &Location) -> Result<PathBuf> {
    match root {
        Location::Local(root) => Ok(in_folder(root)),
        Location::Objects { bucket, prefix } => {
            let folder = |name| std::env::var_os(name).filter(|folder| !folder.is_empty());
            let data = folder("XDG_DATA_HOME")
                .or_else(|| folder("LOCALAPPDATA"))
                .map(PathBuf::from)
                .or_else(|| folder("HOME").map(|home| PathBuf::from(home).join(".local/share")))
                .ok_or_else(|| {
                    Failure::asked(
                        "there is no folder for data of this user",
                        "say with --store where the metastore is to be",
                    )
                })?;
            let endpoint = endpoint().unwrap_or_else(|| "aws".to_owned());
            let endpoint = endpoint.split_once("://").map_or(&*endpoint, |(_, host)| host);
            let endpoint = endpoint.trim_end_matches('/').replace(['/', ':'], "_");
            let store = data.join("restripe/s3").join(endpoint).join(bucket);
            Ok(in_folder(&store.join(prefix)))
        }
    }
}

/// The metastore of the folder that a path is or lies in, or of one above it.
fn find(path: &Location) -> Option<PathBuf> {
    let above = std::iter::successors(Some(path.clone()), Location::parent);
    above.filter_map(|folder| own_metastore(&folder).ok()).find(|path| path.is_file())
}

/// The deepest folder that holds all of some paths.
fn common_folder(paths: &[Location]) -> Result<Location> {
    let mut common = paths[0].folder()?;
    for path in &paths[1..] {
        let other = path.folder()?;
        while common.within(&other)?.is_none() {
            common = common.parent().ok_or_else(nothing_in_common)?;
        }
    }
    if common.local().is_some_and(|common| common.parent().is_none()) {
        return Err(nothing_in_common());
    }
    Ok(common)
}

fn nothing_in_common() -> Failure {
    Failure::asked(
        "these paths have nothing in common",
        "protect them one by one, or say with --store where the metastore is to be",
    )
}
/// A folder for the metastore of a dry run, which goes away with this.
#[derive(Debug)]
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// A new one.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] where there is no room for it.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir();
        Ok(Self(folder.map_err(|error| Failure::io("create", "a folder", error))?))
    }

    /// Where the metastore is to be.
    #[must_use]
    pub fn metastore(&self) -> PathBuf {
        self.0.path().join("metastore.db")
    }
}
