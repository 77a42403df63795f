//! Layouts against a slow oracle that deals bytes out one by one, and round trips.

use std::ops::Range;

use proptest::prelude::*;
use restripe::layout::{
    AlignedRange, Codec, ContiguousLayout, Layout, Policy, Position, StripedFile, StripedLayout,
};

/// Where each byte of a group lies: dealt one by one, a full cell to each unit in turn.
fn dealt(data_units: usize, cell_size: u64, group_len: u64) -> Vec<Position> {
    let mut lens = vec![0; data_units];
    let mut unit = 0;
    (0..group_len)
        .map(|_| {
            let position = Position { unit, offset: lens[unit] };
            lens[unit] += 1;
            if lens[unit].is_multiple_of(cell_size) {
                unit = (unit + 1) % data_units;
            }
            position
        })
        .collect()
}

/// Every small group: k, cell size, length.
fn small_groups() -> impl Iterator<Item = (usize, u64, u64)> {
    (1..=5).flat_map(|k| {
        (1..=4).flat_map(move |cell| (0..=3 * k as u64 * cell + 1).map(move |len| (k, cell, len)))
    })
}

fn ranges_within(len: u64) -> impl Iterator<Item = Range<u64>> {
    (0..=len).flat_map(move |start| (start..=len).map(move |end| start..end))
}

/// The bytes of one unit that are dealt to it in a range of the group.
fn touched(dealt: &[Position], range: &Range<u64>, unit: usize) -> Vec<u64> {
    let dealt = &dealt[range.start as usize..range.end as usize];
    dealt.iter().filter(|position| position.unit == unit).map(|position| position.offset).collect()
}

#[test]
fn units_are_as_long_as_the_bytes_dealt_to_them() {
    for (k, cell, len) in small_groups() {
        for m in 1..=3 {
            let group = StripedLayout::new(k, m, cell, len).unwrap();
            let dealt = dealt(k, cell, len);
            let lens: Vec<u64> =
                (0..k).map(|unit| touched(&dealt, &(0..len), unit).len() as u64).collect();
            let longest = *lens.iter().max().unwrap();
            for unit in 0..k + m {
                let expected = lens.get(unit).copied().unwrap_or(longest);
                assert_eq!(group.unit_len(unit), expected, "{group:?}, unit {unit}");
            }
            let stripes = longest.div_ceil(cell);
            assert_eq!((group.group_len(), group.stripes()), (len, stripes), "{group:?}");
        }
    }
}

#[test]
fn every_byte_is_where_it_was_dealt_to_and_found_again() {
    for (k, cell, len) in small_groups() {
        let group = StripedLayout::new(k, 2, cell, len).unwrap();
        for (offset, &position) in dealt(k, cell, len).iter().enumerate() {
            assert_eq!(group.position(offset as u64), Some(position), "{group:?}");
            assert_eq!(group.group_offset(position), Some(offset as u64), "{group:?}");
        }
        assert_eq!(group.position(len), None);
        for unit in 0..k + 3 {
            let past = if unit < k { group.unit_len(unit) } else { 0 };
            assert_eq!(group.group_offset(Position { unit, offset: past }), None, "{group:?}");
        }
    }
}

#[test]
fn units_are_known_zero_where_nothing_was_dealt_to_them() {
    for (k, cell, len) in small_groups() {
        let group = StripedLayout::new(k, 2, cell, len).unwrap();
        let dealt = dealt(k, cell, len);
        for offset in 0..=group.unit_len(0) {
            let required: Vec<usize> =
                (0..k).filter(|&unit| dealt.contains(&Position { unit, offset })).collect();
            for unit in 0..k {
                assert_eq!(group.known_zero(unit, offset), !required.contains(&unit));
            }
            assert!(!group.known_zero(k, offset) && !group.known_zero(k + 1, offset));
            assert_eq!(group.required_units(offset), required.len(), "{group:?} at {offset}");
        }
        // The rule of HDFS for the least number of sources.
        assert_eq!(group.required_units(0) as u64, len.div_ceil(cell).min(k as u64), "{group:?}");
    }
}

#[test]
fn pieces_are_the_bytes_of_a_range_cell_by_cell() {
    for (k, cell, len) in small_groups() {
        let group = StripedLayout::new(k, 1, cell, len).unwrap();
        let dealt = dealt(k, cell, len);
        for range in ranges_within(len) {
            let mut walked = range.start;
            for piece in group.pieces(range.clone()).unwrap() {
                assert_eq!(piece.group_range.start, walked, "{group:?}, {range:?}");
                walked = piece.group_range.end;
                let bytes = &dealt[piece.group_range.start as usize..walked as usize];
                assert!(!bytes.is_empty() && bytes.len() as u64 <= cell);
                for (index, &position) in bytes.iter().enumerate() {
                    let offset = piece.offset + index as u64;
                    assert_eq!(position, Position { unit: piece.unit, offset });
                }
                let whole_cell = walked.is_multiple_of(cell);
                assert!(whole_cell || walked == range.end, "pieces are cut at cells only");
            }
            assert_eq!(walked, range.end, "{group:?}, {range:?}");
        }
    }
}

#[test]
fn a_range_of_the_group_is_one_range_of_each_unit() {
    for (k, cell, len) in small_groups() {
        let group = StripedLayout::new(k, 2, cell, len).unwrap();
        let dealt = dealt(k, cell, len);
        for range in ranges_within(len) {
            for unit in 0..k + 2 {
                let part = group.unit_range(unit, range.clone()).unwrap();
                let expected = touched(&dealt, &range, unit);
                assert!(part.eq(expected), "{group:?}, {range:?}, unit {unit}");
            }
        }
    }
}

#[test]
fn aligned_ranges_hold_each_byte_of_a_range_once_and_no_other() {
    for (k, cell, len) in small_groups() {
        let group = StripedLayout::new(k, 1, cell, len).unwrap();
        let dealt = dealt(k, cell, len);
        for range in ranges_within(len) {
            let aligned: Vec<AlignedRange> = group.aligned_ranges(range.clone()).unwrap().collect();
            assert!(aligned.len() <= 5, "{group:?}, {range:?}: {aligned:?}");
            assert!(aligned.is_sorted_by(|a, b| a.unit_range.end <= b.unit_range.start));
            for neighbours in aligned.windows(2) {
                let adjoin = neighbours[0].unit_range.end == neighbours[1].unit_range.start;
                assert!(!adjoin || neighbours[0].units != neighbours[1].units, "one cut too many");
            }
            for unit in 0..k {
                let of_unit = aligned.iter().filter(|aligned| aligned.units.contains(&unit));
                let bytes = of_unit.flat_map(|aligned| aligned.unit_range.clone());
                assert!(
                    bytes.eq(touched(&dealt, &range, unit)),
                    "{group:?}, {range:?}: {aligned:?}"
                );
            }
            assert!(aligned.iter().all(|a| !a.unit_range.is_empty() && !a.units.is_empty()));
        }
    }
}

/// Numbers of all magnitudes, not only those with the highest bits set.
fn any_magnitude() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0u32..64).prop_map(|(number, shift)| number >> shift)
}

/// Striping of any size whose numbers a group may have.
fn striping() -> impl Strategy<Value = (usize, usize, u64)> {
    (1usize..=255, 1usize..=255, any_magnitude())
        .prop_map(|(k, m, cell)| (k, m.min(256 - k), (cell / k as u64).max(1)))
}

proptest! {
    #[test]
    fn positions_round_trip_in_groups_of_any_size(
        (k, m, cell) in striping(),
        len in any_magnitude().prop_map(|len| len.max(1)),
        offset in any::<u64>(),
    ) {
        let group = StripedLayout::new(k, m, cell, len).unwrap();
        let offset = offset % len;
        let position = group.position(offset).unwrap();
        prop_assert!(position.offset < group.unit_len(position.unit));
        prop_assert_eq!(group.group_offset(position), Some(offset));
        prop_assert_eq!(position.offset % cell, offset % cell);
    }

    #[test]
    fn lengths_of_the_data_units_add_up(
        (k, m, cell) in striping(),
        len in any_magnitude(),
    ) {
        let group = StripedLayout::new(k, m, cell, len).unwrap();
        let lens: Vec<u64> = (0..k).map(|unit| group.unit_len(unit)).collect();
        prop_assert_eq!(lens.iter().map(|&len| u128::from(len)).sum::<u128>(), u128::from(len));
        prop_assert!(lens.is_sorted_by(|a, b| a >= b));
        prop_assert!((k..k + m).all(|unit| group.unit_len(unit) == lens[0]));
    }

    #[test]
    fn ranges_of_any_size_are_shared_out_without_loss(
        (k, m, cell) in striping(),
        len in any_magnitude(),
        ends in any::<(u64, u64)>(),
    ) {
        let group = StripedLayout::new(k, m, cell, len).unwrap();
        let ends = match len.checked_add(1) {
            Some(ends_count) => (ends.0 % ends_count, ends.1 % ends_count),
            None => ends,
        };
        let range = ends.0.min(ends.1)..ends.0.max(ends.1);
        let bytes = u128::from(range.end - range.start);
        let parts = (0..k).map(|unit| {
            let part = group.unit_range(unit, range.clone()).unwrap();
            u128::from(part.end - part.start)
        });
        prop_assert_eq!(parts.sum::<u128>(), bytes);
        let aligned = group.aligned_ranges(range.clone()).unwrap().map(|aligned| {
            let columns = u128::from(aligned.unit_range.end - aligned.unit_range.start);
            columns * aligned.units.len() as u128
        });
        prop_assert_eq!(aligned.sum::<u128>(), bytes);
        let (mut pieces, mut walked) = (0, range.start);
        for piece in group.pieces(range.clone()).unwrap().take(1000) {
            prop_assert_eq!(piece.group_range.start, walked);
            walked = piece.group_range.end;
            pieces += 1;
        }
        prop_assert!(walked == range.end || pieces == 1000);
    }

    #[test]
    fn file_offsets_round_trip_in_files_of_any_size(
        (k, m, cell) in striping(),
        cells_a_block in 1u64..=1 << 20,
        file_len in any_magnitude().prop_map(|len| len.max(1)),
        offset in any::<u64>(),
    ) {
        let Some(block_size) = cell.checked_mul(cells_a_block) else { return Ok(()) };
        let Ok(file) = StripedFile::new(k, m, cell, block_size, file_len) else {
            prop_assert!(block_size.checked_mul(k as u64).is_none());
            return Ok(());
        };
        let offset = offset % file_len;
        let position = file.group_position(offset).unwrap();
        let start = file.group_start(position.group).unwrap();
        prop_assert_eq!(start + position.offset, offset);
        let group = file.group(position.group).unwrap();
        prop_assert!(position.offset < group.group_len());
        prop_assert!(group.unit_len(0) <= block_size);
        let last = file.group_start(file.groups() - 1).unwrap();
        prop_assert_eq!(last + file.group(file.groups() - 1).unwrap().group_len(), file_len);
    }

    #[test]
    fn a_contiguous_group_asks_for_the_units_that_are_not_over(
        lens in prop::collection::vec(0u64..100, 1..20),
        m in 1usize..5,
        offset in 0u64..110,
    ) {
        let group = ContiguousLayout::new(lens.clone(), m).unwrap();
        let longer = lens.iter().filter(|&&len| len > offset).count();
        prop_assert_eq!(group.required_units(offset), longer);
        prop_assert_eq!(group.group_len(), lens.iter().sum::<u64>());
    }

    #[test]
    fn policies_round_trip_through_their_names(
        codec in prop::sample::select(vec![Codec::Rs, Codec::RsLegacy, Codec::Xor]),
        k in 1usize..=254,
        m in 1usize..=254,
        cell in 1..=Policy::MAX_CELL_SIZE / 1024,
    ) {
        let m = if codec == Codec::Xor { 1 } else { m.min(255 - k) };
        let policy = Policy::new(codec, k, m, cell * 1024).unwrap();
        let name = policy.to_string();
        prop_assert_eq!(name.parse::<Policy>(), Ok(policy));
        prop_assert_eq!(name, format!("{}-{k}-{m}-{cell}k", codec.name()));
    }

    #[test]
    fn a_text_that_parses_is_the_name_of_what_it_gives(
        text in "(RS|RS-LEGACY|XOR|rs|LRC|)-?[0-9+]{0,3}-?[0-9]{0,3}-[0-9]{0,5}[kK]?",
    ) {
        if let Ok(policy) = text.parse::<Policy>() {
            prop_assert_eq!(policy.to_string(), text);
        }
    }

    #[test]
    fn a_text_of_any_kind_is_no_name(text in any::<String>()) {
        prop_assert!(text.parse::<Policy>().is_err());
    }
}
