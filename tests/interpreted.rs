//! What is unsafe in the engine, in sizes that an interpreter can do: checksums of every kernel,
//! plans, and the C interface. Miri finds what goes wrong there without a wrong byte; everywhere
//! else this is a suite like the others.

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::{ErasureCode, KernelId, Plan, ReedSolomon};

mod oracle;
use oracle::{Random, group};

/// A CRC by its definition; `polynomial` has the lowest power in its highest bit.
fn crc(polynomial: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |state, &byte| {
        (0..8).fold(state ^ u32::from(byte), |state: u32, _| {
            (state >> 1) ^ (polynomial & (state & 1).wrapping_neg())
        })
    })
}

#[test]
fn checksums_of_every_way_to_compute_them() {
    let mut random = Random(2);
    // One block after the other, several at a time and what is left; chunks merged of blocks.
    let cases: &[(usize, usize)] = if cfg!(miri) {
        &[(512, 12 * 512 + 77), (64, 200), (1024, 3000)]
    } else {
        &[(512, 140 * 512 + 77), (64, 200), (4096, 40_000), (1 << 20, 40_000)]
    };
    for (kind, polynomial) in
        [(ChecksumKind::Crc32, 0xEDB8_8320), (ChecksumKind::Crc32c, 0x82F6_3B78)]
    {
        for &(chunk, len) in cases {
            let data = random.bytes(len);
            let expected: Vec<u8> =
                data.chunks(chunk).flat_map(|bytes| crc(polynomial, bytes).to_be_bytes()).collect();
            for kernel in KernelId::available() {
                let checksum = ChunkedChecksum::new(kind, chunk).unwrap().with_kernel(kernel);
                let mut sums = vec![0; expected.len()];
                checksum.compute(&data, &mut sums).unwrap();
                assert_eq!(sums, expected, "{kind:?} on {kernel}, {chunk} of {len} bytes");
                checksum.verify(&data, &sums).unwrap();
            }
        }
    }
}

#[test]
fn a_plan_is_kept_and_read_again() {
    let code = ReedSolomon::new(5, 3).unwrap();
    let shards = group(&code, &[40, 40, 13, 0, 40], &mut Random(4));
    let plan = code.plan(&[7, 3, 0, 5, 2], &[1, 4, 6]).unwrap();
    let read = Plan::from_bytes(&plan.to_bytes()).unwrap();
    let inputs: Vec<&[u8]> = read.reads().iter().map(|read| &shards[read.unit][..]).collect();
    let mut outputs = vec![vec![0; 40]; 3];
    read.apply(&inputs, &mut outputs).unwrap();
    assert_eq!(outputs, [&shards[1][..], &shards[4], &shards[6]]);
}

/// The functions for C, called as C does.
#[cfg(feature = "capi")]
mod c {
    use std::ffi::{c_int, c_void};
    use std::ptr;

    use super::Random;

    // As include/restripe.h declares them, with handles as pointers to anything.
    unsafe extern "C" {
        fn restripe_codec_new(data: usize, parity: usize, codec: *mut *mut c_void) -> c_int;
        fn restripe_codec_free(codec: *mut c_void);
        fn restripe_encode(
            codec: *const c_void,
            data: *const *const u8,
            data_lens: *const usize,
            data_count: usize,
            parity: *const *mut u8,
            parity_count: usize,
            len: usize,
        ) -> c_int;
        fn restripe_reconstruct(
            codec: *const c_void,
            shards: *const *const u8,
            lens: *const usize,
            shard_count: usize,
            wanted: *const usize,
            outputs: *const *mut u8,
            output_lens: *const usize,
            wanted_count: usize,
            len: usize,
        ) -> c_int;
        fn restripe_verify(
            codec: *const c_void,
            shards: *const *const u8,
            lens: *const usize,
            shard_count: usize,
            len: usize,
            consistency: *mut u32,
        ) -> c_int;
        fn restripe_locate(
            codec: *const c_void,
            shards: *const *const u8,
            lens: *const usize,
            shard_count: usize,
            len: usize,
            range_len: usize,
            locations: *mut *mut c_void,
        ) -> c_int;
        fn restripe_locations_count(locations: *const c_void) -> usize;
        fn restripe_locations_free(locations: *mut c_void);
        fn restripe_plan_new(
            codec: *const c_void,
            available: *const usize,
            available_count: usize,
            wanted: *const usize,
            wanted_count: usize,
            plan: *mut *mut c_void,
        ) -> c_int;
        fn restripe_plan_apply(
            plan: *const c_void,
            inputs: *const *const u8,
            input_lens: *const usize,
            input_count: usize,
            outputs: *const *mut u8,
            output_count: usize,
            len: usize,
        ) -> c_int;
        fn restripe_plan_free(plan: *mut c_void);
        fn restripe_checksums_compute(
            kind: u32,
            bytes_per_checksum: usize,
            data: *const u8,
            data_len: usize,
            sums: *mut u8,
            sums_len: usize,
        ) -> c_int;
        fn restripe_checksums_verify(
            kind: u32,
            bytes_per_checksum: usize,
            data: *const u8,
            data_len: usize,
            sums: *const u8,
            sums_len: usize,
            bad_chunk: *mut usize,
        ) -> c_int;
    }

    const LEN: usize = 75;

    /// A code (3, 2) and its shards.
    struct Group {
        codec: *mut c_void,
        shards: Vec<Vec<u8>>,
    }

    impl Group {
        fn new() -> Self {
            let mut random = Random(5);
            let mut shards: Vec<Vec<u8>> = (0..3).map(|_| random.bytes(LEN)).collect();
            shards.extend([vec![0; LEN], vec![0; LEN]]);
            let mut codec = ptr::null_mut();
            let (data, parity) = shards.split_at_mut(3);
            let data: Vec<*const u8> = data.iter().map(|shard| shard.as_ptr()).collect();
            let parity: Vec<*mut u8> = parity.iter_mut().map(|shard| shard.as_mut_ptr()).collect();
            // SAFETY: as many pointers and bytes as are said; the codec is freed by `drop`.
            unsafe {
                assert_eq!(restripe_codec_new(3, 2, &raw mut codec), 0);
                let status =
                    restripe_encode(codec, data.as_ptr(), ptr::null(), 3, parity.as_ptr(), 2, LEN);
                assert_eq!(status, 0);
            }
            Self { codec, shards }
        }

        /// Pointers to all shards, NULL for those that are lost.
        fn pointers(&self, lost: &[usize]) -> Vec<*const u8> {
            let pointer = |(unit, shard): (usize, &Vec<u8>)| {
                if lost.contains(&unit) { ptr::null() } else { shard.as_ptr() }
            };
            self.shards.iter().enumerate().map(pointer).collect()
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            // SAFETY: made by `new`, freed once.
            unsafe { restripe_codec_free(self.codec) };
        }
    }

    #[test]
    fn lost_shards_come_back() {
        let group = Group::new();
        let shards = group.pointers(&[0, 3]);
        let mut rebuilt = [vec![0; LEN], vec![0; LEN]];
        let outputs = rebuilt.each_mut().map(|shard| shard.as_mut_ptr());
        // SAFETY: as many pointers and bytes as are said.
        let status = unsafe {
            restripe_reconstruct(
                group.codec,
                shards.as_ptr(),
                ptr::null(),
                5,
                [3, 0].as_ptr(),
                outputs.as_ptr(),
                ptr::null(),
                2,
                LEN,
            )
        };
        assert_eq!(status, 0);
        assert_eq!(rebuilt, [&group.shards[3][..], &group.shards[0]]);
    }

    #[test]
    fn a_plan_outlives_its_code() {
        let group = Group::new();
        let mut plan = ptr::null_mut();
        let (available, wanted) = ([1, 2, 4], [0]);
        let mut rebuilt = vec![0; LEN];
        // SAFETY: as many numbers as are said.
        let status = unsafe {
            restripe_plan_new(group.codec, available.as_ptr(), 3, wanted.as_ptr(), 1, &raw mut plan)
        };
        assert_eq!(status, 0);
        let shards = group.shards.clone();
        drop(group);
        let inputs = available.map(|unit| shards[unit].as_ptr());
        // SAFETY: three units determine the others, so the plan reads these; it is freed once.
        unsafe {
            let outputs = [rebuilt.as_mut_ptr()];
            let status = restripe_plan_apply(
                plan,
                inputs.as_ptr(),
                ptr::null(),
                3,
                outputs.as_ptr(),
                1,
                LEN,
            );
            assert_eq!(status, 0);
            restripe_plan_free(plan);
        }
        assert_eq!(rebuilt, shards[0]);
    }

    #[test]
    fn wrong_shards_are_found_and_wrong_calls_refused() {
        let mut group = Group::new();
        group.shards[1][70] ^= 1;
        let shards = group.pointers(&[]);
        let (mut answer, mut locations) = (0, ptr::null_mut());
        // SAFETY: as many pointers and bytes as are said; the list is freed once. NULL is what the
        // functions say that they refuse.
        unsafe {
            let verify = |answer: *mut u32| {
                restripe_verify(group.codec, shards.as_ptr(), ptr::null(), 5, LEN, answer)
            };
            assert_eq!((verify(&raw mut answer), verify(ptr::null_mut()) != 0), (0, true));
            let all = shards.as_ptr();
            let found = &raw mut locations;
            assert_eq!(restripe_locate(group.codec, all, ptr::null(), 5, LEN, 32, found), 0);
            assert_eq!(restripe_locations_count(locations), 1);
            restripe_locations_free(locations);
            restripe_locations_free(ptr::null_mut());
            let refused = restripe_encode(
                ptr::null(),
                all,
                ptr::null(),
                3,
                [group.shards[3].as_mut_ptr(), group.shards[4].as_mut_ptr()].as_ptr(),
                2,
                LEN,
            );
            assert_ne!(refused, 0);
            // Both parity shards in one place.
            let parity = [group.shards[3].as_mut_ptr(); 2];
            let data = group.pointers(&[]);
            let overlap = restripe_encode(
                group.codec,
                data.as_ptr(),
                ptr::null(),
                3,
                parity.as_ptr(),
                2,
                LEN,
            );
            assert_ne!(overlap, 0);
            assert_ne!(restripe_codec_new(300, 2, &raw mut locations), 0);
        }
    }

    #[test]
    fn checksums_are_computed_and_verified() {
        let mut data = Random(6).bytes(1100);
        let mut sums = [0; 12];
        let mut bad = usize::MAX;
        const CRC32C: u32 = 2;
        // SAFETY: as many bytes as are said.
        unsafe {
            let computed =
                restripe_checksums_compute(CRC32C, 512, data.as_ptr(), 1100, sums.as_mut_ptr(), 12);
            assert_eq!(computed, 0);
            data[600] ^= 1;
            let verified = restripe_checksums_verify(
                CRC32C,
                512,
                data.as_ptr(),
                1100,
                sums.as_ptr(),
                12,
                &raw mut bad,
            );
            assert!(verified != 0 && bad == 1);
        }
    }
}
