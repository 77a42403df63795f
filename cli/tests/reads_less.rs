//! How much is read to decode what is lost: counted in chunks of a tile, and compared with what
//! the code's plan says.

mod common;

use std::fs;

use common::{Encoded, Random};
use restripe::ErasureCode as _;
use restripe_cli::args::FolderLayout;
use restripe_cli::folder::Folder;
use restripe_cli::heal::group::Group;
use restripe_cli::heal::healer::{Healer, Options};
use restripe_cli::heal::marks::{Fate, Found, Marks, Trust};
use restripe_cli::heal::tile::Tile;

/// Chunks that are read to heal a lost unit in a tile of one chunk a row, and whether it is right.
fn chunks_read(encoded: &Encoded, lost: usize) -> (usize, bool) {
    let folder = Folder::open(&encoded.folder(), &FolderLayout::none()).unwrap();
    let group = Group::open(&folder, 0).unwrap();
    let (rows, chunk) = (group.rows(), group.sum_kind().bytes_per_checksum());
    let lens = group.lens_within(0, chunk);
    let mut buffers = vec![vec![0; chunk]; rows.count()];
    let mut marks = Marks::default();
    let bytes = buffers.iter_mut().map(|buffer| &mut buffer[..]).collect();
    let mut tile =
        Tile { rows, start: 0, len: chunk, chunk, lens: &lens, bytes, marks: &mut marks };
    let options = Options { rebuild_absent: true, compare: false, check_spare: false, deep: false };
    let mut healer = Healer::new(&group, options);
    let wanted: Vec<_> =
        (0..rows.count()).map(|row| if rows.unit(row) == lost { 0..1 } else { 0..0 }).collect();
    healer.read_enough(&mut tile, &wanted).unwrap();
    healer.heal(&mut tile, &wanted).unwrap();
    let read = (0..rows.count()).filter(|&row| tile.marks.found(row)[0] == Found::Good).count();
    let right = rows.of_unit(lost).all(|row| {
        let at = tile.offset(row) as usize;
        let block = &encoded.pristine[&common::oracle::block_name(0, lost)];
        tile.marks.fate(row)[0] == Fate::Rebuilt(Trust::Proven)
            && tile.bytes[row][..chunk] == block[at..at + chunk]
    });
    (read, right)
}

#[test]
fn a_lost_block_is_decoded_from_as_little_as_its_plan_reads() {
    let mut random = Random::new(1);
    for name in ["RS-6-3-4k", "HHXOR-10-4-4k", "HHXOR-6-3-4k", "LRC-12-2-2-4k"] {
        let policy: restripe::layout::Policy = name.parse().unwrap();
        let code = policy.code().unwrap();
        let encoded = Encoded::new(name, 8192, random.bytes(policy.data_units() * 8192));
        for lost in 0..policy.data_units() {
            fs::remove_file(encoded.block(0, lost)).unwrap();
            let others: Vec<usize> = (0..code.total_units()).filter(|&unit| unit != lost).collect();
            let cost = code.repair_cost(&[lost], &others).unwrap();
            assert_eq!(chunks_read(&encoded, lost), (cost.sub_shards_read, true), "{name}: {lost}");
            encoded.reset();
        }
    }
}
