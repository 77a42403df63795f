//! Plans of several steps over sub-shards, as codes that repair by parts of shards have them. Here
//! they are written by hand and read by `Plan::from_bytes`, so that they also have what no code of
//! this crate makes: scratch, and steps that build on others.

use restripe::gf8::Matrix;
use restripe::{Error, Plan, Read};

mod oracle;
use oracle::serialised::{Fields, Step};
use oracle::{Random, combined};

/// The same units, in four steps that use scratch and outputs again.
fn four_steps() -> Fields {
    let mut fields = Fields::two_steps();
    fields.steps.push(Step::new(&[5, 6, 2], &[7], &[0x05, 0x06, 0x07]));
    fields.steps.push(Step::new(&[7, 0], &[5, 4], &[0x21, 0x43, 0x65, 0x87]));
    fields
}

/// What the steps make of the sub-shards read, one step after the other in plain arithmetic: the
/// sub-shards of all outputs.
fn expected(fields: &Fields, subs_read: &[Vec<u8>], sub_len: usize) -> Vec<Vec<u8>> {
    let outputs = fields.outputs.len() * usize::from(fields.sub_shards);
    let mut buffers = subs_read.to_vec();
    buffers.resize(subs_read.len() + outputs + usize::from(fields.scratch), vec![0; sub_len]);
    for step in &fields.steps {
        let sources: Vec<&Vec<u8>> =
            step.sources.iter().map(|&source| &buffers[usize::from(source)]).collect();
        let results = combined(&step.matrix(), &sources, sub_len);
        for (&target, result) in step.targets.iter().zip(results) {
            buffers[usize::from(target)] = result;
        }
    }
    buffers[subs_read.len()..][..outputs].to_vec()
}

fn plan(fields: &Fields) -> Plan {
    Plan::from_bytes(&fields.bytes()).unwrap()
}

/// The parts of the inputs of [`Fields::two_steps`], each continued with zeros to a sub-shard.
fn subs_of(inputs: &[Vec<u8>; 2], sub_len: usize) -> Vec<Vec<u8>> {
    let sub = |input: &[u8], sub: usize| {
        let rest = input.get(sub * sub_len..).unwrap_or_default();
        let mut part = rest[..rest.len().min(sub_len)].to_vec();
        part.resize(sub_len, 0);
        part
    };
    vec![sub(&inputs[0], 0), sub(&inputs[0], 1), sub(&inputs[1], 0)]
}

#[test]
fn says_what_it_reads_and_computes_and_gives_its_bytes_back() {
    for fields in [Fields::two_steps(), four_steps()] {
        let plan = plan(&fields);
        let whole = Read { unit: 0, first_sub: 0, count: 2 };
        assert_eq!(plan.reads(), [whole, Read { unit: 3, first_sub: 1, count: 1 }]);
        assert_eq!(plan.outputs(), [1, 2]);
        assert_eq!(plan.sub_shards(), 2);
        assert_eq!(plan.scratch_len(0), 0);
        assert_eq!(plan.scratch_len(2000), 2000);
        assert_eq!(plan.scratch_len(usize::MAX), usize::MAX - 1);
        assert_eq!(plan.to_bytes(), fields.bytes());
        assert_eq!(plan, Plan::from_bytes(&plan.to_bytes()).unwrap());
    }
    assert_ne!(plan(&Fields::two_steps()), plan(&four_steps()));
}

#[test]
fn computes_what_its_steps_say_for_inputs_of_any_length() {
    let mut random = Random(1);
    for fields in [Fields::two_steps(), four_steps()] {
        let plan = plan(&fields);
        for sub_len in [0, 1, 2, 31, 64, 67, 500, 5000] {
            let fullest = [2 * sub_len, sub_len];
            let halves = [sub_len + sub_len / 2, sub_len / 2];
            for lens in [fullest, halves, [sub_len / 3, sub_len], [2 * sub_len, 0], [0, 0]] {
                let inputs = lens.map(|len| random.bytes(len));
                let expected = expected(&fields, &subs_of(&inputs, sub_len), sub_len);
                let expected = [expected[..2].concat(), expected[2..].concat()];

                let mut outputs = [vec![0xEE; 2 * sub_len], vec![0xEE; 2 * sub_len]];
                plan.apply(&inputs, &mut outputs).unwrap();
                assert_eq!(outputs, expected, "sub-shards of {sub_len}, inputs of {lens:?}");

                // What scratch memory held does not matter, nor does more of it than is needed.
                for surplus in [0, 9] {
                    let mut scratch = random.bytes(plan.scratch_len(2 * sub_len) + surplus);
                    let mut outputs = [random.bytes(2 * sub_len), random.bytes(2 * sub_len)];
                    plan.apply_with_scratch(&inputs, &mut outputs, &mut scratch).unwrap();
                    assert_eq!(outputs, expected, "sub-shards of {sub_len}, inputs of {lens:?}");
                }
            }
        }
    }
}

#[test]
fn scratch_past_all_memory_is_asked_for_rather_than_a_wrapped_around_length() {
    let mut fields = Fields::two_steps();
    fields.scratch = 5;
    assert_eq!(plan(&fields).scratch_len(usize::MAX), usize::MAX);
}

#[test]
fn gives_all_its_steps_as_one_matrix() {
    for fields in [Fields::two_steps(), four_steps()] {
        // Input i has a 1 at place i: the outputs are the columns of the matrix, side by side.
        let ones: Vec<Vec<u8>> =
            (0..3).map(|input| (0..3).map(|place| u8::from(place == input)).collect()).collect();
        let expected = expected(&fields, &ones, 3);
        let coefficients = plan(&fields).coefficients();
        assert_eq!(coefficients, Matrix::from_fn(4, 3, |row, column| expected[row][column]));
    }
}

#[test]
fn restricted_to_some_units_its_shares_sum_up_to_the_whole() {
    let mut random = Random(2);
    let len = 2 * 333;
    let inputs = [random.bytes(len), random.bytes(len / 2)];
    for fields in [Fields::two_steps(), four_steps()] {
        let plan = plan(&fields);
        let mut whole = vec![vec![0; len]; 2];
        plan.apply(&inputs, &mut whole).unwrap();

        let all = plan.restrict(&[3, 0]).unwrap();
        assert_eq!((all.reads(), all.outputs()), (plan.reads(), plan.outputs()));
        assert_eq!((all.scratch_len(len), all.sub_shards()), (0, 2));
        assert_eq!(all.coefficients(), plan.coefficients());
        let mut outputs = vec![vec![0xEE; len]; 2];
        all.apply(&inputs, &mut outputs).unwrap();
        assert_eq!(outputs, whole);
        all.apply_accumulate(&inputs, &mut outputs).unwrap();
        assert!(outputs.iter().flatten().all(|&byte| byte == 0));

        let (first, second) = (plan.restrict(&[0]).unwrap(), plan.restrict(&[3]).unwrap());
        assert_eq!((first.reads().len(), second.reads()[0].unit), (1, 3));
        first.apply(&inputs[..1], &mut outputs).unwrap();
        second.apply_accumulate(&inputs[1..], &mut outputs).unwrap();
        assert_eq!(outputs, whole);

        let nothing = plan.restrict(&[]).unwrap();
        nothing.apply_accumulate::<&[u8], _>(&[], &mut outputs).unwrap();
        assert_eq!(outputs, whole);
        nothing.apply::<&[u8], _>(&[], &mut outputs).unwrap();
        assert!(outputs.iter().flatten().all(|&byte| byte == 0));

        for share in [all, first, second, nothing] {
            assert_eq!(Plan::from_bytes(&share.to_bytes()).unwrap(), share);
        }
        assert_eq!(plan.restrict(&[0, 3, 0]), Err(Error::DuplicateUnit { unit: 0 }));
        assert_eq!(plan.restrict(&[1]), Err(Error::NotRead { unit: 1 }));
    }
}

#[test]
fn refuses_buffers_that_do_not_fit_and_leaves_the_outputs_as_they_were() {
    let plan = plan(&Fields::two_steps());
    let length = |what, index, expected, got| Err(Error::Length { what, index, expected, got });
    let apply = |input_lens: [usize; 2], output_lens: [usize; 2], scratch: Option<usize>| {
        let inputs = input_lens.map(|len| vec![1; len]);
        let mut outputs = output_lens.map(|len| vec![0xEE; len]);
        let result = match scratch {
            Some(len) => plan.apply_with_scratch(&inputs, &mut outputs, &mut vec![0; len]),
            None => plan.apply(&inputs, &mut outputs),
        };
        if result.is_err() {
            assert!(outputs.iter().flatten().all(|&byte| byte == 0xEE));
        }
        result
    };
    assert_eq!(apply([8, 4], [8, 8], None), Ok(()));
    let too_long = |index, most, got| Err(Error::TooLong { what: "input", index, most, got });
    assert_eq!(apply([9, 4], [8, 8], None), too_long(0, 8, 9));
    assert_eq!(apply([8, 5], [8, 8], None), too_long(1, 4, 5));
    assert_eq!(apply([8, 4], [9, 9], None), length("output", 0, 8, 9));
    assert_eq!(apply([8, 4], [8, 10], None), length("output", 1, 8, 10));
    assert_eq!(apply([8, 4], [8, 0], None), length("output", 1, 8, 0));
    assert_eq!(apply([1, 0], [0, 0], None), too_long(0, 0, 1));
    assert_eq!(apply([8, 4], [8, 8], Some(8)), Ok(()));
    assert_eq!(apply([8, 4], [8, 8], Some(7)), length("scratch", 0, 8, 7));

    let mut outputs = [vec![0xEE; 8], vec![0xEE; 8]];
    let inputs = [vec![1; 8], vec![1; 4]];
    let count = |what, expected, got| Err(Error::Count { what, expected, got });
    assert_eq!(plan.apply(&inputs[..1], &mut outputs), count("inputs", 2, 1));
    assert_eq!(plan.apply(&inputs, &mut outputs[..1]), count("outputs", 2, 1));
    let accumulated = plan.apply_accumulate(&inputs, &mut outputs).unwrap_err();
    assert!(accumulated.to_string().contains("several steps"), "{accumulated}");
    let added = plan.add_input(0, &inputs[0], &mut outputs).unwrap_err();
    assert!(added.to_string().contains("sub-shards"), "{added}");
    assert!(outputs.iter().flatten().all(|&byte| byte == 0xEE));
}

#[test]
fn inputs_are_verified_and_outputs_summed_where_plans_take_several_steps() {
    use restripe::checksum::{ChecksumKind, ChunkedChecksum};
    let mut random = Random(5);
    let plan = plan(&four_steps());
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 300).unwrap();
    let sums_of = |shard: &[u8]| {
        let mut sums = vec![0; checksum.sums_len(shard.len() as u64).unwrap() as usize];
        checksum.compute(shard, &mut sums).unwrap();
        sums
    };
    let mut inputs = [random.bytes(2000), random.bytes(900)];
    let input_sums = inputs.each_ref().map(|input| sums_of(input));
    let mut expected = [vec![0; 2000], vec![0; 2000]];
    plan.apply(&inputs, &mut expected).unwrap();

    let mut outputs = [vec![0xEE; 2000], vec![0xEE; 2000]];
    let mut output_sums = [vec![0; 28], vec![0; 28]];
    plan.apply_with_checksums(&checksum, &inputs, &input_sums, &mut outputs, &mut output_sums)
        .unwrap();
    assert_eq!(outputs, expected);
    assert_eq!(output_sums, expected.each_ref().map(|output| sums_of(output)));

    inputs[1][899] ^= 1;
    let error = plan
        .apply_with_checksums(&checksum, &inputs, &input_sums, &mut outputs, &mut output_sums)
        .unwrap_err();
    assert!(matches!(error, Error::UnitChecksumMismatch { unit: 3, chunk: 2, .. }), "{error}");

    // Outputs that are no whole number of sub-shards are refused as without checksums.
    let mut odd = [vec![0xEE; 1999], vec![0xEE; 1999]];
    let error = plan
        .apply_with_checksums(&checksum, &inputs, &input_sums, &mut odd, &mut output_sums)
        .unwrap_err();
    assert!(matches!(error, Error::Length { what: "output", .. }), "{error}");
    assert_eq!(odd, [vec![0xEE; 1999], vec![0xEE; 1999]]);
}
