//! Blocks that a real HDFS wrote: their lengths, bytes, checksums and names are what this crate
//! says they are.

#[path = "common/blocks.rs"]
mod blocks;
mod common;

use blocks::{Block, Striping};
use restripe::ErasureCode;
use restripe::layout::{Layout, Policy, Position, StripedFile, StripedLayout};

fn striped_blocks() -> Vec<(Block, Striping, StripedLayout)> {
    let striped = blocks::blocks().into_iter().filter_map(|mut block| {
        let striping = block.striping.take()?;
        let policy: Policy = striping.policy.parse().unwrap();
        let group = policy.group(block.len);
        Some((block, striping, group))
    });
    let striped: Vec<_> = striped.collect();
    assert!(striped.len() >= 4);
    striped
}

#[test]
fn policy_names_are_those_of_the_name_node() {
    for (_, striping, _) in striped_blocks() {
        let policy: Policy = striping.policy.parse().unwrap();
        assert_eq!(policy.to_string(), striping.policy);
        assert_eq!(policy.data_units(), striping.data_units);
        assert_eq!(policy.parity_units(), striping.parity_units);
        assert_eq!(policy.cell_size(), striping.cell_size);
    }
}

#[test]
fn internal_blocks_have_the_lengths_of_the_layout() {
    for (block, striping, group) in striped_blocks() {
        for unit in 0..striping.data_units + striping.parity_units {
            let replica = block.replicas.iter().find(|replica| replica.index == unit);
            let len = replica.map_or(0, |replica| replica.data.len() as u64);
            assert_eq!(group.unit_len(unit), len, "{}, unit {unit}", block.file);
        }
        assert_eq!(group.group_len(), block.len);
        // A datanode keeps no file of an empty internal block, so those there are the required.
        let live = block.replicas.iter().filter(|replica| replica.index < striping.data_units);
        assert_eq!(group.required_units(0), live.count(), "{}", block.file);
    }
}

#[test]
fn files_are_cut_into_blocks_as_the_client_did() {
    for block in blocks::blocks() {
        let (data_units, cell_size) = block
            .striping
            .as_ref()
            .map_or((1, block.block_size), |striping| (striping.data_units, striping.cell_size));
        let file =
            StripedFile::new(data_units, 1, cell_size, block.block_size, block.file_len).unwrap();
        assert_eq!(file.group(block.number).unwrap().group_len(), block.len, "{}", block.file);
    }
}

#[test]
fn data_blocks_are_the_file_dealt_out() {
    for (block, striping, group) in striped_blocks() {
        let source = blocks::source(&block.file);
        let mut units = vec![Vec::new(); striping.data_units];
        for piece in group.pieces(0..group.group_len()).unwrap() {
            let unit: &mut Vec<u8> = &mut units[piece.unit];
            assert_eq!(unit.len() as u64, piece.offset);
            let range = piece.group_range.start as usize..piece.group_range.end as usize;
            unit.extend_from_slice(&source[range]);
        }
        for replica in block.replicas.iter().filter(|replica| replica.index < units.len()) {
            assert!(units[replica.index] == replica.data, "{}/{}", block.file, replica.name);
        }
    }
}

/// The internal blocks of a group by unit; those of no bytes have no replica.
fn units(block: &Block, group: &StripedLayout) -> Vec<Vec<u8>> {
    let mut units = vec![Vec::new(); group.data_units() + group.parity_units()];
    for replica in &block.replicas {
        units[replica.index].clone_from(&replica.data);
    }
    units
}

#[test]
fn parity_blocks_are_encoded_from_the_data_blocks() {
    for (block, striping, group) in striped_blocks() {
        let code = striping.policy.parse::<Policy>().unwrap().code().unwrap();
        let units = units(&block, &group);
        let (data, parity) = units.split_at(striping.data_units);
        // Cells lie at the same offsets in every internal block, so whole blocks are shards.
        let mut encoded = vec![vec![0xEE; parity[0].len()]; parity.len()];
        code.encode(data, &mut encoded).unwrap();
        assert!(encoded == parity, "{}", block.file);
    }
}

#[test]
fn any_two_internal_blocks_are_rebuilt_at_their_own_lengths() {
    for (block, striping, group) in striped_blocks() {
        let code = striping.policy.parse::<Policy>().unwrap().code().unwrap();
        let units = units(&block, &group);
        for first in 0..units.len() {
            for second in first + 1..units.len() {
                let lost = [first, second];
                let left: Vec<usize> =
                    (0..units.len()).filter(|unit| !lost.contains(unit)).collect();
                let plan = code.plan(&left, &lost).unwrap();
                let inputs: Vec<&[u8]> =
                    plan.reads().iter().map(|read| &units[read.unit][..]).collect();
                let mut rebuilt = lost.map(|unit| vec![0xEE; group.unit_len(unit) as usize]);
                plan.apply(&inputs, &mut rebuilt).unwrap();
                assert!(rebuilt == lost.map(|unit| units[unit].clone()), "{}", block.file);
            }
        }
    }
}

#[test]
fn any_byte_of_the_file_is_found_in_its_internal_block() {
    for (block, _, group) in striped_blocks() {
        let source = blocks::source(&block.file);
        for offset in (0..group.group_len()).step_by(997) {
            let Position { unit, offset: in_unit } = group.position(offset).unwrap();
            let replica = block.replicas.iter().find(|replica| replica.index == unit).unwrap();
            assert_eq!(replica.data[in_unit as usize], source[offset as usize]);
        }
    }
}

#[test]
fn plain_blocks_are_the_file_in_order() {
    for block in blocks::blocks().into_iter().filter(|block| block.striping.is_none()) {
        let source = blocks::source(&block.file);
        let start = (block.number * block.block_size) as usize;
        let [replica] = &block.replicas[..] else { panic!("{} has one replica", block.file) };
        assert!(replica.data == source[start..start + block.len as usize], "{}", block.file);
    }
}

#[cfg(feature = "hdfs")]
mod files {
    use restripe::checksum::ChecksumKind;
    use restripe::hdfs::{BlockFileName, BlockId, MetaHeader};

    use super::blocks;

    #[test]
    fn meta_files_are_computed_byte_for_byte() {
        let mut kinds = Vec::new();
        for block in blocks::blocks() {
            for replica in &block.replicas {
                let name = format!("{}/{}", block.file, replica.meta_name);
                let header = MetaHeader::decode(&replica.meta).unwrap();
                let checksum = header.checksum();
                assert_eq!(checksum.bytes_per_checksum(), 512, "{name}");
                let crc32 = block.file.ends_with("_crc32");
                let kind = if crc32 { ChecksumKind::Crc32 } else { ChecksumKind::Crc32c };
                assert_eq!(checksum.kind(), kind, "{name}");
                kinds.push(kind);

                let meta_len = header.meta_len(replica.data.len() as u64).unwrap();
                let mut meta = vec![0; meta_len as usize];
                meta[..MetaHeader::LEN].copy_from_slice(&header.encode());
                checksum.compute(&replica.data, &mut meta[MetaHeader::LEN..]).unwrap();
                assert!(meta == replica.meta, "{name}");
                checksum.verify(&replica.data, &replica.meta[MetaHeader::LEN..]).unwrap();
            }
        }
        assert!(kinds.contains(&ChecksumKind::Crc32) && kinds.contains(&ChecksumKind::Crc32c));
    }

    #[test]
    fn file_names_are_made_of_ids_and_generation_stamps() {
        for block in blocks::blocks() {
            let (id, generation_stamp) = (BlockId(block.id), block.generation_stamp);
            assert_eq!(id.is_striped(), block.striping.is_some());
            for replica in &block.replicas {
                let replica_id =
                    if id.is_striped() { id.internal_block(replica.index).unwrap() } else { id };
                let data = BlockFileName::Data { id: replica_id };
                let meta = BlockFileName::Meta { id: replica_id, generation_stamp };
                assert_eq!(
                    (data.to_string(), meta.to_string()),
                    (replica.name.clone(), replica.meta_name.clone())
                );
                assert_eq!(replica.name.parse(), Ok(data));
                assert_eq!(replica.meta_name.parse(), Ok(meta));
                if id.is_striped() {
                    assert_eq!(replica_id.group(), Some(id));
                    assert_eq!(replica_id.index(), Some(replica.index));
                }
            }
        }
    }
}
