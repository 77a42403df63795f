//! What tells a file from what it was: who it is, how long, and when it was written.

/// What a store says of a file without reading it. A file that is edited, appended to, truncated
/// or replaced has another one.
///
/// It cannot see an owner who writes as many bytes into the same file and puts the modification
/// time back: that is taken for damage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Device of the file system; 0 for objects.
    pub device: u64,
    /// Number of the file in it; 0 for objects.
    pub inode: u64,
    /// Bytes.
    pub len: u64,
    /// When it was last written: nanoseconds since 1970.
    pub modified: i64,
    /// Version or entity tag of an object; empty for files.
    pub version: String,
}

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path within the store: names with `/` between them.
    pub path: String,
    /// Who it is.
    pub identity: Identity,
    /// Whose it is; small files share parity only with files of the same owner.
    pub owner: String,
}

/// The folder and the name that a path is made of; the folder of `name` is empty.
///
/// ```
/// assert_eq!(restripe_block_ec::split("a/b/c"), ("a/b", "c"));
/// assert_eq!(restripe_block_ec::split("c"), ("", "c"));
/// ```
#[must_use]
pub fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The path of a name in a folder.
///
/// ```
/// assert_eq!(restripe_block_ec::join("a/b", "c"), "a/b/c");
/// assert_eq!(restripe_block_ec::join("", "c"), "c");
/// ```
#[must_use]
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Whether `path` is `under` or lies below it; everything lies below the empty path.
///
/// ```
/// use restripe_block_ec::is_under;
/// assert!(is_under("a/b", "a") && is_under("a", "a") && is_under("a", ""));
/// assert!(!is_under("ab", "a"));
/// ```
#[must_use]
pub fn is_under(path: &str, under: &str) -> bool {
    under.is_empty()
        || path.strip_prefix(under).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
