//! Every kernel that this CPU has, against plain field arithmetic: all products, all lengths, all
//! alignments, all shapes, and buffers that end where the next page faults.

use restripe::gf8::{self, Matrix};
use restripe::{ErasureCode, KernelId, ReedSolomon};

#[cfg(not(target_family = "wasm"))] // whose pages cannot be protected
mod guarded;
mod pattern;
#[cfg(not(target_family = "wasm"))]
use guarded::{Edge, Guarded};
use pattern::{bytes, is_reduced};

/// Coefficients without a pattern; zeros and ones among them.
fn matrix(rows: usize, columns: usize) -> Matrix {
    let elements = bytes(rows * 1000 + columns, rows * columns);
    Matrix::from_fn(rows, columns, |row, column| match (row * 7 + column) % 19 {
        5 => 0,
        11 => 1,
        _ => elements[row * columns + column],
    })
}

fn code(kernel: KernelId, rows: &Matrix) -> ReedSolomon {
    ReedSolomon::builder(rows.columns(), rows.rows())
        .parity_rows(rows.clone())
        .accept_unchecked()
        .kernel(kernel)
        .build()
        .unwrap()
}

/// The sums of products, one byte at a time.
fn expected<I: AsRef<[u8]>>(rows: &Matrix, inputs: &[I], len: usize) -> Vec<Vec<u8>> {
    let mut outputs = vec![vec![0; len]; rows.rows()];
    for (row, output) in outputs.iter_mut().enumerate() {
        for (column, input) in inputs.iter().enumerate() {
            let coefficient = rows.get(row, column);
            for (sum, &byte) in output.iter_mut().zip(input.as_ref()) {
                *sum ^= gf8::mul(coefficient, byte);
            }
        }
    }
    outputs
}

#[test]
fn computes_all_products() {
    let all: Vec<u8> = (0..=255).collect();
    for kernel in KernelId::available() {
        for coefficient in 0..=255u8 {
            let rows = Matrix::from_fn(1, 1, |_, _| coefficient);
            let mut products = vec![vec![0; 256]];
            code(kernel, &rows).encode(&[&all], &mut products).unwrap();
            for byte in 0..=255u8 {
                let product = products[0][usize::from(byte)];
                assert_eq!(
                    product,
                    gf8::mul(coefficient, byte),
                    "{kernel}: {coefficient} x {byte}"
                );
            }
        }
    }
}

#[test]
fn computes_every_shape() {
    let len = 300;
    let inputs: Vec<Vec<u8>> = (0..40).map(|seed| bytes(seed, len)).collect();
    let most_columns = if is_reduced() { 18 } else { 40 };
    for kernel in KernelId::available() {
        for row_count in 1..=14 {
            for columns in 1..=most_columns {
                let rows = matrix(row_count, columns);
                let mut outputs = vec![vec![0xEE; len]; row_count];
                code(kernel, &rows).encode(&inputs[..columns], &mut outputs).unwrap();
                let expected = expected(&rows, &inputs[..columns], len);
                assert_eq!(outputs, expected, "{kernel}: {row_count} x {columns}");
            }
        }
    }
}

#[test]
fn sums_without_products_where_all_coefficients_are_one() {
    let inputs: Vec<Vec<u8>> = (0..20).map(|seed| bytes(seed, 333)).collect();
    for kernel in KernelId::available() {
        for columns in 1..=20 {
            let rows = Matrix::from_fn(1, columns, |_, _| 1);
            let mut outputs = vec![vec![0xEE; 333]];
            code(kernel, &rows).encode(&inputs[..columns], &mut outputs).unwrap();
            assert_eq!(outputs, expected(&rows, &inputs[..columns], 333), "{kernel}: {columns}");
        }
    }
}

#[test]
fn computes_every_length_up_to_three_vectors_and_three_steps() {
    for kernel in KernelId::available() {
        let vector = kernel.vector_bytes();
        let inputs: Vec<Vec<u8>> = (0..17).map(|seed| bytes(seed, 13 * vector)).collect();
        let around_steps = (1..=3).flat_map(|steps| {
            let step = steps * 4 * vector;
            step - 2..=step + 2
        });
        let lens: Vec<usize> = (0..=3 * vector).chain(around_steps).collect();
        for (columns, row_count) in [(1, 1), (2, 1), (3, 2), (6, 3), (10, 4), (5, 5), (17, 6)] {
            let rows = matrix(row_count, columns);
            let code = code(kernel, &rows);
            for &len in &lens {
                let inputs: Vec<&[u8]> = inputs[..columns].iter().map(|all| &all[..len]).collect();
                let mut outputs = vec![vec![0xEE; len]; row_count];
                code.encode(&inputs, &mut outputs).unwrap();
                let expected = expected(&rows, &inputs, len);
                assert_eq!(outputs, expected, "{kernel}: {row_count} x {columns}, {len} bytes");
            }
        }
    }
}

#[test]
fn computes_at_every_alignment_of_every_stream() {
    let (columns, row_count) = (6, 3);
    let rows = matrix(row_count, columns);
    for kernel in KernelId::available() {
        let code = code(kernel, &rows);
        let vector = kernel.vector_bytes();
        let inputs: Vec<Vec<u8>> = (0..columns).map(|seed| bytes(seed, 11 * vector)).collect();
        let len = 9 * vector + 5;
        for moved in 0..columns + row_count {
            for by in 0..vector {
                let shift = |stream: usize| if stream == moved { by } else { 0 };
                let inputs: Vec<&[u8]> =
                    (0..columns).map(|column| &inputs[column][shift(column)..][..len]).collect();
                let mut buffers = vec![vec![0xEE; len + vector]; row_count];
                let mut outputs: Vec<&mut [u8]> = buffers
                    .iter_mut()
                    .enumerate()
                    .map(|(row, buffer)| &mut buffer[shift(columns + row)..][..len])
                    .collect();
                code.encode(&inputs, &mut outputs).unwrap();
                let expected = expected(&rows, &inputs, len);
                assert_eq!(outputs, expected, "{kernel}: stream {moved} moved by {by}");
                for (row, buffer) in buffers.iter().enumerate() {
                    let start = shift(columns + row);
                    let around = buffer[..start].iter().chain(&buffer[start + len..]);
                    assert!(around.clone().all(|&byte| byte == 0xEE), "{kernel} wrote outside");
                }
            }
        }
    }
}

#[cfg(not(target_family = "wasm"))]
#[test]
fn touches_no_byte_outside_its_buffers() {
    for kernel in KernelId::available() {
        let vector = kernel.vector_bytes();
        for (columns, row_count) in [(1, 1), (3, 2), (6, 3), (11, 4), (18, 7)] {
            let rows = matrix(row_count, columns);
            let code = code(kernel, &rows);
            let mut inputs: Vec<Guarded> = (0..columns).map(|_| Guarded::new()).collect();
            let mut outputs: Vec<Guarded> = (0..row_count).map(|_| Guarded::new()).collect();
            for edge in [Edge::Front, Edge::Back] {
                for len in (0..=2 * vector).chain([4 * vector - 1, 4 * vector, 8 * vector + 1]) {
                    for (seed, input) in inputs.iter_mut().enumerate() {
                        input.slice_mut(edge, len).copy_from_slice(&bytes(seed, len));
                    }
                    let inputs: Vec<&[u8]> =
                        inputs.iter().map(|input| input.slice(edge, len)).collect();
                    let mut outputs: Vec<&mut [u8]> =
                        outputs.iter_mut().map(|output| output.slice_mut(edge, len)).collect();
                    code.encode(&inputs, &mut outputs).unwrap();
                    let expected = expected(&rows, &inputs, len);
                    assert_eq!(outputs, expected, "{kernel}: {row_count} x {columns}, {len}");
                    code.encode_plan().apply_accumulate(&inputs, &mut outputs).unwrap();
                    assert!(outputs.iter().all(|output| output.iter().all(|&byte| byte == 0)));
                }
            }
        }
    }
}

#[test]
fn accumulates_onto_what_is_there() {
    let len = 777;
    let inputs: Vec<Vec<u8>> = (0..23).map(|seed| bytes(seed, len)).collect();
    for kernel in KernelId::available() {
        for (columns, row_count) in [(1, 1), (1, 4), (6, 3), (16, 6), (23, 8)] {
            let rows = matrix(row_count, columns);
            let code = code(kernel, &rows);
            let before: Vec<Vec<u8>> = (0..row_count).map(|row| bytes(100 + row, len)).collect();
            let mut outputs = before.clone();
            code.encode_plan().apply_accumulate(&inputs[..columns], &mut outputs).unwrap();
            let mut one_by_one = before.clone();
            for column in (0..columns).rev() {
                code.encode_plan().add_input(column, &inputs[column], &mut one_by_one).unwrap();
            }
            let mut expected = expected(&rows, &inputs[..columns], len);
            for (sum, before) in expected.iter_mut().flatten().zip(before.iter().flatten()) {
                *sum ^= before;
            }
            assert_eq!(outputs, expected, "{kernel}: {row_count} x {columns}");
            assert_eq!(one_by_one, expected, "{kernel}: {row_count} x {columns}, one by one");
        }
    }
}

#[test]
fn computes_wide_codes_tile_by_tile() {
    let len = 3 * 4096 + 5;
    let inputs: Vec<Vec<u8>> = (0..200).map(|seed| bytes(seed, len)).collect();
    for kernel in KernelId::available() {
        for (columns, row_count) in [(10, 9), (50, 20), (200, 55)] {
            if is_reduced() && columns > 50 {
                continue;
            }
            let rows = matrix(row_count, columns);
            let mut outputs = vec![vec![0xEE; len]; row_count];
            code(kernel, &rows).encode(&inputs[..columns], &mut outputs).unwrap();
            // Every 61st byte: the oracle is slow.
            let sample = |shard: &Vec<u8>| shard.iter().step_by(61).copied().collect::<Vec<u8>>();
            let samples: Vec<Vec<u8>> = inputs[..columns].iter().map(sample).collect();
            let expected = expected(&rows, &samples, samples[0].len());
            let outputs: Vec<Vec<u8>> = outputs.iter().map(sample).collect();
            assert_eq!(outputs, expected, "{kernel}: {row_count} x {columns}");
        }
    }
}

#[test]
fn continues_short_inputs_with_zeros_and_cuts_short_outputs() {
    let lens = [700, 0, 64, 700, 65, 1, 300];
    let output_lens = [700, 299, 64, 0, 1000];
    let inputs: Vec<Vec<u8>> = lens.iter().enumerate().map(|(i, &len)| bytes(i, len)).collect();
    for kernel in KernelId::available() {
        let rows = matrix(output_lens.len(), lens.len());
        let mut outputs: Vec<Vec<u8>> = output_lens.iter().map(|&len| vec![0xEE; len]).collect();
        code(kernel, &rows).encode_plan().apply(&inputs, &mut outputs).unwrap();
        let expected = expected(&rows, &inputs, 1000);
        for (output, expected) in outputs.iter().zip(&expected) {
            assert_eq!(output[..], expected[..output.len()], "{kernel}");
        }
    }
}
