//! Erasure coding of files that exist already.
//!
//! Files stay as they are, where they are, for everything that reads them. Each gets parity in a
//! file elsewhere: a long file one of its own, small files of one owner in one folder one together.
//! Damage is then found ([`Protection::scrub`]), healed in place ([`Protection::heal`]), and read
//! through without being healed ([`Protection::read`]). What an owner has changed is told apart from
//! damage by the [`Identity`] of the file, and is never written over.
//!
//! | what | where |
//! |---|---|
//! | which byte of which file lies in which unit | [`geometry`] |
//! | what a parity file says of itself | [`header`] |
//! | file systems and object stores | [`store`] |
//! | what is recorded, and what is being done | [`metastore`], [`state`] |
//! | protect, scrub, heal, read, rescan | [`Protection`] |
//! | files by position, durably | [`file`](mod@file) |

mod check;
mod error;
pub mod file;
pub mod geometry;
pub mod header;
mod heal;
mod hook;
mod identity;
pub mod metastore;
mod protect;
mod protection;
mod read;
mod report;
mod rescan;
mod run;
mod scrub;
mod set;
pub mod state;
mod status;
pub mod store;

pub use error::{Error, Result};
pub use hook::Hook;
pub use identity::{Entry, Identity, is_under, join, split};
pub use protect::{Filter, ProtectOptions, ProtectReport, UnprotectReport};
pub use protection::Protection;
pub use read::{Healing, ReadReport};
pub use report::{Count, Problem};
pub use rescan::RescanReport;
pub use run::{Progress, Rate, Run};
pub use scrub::{DamagedFile, DamagedParity, Outcome, RepairedGroup, ScrubReport};
pub use state::State;
pub use status::{FileStatus, StatusReport, Totals};
#[cfg(feature = "object")]
pub use store::ObjectStore;
pub use store::{LocalStore, Store};
