//! Faults planted in the library, one at a time: the model must find each of them. Compiles the crate
//! once for each, so it runs only where it is asked for:
//!
//! ```text
//! cargo test -p restripe-block-ec --test model_mutants -- --ignored --nocapture
//! ```
//!
//! `RESTRIPE_MUTANTS` names some of them.

#[path = "../../tests/common/mutants.rs"]
mod mutants;

use mutants::{Mutant, all_are_found};

const MUTANTS: &[Mutant] = &[
    Mutant {
        does: "heals a file back to what it was before its owner wrote it",
        edits: &[
            (
                "scrub.rs",
                "        if now != record.identity {\n",
                "        if now.len != record.identity.len {\n",
            ),
            (
                "store/local/draft.rs",
                "if system::identity(&metadata) != *meant {",
                "if metadata.len() != meant.len {",
            ),
            (
                "store/local/draft.rs",
                "if there != *meant || system::identity(&old.metadata()?) != *meant {",
                "if there.len != meant.len {",
            ),
        ],
    },
    Mutant {
        does: "takes chunks for good whatever their checksums are",
        edits: &[(
            "set.rs",
            ".map(|(found, sum)| found == sum).collect()",
            ".map(|(found, sum)| found.len() == sum.len()).collect()",
        )],
    },
    Mutant {
        does: "rebuilds from chunks that are bad",
        edits: &[("set.rs", "!zero(unit) && !is_bad(unit)", "!zero(unit)")],
    },
    Mutant {
        does: "calls a file healthy that is beyond repair",
        edits: &[(
            "scrub.rs",
            "Verdict::Lost => change.set_state(path, State::Damaged)?",
            "Verdict::Lost => change.set_state(path, State::Healthy)?",
        )],
    },
    Mutant {
        does: "leaves drafts of files where they are when a process has died",
        edits: &[(
            "protection.rs",
            "self.data.settle(path, number, Some(replaced), draft.as_ref())?;",
            "let _ = (path, replaced, draft);",
        )],
    },
    Mutant {
        does: "takes a file for what its parity was made of without comparing bytes, in a rescan",
        edits: &[("rescan.rs", "if digest == member.digest && ", "if digest[0] <= 255 && ")],
    },
    Mutant {
        does: "gives numbers of parity files anew after a rescan",
        edits: &[("rescan.rs", "change.number_from(self.highest + 1)?;", "")],
    },
    Mutant {
        does: "keeps the parity of a file that was edited",
        edits: &[(
            "protect/survey.rs",
            "if *identity == entry.identity =>",
            "if identity.len == entry.identity.len =>",
        )],
    },
    Mutant {
        does: "keeps a file healthy of which a scrub saw that its owner has changed it",
        edits: &[(
            "scrub.rs",
            "Verdict::Changed => change.set_changed(path)?",
            "Verdict::Changed => {}",
        )],
    },
    Mutant {
        does: "removes parity while files are still covered by it",
        edits: &[(
            "protect/mod.rs",
            "if dry_run {\n            return Ok(report);\n        }\n        let parities: Vec<i64> = parities.into_iter().collect();",
            "if dry_run {\n            return Ok(report);\n        }\n        let parities: Vec<i64> = parities.into_iter().collect();\n        for &parity in &parities {\n            if let Some(record) = self.metastore.parity(parity)? {\n                self.parity.remove(&crate::protection::parity_path(record.sequence))?;\n            }\n        }",
        )],
    },
];

#[test]
#[ignore = "compiles the crate once for each mutant"]
fn every_planted_fault_is_found() {
    let tests = ["test", "--offline", "--package=restripe-block-ec", "--test=model"];
    all_are_found("model-mutants", "block-ec/src", MUTANTS, "full", &tests);
}
