//! Any bytes as a serialised plan, with a checksum that is right: refused, or a plan that is
//! written the same again and computes what its matrix says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use restripe::Plan;
use restripe_fuzz::oracle::serialised::with_checksum;
use restripe_fuzz::oracle::{Random, combined};

/// Bytes of a sub-shard.
const LEN: usize = 3;

fuzz_target!(|bytes: &[u8]| {
    let _ = Plan::from_bytes(bytes);
    let bytes = with_checksum(bytes.to_vec());
    let Ok(plan) = Plan::from_bytes(&bytes) else { return };
    assert_eq!(plan.to_bytes(), bytes);

    let (mut random, subs) = (Random(bytes.len() as u64), plan.sub_shards());
    let inputs: Vec<Vec<u8>> =
        plan.reads().iter().map(|read| random.bytes(LEN * read.count)).collect();
    let mut outputs = vec![vec![0x3C; LEN * subs]; plan.outputs().len()];
    plan.apply(&inputs, &mut outputs).expect("buffers that fit");

    // The matrix of a plan with thousands of buffers has gigabytes.
    let parts_read: usize = plan.reads().iter().map(|read| read.count).sum();
    if (parts_read + plan.outputs().len() * subs + plan.scratch_len(subs)) * parts_read > 1 << 16 {
        return;
    }
    let parts: Vec<&[u8]> = inputs.iter().flat_map(|input| input.chunks_exact(LEN)).collect();
    let expected = combined(&plan.coefficients(), &parts, LEN);
    let computed: Vec<&[u8]> = outputs.iter().flat_map(|output| output.chunks_exact(LEN)).collect();
    assert_eq!(computed, expected, "{plan:?}");
});
