//! Mending a group: writing anew what healing put right, and never touching what is good.
//!
//! A block that needs it is written to a new file beside the old one: the old one's good bytes
//! copied, the healed ones put in their places. When the group has been gone through, each new
//! file is put on the disk, read back and compared with its sums, and the sums with the
//! manifest's digest; only then it takes the old one's place. A block with anything in it that
//! cannot be healed is left exactly as it is. So at every moment each name holds either the old
//! file or the whole new one, and no chunk that was good becomes bad.

use schemars::JsonSchema;
use serde::Serialize;

use crate::failure::Result;
use crate::folder::Folder;
use crate::heal::group::Group;
use crate::heal::healer::Options;
use crate::heal::pass::{self, PassBudget};
use crate::heal::tally::GroupTally;
use crate::io::sync_folder;
use crate::parallel;
use crate::progress::Progress;

pub mod manifest;
mod prove;
mod unit;

use unit::UnitMend;

/// How to mend.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Also rebuild what only parity shows to be wrong.
    pub deep: bool,
    /// Also rebuild from data that nothing proves.
    pub trust_unverified: bool,
    /// Put everything on the disk before it counts.
    pub durable: bool,
    /// Write nothing.
    pub dry_run: bool,
}

/// What was done with a block and its `.meta` file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing was wrong with them.
    Verified,
    /// Written anew, read back and compared.
    Rebuilt {
        /// The block was written.
        block: bool,
        /// The `.meta` file was written.
        meta: bool,
    },
    /// Would be written anew (`--dry-run`).
    WouldRebuild {
        /// The block would be written.
        block: bool,
        /// The `.meta` file would be written.
        meta: bool,
    },
    /// Left exactly as they were.
    LeftAlone {
        /// Why.
        #[serde(flatten)]
        reason: Reason,
    },
}

/// Why a damaged block was left as it was; each is worse than the one before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// It could be rebuilt only from data that nothing proves.
    Unproven,
    /// Blocks with right sums disagree, and it cannot be told which is wrong.
    Contradicted,
    /// No file of the group tells its generation stamp, so the `.meta` file has no name.
    GenerationUnknown,
    /// The system refused something.
    System {
        /// What, where, and what it said.
        error: String,
    },
    /// What was written did not read back the same.
    ReadBack,
    /// What was rebuilt is not what the manifest says was there: some source is wrong although
    /// its sums agree.
    NotInManifest,
    /// The good units of a stripe do not give it back.
    Lost,
}

/// What was done in a group.
#[derive(Debug)]
pub struct Mended {
    /// What was found.
    pub tally: GroupTally,
    /// What was done with each unit.
    pub outcomes: Vec<Outcome>,
}

/// Mends a group.
///
/// # Errors
///
/// [`Failure::Engine`](crate::failure::Failure::Engine). What the system refuses for one block is
/// that block's [`Reason`], and the others go on.
pub fn run(
    folder: &Folder,
    group: &Group,
    terms: Terms,
    budget: PassBudget,
    progress: &Progress,
) -> Result<Mended> {
    let options = Options {
        rebuild_absent: !terms.dry_run,
        compare: true,
        check_spare: true,
        deep: terms.deep,
    };
    let tally = GroupTally::new(group);
    let units: Vec<UnitMend<'_>> =
        (0..group.units().len()).map(|unit| UnitMend::new(folder, group, unit, terms)).collect();
    pass::run(group, options, budget, progress, &|tile| {
        tally.add(tile);
        units.iter().for_each(|unit| unit.take(tile));
        Ok(())
    })?;
    // Several at a time: reading back is most of it.
    let mut outcomes = parallel::map(units.len(), budget.workers, |unit| units[unit].finish());
    if terms.dry_run {
        prove::run(group, &tally, terms, budget, &mut outcomes)?;
    }
    let renamed = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Rebuilt { .. }));
    if renamed && terms.durable {
        sync_folder(folder.path())?;
    }
    Ok(Mended { tally, outcomes })
}
