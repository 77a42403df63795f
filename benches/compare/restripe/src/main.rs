//! restripe as a contestant: Hadoop's and ISA-L's matrix, a kept code and a kept plan.

use std::hint::black_box;

use restripe::{ErasureCode as _, KernelId, ReedSolomon};
use worker::{Case, Operation, Work};

fn main() {
    worker::serve(|case| prepare(case).map_err(|error| error.to_string()));
}

fn prepare(case: &Case) -> restripe::Result<Work> {
    let kernel = match case.level.as_str() {
        "best" => KernelId::selected()?,
        level => KernelId::from_name(level)?,
    };
    let (k, lost) = (case.data_units, case.lost());
    let code = ReedSolomon::builder(k, case.parity_units).kernel(kernel).build()?;
    let case = case.clone();
    if case.operation == Operation::Encode {
        return Ok(Box::new(move |turn, shards| {
            let (data, mut parity) = case.split(shards);
            turn.time(|| code.encode(black_box(&data), &mut parity).expect("shards of one length"))
        }));
    }
    let (available, wanted): (Vec<usize>, Vec<usize>) =
        ((lost..lost + k).collect(), (0..lost).collect());
    let plan = code.plan(&available, &wanted)?;
    Ok(Box::new(move |turn, shards| {
        let (inputs, mut rebuilt) = case.split(shards);
        turn.time(|| plan.apply(black_box(&inputs), &mut rebuilt).expect("shards of one length"))
    }))
}
