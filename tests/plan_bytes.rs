//! Serialised plans that nobody should trust: cut, changed, or written to do harm. Each is refused
//! with a reason, and none makes anything panic.

use restripe::{ErasureCode, Error, Plan, ReedSolomon};

mod oracle;
use oracle::serialised::{Fields, Step, with_checksum};
use oracle::{Random, scaled};

/// Unit 2 of a (2, 2) code from its data units: a plan with nothing wrong.
fn sound() -> Fields {
    Fields {
        reads: vec![[0, 0, 1], [1, 0, 1]],
        outputs: vec![2],
        steps: vec![Step::new(&[0, 1], &[2], &[7, 9])],
        ..Fields::new()
    }
}

/// The same with a change.
fn but(change: impl FnOnce(&mut Fields)) -> Fields {
    let mut fields = sound();
    change(&mut fields);
    fields
}

#[track_caller]
fn refused(fields: &Fields, expected_reason: &str) {
    match Plan::from_bytes(&fields.bytes()) {
        Err(Error::PlanBytes { offset, reason }) => {
            assert_eq!(reason, expected_reason);
            assert!(offset < fields.bytes().len());
        }
        other => panic!("expected {expected_reason:?}, got {other:?}"),
    }
}

/// Plans of real codes, small and large, and one of several steps.
fn plans() -> Vec<Vec<u8>> {
    let mut plans = vec![sound().bytes()];
    let code = ReedSolomon::new(3, 2).unwrap();
    plans.push(code.encode_plan().to_bytes());
    plans.push(code.plan(&[4, 0, 2], &[1]).unwrap().to_bytes());
    plans.push(code.plan(&[], &[]).unwrap().to_bytes());
    plans.push(ReedSolomon::new(10, 4).unwrap().encode_plan().to_bytes());
    plans.push(Fields::two_steps().bytes());
    plans
}

#[test]
fn a_plan_cut_short_is_refused() {
    for bytes in plans() {
        assert!(Plan::from_bytes(&bytes).is_ok());
        for len in 0..bytes.len() {
            assert!(matches!(Plan::from_bytes(&bytes[..len]), Err(Error::PlanBytes { .. })));
            // Nor is it taken when whoever cut it made the checksum right again.
            let cut = with_checksum(bytes[..len.min(bytes.len() - 5)].to_vec());
            assert!(matches!(Plan::from_bytes(&cut), Err(Error::PlanBytes { .. })));
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(Plan::from_bytes(&longer), Err(Error::PlanBytes { .. })));
    }
}

#[test]
fn a_plan_with_one_byte_changed_is_refused() {
    for mut bytes in plans() {
        for position in 0..bytes.len() {
            for change in 1..=255 {
                bytes[position] ^= change;
                let result = Plan::from_bytes(&bytes);
                assert!(matches!(result, Err(Error::PlanBytes { .. })), "{position}: {change}");
                bytes[position] ^= change;
            }
        }
    }
}

#[test]
fn any_change_under_a_right_checksum_is_refused_or_gives_a_plan_that_runs() {
    let mut random = Random(3);
    let mut taken = 0;
    for bytes in plans() {
        let body = bytes.len() - 4;
        for _ in 0..scaled(30, 3000, 100_000) {
            let mut changed = bytes[..body].to_vec();
            for _ in 0..=random.below(3) {
                let position = random.below(body);
                changed[position] = [0, 1, 2, 0xFF, random.byte()][random.below(5)];
            }
            let Ok(plan) = Plan::from_bytes(&with_checksum(changed)) else { continue };
            run(&plan);
            taken += 1;
        }
    }
    assert!(taken > 0);
}

/// Does with a plan all that can be done with it.
fn run(plan: &Plan) {
    let len = 3 * plan.sub_shards();
    let inputs: Vec<Vec<u8>> = plan.reads().iter().map(|read| vec![5; 3 * read.count]).collect();
    let mut outputs = vec![vec![0xEE; len]; plan.outputs().len()];
    plan.apply(&inputs, &mut outputs).unwrap();
    let mut again = vec![vec![0xCC; len]; plan.outputs().len()];
    let mut scratch = vec![0x77; plan.scratch_len(len)];
    plan.apply_with_scratch(&inputs, &mut again, &mut scratch).unwrap();
    assert_eq!(outputs, again, "{plan:?}: what buffers held before counts");

    let units: Vec<usize> = plan.reads().iter().map(|read| read.unit).collect();
    let distinct = (0..units.len()).all(|index| !units[..index].contains(&units[index]));
    if distinct {
        plan.restrict(&units).unwrap().apply(&inputs, &mut again).unwrap();
        assert_eq!(outputs, again, "{plan:?}: restricted to all it reads");
    }
    let uneven: Vec<Vec<u8>> = (0..outputs.len()).map(|index| vec![0xEE; len * index]).collect();
    let _ = plan.apply(&inputs, &mut uneven.clone());
    let _ = plan.apply_accumulate(&inputs, &mut uneven.clone());
    for (index, input) in inputs.iter().enumerate() {
        let _ = plan.add_input(index, input, &mut uneven.clone());
    }
    assert_eq!(&Plan::from_bytes(&plan.to_bytes()).unwrap(), plan);
}

/// Compares what several cores make of large shards with what one does.
#[cfg(feature = "rayon")]
fn run_on_several_cores(plan: &Plan) {
    let sub_len = 1 << 19;
    let inputs: Vec<Vec<u8>> =
        plan.reads().iter().map(|read| vec![5; read.count * sub_len]).collect();
    let mut expected = vec![vec![0xEE; plan.sub_shards() * sub_len]; plan.outputs().len()];
    let mut outputs = expected.clone();
    plan.apply(&inputs, &mut expected).unwrap();
    let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    three.install(|| plan.apply_parallel(&inputs, &mut outputs)).unwrap();
    assert!(outputs == expected, "{plan:?}");
}

#[test]
fn what_is_not_a_plan_at_all_is_refused() {
    for bytes in [&b""[..], b"R", b"RSP", b"RSPL", b"RSPL\0\0\0", b"\0\0\0\0\0\0\0\0\0"] {
        let result = Plan::from_bytes(bytes);
        assert!(matches!(result, Err(Error::PlanBytes { .. })), "{bytes:?}: {result:?}");
    }
    let mut random = Random(4);
    for len in 0..300 {
        let noise = random.bytes(len);
        assert!(Plan::from_bytes(&noise).is_err());
        let headed = with_checksum([&b"RSPL\x01\x01"[..], &noise].concat());
        if let Ok(plan) = Plan::from_bytes(&headed) {
            run(&plan);
        }
    }
}

#[test]
fn the_header_must_be_that_of_a_code() {
    assert!(Plan::from_bytes(&sound().bytes()).is_ok());
    refused(&but(|plan| plan.magic = *b"RSPK"), "it does not begin with RSPL");
    refused(&but(|plan| plan.version = 0), "its version is not known");
    refused(&but(|plan| plan.version = 2), "its version is not known");
    refused(&but(|plan| plan.kind = 0), "its kind of matrix is not known");
    refused(&but(|plan| plan.kind = 255), "its kind of matrix is not known");
    let counts = "its unit counts are those of no code";
    refused(&but(|plan| plan.data_units = 0), counts);
    refused(&but(|plan| plan.parity_units = 0), counts);
    refused(&but(|plan| plan.data_units = 255), counts);
    refused(&but(|plan| plan.parity_units = u16::MAX), counts);
    refused(&but(|plan| plan.sub_shards = 0), "its shards have no sub-shards");
    refused(&but(|plan| plan.surplus = vec![0]), "bytes are left over");
}

#[test]
fn units_and_sub_shards_must_be_those_of_the_code() {
    let reads = "it reads what no unit has";
    refused(&but(|plan| plan.reads[1] = [4, 0, 1]), reads);
    refused(&but(|plan| plan.reads[1] = [u16::MAX, 0, 1]), reads);
    refused(&but(|plan| plan.reads[1] = [1, 0, 0]), reads);
    refused(&but(|plan| plan.reads[1] = [1, 1, 1]), reads);
    refused(&but(|plan| plan.reads[1] = [1, 0, 2]), reads);
    refused(&but(|plan| plan.reads[1] = [1, u16::MAX, u16::MAX]), reads);
    refused(&but(|plan| plan.outputs[0] = 4), "it computes a unit that the code lacks");
    refused(&but(|plan| plan.outputs = vec![2, 3, 2]), "it computes a unit twice");
}

#[test]
fn lists_longer_than_the_bytes_are_refused_without_memory_for_them() {
    let end = "it ends too early";
    // The count of reads, of outputs and of steps, each followed by nothing that fits it.
    for position in [12, 26, 32] {
        let mut bytes = sound().bytes();
        bytes.truncate(position);
        bytes.extend([0xFF, 0xFF]);
        match Plan::from_bytes(&with_checksum(bytes)) {
            Err(Error::PlanBytes { reason, .. }) => assert_eq!(reason, end),
            other => panic!("{other:?}"),
        }
    }
    let step = |sources: u16, targets: u16| Step {
        sources: vec![0; usize::from(sources)],
        targets: vec![2; usize::from(targets)],
        coefficients: Vec::new(),
    };
    // 2^32 coefficients, less than one of which is there.
    refused(&but(|plan| plan.steps = vec![step(u16::MAX, u16::MAX)]), end);
}

const FIT: &str = "its steps do not fit its buffers";

#[test]
fn steps_must_fit_their_buffers() {
    let steps = |steps: &[Step]| but(|plan| plan.steps = steps.to_vec());
    // No sources, no targets.
    refused(&steps(&[Step::new(&[], &[2], &[])]), FIT);
    refused(&steps(&[Step::new(&[0, 1], &[], &[])]), FIT);
    // Buffers that are not there.
    refused(&steps(&[Step::new(&[0, 3], &[2], &[1, 1])]), FIT);
    refused(&steps(&[Step::new(&[0, u16::MAX], &[2], &[1, 1])]), FIT);
    refused(&steps(&[Step::new(&[0, 1], &[3], &[1, 1])]), FIT);
    // Writing to an input, to one buffer twice, to what is read.
    refused(&steps(&[Step::new(&[0], &[1], &[1])]), FIT);
    refused(&steps(&[Step::new(&[0, 1], &[2, 2], &[1; 4])]), FIT);
    refused(&steps(&[Step::new(&[0, 2], &[2], &[1, 1])]), FIT);
    // More buffers than there may be.
    refused(&but(|plan| plan.scratch = u16::MAX), FIT);
    refused(&but(|plan| plan.sub_shards = u16::MAX), FIT);
    refused(&but(|plan| plan.reads = vec![[0, 0, 1]; 1024]), FIT);
}

#[test]
fn a_step_names_each_source_once() {
    let step = Step::new(&[0, 0], &[2], &[1, 1]);
    refused(&but(|plan| plan.steps = vec![step]), FIT);
    let step = Step::new(&[0; 2000], &[2], &[1; 2000]);
    refused(&but(|plan| plan.steps = vec![step]), FIT);
}

#[test]
fn nothing_is_read_before_it_is_written_and_every_output_is_written() {
    let steps = |steps: &[Step]| {
        but(|plan| {
            plan.scratch = 1;
            plan.steps = steps.to_vec();
        })
    };
    let to_scratch = Step::new(&[0, 1], &[3], &[1, 2]);
    let from_scratch = Step::new(&[3], &[2], &[5]);
    assert!(Plan::from_bytes(&steps(&[to_scratch.clone(), from_scratch.clone()]).bytes()).is_ok());
    refused(&steps(&[from_scratch.clone(), to_scratch.clone()]), FIT);
    refused(&steps(&[from_scratch]), FIT);
    refused(&steps(&[to_scratch]), FIT);
}

#[test]
fn scratch_is_not_an_output_though_one_step_writes_both() {
    let fields = but(|plan| {
        plan.scratch = 1;
        plan.steps = vec![Step::new(&[0, 1], &[2, 3], &[1, 2, 3, 4])];
    });
    let plan = Plan::from_bytes(&fields.bytes()).unwrap();
    run(&plan);
    #[cfg(feature = "rayon")]
    run_on_several_cores(&plan);
    let inputs = [[1; 8], [1; 8]];
    let mut outputs = [[0; 8]];
    plan.apply(&inputs, &mut outputs).unwrap();
    assert_eq!(outputs, [[3; 8]]);
    assert!(matches!(plan.add_input(0, &inputs[0], &mut outputs), Err(Error::Invalid { .. })));
    assert!(matches!(plan.apply_accumulate(&inputs, &mut outputs), Err(Error::Invalid { .. })));
    assert_eq!(outputs, [[3; 8]]);
}

#[test]
fn outputs_of_several_steps_have_one_length_even_over_whole_shards() {
    // The second step reads the first one's output: were it shorter, its end would be missing.
    let fields = but(|plan| {
        plan.outputs = vec![2, 3];
        plan.steps = vec![Step::new(&[0, 1], &[2], &[1, 2]), Step::new(&[2, 0], &[3], &[1, 1])];
    });
    let plan = Plan::from_bytes(&fields.bytes()).unwrap();
    run(&plan);
    #[cfg(feature = "rayon")]
    run_on_several_cores(&plan);
    let inputs = [[1; 8], [1; 8]];
    let mut outputs = [vec![0xEE; 3], vec![0xEE; 8]];
    let refused = plan.apply(&inputs, &mut outputs);
    assert_eq!(refused, Err(Error::Length { what: "output", index: 1, expected: 3, got: 8 }));
    assert_eq!(outputs, [vec![0xEE; 3], vec![0xEE; 8]]);
}
