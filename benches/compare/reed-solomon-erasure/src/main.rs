//! reed-solomon-erasure with its C code for SIMD, as a contestant: Backblaze's matrix, and the cache
//! of decode matrices that the codec keeps.

use std::hint::black_box;

use reed_solomon_erasure::galois_8::ReedSolomon;
use worker::{Case, Operation, Work};

fn main() {
    worker::serve(prepare);
}

fn prepare(case: &Case) -> Result<Work, String> {
    if case.level != "best" {
        return Err("its level cannot be chosen".to_owned());
    }
    let code = ReedSolomon::new(case.data_units, case.parity_units)
        .map_err(|error| format!("{error:?}"))?;
    let case = case.clone();
    if case.operation == Operation::Encode {
        return Ok(Box::new(move |turn, shards| {
            let (data, mut parity) = case.split(shards);
            turn.time(|| code.encode_sep(black_box(&data), &mut parity).expect("equal shards"))
        }));
    }
    Ok(Box::new(move |turn, shards| {
        // It takes every unit with whether it is there; those that it has no need of are not.
        let used = case.lost()..case.lost() + case.data_units;
        let mut shards: Vec<(&mut [u8], bool)> = shards
            .into_iter()
            .enumerate()
            .map(|(unit, shard)| (shard, used.contains(&unit)))
            .collect();
        turn.time(|| {
            code.reconstruct_data(black_box(&mut shards)).expect("k units are there");
            shards[..case.lost()].iter_mut().for_each(|(_, there)| *there = false);
        })
    }))
}
