//! Blocks put into a folder packet by packet: whole under their names, or not there at all.

#![cfg(all(feature = "net", unix))]

mod common;
#[path = "common/replicas.rs"]
mod replicas;

use std::fs;

use common::random_bytes;
use proptest::prelude::*;
use replicas::{BLOCK, Folder, STAMP, crc32c, sums};
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{Accepted, BlockId, MetaHeader, Packet, PacketHeader, Placement};
use restripe::net::{BlockReceiver, BlockStore, Error, Result};

/// Sends a receiver the bytes `start..end` of a block as packet `seqno`.
fn receive(
    receiver: &mut BlockReceiver,
    block: &[u8],
    start: usize,
    end: usize,
    seqno: i64,
) -> Result<Accepted> {
    let data = &block[start..end];
    let header = PacketHeader::data(start as u64, seqno, data.len() as u32);
    let checksums = sums(receiver.checksum(), data);
    receiver.receive(Packet { header, checksums: &checksums, data })
}

fn last(receiver: &mut BlockReceiver, len: usize, seqno: i64) -> Result<Accepted> {
    let header = PacketHeader { seqno, ..PacketHeader::last(len as u64) };
    receiver.receive(Packet { header, checksums: &[], data: &[] })
}

/// Asserts that the folder has exactly the block, with the checksums that it should have.
#[track_caller]
fn assert_stored(folder: &Folder, checksum: ChunkedChecksum, block: &[u8]) {
    assert_eq!(folder.names().len(), 2, "{:?}", folder.names());
    assert!(fs::read(folder.data_path(BLOCK)).unwrap() == block);
    let meta = [&MetaHeader::new(checksum).encode()[..], &sums(checksum, block)].concat();
    assert!(fs::read(folder.meta_path(BLOCK)).unwrap() == meta);
}

#[test]
fn a_block_has_its_name_after_the_last_packet_and_not_before() {
    let block = random_bytes(1, 2000);
    let folder = Folder::new();
    let store = folder.writable();
    let mut receiver = store.create(BLOCK, STAMP, crc32c(512)).unwrap();
    for (seqno, (start, end)) in [(0, 1024), (1024, 1536), (1536, 2000)].into_iter().enumerate() {
        let accepted = receive(&mut receiver, &block, start, end, seqno as i64).unwrap();
        assert_eq!(accepted, Accepted::Data(Placement::NewChunk));
        assert_eq!(receiver.len(), end as u64);
        assert!(folder.names().iter().all(|name| name.ends_with(".restripe-part")));
        assert!(matches!(store.find(BLOCK, 0), Err(Error::NotFound { .. })));
    }
    assert_eq!(last(&mut receiver, 2000, 3).unwrap(), Accepted::Last);
    assert_stored(&folder, crc32c(512), &block);
    drop(receiver);
    assert_stored(&folder, crc32c(512), &block);
    assert_eq!(store.find(BLOCK, 0).unwrap().len(), 2000);
}

#[test]
fn an_empty_block_is_a_block() {
    let folder = Folder::new();
    let mut receiver = folder.writable().create(BLOCK, STAMP, crc32c(512)).unwrap();
    last(&mut receiver, 0, 0).unwrap();
    assert_stored(&folder, crc32c(512), &[]);
}

#[test]
fn a_block_that_is_not_finished_leaves_nothing() {
    let block = random_bytes(2, 3000);
    let folder = Folder::new();
    let store = folder.writable();
    let mut receiver = store.create(BLOCK, STAMP, crc32c(512)).unwrap();
    receive(&mut receiver, &block, 0, 3000, 0).unwrap();
    drop(receiver);
    assert!(folder.names().is_empty());
    assert!(store.create(BLOCK, STAMP, crc32c(512)).is_ok(), "the block stays reserved");
}

#[test]
fn a_packet_with_a_wrong_checksum_is_refused_and_the_block_with_it() {
    let block = random_bytes(3, 2048);
    let folder = Folder::new();
    let mut receiver = folder.writable().create(BLOCK, STAMP, crc32c(512)).unwrap();
    receive(&mut receiver, &block, 0, 1024, 0).unwrap();
    let mut checksums = sums(crc32c(512), &block[1024..]);
    checksums[6] ^= 1;
    let header = PacketHeader::data(1024, 1, 1024);
    let packet = Packet { header, checksums: &checksums, data: &block[1024..] };
    let refused = receiver.receive(packet).unwrap_err();
    assert!(matches!(refused, Error::Corrupt { block: BLOCK, offset: 1536, .. }), "{refused}");
    // Neither the same packet whole nor the end can save it.
    for attempt in [receive(&mut receiver, &block, 1024, 2048, 1), last(&mut receiver, 1024, 1)] {
        assert!(matches!(attempt, Err(Error::Abandoned { block: BLOCK })), "{attempt:?}");
    }
    drop(receiver);
    assert!(folder.names().is_empty());
}

#[test]
fn a_packet_out_of_order_is_refused_and_the_block_with_it() {
    let block = random_bytes(4, 2048);
    for (start, seqno) in [(0, 1), (1024, 1), (512, 2), (512, 0)] {
        let folder = Folder::new();
        let mut receiver = folder.writable().create(BLOCK, STAMP, crc32c(512)).unwrap();
        receive(&mut receiver, &block, 0, 512, 0).unwrap();
        let refused = receive(&mut receiver, &block, start, start + 512, seqno).unwrap_err();
        assert!(
            matches!(
                refused,
                Error::Invalid(
                    restripe::Error::PacketOrder { .. } | restripe::Error::PacketNumber { .. }
                )
            ),
            "{refused}"
        );
        assert!(matches!(last(&mut receiver, 512, 1), Err(Error::Abandoned { .. })));
    }
}

#[test]
fn a_block_cut_short_is_not_finished() {
    let block = random_bytes(5, 1000);
    let folder = Folder::new();
    let mut receiver = folder.writable().create(BLOCK, STAMP, crc32c(512)).unwrap();
    receive(&mut receiver, &block, 0, 512, 0).unwrap();
    assert!(last(&mut receiver, 1000, 1).is_err());
    drop(receiver);
    assert!(folder.names().is_empty());
}

#[test]
fn heartbeats_and_empty_syncs_change_nothing() {
    let block = random_bytes(6, 700);
    let folder = Folder::new();
    let mut receiver = folder.writable().create(BLOCK, STAMP, crc32c(512)).unwrap();
    let empty = |header| Packet { header, checksums: &[], data: &[] };
    assert_eq!(receiver.receive(empty(PacketHeader::heartbeat())).unwrap(), Accepted::Heartbeat);
    receive(&mut receiver, &block, 0, 700, 0).unwrap();
    let sync = PacketHeader { sync_block: true, ..PacketHeader::data(700, 1, 0) };
    assert_eq!(receiver.receive(empty(sync)).unwrap(), Accepted::Sync);
    assert_eq!(receiver.len(), 700);
    last(&mut receiver, 700, 2).unwrap();
    assert_stored(&folder, crc32c(512), &block);
}

#[test]
fn a_chunk_that_decayed_on_the_disk_gets_no_good_checksum_when_it_goes_on() {
    let block = random_bytes(7, 500);
    let folder = Folder::new();
    let mut receiver = folder.writable().create(BLOCK, STAMP, crc32c(512)).unwrap();
    receive(&mut receiver, &block, 0, 300, 0).unwrap();
    let unfinished = folder.names().into_iter().find(|name| !name.contains(".meta")).unwrap();
    Folder::damage(folder.path().join(unfinished), 100);
    let refused = receive(&mut receiver, &block, 300, 500, 1).unwrap_err();
    assert!(matches!(refused, Error::Corrupt { offset: 0, .. }), "{refused}");
}

#[test]
fn a_block_that_is_there_or_being_written_is_not_written_over() {
    let folder = Folder::with_block(crc32c(512), &[1; 100]);
    let store = folder.writable();
    for stamp in [STAMP, STAMP + 1] {
        let refused = store.create(BLOCK, stamp, crc32c(512)).unwrap_err();
        assert!(matches!(refused, Error::Exists { unfinished: false, .. }), "{refused}");
    }
    // Without checksums it cannot be read, but it is there.
    fs::remove_file(folder.meta_path(BLOCK)).unwrap();
    assert!(matches!(store.create(BLOCK, STAMP, crc32c(512)), Err(Error::Exists { .. })));
    let other = BlockId(BLOCK.0 + 1);
    let _receiver = store.create(other, STAMP, crc32c(512)).unwrap();
    let refused = store.create(other, STAMP, crc32c(512)).unwrap_err();
    assert!(matches!(refused, Error::Exists { unfinished: true, .. }), "{refused}");
    assert!(matches!(
        folder.store().create(BlockId(1), STAMP, crc32c(512)),
        Err(Error::ReadOnly { .. })
    ));
}

#[test]
fn what_a_killed_process_left_is_removed_and_nothing_else() {
    let folder = Folder::with_block(crc32c(512), &[1; 100]);
    for name in [
        "blk_7.restripe-part",
        "blk_7_1.meta.restripe-part",
        "film.restripe-part",
        "blk_8.part",
        "notes",
    ] {
        fs::write(folder.path().join(name), b"").unwrap();
    }
    folder.store();
    assert_eq!(folder.names().len(), 7);
    folder.writable();
    let expected =
        ["blk_1073741825", "blk_1073741825_1007.meta", "blk_8.part", "film.restripe-part", "notes"];
    assert_eq!(folder.names(), expected);
}

#[test]
fn a_folder_has_one_store_that_writes() {
    let folder = Folder::new();
    let store = folder.writable();
    let refused = BlockStore::open_for_writing(&folder.path()).unwrap_err();
    assert!(matches!(refused, Error::File { action: "lock the folder", .. }), "{refused}");
    let receiver = store.create(BLOCK, STAMP, crc32c(512)).unwrap();
    drop(store);
    assert!(BlockStore::open_for_writing(&folder.path()).is_err(), "a block is being written");
    drop(receiver);
    assert!(BlockStore::open_for_writing(&folder.path()).is_ok());
}

#[test]
fn a_replica_is_found_by_its_generation_stamp_or_a_later_one() {
    let folder = Folder::with_block(crc32c(512), &[1; 100]);
    let store = folder.store();
    for stamp in [0, 1, STAMP - 1, STAMP] {
        assert_eq!(store.find(BLOCK, stamp).unwrap().generation_stamp(), STAMP);
    }
    for (id, stamp) in [(BLOCK, STAMP + 1), (BlockId(1), 0)] {
        let refused = store.find(id, stamp).unwrap_err();
        assert!(
            matches!(refused, Error::NotFound { block, generation_stamp, .. }
                if (block, generation_stamp) == (id, stamp)),
            "{refused}"
        );
    }
}

#[test]
fn a_replica_is_found_where_datanodes_put_it() {
    let folder = Folder::with_block(crc32c(512), &[1; 100]);
    // HDFS-8791: (id >> 16) & 31, (id >> 8) & 31.
    let subfolder = folder.path().join("subdir0/subdir0");
    fs::create_dir_all(&subfolder).unwrap();
    for path in [folder.data_path(BLOCK), folder.meta_path(BLOCK)] {
        fs::rename(&path, subfolder.join(path.file_name().unwrap())).unwrap();
    }
    assert_eq!(folder.store().find(BLOCK, 0).unwrap().len(), 100);
    let id = BlockId(BLOCK.0 + (3 << 16) + (40 << 8));
    let subfolder = folder.path().join("subdir3/subdir8");
    fs::create_dir_all(&subfolder).unwrap();
    folder.add(id, crc32c(512), &[2; 50]);
    for path in [folder.data_path(id), folder.meta_path(id)] {
        fs::rename(&path, subfolder.join(path.file_name().unwrap())).unwrap();
    }
    assert_eq!(folder.store().find(id, 0).unwrap().len(), 50);
    assert!(matches!(folder.writable().create(id, STAMP, crc32c(512)), Err(Error::Exists { .. })));
}

#[test]
fn a_meta_file_that_is_none_or_of_another_length_is_refused_and_named() {
    let folder = Folder::with_block(crc32c(512), &[1; 1000]);
    let whole = fs::read(folder.meta_path(BLOCK)).unwrap();
    let path = folder.meta_path(BLOCK);
    let longer = [&whole[..], &[0]].concat();
    let cut = (0..whole.len()).map(|len| whole[..len].to_vec());
    for meta in cut.chain([longer]) {
        fs::write(&path, &meta).unwrap();
        let refused = folder.store().find(BLOCK, 0).unwrap_err();
        assert!(
            matches!(&refused, Error::Replica { path: named, .. } if *named == path),
            "{} bytes: {refused}",
            meta.len()
        );
    }
    fs::write(&path, &whole).unwrap();
    assert!(folder.store().find(BLOCK, 0).is_ok());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(folder.store().find(BLOCK, 0), Err(Error::File { action: "open", .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn flushes_anywhere_give_the_same_replica(
        block in prop::collection::vec(any::<u8>(), 0..4000),
        kind in prop_oneof![
            Just(ChecksumKind::Null), Just(ChecksumKind::Crc32), Just(ChecksumKind::Crc32c)
        ],
        bytes_per_checksum in 1_usize..600,
        cuts in prop::collection::vec((1_usize..900, any::<bool>()), 1..30),
    ) {
        let checksum = ChunkedChecksum::new(kind, bytes_per_checksum).unwrap();
        let folder = Folder::new();
        let mut receiver = folder.writable().create(BLOCK, STAMP, checksum).unwrap();
        let (mut end, mut seqno) = (0, 0);
        for &(len, restart) in cuts.iter().cycle() {
            if end == block.len() {
                break;
            }
            let filled = end % bytes_per_checksum;
            // A short chunk is sent again from its start, or goes on up to its end.
            let (start, most) = match filled {
                0 => (end, block.len()),
                _ if restart => (end - filled, block.len()),
                _ => (end, (end - filled + bytes_per_checksum).min(block.len())),
            };
            let next = (end + len).min(most);
            receive(&mut receiver, &block, start, next, seqno).unwrap();
            (end, seqno) = (next, seqno + 1);
            let visible = receiver.replica().unwrap();
            prop_assert_eq!(visible.len(), end as u64);
            let mut stored = vec![0; checksum.sums_len(end as u64).unwrap() as usize];
            visible.read_sums(0, end as u64, &mut stored).unwrap();
            prop_assert_eq!(stored, sums(checksum, &block[..end]));
        }
        last(&mut receiver, block.len(), seqno).unwrap();
        assert_stored(&folder, checksum, &block);
    }
}
