//! `verify` and `locate` against brute force.
//!
//! With e units missing there are w = m - e surplus shards. What is guaranteed of a range in
//! which the shards of some units, the wrong ones, differ from what was encoded:
//!
//! * With none wrong it is not reported. With 1 to w wrong it is always reported: what is stored
//!   differs from a code word in at most w places, and any two code words differ in w + 1 of the
//!   k + w. From w + 1 on, the wrong shards can make up another code word; nobody can tell.
//! * A verdict `Wrong` names exactly the wrong units whenever these are no more than
//!   `holds_up_to`.
//! * It is given, with `holds_up_to` w - 1, whenever at most w - 1 units are wrong and their
//!   errors are independent over the range.
//! * It is given whenever at most w / 2 units could have made the range what it is. That set is
//!   then the only one, and is named. (For codes with very many units the search for it may be
//!   given up; none here has so many.)

use std::collections::HashMap;
use std::ops::Range;

use restripe::gf8::Matrix;
use restripe::{Consistency, ErasureCode, Location, MatrixKind, ReedSolomon, Verdict};

mod oracle;
use oracle::{Random, combined, complement, generator_row, group, rank, scaled, sets, without};

/// How the shards of the wrong units of a range differ from what was encoded.
#[derive(Clone, Copy, Debug)]
enum Error {
    /// Any bytes.
    Random,
    /// The same bytes in all, times a factor each: as dependent as can be.
    Proportional,
    /// Sums of a few rows with random factors: dependent, unless the units are as few.
    Mixed,
    /// One byte in each, each at a place of its own, which may be the same.
    SingleByte,
    /// One byte in each, all at one place.
    SameByte,
    /// One value over the whole range, another in every unit.
    Constant,
}

const ERRORS: [Error; 6] = [
    Error::Random,
    Error::Proportional,
    Error::Mixed,
    Error::SingleByte,
    Error::SameByte,
    Error::Constant,
];

impl Error {
    /// Rows for `count` units over `len` bytes, none of them all zeros.
    fn rows(self, count: usize, len: usize, random: &mut Random) -> Vec<Vec<u8>> {
        let pattern = random.bytes(len);
        let mixed = [random.bytes(len), random.bytes(len)];
        let place = random.below(len);
        let row = |random: &mut Random| match self {
            Self::Random => random.bytes(len),
            Self::Proportional => {
                let factor = Matrix::from_fn(1, 1, |_, _| random.nonzero());
                combined(&factor, &[&pattern], len).remove(0)
            }
            Self::Mixed => {
                let factors = Matrix::from_fn(1, 2, |_, _| random.byte());
                combined(&factors, &mixed, len).remove(0)
            }
            Self::SingleByte | Self::SameByte => {
                let mut row = vec![0; len];
                let place = if matches!(self, Self::SameByte) { place } else { random.below(len) };
                row[place] = random.nonzero();
                row
            }
            Self::Constant => vec![random.nonzero(); len],
        };
        let mut rows: Vec<Vec<u8>> = (0..count).map(|_| row(random)).collect();
        for row in &mut rows {
            if row.iter().all(|&byte| byte == 0) {
                row[place] = random.nonzero();
            }
        }
        rows
    }
}

/// Whether stored shards can come from a code word, for one set of stored units after another.
struct Oracle<'a> {
    code: &'a ReedSolomon,
    /// Of units that more than determine the data: what the first k make of the rest.
    checks: HashMap<Vec<usize>, Matrix>,
}

impl<'a> Oracle<'a> {
    fn new(code: &'a ReedSolomon) -> Self {
        Self { code, checks: HashMap::new() }
    }

    /// Whether some data has `units` as they are stored, over a range of bytes.
    fn agree(&mut self, shards: &[&[u8]], units: &[usize], range: &Range<usize>) -> bool {
        let (code, k) = (self.code, self.code.data_units());
        let Some((basis, rest)) = units.split_at_checked(k) else { return true };
        let check = self.checks.entry(units.to_vec()).or_insert_with(|| {
            let rows = |units: &[usize]| {
                let row = |&unit| generator_row(code.parity_rows(), unit);
                let rows: Vec<Vec<u8>> = units.iter().map(row).collect();
                Matrix::from_fn(units.len(), k, |row, column| rows[row][column])
            };
            rows(rest).product(&rows(basis).inverted().unwrap())
        });
        let byte = |unit: usize, at: usize| shards[unit].get(at).copied().unwrap_or(0);
        range.clone().all(|at| {
            let known: Vec<[u8; 1]> = basis.iter().map(|&unit| [byte(unit, at)]).collect();
            let computed = combined(check, &known, 1);
            rest.iter().zip(computed).all(|(&unit, computed)| byte(unit, at) == computed[0])
        })
    }

    /// All sets of up to `most` present units that could have made the range what it is: without
    /// them the rest agrees.
    fn explanations(
        &mut self,
        shards: &[&[u8]],
        present: &[usize],
        most: usize,
        range: &Range<usize>,
    ) -> Vec<Vec<usize>> {
        let name = |set: Vec<usize>| set.into_iter().map(|index| present[index]).collect();
        let all: Vec<Vec<usize>> = sets(present.len(), most).into_iter().map(name).collect();
        all.into_iter()
            .filter(|set| {
                let rest: Vec<usize> =
                    present.iter().copied().filter(|unit| !set.contains(unit)).collect();
                self.agree(shards, &rest, range)
            })
            .collect()
    }
}

/// What came of the ranges looked at, so that a suite can tell that it tried every kind.
#[derive(Debug, Default)]
struct Tally {
    clean: usize,
    by_columns: usize,
    by_search: usize,
    cannot_tell: usize,
    unseen: usize,
}

/// One stored group: what was encoded, what is stored, what is missing.
struct Group {
    encoded: Vec<Vec<u8>>,
    stored: Vec<Vec<u8>>,
    missing: Vec<usize>,
}

impl Group {
    fn shards(&self) -> Vec<Option<Vec<u8>>> {
        without(&self.stored, &self.missing)
    }

    /// The present units whose shards differ from what was encoded.
    fn wrong(&self, range: &Range<usize>) -> Vec<usize> {
        complement(self.stored.len(), &self.missing)
            .into_iter()
            .filter(|&unit| !self.errors(unit, range).iter().all(|&byte| byte == 0))
            .collect()
    }

    /// What the stored shard differs by over a range, zeros past its end.
    fn errors(&self, unit: usize, range: &Range<usize>) -> Vec<u8> {
        let (stored, encoded) = (&self.stored[unit], &self.encoded[unit]);
        range.clone().map(|at| stored.get(at).map_or(0, |byte| byte ^ encoded[at])).collect()
    }

    /// Runs `verify` and `locate` and holds them against everything that is guaranteed.
    fn check(&self, oracle: &mut Oracle, range_len: usize, tally: &mut Tally) {
        let code = oracle.code;
        let shards = self.shards();
        let len = shards.iter().flatten().map(Vec::len).max().unwrap();
        let surplus = code.parity_units() - self.missing.len();
        if surplus == 0 {
            let (required, available) = (code.data_units() + 1, code.data_units());
            let nothing_to_go_by = restripe::Error::TooFewUnits { required, available };
            assert_eq!(code.locate(&shards, range_len), Err(nothing_to_go_by));
            assert_eq!(code.verify(&shards), Ok(Consistency::NothingToCheck));
            return;
        }
        let mut found = code.locate(&shards, range_len).unwrap();
        let mut some_wrong = false;
        let starts: Vec<usize> = (0..len).step_by(range_len).collect();
        for &start in &starts {
            let range = start..len.min(start.saturating_add(range_len));
            let reported = found.iter().position(|location| location.range == range);
            let verdict = reported.map(|index| found.remove(index).verdict);
            some_wrong |= verdict.is_some();
            self.check_range(oracle, &range, verdict, tally);
        }
        assert_eq!(found, [], "ranges that are none");
        let expected = if some_wrong { Consistency::Inconsistent } else { Consistency::Consistent };
        assert_eq!(code.verify(&shards), Ok(expected));
    }

    fn check_range(
        &self,
        oracle: &mut Oracle,
        range: &Range<usize>,
        verdict: Option<Verdict>,
        tally: &mut Tally,
    ) {
        let code = oracle.code;
        let surplus = code.parity_units() - self.missing.len();
        let present = complement(code.total_units(), &self.missing);
        let shards: Vec<&[u8]> = self.stored.iter().map(|shard| &shard[..]).collect();
        let wrong = self.wrong(range);
        let context = || format!("{code:?}, missing {:?}, {range:?}: {wrong:?}", self.missing);

        let Some(verdict) = verdict else {
            assert!(oracle.agree(&shards, &present, range), "{}: unreported", context());
            assert!(wrong.is_empty() || wrong.len() > surplus, "{}: unreported", context());
            tally.clean += usize::from(wrong.is_empty());
            tally.unseen += usize::from(!wrong.is_empty());
            return;
        };
        assert!(!oracle.agree(&shards, &present, range), "{}: reported", context());
        assert!(!wrong.is_empty());

        // The smallest sets that explain the range; up to w / 2 units there is at most one.
        let few = oracle.explanations(&shards, &present, surplus / 2, range);
        let smallest = few.iter().map(Vec::len).min();
        let minimal: Vec<&Vec<usize>> =
            few.iter().filter(|set| Some(set.len()) == smallest).collect();
        assert!(minimal.len() <= 1, "{}: {minimal:?}", context());
        let errors: Vec<Vec<u8>> = wrong.iter().map(|&unit| self.errors(unit, range)).collect();
        let independent = rank(errors) == wrong.len();

        match verdict {
            Verdict::Wrong { units, holds_up_to } => {
                assert!(!units.is_empty() && units.is_sorted() && units.len() <= holds_up_to);
                assert!(units.iter().all(|unit| present.contains(unit)));
                if wrong.len() <= holds_up_to {
                    assert_eq!(units, wrong, "{}: named wrongly", context());
                }
                if let [only] = minimal[..] {
                    assert_eq!(&units, only, "{}: not the smallest set", context());
                }
                if holds_up_to == surplus - 1 {
                    // No set of that size explains the range without all of these.
                    for set in oracle.explanations(&shards, &present, surplus - 1, range) {
                        assert!(units.iter().all(|unit| set.contains(unit)), "{}", context());
                    }
                    tally.by_columns += 1;
                } else {
                    assert_eq!(holds_up_to, surplus / 2, "{}", context());
                    assert_eq!(minimal, [&units], "{}", context());
                    tally.by_search += 1;
                }
                if wrong.len() < surplus && independent {
                    assert_eq!(holds_up_to, surplus - 1, "{}: claims too little", context());
                }
            }
            Verdict::CannotTell => {
                assert!(minimal.is_empty(), "{}: {minimal:?} explains it", context());
                assert!(wrong.len() >= surplus || !independent, "{}: could tell", context());
                tally.cannot_tell += 1;
            }
        }
    }
}

/// A group with `count` units wrong, in one range or all over.
fn damaged(
    code: &ReedSolomon,
    len: usize,
    missing: &[usize],
    wrong: &[usize],
    error: Error,
    random: &mut Random,
) -> Group {
    let encoded = group(code, &vec![len; code.data_units()], random);
    let mut stored = encoded.clone();
    let start = if random.below(2) == 0 { 0 } else { random.below(len) };
    let end = if start == 0 { len } else { start + 1 + random.below(len - start) };
    for (&unit, row) in wrong.iter().zip(error.rows(wrong.len(), end - start, random)) {
        for (byte, error) in stored[unit][start..end].iter_mut().zip(row) {
            *byte ^= error;
        }
    }
    Group { encoded, stored, missing: missing.to_vec() }
}

#[test]
fn guarantees_hold_for_any_wrong_and_missing_units() {
    let mut random = Random(1);
    let mut tally = Tally::default();
    for (k, m) in [(3, 2), (4, 3), (6, 3), (5, 4), (10, 4)] {
        let code = ReedSolomon::new(k, m).unwrap();
        let mut oracle = Oracle::new(&code);
        for missing_count in 0..=m {
            for wrong_count in 0..=m {
                for error in ERRORS {
                    for _ in 0..scaled(1, 6, 60) {
                        let missing = random.choose(0..k + m, missing_count);
                        let present = complement(k + m, &missing);
                        let wrong = random.choose(present, wrong_count);
                        let len = 1 + random.below(2000);
                        let group = damaged(&code, len, &missing, &wrong, error, &mut random);
                        let range_len =
                            [512, 512, 1, 7, 100, 333, 1000, 5000, usize::MAX][random.below(9)];
                        let range_len = range_len.max(len / 40);
                        group.check(&mut oracle, range_len, &mut tally);
                    }
                }
            }
        }
    }
    let Tally { clean, by_columns, by_search, cannot_tell, unseen } = tally;
    for count in [clean, by_columns, by_search, cannot_tell, unseen] {
        assert!(count > 0, "{tally:?}");
    }
}

#[test]
fn guarantees_hold_for_every_set_of_wrong_units_and_every_set_of_missing_ones() {
    let mut random = Random(2);
    let mut tally = Tally::default();
    for (k, m) in scaled(&[(3, 2)][..], &[(3, 2), (4, 3)], &[(3, 2), (4, 3), (6, 3), (5, 4)]) {
        let code = ReedSolomon::new(*k, *m).unwrap();
        let mut oracle = Oracle::new(&code);
        for missing in sets(k + m, *m) {
            let present = complement(k + m, &missing);
            for wrong in sets(present.len(), *m) {
                let wrong: Vec<usize> = wrong.into_iter().map(|index| present[index]).collect();
                for error in ERRORS {
                    let group = damaged(&code, 12, &missing, &wrong, error, &mut random);
                    group.check(&mut oracle, 12, &mut tally);
                }
            }
        }
    }
}

#[test]
fn guarantees_hold_whatever_the_matrix() {
    let mut random = Random(3);
    let mut tally = Tally::default();
    for &kind in MatrixKind::ALL {
        let m = match kind {
            MatrixKind::Xor => 1,
            MatrixKind::JerasureR6 => 2,
            MatrixKind::Par1 => 3,
            _ => 4,
        };
        let code = ReedSolomon::with_matrix(5, m, kind).unwrap();
        let mut oracle = Oracle::new(&code);
        for wrong_count in 0..=m {
            for error in ERRORS {
                let missing_count = random.below(2);
                let missing = random.choose(0..5 + m, missing_count);
                let wrong = random.choose(complement(5 + m, &missing), wrong_count);
                let group = damaged(&code, 300, &missing, &wrong, error, &mut random);
                group.check(&mut oracle, 100, &mut tally);
            }
        }
    }
}

#[test]
fn guarantees_hold_for_shards_of_unequal_lengths() {
    let mut random = Random(4);
    let mut tally = Tally::default();
    let code = ReedSolomon::new(4, 3).unwrap();
    let mut oracle = Oracle::new(&code);
    for _ in 0..scaled(10, 200, 5000) {
        let lens: Vec<usize> = (0..4).map(|_| random.below(2) * random.below(300)).collect();
        let encoded = group(&code, &lens, &mut random);
        let mut stored = encoded.clone();
        let wrong_count = random.below(4);
        for unit in random.choose(0..7, wrong_count) {
            if let Some(last) = stored[unit].last_mut() {
                *last ^= random.nonzero();
            }
        }
        let missing_count = random.below(3);
        let missing = random.choose(0..7, missing_count);
        let group = Group { encoded, stored, missing };
        if group.shards().iter().flatten().any(|shard| !shard.is_empty()) {
            group.check(&mut oracle, 1 + random.below(100), &mut tally);
        }
    }
    assert!(tally.by_columns > 0 && tally.clean > 0);
}

/// The verdict of a range, `None` where it is not reported.
fn verdict(found: &[Location], range: Range<usize>) -> Option<&Verdict> {
    found.iter().find(|location| location.range == range).map(|location| &location.verdict)
}

#[test]
fn one_more_wrong_unit_than_there_are_surplus_ones_can_go_unseen() {
    let mut random = Random(5);
    for (k, m) in [(3, 2), (6, 3), (10, 4)] {
        let code = ReedSolomon::new(k, m).unwrap();
        let encoded = group(&code, &vec![512; k], &mut random);
        for surplus in 1..=m {
            let missing = random.choose(0..k + m, m - surplus);
            let present = complement(k + m, &missing);
            // A code word with bytes other than 0 in surplus + 1 units: the others are k - 1
            // zeros, which with one unit more determine the rest.
            let wrong = random.choose(present.iter().copied(), surplus + 1);
            let others: Vec<usize> =
                present.iter().copied().filter(|unit| !wrong.contains(unit)).collect();
            assert_eq!(others.len(), k - 1);
            let inputs = [&others[..], &wrong[..1]].concat();
            let mut values = vec![vec![0; 512]; k - 1];
            values.push(random.bytes(512).iter().map(|&byte| byte.max(1)).collect());
            let coefficients = code.plan(&inputs, &wrong[1..]).unwrap().coefficients();
            let mut errors = combined(&coefficients, &values, 512);
            errors.insert(0, values.pop().unwrap());
            let mut stored = encoded.clone();
            for (&unit, row) in wrong.iter().zip(&errors) {
                assert!(row.iter().all(|&byte| byte != 0));
                stored[unit].iter_mut().zip(row).for_each(|(byte, error)| *byte ^= error);
            }
            let shards = without(&stored, &missing);
            assert_eq!(code.verify(&shards), Ok(Consistency::Consistent));
            assert_eq!(code.locate(&shards, 512), Ok(Vec::new()));
            // Any fewer of them are seen.
            stored[wrong[0]].clone_from(&encoded[wrong[0]]);
            let shards = without(&stored, &missing);
            assert_eq!(code.verify(&shards), Ok(Consistency::Inconsistent));
            assert_eq!(code.locate(&shards, 512).unwrap().len(), 1);
        }
    }
}

#[test]
fn with_one_surplus_shard_damage_is_seen_but_not_placed_and_with_none_not_seen() {
    let mut random = Random(6);
    let code = ReedSolomon::new(6, 3).unwrap();
    let mut shards = group(&code, &[1024; 6], &mut random);
    shards[4][700] ^= 1;
    let one = without(&shards, &[0, 8]);
    assert_eq!(code.verify(&one), Ok(Consistency::Inconsistent));
    let found = code.locate(&one, 512).unwrap();
    assert_eq!(found, [Location { range: 512..1024, verdict: Verdict::CannotTell }]);
    let none = without(&shards, &[0, 1, 8]);
    assert_eq!(code.verify(&none), Ok(Consistency::NothingToCheck));
    let nothing_to_go_by = restripe::Error::TooFewUnits { required: 7, available: 6 };
    assert_eq!(code.locate(&none, 512), Err(nothing_to_go_by));
}

#[test]
fn every_range_has_a_verdict_of_its_own() {
    let mut random = Random(7);
    let code = ReedSolomon::new(6, 3).unwrap();
    let mut shards = group(&code, &[512 * 5 + 77; 6], &mut random);
    shards[2][0] ^= 0x80; // the first byte of range 0
    shards[8][1023] ^= 1; // the last one of range 1
    for at in 1536..2048 {
        shards[0][at] ^= random.nonzero(); // all of range 3, in two units
        shards[7][at] ^= random.nonzero();
    }
    for unit in 1..5 {
        shards[unit][2048 + unit] ^= 7; // four units of range 4: one more than can be seen
    }
    shards[5][512 * 5 + 76] ^= 1; // the last byte, in a range that is shorter
    let found = code.locate(&without(&shards, &[]), 512).unwrap();
    let wrong = |units: &[usize]| Verdict::Wrong { units: units.into(), holds_up_to: 2 };
    assert_eq!(verdict(&found, 0..512), Some(&wrong(&[2])));
    assert_eq!(verdict(&found, 512..1024), Some(&wrong(&[8])));
    assert_eq!(verdict(&found, 1024..1536), None);
    assert_eq!(verdict(&found, 1536..2048), Some(&wrong(&[0, 7])));
    assert_eq!(verdict(&found, 2048..2560), Some(&Verdict::CannotTell));
    assert_eq!(verdict(&found, 2560..2637), Some(&wrong(&[5])));
    assert_eq!(found.len(), 5);
    assert!(found.is_sorted_by_key(|location| location.range.start));
}

#[test]
fn zeros_at_the_end_of_any_shard_need_not_be_stored() {
    let mut random = Random(12);
    let code = ReedSolomon::new(3, 2).unwrap();
    let mut shards = group(&code, &[500; 3], &mut random);
    for shard in &mut shards {
        shard.resize(100_000, 0);
    }
    for cut in 0..5 {
        let mut stored = shards.clone();
        stored[cut].truncate(700);
        assert_eq!(code.verify(&without(&stored, &[])), Ok(Consistency::Consistent));
        // Damage at the beginning leaves no trace in what is computed of the rest.
        for wrong in 0..5 {
            stored[wrong][3] ^= 1;
            let verdict = Verdict::Wrong { units: vec![wrong], holds_up_to: 1 };
            for range_len in [512, 1000, 9000] {
                let found = code.locate(&without(&stored, &[]), range_len).unwrap();
                let expected = Location { range: 0..range_len, verdict: verdict.clone() };
                assert_eq!(found, [expected], "unit {wrong} is wrong, {cut} is cut");
            }
            stored[wrong][3] ^= 1;
        }
    }
}

#[test]
fn ranges_longer_than_what_is_computed_at_a_time_are_one_range() {
    let mut random = Random(8);
    for (k, m) in [(3, 2), (10, 4), (20, 40)] {
        let code = ReedSolomon::new(k, m).unwrap();
        let len = 50_000;
        // The kernel's parity: that it is right is another suite's subject.
        let mut shards: Vec<Vec<u8>> = (0..k).map(|_| random.bytes(len)).collect();
        let mut parity = vec![vec![0; len]; m];
        code.encode(&shards, &mut parity).unwrap();
        shards.extend(parity);
        for range_len in [20_000, 20_001, 16_384, 4097, len, usize::MAX] {
            let mut stored = shards.clone();
            // One unit is wrong at the beginning of a range and again at its end; where two can
            // be told, another in its middle.
            let start = if range_len < len { range_len } else { 0 };
            let range = start..len.min(start.saturating_add(range_len));
            stored[1][range.start] ^= 3;
            stored[1][range.end - 1] ^= 9;
            let mut units = vec![1];
            if m > 2 {
                stored[k][range.start + range.len() / 2] ^= 5;
                units.push(k);
            }
            let found = code.locate(&without(&stored, &[]), range_len).unwrap();
            let verdict = Verdict::Wrong { units, holds_up_to: m - 1 };
            assert_eq!(found, [Location { range, verdict }], "{code:?}, {range_len}");
        }
    }
}

#[test]
fn finds_a_wrong_unit_in_codes_of_many_units() {
    let mut random = Random(9);
    for (k, m) in [(200, 56), (250, 2), (1, 255), (128, 128)] {
        let code = ReedSolomon::new(k, m).unwrap();
        let mut shards = group(&code, &vec![40; k], &mut random);
        for unit in [0, k - 1, k, k + m - 1] {
            let error = random.nonzero();
            shards[unit][33] ^= error;
            let found = code.locate(&without(&shards, &[]), 16).unwrap();
            let verdict = Verdict::Wrong { units: vec![unit], holds_up_to: m - 1 };
            assert_eq!(found, [Location { range: 32..40, verdict }]);
            shards[unit][33] ^= error;
        }
    }
}

#[test]
fn dependent_errors_are_placed_where_there_are_few_sets_of_units_to_try() {
    let mut random = Random(11);
    for (k, m, wrong, is_placed) in [
        (100, 6, &[3, 99][..], true),
        (100, 6, &[40, 50, 105], false), // past the first 20,000 sets
        (100, 6, &[0, 50, 105], true),
        (20, 8, &[0, 5, 27], true),
        (20, 8, &[0, 5, 21, 27], true),
        (250, 2, &[249], true),
    ] {
        let code = ReedSolomon::new(k, m).unwrap();
        let mut shards = group(&code, &vec![64; k], &mut random);
        let errors = Error::Proportional.rows(wrong.len(), 64, &mut random);
        for (&unit, row) in wrong.iter().zip(errors) {
            shards[unit].iter_mut().zip(row).for_each(|(byte, error)| *byte ^= error);
        }
        let found = code.locate(&without(&shards, &[]), 64).unwrap();
        let holds_up_to = if wrong.len() == 1 { m - 1 } else { m / 2 };
        let verdict = if is_placed {
            Verdict::Wrong { units: wrong.into(), holds_up_to }
        } else {
            Verdict::CannotTell
        };
        assert_eq!(found, [Location { range: 0..64, verdict }], "{code:?}");
    }
}

#[test]
fn codes_that_are_not_mds_notice_what_the_other_units_determine() {
    let mut random = Random(10);
    let rows = Matrix::from_fn(3, 4, |row, column| {
        [[1, 1, 0, 0], [0, 0, 1, 1], [1, 2, 4, 8]][row][column]
    });
    let code = ReedSolomon::builder(4, 3).parity_rows(rows).accept_unchecked().build().unwrap();
    let shards = group(&code, &[100; 4], &mut random);
    let mut seen = [0; 3];
    for missing in sets(7, 7) {
        let present = complement(7, &missing);
        let row = |unit: &usize| generator_row(code.parity_rows(), *unit);
        let has_surplus = rank(present.iter().map(row).collect()) < present.len();
        let clean = code.verify(&without(&shards, &missing)).unwrap();
        assert_eq!(clean == Consistency::Consistent, has_surplus, "missing {missing:?}");
        assert_eq!(clean == Consistency::NothingToCheck, !has_surplus, "missing {missing:?}");
        for &unit in &present {
            // A wrong unit is seen if the others determine it.
            let others: Vec<usize> = present.iter().copied().filter(|&u| u != unit).collect();
            let expected = if !has_surplus {
                Consistency::NothingToCheck
            } else if oracle::determine(code.parity_rows(), &others, unit) {
                Consistency::Inconsistent
            } else {
                Consistency::Consistent
            };
            let mut stored = shards.clone();
            stored[unit][99] ^= 0x40;
            assert_eq!(code.verify(&without(&stored, &missing)), Ok(expected));
            seen[expected as usize] += 1;
        }
    }
    assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
    // Any two columns of its parity check matrix are independent, and some three are not.
    let mut stored = shards.clone();
    stored[4][7] ^= 1;
    let found = code.locate(&without(&stored, &[]), 512).unwrap();
    let verdict = Verdict::Wrong { units: vec![4], holds_up_to: 1 };
    assert_eq!(found, [Location { range: 0..100, verdict }]);
    stored[0][8] ^= 1;
    let found = code.locate(&without(&stored, &[]), 512).unwrap();
    assert_eq!(found, [Location { range: 0..100, verdict: Verdict::CannotTell }]);
    assert_eq!(code.locate(&without(&shards, &[]), 512), Ok(Vec::new()));
}
