//! The old bugs put back, one at a time: the suites `rounds` and `round_simulation` must find
//! each of them. Compiles the crate once for each, so it runs only where it is asked for:
//!
//! ```text
//! cargo test --features hdfs --test round_mutants -- --ignored --nocapture
//! ```
//!
//! `RESTRIPE_MUTANTS` names some of them.
#![cfg(feature = "hdfs")]

#[path = "common/mutants.rs"]
mod mutants;

use mutants::{Mutant, all_are_found};

const MUTANTS: &[Mutant] = &[
    Mutant {
        does: "computes every missing unit, whatever was asked for",
        edits: &[(
            "request.rs",
            "    if !targets.is_empty() {\n        return",
            "    if targets.len() > 256 {\n        return",
        )],
    },
    Mutant {
        does: "takes inputs in the order of completion, not by unit",
        edits: &[(
            "job.rs",
            "for (slot, read) in data.iter_mut().zip(reads) {\n            let input = self.inputs.iter().find(|input| input.row == read.unit);",
            "for (place, slot) in data.iter_mut().take(reads.len()).enumerate() {\n            let input = self.inputs.get(place);",
        )],
    },
    Mutant {
        does: "sends zeros to parity targets",
        edits: &[(
            "job.rs",
            "for output in &mut part.outputs {\n",
            "for (output, &unit) in part.outputs.iter_mut().zip(self.plan.plan().outputs()) {\n                if unit >= self.inputs.len() {\n                    output.data.fill(0);\n                }\n",
        )],
    },
    Mutant {
        does: "never sends the last packet where a round has nothing left for a target",
        edits: &[(
            "target.rs",
            "is_complete || spans_rounds",
            "(is_complete && queued > 0) || spans_rounds",
        )],
    },
    Mutant {
        does: "counts a target as rebuilt before its acknowledgements are back",
        edits: &[(
            "target.rs",
            "Ok(self.last_is_sent && self.unacked.is_empty())",
            "Ok(self.last_is_sent)",
        )],
    },
    Mutant {
        does: "takes a late read of another round for one of this round",
        edits: &[(
            "reading.rs",
            "Some(round.number) == reading.round && round.is_reading()",
            "(Some(round.number) == reading.round || reading.round.is_none()) && round.is_reading()",
        )],
    },
    Mutant {
        does: "takes a short read for a whole one",
        edits: &[(
            "reading.rs",
            "ReadOutcome::Read(len) if len < read.len =>",
            "ReadOutcome::Read(len) if len > read.len =>",
        )],
    },
    Mutant {
        does: "counts two sources of one unit twice",
        edits: &[(
            "choosing.rs",
            "if !core::mem::replace(&mut self.is_listed[unit], true) {",
            "if !core::mem::replace(&mut self.is_listed[unit], false) {",
        )],
    },
    Mutant {
        does: "rebuilds unit 0 where no target is named",
        edits: &[(
            "request.rs",
            "    if !targets.is_empty() {\n        return targets.to_vec();\n    }",
            "    if !targets.is_empty() {\n        return targets.to_vec();\n    }\n    if !sources.is_empty() {\n        return alloc::vec![0];\n    }",
        )],
    },
    Mutant {
        does: "decodes as if erased units were in ascending order",
        edits: &[(
            "goal.rs",
            "        rows.collect()\n",
            "        let mut rows: Vec<usize> = rows.collect();\n        rows.sort_unstable();\n        rows\n",
        )],
    },
    Mutant {
        does: "reads no round before the one before it is computed",
        edits: &[("reading.rs", "self.rounds.len() < MAX_ROUNDS", "self.rounds.is_empty()")],
    },
    Mutant {
        does: "hedges without a cap for each round",
        edits: &[(
            "choosing.rs",
            "round.hedges < self.config.max_hedges_per_round",
            "round.hedges < usize::MAX",
        )],
    },
    Mutant {
        does: "hedges without a cap for the group",
        edits: &[(
            "choosing.rs",
            "self.totals.hedges < self.config.max_hedges",
            "self.totals.hedges < u64::MAX",
        )],
    },
    Mutant {
        does: "does not verify what was read",
        edits: &[("job.rs", "if self.verify {", "if self.verify && range.is_empty() {")],
    },
    Mutant {
        does: "does not compare extra sources",
        edits: &[(
            "job.rs",
            "let contradiction = if self.compare {",
            "let contradiction = if self.compare && self.span.len == 0 {",
        )],
    },
    Mutant {
        does: "blames an innocent source for what two liars do",
        edits: &[(
            "computing.rs",
            "            && holds_up_to >= self.config.extra_sources;",
            "            && holds_up_to > 0;",
        )],
    },
    Mutant {
        does: "waits for a stalled read for ever",
        edits: &[(
            "source.rs",
            "let reading = self.reading.as_ref().map(|reading| reading.deadline);",
            "let reading = self.reading.as_ref().map(|_| Duration::MAX);",
        )],
    },
    Mutant {
        does: "waits for acknowledgements for ever",
        edits: &[(
            "target.rs",
            "self.unacked.front().map(|packet| packet.deadline)",
            "self.unacked.front().map(|_| Duration::MAX)",
        )],
    },
    Mutant {
        does: "lets a target wait without a word",
        edits: &[(
            "target.rs",
            "        let last = self.last_packet_at.filter(|_| waits)?;",
            "        let last = self.last_packet_at.filter(|_| waits && self.len == 0)?;",
        )],
    },
    Mutant {
        does: "does not compare extra sources of codes with sub-shards",
        edits: &[("job.rs", "return self.name_liars(&shards).map(Some);", "return Ok(None);")],
    },
    Mutant {
        does: "names liars where others could be it",
        edits: &[("job.rs", "holds_up_to: surplus - 1 }", "holds_up_to: surplus }")],
    },
    Mutant {
        does: "reads each part of a cell by itself for a range of several",
        edits: &[(
            "goal.rs",
            "            if !rows.is_empty() {\n",
            "            while rows.len() > 1 {\n                let row = rows.remove(0);\n                parts.push(Part { range: start..end, rows: [row].into() });\n            }\n            if !rows.is_empty() {\n",
        )],
    },
    Mutant {
        does: "keeps sources of a search that was made for other ones",
        edits: &[(
            "choosing.rs",
            "if (&searched.costs, &searched.missing) != (&costs, &missing) {",
            "if searched.costs.is_empty() {",
        )],
    },
    Mutant {
        does: "gives a source up for a damaged chunk that was to be left out",
        edits: &[("damage.rs", "is_left_out && !self.is_over", "is_left_out && self.is_over")],
    },
    Mutant {
        does: "goes on behind what a round was to be before it was cut at damage",
        edits: &[("damage.rs", "self.go_back_behind(&span);", "let _ = span;")],
    },
    Mutant {
        does: "does not end rounds where damage begins or ends",
        edits: &[(
            "damage.rs",
            "bounds.filter(|&bound| bound > start)",
            "bounds.filter(|&bound| bound < start)",
        )],
    },
    Mutant {
        does: "does not compare all sources that it was to read",
        edits: &[("computing.rs", "|| self.is_surplus_read(&plan)", "")],
    },
    Mutant {
        does: "reads a source again whose stand-in was faster",
        edits: &[(
            "reading.rs",
            "if !round.answered(ask) {",
            "if round.has_done(ask.row) || !round.answered(ask) {",
        )],
    },
    Mutant {
        does: "forgets the buffer of a read that was cancelled",
        edits: &[(
            "reading.rs",
            "ReadOutcome::Cancelled if is_cancelled => {\n                self.bring_home(read.buffer);",
            "ReadOutcome::Cancelled if is_cancelled => {\n                drop(read);",
        )],
    },
];

#[test]
#[ignore = "compiles the crate once for each mutant"]
fn every_old_bug_is_found() {
    let suites = ["--test=rounds", "--test=rounds_damage", "--test=rounds_reading_less"];
    let tests = ["test", "--offline", "--features=hdfs", "--test=round_simulation"];
    all_are_found("round-mutants", "src/round", MUTANTS, "small", &[&tests[..], &suites].concat());
}
