//! Finding out without writing whether what rests on little can be proved.
//!
//! A block whose `.meta` file is damaged may still have right sums, or it may belong to another
//! encode. Repair rebuilds from it what it must and lets the digests in the manifest decide.
//! Where nothing is to be written, this computes just the sums that repair would write, and
//! lets the same digests decide.

use std::fs::File;
use std::sync::Mutex;

use super::{Outcome, Reason, Terms};
use crate::failure::{Failure, Result};
use crate::heal::group::{Group, digest_of};
use crate::heal::healer::Options;
use crate::heal::pass::{self, PassBudget};
use crate::heal::tally::GroupTally;
use crate::io::write_all_at;
use crate::progress::Progress;

/// Changes the outcomes of units that rest on little to those that they would have.
pub(super) fn run(
    group: &Group,
    tally: &GroupTally,
    terms: Terms,
    budget: PassBudget,
    outcomes: &mut [Outcome],
) -> Result<()> {
    let mut metas: Vec<(usize, Mutex<File>)> = Vec::new();
    for (unit, outcome) in outcomes.iter().enumerate() {
        let in_doubt = matches!(outcome, Outcome::WouldRebuild { .. })
            && group.units()[unit].digest().is_some()
            && tally.unit(unit).rests_on_little();
        if in_doubt {
            let meta = tempfile::tempfile()
                .map_err(|error| Failure::io("create a file in", std::env::temp_dir(), error))?;
            metas.push((unit, Mutex::new(meta)));
        }
    }
    if metas.is_empty() {
        return Ok(());
    }
    let options =
        Options { rebuild_absent: true, compare: true, check_spare: true, deep: terms.deep };
    let kind = group.sum_kind();
    let write = |meta: &Mutex<File>, bytes: &[u8], offset: u64| {
        let meta = meta.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        write_all_at(&meta, bytes, offset)
            .map_err(|error| Failure::io("write to a file in", std::env::temp_dir(), error))
    };
    for (_, meta) in &metas {
        write(meta, &kind.header(), 0)?;
    }
    pass::run(group, options, budget, &Progress::hidden(), &|tile| {
        for (unit, meta) in &metas {
            for row in tile.rows.of_unit(*unit) {
                let columns = 0..tile.lens[row].div_ceil(tile.chunk);
                let sums = kind.sums(tile.unit_bytes(row, &columns));
                write(meta, &sums, kind.meta_len(tile.offset(row)))?;
            }
        }
        Ok(())
    })?;
    for (unit, meta) in metas {
        let mut meta = meta.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let digest = digest_of(&mut meta)
            .map_err(|error| Failure::io("read a file in", std::env::temp_dir(), error))?;
        if group.units()[unit].digest() != Some(digest) {
            outcomes[unit] = Outcome::LeftAlone { reason: Reason::NotInManifest };
        }
    }
    Ok(())
}
