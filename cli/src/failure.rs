//! The one error type of the command: what failed, at which file and offset, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::exit::Exit;

/// A `Result` whose error is [`Failure`].
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a command stopped. `Display` is the sentence for people; [`advice`](Failure::advice) the
/// line after it.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The operating system refused something.
    #[error("cannot {action} {}{}: {source}", path.display(), offset.map_or(String::new(), |offset| format!(" at byte {offset}")))]
    Io {
        /// What was tried, as a verb ("read").
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The byte within the file, where one is known.
        offset: Option<u64>,
        /// What the system said.
        source: io::Error,
    },

    /// The command line asks for something that cannot be.
    #[error("{message}")]
    Asked {
        /// The whole sentence.
        message: String,
        /// What to do, if there is more to say.
        advice: Option<String>,
    },

    /// A folder or file is not what the command needs.
    #[error("{}: {message}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
        /// What to do.
        advice: Option<String>,
    },

    /// Data that cannot be had back from the blocks that are there.
    #[error("{}: {message}", path.display())]
    Lost {
        /// The folder.
        path: PathBuf,
        /// What is lost, with group and range.
        message: String,
        /// What to do.
        advice: Option<String>,
    },

    /// A block could not be served or fetched.
    #[error("{context}: {source}")]
    Network {
        /// What was being done.
        context: String,
        /// What went wrong, here or at the peer.
        source: restripe::net::Error,
    },

    /// Files and their parity.
    #[error(transparent)]
    BlockEc(#[from] restripe_block_ec::Error),

    /// The engine refused or found a fault.
    #[error("{context}: {source}")]
    Engine {
        /// What was being done.
        context: String,
        /// The engine's error.
        source: restripe::Error,
    },
}

impl Failure {
    /// An operating system error about a whole file or folder.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), offset: None, source }
    }

    /// An operating system error at a byte of a file.
    pub fn io_at(
        action: &'static str,
        path: impl Into<PathBuf>,
        offset: u64,
        source: io::Error,
    ) -> Self {
        Self::Io { action, path: path.into(), offset: Some(offset), source }
    }

    /// Something about the folder, with advice.
    pub fn folder(
        path: impl Into<PathBuf>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Folder { path: path.into(), message: message.into(), advice: Some(advice.into()) }
    }

    /// Something about what was asked for, with advice.
    pub fn asked(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Asked { message: message.into(), advice: Some(advice.into()) }
    }

    /// An engine error, with what was being done.
    pub fn engine(context: impl Into<String>) -> impl FnOnce(restripe::Error) -> Self {
        move |source| Self::Engine { context: context.into(), source }
    }

    /// An error about a block served or fetched, with what was being done.
    pub fn network(context: impl Into<String>) -> impl FnOnce(restripe::net::Error) -> Self {
        move |source| Self::Network { context: context.into(), source }
    }

    /// The exit status that goes with it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Lost { .. } | Self::BlockEc(restripe_block_ec::Error::Lost { .. }) => Exit::Lost,
            Self::BlockEc(restripe_block_ec::Error::Stopped) => Exit::Interrupted,
            _ => Exit::Failed,
        }
    }

    /// What the administrator can do, where there is something to say.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Asked { advice, .. }
            | Self::Folder { advice, .. }
            | Self::Lost { advice, .. } => advice.clone(),
            Self::Io { source, path, .. } => io_advice(source, path),
            Self::Network { source, .. } => network_advice(source),
            Self::BlockEc(error) => block_ec_advice(error),
            Self::Engine { .. } => None,
        }
    }
}

/// What can be done about the errors of files and their parity.
fn block_ec_advice(error: &restripe_block_ec::Error) -> Option<String> {
    use restripe_block_ec::Error;
    Some(match error {
        Error::Store { source, path, .. } => return io_advice(source, Path::new(path)),
        Error::Busy { .. } => "wait until it has ended, then run the command again; restripe \
                               status and cat need not wait"
            .to_owned(),
        Error::Metastore { damaged: true, .. } => {
            "restripe block rescan makes a new one out of the parity files".to_owned()
        }
        Error::Changed { .. } => "run the command again when nobody writes there".to_owned(),
        Error::Stopped => "run the same command again: it carries on where it was".to_owned(),
        _ => return None,
    })
}

/// What can be done about the errors of peers and blocks that have one usual cause.
fn network_advice(error: &restripe::net::Error) -> Option<String> {
    use restripe::net::Error;
    Some(match error {
        Error::PeerGone { during: "the connection", .. } => {
            "check that a datanode or restripe serve listens there".to_owned()
        }
        Error::Corrupt { .. } => "that copy is damaged: fetch the block from another datanode, or \
                                  rebuild it with restripe repair"
            .to_owned(),
        Error::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
            "name another port with --listen; port 0 takes any that is free".to_owned()
        }
        Error::File { source, path, .. } => return io_advice(source, path),
        _ => return None,
    })
}

/// What can be said about the few system errors that have one usual cause.
fn io_advice(error: &io::Error, path: &Path) -> Option<String> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Some(match error.kind() {
        io::ErrorKind::NotFound => "check the path; nothing was changed there".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "run as a user who may do that, or change the permissions".to_owned()
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!(
            "make room on the file system of {} and run the same command again",
            folder.unwrap_or(path).display()
        ),
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount the file system writable, or copy the folder elsewhere and work there".to_owned()
        }
        io::ErrorKind::BrokenPipe => {
            "the program that reads the output ended before all of it was written".to_owned()
        }
        _ => return None,
    })
}
