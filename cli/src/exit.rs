//! Exit statuses: what a script may rely on.
//!
//! They are part of the command's interface; a number is never given a new meaning.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for was done; what was looked at is whole.
    Success = 0,
    /// The command could not do its work: a file that cannot be read or written, a folder that
    /// is not what it should be. The message says which and what to do.
    Failed = 1,
    /// The command line is wrong (clap's own status).
    Usage = 2,
    /// Something is damaged and everything damaged can be rebuilt.
    Repairable = 3,
    /// Something is damaged beyond what the blocks that are there can give back.
    Lost = 4,
    /// Nothing is known to be lost, but something rests on data that nothing proves: no checksum
    /// and no spare unit to check it against.
    Undecided = 5,
    /// Stopped by Ctrl-C, SIGTERM or SIGHUP; nothing unfinished is left behind.
    Interrupted = 130,
}

impl Exit {
    /// The status as a number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The statuses as `--help` and the manual page show them.
macro_rules! exit_table {
    () => {
        "\
Exit status:
  0    done; everything that was looked at is whole
  1    the command could not do its work; the message says why and what to do
  2    wrong command line
  3    damaged, and everything damaged can be rebuilt (verify, scrub, status, --dry-run)
  4    damaged beyond what the blocks that are there can give back
  5    not known to be damaged beyond repair, but nothing proves some of the data
  130  stopped by Ctrl-C, SIGTERM or SIGHUP"
    };
}
pub(crate) use exit_table;
