//! Where files and parity files can be: in a folder, or in a bucket of an object store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::RetryConfig;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use restripe_block_ec::{LocalStore, ObjectStore, Store, is_under, join, split};

use crate::failure::{Failure, Result};

const SCHEME: &str = "s3://";

/// A folder or file, or objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A path without symbolic links but for its last name.
    Local(PathBuf),
    /// Objects of a store that speaks S3.
    Objects {
        /// Their bucket.
        bucket: String,
        /// What their names begin with, without a slash at its ends; empty for all of the bucket.
        prefix: String,
    },
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Objects { bucket, prefix } if prefix.is_empty() => write!(f, "{SCHEME}{bucket}"),
            Self::Objects { bucket, prefix } => write!(f, "{SCHEME}{bucket}/{prefix}"),
        }
    }
}

impl Location {
    /// What a word of the command line means.
    ///
    /// # Errors
    ///
    /// [`Failure::Asked`] for an address that is none or of another kind of store, [`Failure::Io`]
    /// for a path in a folder that is not there.
    pub fn of(path: &Path) -> Result<Self> {
        match path.to_str() {
            Some(text) if is_address(text) => address(text),
            _ => resolve(path).map(Self::Local),
        }
    }

    /// What was noted in a metastore: as printed.
    #[must_use]
    pub fn noted(text: &str) -> Self {
        address(text).unwrap_or_else(|_| Self::Local(PathBuf::from(text)))
    }

    /// The folder, where it is one.
    #[must_use]
    pub fn local(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
            Self::Objects { .. } => None,
        }
    }

    /// Something below it.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        match self {
            Self::Local(folder) => Self::Local(folder.join(path)),
            Self::Objects { bucket, prefix } => {
                Self::Objects { bucket: bucket.clone(), prefix: join(prefix, path) }
            }
        }
    }

    /// What it lies in, unless it is the root of a file system or all of a bucket.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        match self {
            Self::Local(path) => path.parent().map(|path| Self::Local(path.to_owned())),
            Self::Objects { prefix, .. } if prefix.is_empty() => None,
            Self::Objects { bucket, prefix } => {
                Some(Self::Objects { bucket: bucket.clone(), prefix: split(prefix).0.to_owned() })
            }
        }
    }

    /// The path of something that it is or holds, names with `/` between them; `None` for what lies
    /// elsewhere.
    ///
    /// # Errors
    ///
    /// [`Failure::Asked`] for a path that is not UTF-8.
    pub fn within(&self, inner: &Self) -> Result<Option<String>> {
        match (self, inner) {
            (Self::Local(root), Self::Local(path)) => {
                let Ok(inside) = path.strip_prefix(root) else { return Ok(None) };
                let names: Option<Vec<&str>> = inside.iter().map(|name| name.to_str()).collect();
                let names = names.ok_or_else(|| {
                    Failure::asked(format!("{} is not UTF-8", path.display()), "rename it")
                })?;
                Ok(Some(names.join("/")))
            }
            (
                Self::Objects { bucket, prefix: root },
                Self::Objects { bucket: same, prefix: path },
            ) if bucket == same && is_under(path, root) => {
                Ok(Some(path[root.len()..].trim_start_matches('/').to_owned()))
            }
            _ => Ok(None),
        }
    }

    /// The folder itself, or that of a file; of an object, what its name begins with up to the last
    /// slash.
    ///
    /// # Errors
    ///
    /// What the store says, and [`Failure::Asked`] where there is nothing.
    pub fn folder(&self) -> Result<Self> {
        let is_file = match self {
            Self::Local(path) => {
                !path.metadata().map_err(|error| Failure::io("look at", path, error))?.is_dir()
            }
            Self::Objects { prefix, .. } => {
                let objects = self.objects(&[])?;
                let refused = |error| unreachable(self, &error);
                let is_object = objects.entry("").map_err(refused)?.is_some();
                if !is_object && objects.is_empty().map_err(refused)? {
                    return Err(Failure::asked(
                        format!("there are no objects at {self}"),
                        "check bucket and prefix; upper and lower case differ",
                    ));
                }
                is_object && !prefix.is_empty()
            }
        };
        Ok(if is_file { self.parent().unwrap_or_else(|| self.clone()) } else { self.clone() })
    }

    /// The store of what is here, but for what lies at `without`.
    ///
    /// # Errors
    ///
    /// What keeps an object store from being used.
    pub fn store(&self, without: &[&Self]) -> Result<Arc<dyn Store>> {
        match self {
            Self::Local(folder) => {
                let store = without
                    .iter()
                    .filter_map(|location| location.local())
                    .fold(LocalStore::new(folder), |store, path| store.without(path.to_owned()));
                Ok(Arc::new(store))
            }
            Self::Objects { .. } => {
                let objects = self.objects(without)?;
                // The first request shows whether address and credentials are right.
                objects.is_empty().map_err(|error| unreachable(self, &error))?;
                Ok(Arc::new(objects))
            }
        }
    }

    fn objects(&self, without: &[&Self]) -> Result<ObjectStore> {
        let Self::Objects { bucket, prefix } = self else {
            return Err(Failure::asked(format!("{self} is no bucket"), "name one: s3://bucket"));
        };
        let inner = connect(bucket).map_err(|error| unreachable(self, &error))?;
        let mut store = ObjectStore::new(Arc::new(inner), prefix.as_str(), self.to_string())?;
        for location in without {
            if let Some(path) = self.within(location)? {
                store = store.without(path);
            }
        }
        Ok(store)
    }
}

/// Whether a word is an address, not a path.
fn is_address(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.chars().all(|letter| letter.is_ascii_alphanumeric())
    })
}

fn address(text: &str) -> Result<Location> {
    let wrong = |message: String| Failure::asked(message, "s3://bucket/prefix is an address");
    let rest = text
        .strip_prefix(SCHEME)
        .ok_or_else(|| wrong(format!("{text} is in no kind of store that restripe knows")))?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    let names = prefix.split('/');
    if bucket.is_empty()
        || !prefix.is_empty() && names.into_iter().any(|name| matches!(name, "" | "." | ".."))
    {
        return Err(wrong(format!("{text} is no address of objects")));
    }
    Ok(Location::Objects { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// A bucket, reached as the usual variables of the environment say.
fn connect(bucket: &str) -> object_store::Result<AmazonS3> {
    // A second connection finds it chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let retry = RetryConfig {
        max_retries: 5,
        retry_timeout: Duration::from_secs(60),
        ..RetryConfig::default()
    };
    AmazonS3Builder::from_env()
        // Who names such an endpoint wants it.
        .with_allow_http(endpoint().is_some_and(|endpoint| endpoint.starts_with("http://")))
        .with_bucket_name(bucket)
        .with_retry(retry)
        .build()
}

/// The endpoint that the environment names, as the crate `object_store` reads it.
#[must_use]
pub fn endpoint() -> Option<String> {
    ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
}

fn unreachable(location: &Location, error: &dyn fmt::Display) -> Failure {
    Failure::asked(
        format!("cannot use {location}: {}", without_document(&error.to_string())),
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY say who asks, AWS_REGION and \
         AWS_ENDPOINT_URL where",
    )
}

/// What a store says, with the code of the error in place of the document that it is in.
fn without_document(text: &str) -> String {
    let Some((before, document)) = text.split_once("<?xml") else { return text.to_owned() };
    let code = document.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    format!("{before}{}", code.map_or("an error", |(code, _)| code))
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

/// A path from the root on.
///
/// # Errors
///
/// [`Failure::Io`] where there is no working directory.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Failure::io("find", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Location {
        Location::of(Path::new(text)).unwrap()
    }

    #[test]
    fn addresses_are_told_from_paths_and_printed_as_they_are_read() {
        let objects = of("s3://photos/2024/raw/");
        assert_eq!(objects.to_string(), "s3://photos/2024/raw");
        assert_eq!(Location::noted(&objects.to_string()), objects);
        assert_eq!(of("s3://photos").to_string(), "s3://photos");
        assert!(of("./s3:").local().is_some());
        assert_eq!(Location::noted("/srv/a b"), Location::Local("/srv/a b".into()));
        for wrong in ["s3://", "s3:///a", "s3://b//a", "s3://b/../a", "gs://b/a"] {
            assert!(Location::of(Path::new(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn of_an_answer_only_the_code_is_told() {
        let answer =
            "404 Not Found: <?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code></Error>";
        assert_eq!(without_document(answer), "404 Not Found: NoSuchBucket");
        assert_eq!(without_document("404: <?xml"), "404: an error");
        assert_eq!(without_document("gone"), "gone");
    }

    #[test]
    fn what_lies_within_is_known_by_whole_names() {
        let photos = of("s3://b/photos");
        let within = |text: &str| photos.within(&of(text)).unwrap();
        assert_eq!(within("s3://b/photos/a/b").as_deref(), Some("a/b"));
        assert_eq!(within("s3://b/photos").as_deref(), Some(""));
        assert_eq!(within("s3://b/photos2/a"), None);
        assert_eq!(within("s3://c/photos/a"), None);
        assert_eq!(within("."), None);
        assert_eq!(of("s3://b/").within(&of("s3://b/a")).unwrap().as_deref(), Some("a"));
        assert_eq!(photos.join("x").parent(), Some(photos.clone()));
        assert_eq!(photos.parent().unwrap().parent(), None);
    }
}
