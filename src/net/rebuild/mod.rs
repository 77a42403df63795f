//! The driver of [`round`](crate::round) over files and datanodes: threads shared by many
//! reconstructions, and bounds on all that they use.

mod budget;
mod rebuilder;
mod run;
mod source;
mod target;
#[cfg(feature = "tokio")]
mod tasks;
mod workers;

pub use rebuilder::{Limits, RangeRead, Rebuild, RebuildError, Rebuilder};
pub use source::BlockSource;
pub use target::BlockTarget;
