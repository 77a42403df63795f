//! Calls that no code can answer: each is an `Error` with the numbers that were wrong, never a
//! panic, and outputs are as they were.

use restripe::gf8::Matrix;
use restripe::{ErasureCode, Error, KernelId, MatrixKind, Mds, Plan, ReedSolomon, Result};

mod oracle;
use oracle::{Random, group, without};

const FILLER: u8 = 0xEE;

/// Asserts an error and what it says.
#[track_caller]
fn refused<T>(result: Result<T>, expected: Error, says: &str) {
    let error = result.map(drop).unwrap_err();
    assert_eq!(error, expected);
    assert_eq!(error.to_string(), says);
}

fn count(what: &'static str, expected: usize, got: usize) -> Error {
    Error::Count { what, expected, got }
}

fn length(what: &'static str, index: usize, expected: usize, got: usize) -> Error {
    Error::Length { what, index, expected, got }
}

fn unchanged(buffers: &[Vec<u8>]) -> bool {
    buffers.iter().flatten().all(|&byte| byte == FILLER)
}

fn rs_3_2() -> ReedSolomon {
    ReedSolomon::new(3, 2).unwrap()
}

#[test]
fn numbers_of_units_that_no_code_has() {
    let kind = "cauchy";
    for (data_units, parity_units) in [
        (0, 0),
        (0, 2),
        (3, 0),
        (256, 1),
        (1, 256),
        (128, 129),
        (usize::MAX, 1),
        (1, usize::MAX),
        (usize::MAX, usize::MAX),
    ] {
        refused(
            ReedSolomon::new(data_units, parity_units),
            Error::UnitCounts { kind, data_units, parity_units, max_units: 256 },
            &format!(
                "{data_units} data and {parity_units} parity units: cauchy takes 1 to 256 units \
                 in all, at least one of each"
            ),
        );
        for &kind in MatrixKind::ALL {
            assert!(ReedSolomon::with_matrix(data_units, parity_units, kind).is_err());
            assert!(kind.parity_rows(data_units, parity_units).is_err());
        }
        let custom = ReedSolomon::builder(data_units, parity_units).parity_rows(Matrix::zero(2, 3));
        let refusal = custom.accept_unchecked().build().unwrap_err();
        assert!(matches!(refusal, Error::UnitCounts { kind: "custom", .. }), "{refusal}");
    }
    assert_eq!(ReedSolomon::new(255, 1).unwrap().total_units(), 256);
    assert_eq!(ReedSolomon::new(1, 255).unwrap().total_units(), 256);
}

#[test]
fn numbers_of_units_that_a_kind_of_matrix_does_not_have() {
    refused(
        ReedSolomon::with_matrix(200, 56, MatrixKind::RsLegacy),
        Error::UnitCounts { kind: "rs-legacy", data_units: 200, parity_units: 56, max_units: 255 },
        "200 data and 56 parity units: rs-legacy takes 1 to 255 units in all, at least one of each",
    );
    refused(
        ReedSolomon::with_matrix(5, 2, MatrixKind::Xor),
        Error::ParityUnits { kind: "xor", parity_units: 2, max_parity_units: 1 },
        "2 parity units: xor takes at most 1",
    );
    refused(
        ReedSolomon::with_matrix(5, 1, MatrixKind::JerasureR6),
        count("parity units", 2, 1),
        "1 parity units, expected 2",
    );
    let invalid = ReedSolomon::with_matrix(5, 2, MatrixKind::Custom).unwrap_err();
    assert!(matches!(invalid, Error::Invalid { what: "matrix kind", .. }), "{invalid}");
}

#[test]
fn a_matrix_that_may_not_repair_every_loss_is_taken_only_when_the_caller_says_so() {
    let (kind, data_units, parity_units) = ("par1", 5, 4);
    refused(
        ReedSolomon::with_matrix(5, 4, MatrixKind::Par1),
        Error::NotMds { kind, data_units, parity_units },
        "the par1 matrix for 5 data and 4 parity units is not MDS: some losses of 4 units \
         cannot be repaired (the builder's accept_unchecked takes it all the same)",
    );
    // Too many minors to compute, none of the small ones 0.
    let rows = MatrixKind::Cauchy.parity_rows(100, 20).unwrap();
    let custom = ReedSolomon::builder(100, 20).parity_rows(rows);
    let (kind, data_units, parity_units) = ("custom", 100, 20);
    refused(
        custom.clone().build(),
        Error::MdsUnknown { kind, data_units, parity_units },
        "whether the custom matrix for 100 data and 20 parity units is MDS is not known (the \
         builder's accept_unchecked takes it all the same)",
    );
    let code = custom.accept_unchecked().build().unwrap();
    assert_eq!(code.mds(), Mds::Unchecked);
    assert_eq!(code.locate(&vec![Some([0; 4]); 120], 4), Ok(Vec::new()));
}

#[test]
fn a_matrix_of_another_shape_than_the_code() {
    let build = |rows, columns| {
        let rows = Matrix::from_fn(rows, columns, |_, _| 1);
        ReedSolomon::builder(3, 2).parity_rows(rows).accept_unchecked().build()
    };
    refused(build(1, 3), count("parity rows", 2, 1), "1 parity rows, expected 2");
    refused(
        build(2, 4),
        count("columns of parity rows", 3, 4),
        "4 columns of parity rows, expected 3",
    );
    assert!(build(0, 0).is_err());
    assert!(build(2, 3).is_ok());
}

#[test]
fn encoding_from_or_to_other_shards_than_the_code_has() {
    let code = rs_3_2();
    let data = [vec![1; 5], vec![2; 3], vec![3; 0]];
    type Call = fn(&ReedSolomon, &[Vec<u8>], &mut [Vec<u8>]) -> Result<()>;
    let calls: &[Call] = &[
        |code, data, parity| code.encode(data, parity),
        |code, data, parity| code.encode_verified(data, parity, 7),
        #[cfg(feature = "rayon")]
        |code, data, parity| code.encode_parallel(data, parity),
    ];
    for encode in calls {
        let mut parity = vec![vec![FILLER; 5]; 3];
        let mut call = |data: &[Vec<u8>], lens: &[usize], expected: Error, says: &str| {
            for (shard, &len) in parity.iter_mut().zip(lens) {
                *shard = vec![FILLER; len];
            }
            refused(encode(&code, data, &mut parity[..lens.len()]), expected, says);
            assert!(unchanged(&parity));
        };
        call(&data[..2], &[5, 5], count("data shards", 3, 2), "2 data shards, expected 3");
        call(&[], &[5, 5], count("data shards", 3, 0), "0 data shards, expected 3");
        call(&data, &[5], count("parity shards", 2, 1), "1 parity shards, expected 2");
        call(&data, &[5; 3], count("parity shards", 2, 3), "3 parity shards, expected 2");
        call(
            &data,
            &[5, 4],
            length("parity shard", 1, 5, 4),
            "parity shard 1 has 4 bytes, expected 5",
        );
        call(
            &data,
            &[6, 6],
            length("parity shard", 0, 5, 6),
            "parity shard 0 has 6 bytes, expected 5",
        );
        call(
            &data,
            &[0, 0],
            length("parity shard", 0, 5, 0),
            "parity shard 0 has 0 bytes, expected 5",
        );
    }
}

#[test]
fn updating_with_what_does_not_fit() {
    let code = rs_3_2();
    let mut parity = vec![vec![FILLER; 5]; 2];
    for unit in [3, 4, usize::MAX] {
        refused(
            code.update(unit, &[1], &[2], &mut parity),
            Error::NotADataUnit { unit, data_units: 3 },
            &format!("unit {unit} is no data unit: those are 0 to 2"),
        );
    }
    let one = code.update(0, &[1], &[2], &mut parity[..1]);
    refused(one, count("parity shards", 2, 1), "1 parity shards, expected 2");
    for (old, new) in [(6, 1), (1, 6), (6, 6), (4, 0), (3, 4)] {
        let longer = old.max(new);
        refused(
            code.update(0, &vec![1; old], &vec![2; new], &mut parity),
            length("parity shard", 0, longer, 5),
            &format!("parity shard 0 has 5 bytes, expected {longer}"),
        );
    }
    assert!(unchanged(&parity));
    let mut uneven = vec![vec![FILLER; 5], vec![FILLER; 4]];
    let result = code.update(0, &[1; 5], &[2], &mut uneven);
    assert_eq!(result, Err(length("parity shard", 1, 5, 4)));
    assert!(unchanged(&uneven));
    // Nothing changes: nothing is needed.
    code.update(0, &[], &[], &mut [[], []]).unwrap();
}

#[test]
fn progressive_encoding_misused() {
    let code = rs_3_2();
    let mut parity = vec![vec![FILLER; 5]; 3];
    refused(
        code.progressive(&mut parity).map(drop),
        count("parity shards", 2, 3),
        "3 parity shards, expected 2",
    );
    parity[1].pop();
    let uneven = code.progressive(&mut parity[..2]).map(drop);
    assert_eq!(uneven, Err(length("parity shard", 1, 5, 4)));
    assert!(unchanged(&parity));

    let data = [vec![1; 5], vec![2; 4], vec![3; 1]];
    let mut expected = vec![vec![0; 5]; 2];
    code.encode(&data, &mut expected).unwrap();
    let mut parity = vec![vec![FILLER; 5]; 2];
    let mut progressive = code.progressive(&mut parity).unwrap();
    progressive.add(2, &data[2]).unwrap();
    refused(
        progressive.add(2, &data[2]),
        Error::DuplicateUnit { unit: 2 },
        "unit 2 is named twice",
    );
    refused(
        progressive.add(3, &data[0]),
        Error::NotADataUnit { unit: 3, data_units: 3 },
        "unit 3 is no data unit: those are 0 to 2",
    );
    refused(
        progressive.add(0, &[9; 6]),
        Error::TooLong { what: "data shard", index: 0, most: 5, got: 6 },
        "data shard 0 has 6 bytes, expected at most 5",
    );
    progressive.add(0, &data[0]).unwrap();
    assert_eq!(progressive.missing().collect::<Vec<_>>(), [1]);
    // None of what was refused has left a trace.
    progressive.add(1, &data[1]).unwrap();
    progressive.finish().unwrap();
    assert_eq!(parity, expected);

    let mut progressive = code.progressive(&mut parity).unwrap();
    progressive.add(1, &data[1]).unwrap();
    refused(
        progressive.finish(),
        Error::NotAdded { unit: 0, missing: 2, data_units: 3 },
        "data unit 0 was not added (2 of 3 are missing)",
    );
}

#[test]
fn plans_from_lists_that_make_no_sense() {
    let code = rs_3_2();
    for unit in [5, 6, 255, 256, usize::MAX] {
        let error = Error::UnitOutOfRange { unit, units: 5 };
        let says = format!("unit {unit} is out of range: the code has units 0 to 4");
        refused(code.plan(&[0, 1, unit], &[2]), error.clone(), &says);
        refused(code.plan(&[0, 1, 2], &[unit]), error, &says);
    }
    let twice = |unit| (Error::DuplicateUnit { unit }, format!("unit {unit} is named twice"));
    let (error, says) = twice(1);
    refused(code.plan(&[0, 1, 3, 1], &[2]), error, &says);
    let (error, says) = twice(4);
    refused(code.plan(&[0, 1, 3], &[4, 2, 4]), error, &says);
    refused(
        code.plan(&[0, 1, 3], &[2, 3]),
        Error::AvailableAndWanted { unit: 3 },
        "unit 3 is both available and wanted",
    );
    for available in [&[][..], &[4], &[3, 0]] {
        refused(
            code.plan(available, &[1]),
            Error::TooFewUnits { required: 3, available: available.len() },
            &format!("{} units are available, 3 are required", available.len()),
        );
    }
    // A list of as many units as one likes is refused by its first repeat.
    assert!(code.plan(&vec![0; 100_000], &[1]).is_err());
    // Wanting nothing takes nothing.
    assert!(code.plan(&[], &[]).unwrap().reads().is_empty());

    let rows = Matrix::from_fn(1, 3, |_, column| [1, 1, 0][column]);
    let code = ReedSolomon::builder(3, 1).parity_rows(rows).accept_unchecked().build().unwrap();
    refused(
        code.plan(&[0, 1, 3], &[2]),
        Error::NotRecoverable { unit: 2, available: 3 },
        "unit 2 cannot be rebuilt from the 3 units that are available",
    );
}

#[test]
fn applying_a_plan_to_other_buffers_than_it_has() {
    let plan = Plan::clone(&rs_3_2().plan(&[4, 0, 2], &[1, 3]).unwrap());
    let inputs = vec![vec![1; 5]; 4];
    type Call = fn(&Plan, &[Vec<u8>], &mut [Vec<u8>]) -> Result<()>;
    let calls: &[Call] = &[
        |plan, inputs, outputs| plan.apply(inputs, outputs),
        |plan, inputs, outputs| plan.apply_accumulate(inputs, outputs),
        |plan, inputs, outputs| plan.apply_with_scratch(inputs, outputs, &mut []),
        #[cfg(feature = "rayon")]
        |plan, inputs, outputs| plan.apply_parallel(inputs, outputs),
    ];
    for apply in calls {
        for len in [5, 1 << 20] {
            let mut outputs = vec![vec![FILLER; len]; 3];
            for (input_count, output_count, expected, says) in [
                (2, 2, count("inputs", 3, 2), "2 inputs, expected 3"),
                (4, 2, count("inputs", 3, 4), "4 inputs, expected 3"),
                (0, 2, count("inputs", 3, 0), "0 inputs, expected 3"),
                (3, 1, count("outputs", 2, 1), "1 outputs, expected 2"),
                (3, 3, count("outputs", 2, 3), "3 outputs, expected 2"),
                (3, 0, count("outputs", 2, 0), "0 outputs, expected 2"),
            ] {
                let result = apply(&plan, &inputs[..input_count], &mut outputs[..output_count]);
                refused(result, expected, says);
                assert!(unchanged(&outputs));
            }
        }
    }
    let mut outputs = vec![vec![FILLER; 5]; 2];
    let one = plan.add_input(0, &inputs[0], &mut outputs[..1]);
    refused(one, count("outputs", 2, 1), "1 outputs, expected 2");
    for index in [3, 4, usize::MAX] {
        let added = plan.add_input(index, &inputs[0], &mut outputs);
        assert_eq!(added, Err(Error::UnitOutOfRange { unit: index, units: 3 }));
    }
    assert!(unchanged(&outputs));
}

#[test]
fn restricting_a_plan_to_units_that_it_does_not_read() {
    let plan = Plan::clone(&rs_3_2().plan(&[4, 0, 2], &[1, 3]).unwrap());
    for unit in [1, 3, 5, usize::MAX] {
        refused(
            plan.restrict(&[4, unit]),
            Error::NotRead { unit },
            &format!("the plan does not read unit {unit}"),
        );
    }
    let twice = plan.restrict(&[2, 4, 2]);
    refused(twice, Error::DuplicateUnit { unit: 2 }, "unit 2 is named twice");
}

#[test]
fn a_plan_of_nothing_takes_and_gives_nothing() {
    let plan = Plan::clone(&rs_3_2().plan(&[0, 1, 2, 3, 4], &[]).unwrap());
    let nothing: [Vec<u8>; 0] = [];
    plan.apply(&nothing, &mut nothing.clone()).unwrap();
    plan.apply_accumulate(&nothing, &mut nothing.clone()).unwrap();
    assert_eq!(plan.apply(&nothing, &mut [[0; 4]]), Err(count("outputs", 0, 1)));
    let added = plan.add_input(0, &[1], &mut nothing.clone());
    assert!(matches!(added, Err(Error::UnitOutOfRange { unit: 0, units: 0 })));
    assert_eq!(added.unwrap_err().to_string(), "unit 0 is out of range: the code has units 0 to 0");
    assert_eq!(plan.restrict(&[0]), Err(Error::NotRead { unit: 0 }));
    assert_eq!(Plan::from_bytes(&plan.to_bytes()).unwrap(), plan);
}

#[test]
fn reconstructing_from_too_few_or_too_many_shards() {
    let code = rs_3_2();
    let shards = group(&code, &[9; 3], &mut Random(1));
    type Call = fn(&ReedSolomon, &mut [Option<Vec<u8>>]) -> Result<()>;
    let calls: &[Call] = &[
        |code, shards| code.reconstruct(shards),
        |code, shards| code.reconstruct_data(shards),
        |code, shards| code.verify(shards).map(drop),
        |code, shards| code.locate(shards, 512).map(drop),
        |code, shards| code.reconstruct_into(shards, 0..0, &mut [(0, [0; 0])]),
        #[cfg(feature = "rayon")]
        |code, shards| code.reconstruct_parallel(shards),
    ];
    for call in calls {
        for got in [0, 1, 4, 6, 300] {
            let mut some: Vec<Option<Vec<u8>>> = vec![Some(vec![FILLER; 9]); got];
            let before = some.clone();
            let says = format!("{got} shards, expected 5");
            refused(call(&code, &mut some), count("shards", 5, got), &says);
            assert_eq!(some, before);
        }
        for (lost, available) in [(&[0, 1, 2][..], 2), (&[0, 2, 3, 4], 1), (&[0, 1, 2, 3, 4], 0)] {
            let mut some = without(&shards, lost);
            let says = format!("{available} units are available, 3 are required");
            let error = Error::TooFewUnits { required: 3, available };
            refused(call(&code, &mut some), error, &says);
            assert_eq!(some, without(&shards, lost));
        }
    }
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
fn reconstructing_ranges_and_units_that_are_not_there() {
    let code = rs_3_2();
    let shards = without(&group(&code, &[9, 4, 0], &mut Random(2)), &[0, 4]);
    let call = |range: std::ops::Range<usize>, wanted: &[(usize, usize)], expected, says: &str| {
        let mut buffers: Vec<(usize, Vec<u8>)> =
            wanted.iter().map(|&(unit, len)| (unit, vec![FILLER; len])).collect();
        refused(code.reconstruct_into(&shards, range, &mut buffers), expected, says);
        assert!(buffers.iter().all(|(_, buffer)| buffer.iter().all(|&byte| byte == FILLER)));
    };
    let range = |start, end| Error::Range { start, end, len: 9 };
    call(0..10, &[(0, 9)], range(0, 10), "range 0..10 does not lie within 9 bytes");
    call(10..10, &[(0, 0)], range(10, 10), "range 10..10 does not lie within 9 bytes");
    let says = "range 5..4 ends before it begins, and should lie within 9 bytes";
    call(5..4, &[(0, 0)], range(5, 4), says);
    let most = usize::MAX as u64;
    let says = format!("range {most}..0 ends before it begins, and should lie within 9 bytes");
    call(usize::MAX..0, &[(0, 0)], range(most, 0), &says);
    let says = format!("range 0..{most} does not lie within 9 bytes");
    call(0..usize::MAX, &[(0, 9)], range(0, most), &says);
    call(
        2..6,
        &[(4, 4), (0, 5)],
        Error::TooLong { what: "buffer for unit", index: 0, most: 4, got: 5 },
        "buffer for unit 0 has 5 bytes, expected at most 4",
    );
    let out = |unit| Error::UnitOutOfRange { unit, units: 5 };
    call(0..9, &[(5, 9)], out(5), "unit 5 is out of range: the code has units 0 to 4");
    call(0..9, &[(256, 9)], out(256), "unit 256 is out of range: the code has units 0 to 4");
    let twice = Error::DuplicateUnit { unit: 0 };
    call(0..9, &[(0, 9), (4, 9), (0, 9)], twice, "unit 0 is named twice");
    let many: Vec<(usize, usize)> = (0..6).map(|unit| (unit, 1)).collect();
    call(0..9, &many, count("units wanted", 5, 6), "6 units wanted, expected 5");
    // What is wanted is not read, so these leave two of three.
    let few = Error::TooFewUnits { required: 3, available: 2 };
    call(0..9, &[(0, 9), (1, 9)], few, "2 units are available, 3 are required");
}

#[test]
fn locating_in_ranges_of_nothing() {
    let code = rs_3_2();
    let shards = without(&group(&code, &[9; 3], &mut Random(3)), &[]);
    let error = code.locate(&shards, 0).unwrap_err();
    assert_eq!(error.to_string(), "range length \"0\": at least one byte");
}

#[test]
fn names_that_nothing_has() {
    let error = "Cauchy".parse::<MatrixKind>().unwrap_err();
    assert!(error.to_string().starts_with("matrix kind \"Cauchy\": one of cauchy, "), "{error}");
    for name in ["", "AVX2", "avx2 ", "abacus", "avx512_gfni\0"] {
        let error = KernelId::from_name(name).unwrap_err();
        let Error::KernelUnavailable { name: named, known: false, available } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(&**named, name);
        let names: Vec<&str> = KernelId::available().map(KernelId::name).collect();
        assert_eq!(**available, names.join(" "));
        let says = format!("kernel {name:?} is unknown; available here: {available}");
        assert_eq!(error.to_string(), says);
    }
}

/// A buffer that says another length every time it is asked.
struct Fickle {
    bytes: Vec<u8>,
    asked: usize,
}

impl AsMut<[u8]> for Fickle {
    fn as_mut(&mut self) -> &mut [u8] {
        self.asked += 1;
        let len = self.bytes.len() / self.asked;
        &mut self.bytes[..len]
    }
}

#[test]
fn a_buffer_that_changes_its_length_is_not_written_past_its_end() {
    let plan = rs_3_2().encode_plan().clone();
    for data in [[vec![1; 640], vec![2; 640]], [vec![1; 640], vec![2; 600]]] {
        let inputs = [&data[0], &data[1], &data[0]];
        let mut expected = [[0; 640]; 2];
        plan.apply(&inputs, &mut expected).unwrap();
        let fickle = || Fickle { bytes: vec![FILLER; 640], asked: 0 };
        let mut outputs = [fickle(), fickle()];
        plan.apply(&inputs, &mut outputs).unwrap();
        for (output, expected) in outputs.iter().zip(&expected) {
            let (written, rest) = output.bytes.split_at(640 / output.asked);
            assert_eq!(written, &expected[..written.len()]);
            assert!(rest.iter().all(|&byte| byte == FILLER));
        }
    }
}

/// `RESTRIPE_KERNEL` is read once a process, so these run this program again.
#[cfg(feature = "std")]
mod kernel_of_the_environment {
    use std::ffi::OsStr;
    use std::process::Command;

    use super::*;

    /// Set where this program runs as its own child.
    const CHILD: &str = "RESTRIPE_TEST_CHILD";

    /// What the program says of its kernel, run again with `RESTRIPE_KERNEL` set or not.
    fn kernel_with(name: Option<&OsStr>) -> String {
        kernel_in(name.map(|name| ("RESTRIPE_KERNEL", name)))
    }

    /// What the program says of its kernel, run again with a variable set.
    fn kernel_in(variable: Option<(&str, &OsStr)>) -> String {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "kernel_of_the_environment::says_which_kernel_it_runs_on",
            "--nocapture",
        ]);
        command.env(CHILD, "1").env_remove("RESTRIPE_KERNEL");
        command.envs(variable);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        let (_, said) = text.split_once("kernel: ").unwrap();
        said.lines().next().unwrap().to_owned()
    }

    #[test]
    fn says_which_kernel_it_runs_on() {
        let selected = KernelId::selected();
        let plan = KernelId::available().last().map(|portable| {
            let code = ReedSolomon::builder(3, 2).kernel(portable).build().unwrap();
            assert_eq!((code.kernel(), code.encode_plan().kernel()), (portable, portable));
            code.encode_plan().to_bytes()
        });
        // Whoever chooses for himself is not told; all others agree.
        assert_eq!(ReedSolomon::new(3, 2).map(|code| code.kernel()), selected);
        assert_eq!(
            ReedSolomon::with_matrix(3, 2, MatrixKind::Zfec).map(|code| code.kernel()),
            selected
        );
        assert_eq!(Plan::from_bytes(&plan.unwrap()).map(|plan| plan.kernel()), selected);
        match selected {
            Ok(kernel) => println!("kernel: {kernel}"),
            Err(error) => println!("kernel: {error}"),
        }
        if std::env::var_os(CHILD).is_none() && std::env::var_os("RESTRIPE_KERNEL").is_none() {
            assert_eq!(KernelId::selected().unwrap(), KernelId::available().next().unwrap());
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "starts a process")]
    fn the_environment_says_when_to_store_past_the_caches_and_nonsense_is_an_error() {
        let best = kernel_in(None);
        for value in ["0", "1000000", "never"] {
            assert_eq!(kernel_in(Some(("RESTRIPE_STREAM_FROM", value.as_ref()))), best);
        }
        for value in ["", "often", "-1", "1 MiB"] {
            let says = kernel_in(Some(("RESTRIPE_STREAM_FROM", value.as_ref())));
            assert!(says.contains("RESTRIPE_STREAM_FROM") && says.contains("never"), "{says}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "starts a process")]
    fn the_environment_names_the_kernel_and_a_name_that_is_none_is_an_error() {
        let names: Vec<&str> = KernelId::available().map(KernelId::name).collect();
        assert_eq!(kernel_with(None), names[0]);
        for name in &names {
            assert_eq!(kernel_with(Some(OsStr::new(name))), *name);
        }
        for name in ["", "abacus", "AVX2", "scalar "] {
            let says = format!("kernel {name:?} is unknown; available here: {}", names.join(" "));
            assert_eq!(kernel_with(Some(OsStr::new(name))), says);
        }
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let said = kernel_with(Some(OsStr::from_bytes(b"\xFF")));
            assert!(said.starts_with("kernel \"\u{FFFD}\" is unknown"), "{said}");
        }
        let elsewhere =
            ["neon", "avx512_gfni", "ssse3"].into_iter().filter(|name| !names.contains(name));
        for name in elsewhere {
            let available = names.join(" ");
            let says = format!(
                "kernel {name:?} is not supported by this CPU; available here: {available}"
            );
            assert_eq!(kernel_with(Some(OsStr::new(name))), says);
        }
    }
}

#[test]
fn shards_that_were_cut_are_not_taken_for_shorter_ones() {
    let code = rs_3_2();
    let whole = group(&code, &[9, 4, 0], &mut Random(3));
    let cut = |unit: usize, lost: usize| {
        let mut shards = without(&whole, &[lost]);
        shards[unit].as_mut().unwrap().pop();
        shards
    };
    // One parity shard is shorter than the other.
    refused(
        code.reconstruct(&mut cut(4, 1)),
        length("parity shard of unit", 4, 9, 8),
        "parity shard of unit 4 has 8 bytes, expected 9",
    );
    // The only one is shorter than a data shard.
    let error = Error::TooLong { what: "data shard", index: 0, most: 8, got: 9 };
    let says = "data shard 0 has 9 bytes, expected at most 8";
    refused(code.reconstruct(&mut cut(4, 3)), error.clone(), says);
    let mut buffer = [(3, vec![FILLER; 8])];
    refused(code.reconstruct_into(&cut(4, 3), 0..8, &mut buffer), error, says);
    assert!(buffer[0].1.iter().all(|&byte| byte == FILLER));
}
