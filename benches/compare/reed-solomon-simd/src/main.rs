//! reed-solomon-simd as a contestant: GF(2^16) by FFT, with an encoder and a decoder that are kept.
//!
//! It copies the shards given to it and keeps the results in its own memory; nobody is charged for
//! taking them out of there.

use std::hint::black_box;

use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};
use worker::{Case, Operation, Work};

fn main() {
    worker::serve(|case| {
        if case.level != "best" {
            return Err("its level cannot be chosen".to_owned());
        }
        match case.operation {
            Operation::Encode => encode(case),
            _ => decode(case),
        }
        .map_err(|error| error.to_string())
    });
}

fn encode(case: &Case) -> Result<Work, reed_solomon_simd::Error> {
    let case = case.clone();
    let mut encoder = ReedSolomonEncoder::new(case.data_units, case.parity_units, case.shard_len)?;
    Ok(Box::new(move |turn, shards| {
        let (data, mut parity) = case.split(shards);
        turn.time(|| {
            for shard in black_box(&data) {
                encoder.add_original_shard(shard).expect("as many as were announced");
            }
            let result = encoder.encode().expect("all are there");
            if turn.is_check() {
                for (shard, recovery) in parity.iter_mut().zip(result.recovery_iter()) {
                    shard.copy_from_slice(recovery);
                }
            }
            black_box(&result);
        })
    }))
}

fn decode(case: &Case) -> Result<Work, reed_solomon_simd::Error> {
    let case = case.clone();
    let (k, lost) = (case.data_units, case.lost());
    let mut decoder = ReedSolomonDecoder::new(k, case.parity_units, case.shard_len)?;
    Ok(Box::new(move |turn, shards| {
        let (inputs, mut rebuilt) = case.split(shards);
        turn.time(|| {
            for (unit, shard) in (lost..).zip(black_box(&inputs)) {
                match unit.checked_sub(k) {
                    None => decoder.add_original_shard(unit, shard),
                    Some(recovery) => decoder.add_recovery_shard(recovery, shard),
                }
                .expect("each unit once");
            }
            let result = decoder.decode().expect("k units are there");
            if turn.is_check() {
                for (unit, shard) in rebuilt.iter_mut().enumerate() {
                    shard.copy_from_slice(result.restored_original(unit).expect("it was lost"));
                }
            }
            black_box(&result);
        })
    }))
}
