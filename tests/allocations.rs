//! What runs for every block of a stream takes no memory of its own: encoding, rebuilding and
//! checksums, in one pass or apart.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::{ErasureCode, ReedSolomon};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is the system's allocator's; only a number is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's own promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's own promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations_of(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn what_runs_for_every_block_allocates_nothing() {
    assert_eq!(allocations_of(|| drop(Vec::<u8>::with_capacity(1))), 1, "they are counted");

    let len = 200_000;
    let code = ReedSolomon::new(6, 3).unwrap();
    let plan = code.plan(&[1, 2, 3, 4, 5, 6], &[0]).unwrap();
    for chunk_len in [512, 1000, 1 << 20] {
        let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, chunk_len).unwrap();
        let sums = vec![0; checksum.sums_len(len as u64).unwrap() as usize];
        let data: Vec<Vec<u8>> = (0..6).map(|unit| vec![unit + 1; len]).collect();
        let (mut parity, mut rebuilt) = (vec![vec![0; len]; 3], vec![vec![0; len]]);
        let (mut data_sums, mut parity_sums) = (vec![sums.clone(); 6], vec![sums.clone(); 3]);
        let mut rebuilt_sums = vec![sums];
        let count = allocations_of(|| {
            code.encode(&data, &mut parity).unwrap();
            let (sums, other) = (&mut data_sums, &mut parity_sums);
            code.encode_with_checksums(&checksum, &data, &mut parity, sums, other).unwrap();
            checksum.verify(&data[1], &data_sums[1]).unwrap();
        });
        assert_eq!(count, 0, "encoding with chunks of {chunk_len}");

        let inputs: Vec<&[u8]> = data[1..].iter().chain(&parity[..1]).map(|s| &s[..]).collect();
        let input_sums: Vec<&[u8]> =
            data_sums[1..].iter().chain(&parity_sums[..1]).map(|sums| &sums[..]).collect();
        let count = allocations_of(|| {
            plan.apply(&inputs, &mut rebuilt).unwrap();
            let (outputs, sums) = (&mut rebuilt, &mut rebuilt_sums);
            plan.apply_with_checksums(&checksum, &inputs, &input_sums, outputs, sums).unwrap();
        });
        assert_eq!(count, 0, "rebuilding with chunks of {chunk_len}");
        assert_eq!((&rebuilt[0], &rebuilt_sums[0]), (&data[0], &data_sums[0]));
    }
}
