//! The one error type: what was tried, at which path, and what went wrong.

use std::io;

/// A `Result` whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be done. Nothing of the user's has been changed then, unless the method
/// says otherwise.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused something.
    #[error("cannot {action} {path}: {source}")]
    Store {
        /// What was tried, as a verb ("read").
        action: &'static str,
        /// The file, folder or object.
        path: String,
        /// What the store said.
        source: io::Error,
    },

    /// The metastore refused something, or is damaged.
    #[error("the metastore {path} {message}")]
    Metastore {
        /// The database.
        path: String,
        /// What is wrong with it.
        message: String,
        /// Whether its content is damaged, or it is no metastore: a rescan of the parity files
        /// makes a new one.
        damaged: bool,
    },

    /// Another process works on the same metastore.
    #[error("another restripe is at work on {path}{}", holder.map_or(String::new(), |id| format!(" (process {id})")))]
    Busy {
        /// The lock file.
        path: String,
        /// The process that holds it, where that could be read.
        holder: Option<u32>,
    },

    /// A parity file or header is not what it should be.
    #[error("{path} is not a whole parity file: {what}")]
    Format {
        /// The parity file.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },

    /// A file changed while it was being worked on.
    #[error("{path} has changed meanwhile")]
    Changed {
        /// The file.
        path: String,
    },

    /// Bytes that what is left of their group cannot give back.
    #[error("{path}: bytes {start} to {end} cannot be given back")]
    Lost {
        /// The file.
        path: String,
        /// The first byte.
        start: u64,
        /// One past the last.
        end: u64,
    },

    /// What is asked for cannot be.
    #[error("{0}")]
    Refused(String),

    /// The engine refused something.
    #[error(transparent)]
    Engine(#[from] restripe::Error),

    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
}

impl Error {
    /// Makes an error of the store's out of what the system said.
    pub fn store(action: &'static str, path: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Store { action, path, source }
    }

    /// Whether others of the same run can go on after it: something about one file, such as a
    /// permission that is missing. Where it is false (a full disk, a broken metastore), going on
    /// makes no sense.
    #[must_use]
    pub fn is_about_one_file(&self) -> bool {
        match self {
            Self::Store { source, .. } => !matches!(
                source.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::ReadOnlyFilesystem
            ),
            Self::Changed { .. } | Self::Lost { .. } | Self::Format { .. } => true,
            _ => false,
        }
    }
}
