//! Files of a local file system: protected, damaged, read, healed; changed by their owner.

mod common;

use std::fs;
use std::sync::Arc;

use common::{Place, Random, all, identity, options};
use restripe::ErasureCode as _;
use restripe_block_ec::{Error, Healing, LocalStore, Outcome, Protection, Run, State};

const POLICIES: [&str; 7] = [
    "RS-3-2-4k",
    "RS-6-3-16k",
    "RS-LEGACY-6-3-4k",
    "XOR-2-1-8k",
    "HHXOR-6-3-4k",
    "HHXOR-3-2-128k",
    "LRC-4-2-2-4k",
];

#[test]
fn damage_is_found_read_through_and_healed_under_every_code() {
    for policy in POLICIES {
        let place = Place::new();
        let mut random = Random::new(1);
        let long = random.bytes(1_000_003);
        place.write("long", &long);
        let small: Vec<Vec<u8>> = (0..20).map(|number| random.bytes(100 + 377 * number)).collect();
        for (number, content) in small.iter().enumerate() {
            place.write(&format!("small/{number:02}"), content);
        }
        place.write("empty", b"");
        let report = place.protect(policy);
        assert_eq!((report.protected.files, report.unchanged.files), (22, 0), "{policy}");
        let again = place.protect(policy);
        assert_eq!((again.protected.files, again.unchanged.files), (0, 22), "{policy}");
        assert!(place.scrub().is_clean());

        place.damage("long", 500_000, 3000);
        place.damage("small/07", 0, 1);
        let before = identity(&place, "long");
        let report = place.scrub();
        let found: Vec<_> =
            report.damaged_files.iter().map(|file| (&*file.path, file.outcome)).collect();
        let repairable = Outcome::Repairable;
        assert_eq!(found, [("long", repairable), ("small/07", repairable)], "{policy}");
        assert_eq!(report.clean.files, 20);

        for range in [0..1_000_003, 499_000..501_000, 502_999..503_001, 7..8] {
            let (bytes, report) = place.cat("long", range.clone()).unwrap();
            assert!(bytes == long[range.start as usize..range.end as usize], "{policy} {range:?}");
            assert_eq!(
                report.healing == Healing::None,
                range == (7..8),
                "{policy} {range:?} {:?}",
                report.healing
            );
        }
        let (bytes, _) = place.cat("small/07", 0..small[7].len() as u64).unwrap();
        assert!(bytes == small[7]);
        assert!(place.read("long") != long, "reading heals nothing");

        let healed = place.heal();
        assert!(healed.is_clean() && healed.damaged_files.len() == 2, "{policy} {healed:?}");
        assert!(place.read("long") == long && place.read("small/07") == small[7]);
        let now = identity(&place, "long");
        assert_eq!((now.len, now.modified), (before.len, before.modified));
        let report = place.scrub();
        assert!(report.is_clean() && report.damaged_files.is_empty());
        assert_eq!(report.clean.files, 22);
        assert_eq!(place.protect(policy).unchanged.files, 22);
    }
}

#[test]
fn parity_is_the_codes_of_the_files_blocks_group_by_group() {
    let place = Place::new();
    let content = Random::new(2).bytes(5 * 3 * 4096 + 5000);
    place.write("file", &content);
    place.protect("RS-3-2-4k");
    let files = place.parity_files();
    let [(path, Some(header))] = &files[..] else { panic!("{files:?}") };
    let parity = fs::read(path).unwrap();
    let code = restripe::ReedSolomon::new(3, 2).unwrap();
    let mut at = 0;
    for group in content.chunks(3 * 4096) {
        // The last group's blocks share what is left, but a chunk is not cut.
        let mut blocks: Vec<&[u8]> = group.chunks(4096).collect();
        blocks.resize(3, &[]);
        let unit = blocks[0].len();
        let mut expected = vec![vec![0; unit]; 2];
        code.encode(&blocks, &mut expected).unwrap();
        for expected in expected {
            assert!(parity[at..at + unit] == expected);
            at += unit;
        }
    }
    assert_eq!(at as u64, header.geometry.parity_len());
    assert_eq!(*blake3::hash(&content).as_bytes(), header.members[0].digest);
}

#[test]
fn what_an_owner_changed_is_never_healed_and_does_not_harm_the_others() {
    type Change = fn(&Place);
    let changes: [(&str, Change); 7] = [
        ("edited", |place| {
            place.damage("d/05", 0, 100);
            touch(place, "d/05");
        }),
        ("appended to", |place| {
            let mut content = place.read("d/05");
            content.extend([7; 5000]);
            place.write("d/05", &content);
        }),
        ("truncated", |place| {
            let content = place.read("d/05");
            place.write("d/05", &content[..1000]);
        }),
        ("emptied", |place| place.write("d/05", b"")),
        ("replaced", |place| {
            fs::write(place.path("d/new"), "another").unwrap();
            fs::rename(place.path("d/new"), place.path("d/05")).unwrap();
        }),
        ("renamed", |place| {
            fs::rename(place.path("d/05"), place.path("d/99")).unwrap();
        }),
        ("deleted", |place| fs::remove_file(place.path("d/05")).unwrap()),
    ];
    for (what, change) in changes {
        let place = Place::new();
        let mut random = Random::new(3);
        let contents: Vec<Vec<u8>> = (0..9).map(|_| random.bytes(3000)).collect();
        for (number, content) in contents.iter().enumerate() {
            place.write(&format!("d/{number:02}"), content);
        }
        place.protect("RS-3-2-16k");
        change(&place);
        let owners = fs::read(place.path("d/05")).ok();
        place.damage("d/02", 1000, 900);
        let healed = place.heal();
        assert_eq!(healed.damaged_files.len(), 1, "{what}: {healed:?}");
        assert!(place.read("d/02") == contents[2], "{what}");
        assert_eq!(fs::read(place.path("d/05")).ok(), owners, "{what}");
        assert_eq!(healed.changed.len(), 1, "{what}: {healed:?}");

        let status = place.open().status(&all()).unwrap();
        assert!(status.totals.less_protected.files > 0, "{what}: {status:?}");

        let report = place.protect("RS-3-2-16k");
        let renamed = u64::from(what == "renamed");
        assert_eq!(report.renamed, renamed, "{what}");
        assert_eq!(report.regrouped.files, if renamed == 1 { 0 } else { 8 }, "{what}");
        let status = place.open().status(&all()).unwrap();
        assert_eq!(status.totals.less_protected.files, 0, "{what}: {status:?}");
        assert!(place.scrub().is_clean(), "{what}");
        assert_eq!(place.parity_files().len(), 1, "{what}: the old parity is gone");
        for number in [0, 1] {
            place.damage(&format!("d/{number:02}"), 0, 3000);
        }
        assert!(place.heal().is_clean(), "{what}");
        for (number, content) in contents.iter().enumerate().filter(|(number, _)| *number != 5) {
            assert!(place.read(&format!("d/{number:02}")) == *content, "{what} {number}");
        }
    }
}

/// Writes a file's times anew, as its owner does who writes it.
fn touch(place: &Place, name: &str) {
    let file = fs::File::options().write(true).open(place.path(name)).unwrap();
    file.set_modified(std::time::SystemTime::now()).unwrap();
}

#[test]
fn a_file_that_was_only_touched_or_copied_back_keeps_its_parity() {
    let place = Place::new();
    let content = Random::new(4).bytes(30_000);
    place.write("touched", &content);
    place.write("copied", &content);
    place.protect("RS-3-2-4k");
    touch(&place, "touched");
    fs::remove_file(place.path("copied")).unwrap();
    place.write("copied", &content);
    let report = place.scrub();
    assert!(report.is_clean() && report.clean.files == 2 && report.changed.is_empty());
    touch(&place, "touched");
    let report = place.protect("RS-3-2-4k");
    assert_eq!((report.protected.files, report.unchanged.files), (0, 2));
    place.damage("touched", 0, 10);
    place.damage("copied", 20_000, 10);
    assert!(place.heal().is_clean());
    assert!(place.read("touched") == content && place.read("copied") == content);
}

#[test]
fn files_that_were_rotated_take_their_parity_with_them() {
    let place = Place::new();
    let contents: Vec<Vec<u8>> =
        (0..4).map(|number| Random::new(number).bytes(20_000 + number as usize)).collect();
    for (number, content) in contents.iter().enumerate().take(3) {
        place.write(&format!("log.{number}"), content);
    }
    place.protect("RS-3-2-4k");
    for number in (0..3).rev() {
        fs::rename(
            place.path(&format!("log.{number}")),
            place.path(&format!("log.{}", number + 1)),
        )
        .unwrap();
    }
    place.write("log.0", &contents[3]);
    let report = place.protect("RS-3-2-4k");
    assert_eq!((report.renamed, report.protected.files, report.unchanged.files), (3, 1, 3));
    for number in 0..4 {
        place.damage(&format!("log.{number}"), 5000, 4000);
    }
    assert!(place.heal().is_clean());
    for number in 0..4 {
        assert!(place.read(&format!("log.{number}")) == contents[(number + 3) % 4]);
    }
}

#[test]
fn a_file_that_was_healed_is_known_again_after_the_loss_of_the_metastore() {
    let place = Place::new();
    let contents: Vec<Vec<u8>> = (0..3).map(|number| Random::new(number).bytes(3000)).collect();
    for (number, content) in contents.iter().enumerate() {
        place.write(&format!("{number}"), content);
    }
    place.protect("RS-3-2-4k");
    for number in 0..2 {
        place.damage(&format!("{number}"), 500, 100);
    }
    assert!(place.heal().is_clean());
    // Damaged again, one of them under another name; nothing but the times tells who they are.
    place.damage("0", 100, 700);
    place.damage("1", 100, 700);
    fs::rename(place.path("1"), place.path("other")).unwrap();
    fs::remove_file(place.own("metastore.db")).unwrap();
    let (data, parity) = (LocalStore::new(place.root()), LocalStore::new(place.own("parity")));
    let rescanned = Protection::rescan(
        Arc::new(data),
        Arc::new(parity),
        &place.own("metastore.db"),
        &Run::simple(),
    );
    let (protection, report) = rescanned.unwrap();
    assert_eq!((report.protected.files, report.renamed, report.changed), (3, 1, 0));
    drop(protection);
    assert!(place.heal().is_clean());
    assert!(place.read("0") == contents[0] && place.read("other") == contents[1]);
}

#[test]
fn a_new_metastore_beside_parity_files_is_not_worked_with() {
    let place = Place::new();
    place.write("file", b"content");
    place.protect("RS-3-2-4k");
    fs::remove_file(place.own("metastore.db")).unwrap();
    for _ in 0..2 {
        let opened = place.try_open(restripe_block_ec::Hook::default());
        assert!(matches!(opened, Err(Error::Metastore { damaged: true, .. })), "{opened:?}");
    }
    assert_eq!(place.parity_files().len(), 1);
}

#[test]
fn damage_beyond_repair_is_told_and_the_file_is_left_exactly_as_it_is() {
    let place = Place::new();
    let content = Random::new(5).bytes(12_288);
    place.write("file", &content);
    place.protect("RS-3-2-4k");
    for unit in 0..3 {
        place.damage("file", unit * 4096, 100);
    }
    let damaged = place.read("file");
    let report = place.heal();
    assert!(report.has_lost() && !report.is_clean());
    assert_eq!(report.damaged_files[0].outcome, Outcome::BeyondRepair);
    assert!(place.read("file") == damaged);
    let read = place.cat("file", 0..10);
    assert!(matches!(read, Err(Error::Lost { start: 0, end: 4096, .. })), "{read:?}");
    let status = place.open().status(&all()).unwrap();
    assert_eq!(status.totals.by_state[&State::Damaged].files, 1);
    assert_eq!(status.totals.without_protection().files, 1);
    // Its owner brings it back from elsewhere.
    place.write("file", &content);
    assert!(place.scrub().is_clean());
    assert_eq!(place.open().metastore().file("file").unwrap().unwrap().state, State::Healthy);
}

#[test]
fn damaged_and_missing_parity_is_made_anew() {
    type Damage = fn(&std::path::Path);
    let damages: [(&str, Damage); 6] = [
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("emptied", |path| fs::write(path, b"").unwrap()),
        ("flipped", |path| common::damage(path, 5000, 1)),
        ("cut", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        }),
        ("its header", |path| {
            let len = fs::metadata(path).unwrap().len();
            common::damage(path, len - 100, 1);
        }),
        ("lengthened", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes.extend([0; 100]);
            fs::write(path, bytes).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let place = Place::new();
        let content = Random::new(6).bytes(50_000);
        place.write("file", &content);
        place.protect("RS-3-2-4k");
        let (path, _) = place.parity_files().remove(0);
        damage(&path);
        let report = place.scrub();
        assert!(!report.is_clean() && report.damaged_parity.len() == 1, "{what}");
        assert_eq!(report.clean.files, 1, "{what}");
        assert!(!place.open().status(&all()).unwrap().damaged_parity.is_empty(), "{what}");
        assert!(place.heal().is_clean(), "{what}");
        assert!(place.scrub().is_clean(), "{what}");
        assert!(place.open().status(&all()).unwrap().damaged_parity.is_empty(), "{what}");
        assert_eq!(place.parity_files().len(), 1, "{what}");
        place.damage("file", 0, 8192);
        assert!(place.heal().is_clean() && place.read("file") == content, "{what}");
    }
}

#[test]
fn files_of_other_owners_and_folders_do_not_share_parity() {
    let place = Place::new();
    for name in ["a/1", "a/2", "b/1", "b/2"] {
        place.write(name, name.as_bytes());
    }
    #[cfg(unix)]
    let owners = match std::os::unix::fs::chown(place.path("a/2"), Some(12_345), None) {
        Ok(()) => 2,
        Err(_) => {
            common::skip("files_of_other_owners", "this user may not give files away");
            1
        }
    };
    place.protect("RS-3-2-4k");
    let files = place.parity_files();
    assert_eq!(files.len(), 1 + owners);
    for (_, header) in files {
        let header = header.unwrap();
        assert!(header.members.len() == if header.folder == "a" { 3 - owners } else { 2 });
    }
}

#[test]
fn unprotected_files_leave_the_others_protected() {
    let place = Place::new();
    let contents: Vec<Vec<u8>> = (0..6).map(|number| Random::new(number).bytes(2000)).collect();
    for (number, content) in contents.iter().enumerate() {
        place.write(&format!("d/{number}"), content);
    }
    place.write("long", &contents.concat().repeat(9));
    place.protect("RS-3-2-8k");
    let some = ["d/1".to_owned(), "long".to_owned()];
    let report = place.open().unprotect(&some, true, &Run::simple()).unwrap();
    assert_eq!(report.unprotected.files, 2);
    assert_eq!(place.parity_files().len(), 2, "a dry run changes nothing");
    let report = place.open().unprotect(&some, false, &Run::simple()).unwrap();
    assert_eq!((report.unprotected.files, report.regrouped.files), (2, 5));
    assert_eq!(place.parity_files().len(), 1);
    assert!(place.open().metastore().file("d/1").unwrap().is_none());
    let scrubbed = place.scrub();
    assert_eq!((scrubbed.clean.files, scrubbed.unprotected.files), (5, 2));
    place.damage("d/0", 0, 2000);
    place.damage("d/2", 0, 2000);
    assert!(place.heal().is_clean());
    assert!(place.read("d/0") == contents[0] && place.read("d/2") == contents[2]);
    place.open().unprotect(&all(), false, &Run::simple()).unwrap();
    assert!(place.parity_files().is_empty());
}

#[test]
fn a_damaged_file_keeps_its_old_parity_when_the_others_get_new() {
    let place = Place::new();
    let contents: Vec<Vec<u8>> = (0..6).map(|number| Random::new(number).bytes(2000)).collect();
    for (number, content) in contents.iter().enumerate() {
        place.write(&format!("{number}"), content);
    }
    place.protect("RS-3-2-8k");
    fs::remove_file(place.path("1")).unwrap();
    place.damage("4", 100, 7);
    let report = place.open().protect(&all(), &options("RS-3-2-8k"), &Run::simple()).unwrap();
    assert_eq!(report.regrouped.files, 4);
    assert_eq!(report.problems.len(), 1, "{report:?}");
    assert!(report.problems[0].message.contains("heal"), "{report:?}");
    assert_eq!(place.parity_files().len(), 2);
    assert!(place.heal().is_clean());
    assert!(place.read("4") == contents[4]);
    assert_eq!(place.protect("RS-3-2-8k").regrouped.files, 1);
    // The old one, which covered what is gone, is gone too.
    assert_eq!(place.parity_files().len(), 2);
    assert_eq!(place.open().status(&all()).unwrap().totals.less_protected.files, 0);
}

#[test]
fn small_files_cost_little_more_than_their_parity() {
    let place = Place::new();
    let mut random = Random::new(7);
    for number in 0..1000 {
        place.write(&format!("small-files/file-{number:06}.bin"), &random.bytes(20_000));
    }
    let report = place.protect("RS-6-3-4096k");
    assert_eq!(report.protected.files, 1000);
    let metastore = fs::metadata(place.own("metastore.db")).unwrap().len();
    let stored = 20_000_000 + report.parity_bytes + metastore;
    let overhead = stored as f64 / 20_000_000.0;
    println!("{} parity files, {overhead:.4} times the data", report.parity_files);
    assert!(overhead < 1.5 + 0.02, "{overhead}");
    assert_eq!(report.parity_files, 1);
}

#[test]
#[cfg(unix)]
fn a_healed_file_keeps_its_mode_owner_times_and_attributes() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let place = Place::new();
    let content = Random::new(8).bytes(20_000);
    place.write("file", &content);
    let path = place.path("file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o2741)).unwrap();
    let chowned = std::os::unix::fs::chown(&path, Some(1234), Some(4321)).is_ok();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o2741)).unwrap();
    let name = "user.colour";
    let flags = rustix::fs::XattrFlags::empty();
    let labelled = rustix::fs::setxattr(&path, name, b"blue", flags).is_ok();
    place.protect("RS-3-2-4k");
    let before = fs::metadata(&path).unwrap();
    place.damage("file", 0, 1000);
    assert!(place.heal().is_clean());
    let after = fs::metadata(&path).unwrap();
    assert!(place.read("file") == content);
    assert_ne!(before.ino(), after.ino());
    assert_eq!(
        (before.mode(), before.uid(), before.gid()),
        (after.mode(), after.uid(), after.gid())
    );
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    if labelled {
        let mut value = [0; 10];
        let len = rustix::fs::getxattr(&path, name, &mut value).unwrap();
        assert_eq!(&value[..len], b"blue");
    }
    if !(chowned && labelled) {
        common::skip("a_healed_file_keeps", "owner or attributes could not be set");
    }
}

#[test]
#[cfg(unix)]
fn a_file_with_several_hard_links_is_told_and_left_alone() {
    let place = Place::new();
    let content = Random::new(9).bytes(20_000);
    place.write("file", &content);
    fs::hard_link(place.path("file"), place.path("link")).unwrap();
    place.protect("RS-3-2-4k");
    place.damage("file", 0, 1000);
    let report = place.heal();
    assert!(!report.is_clean());
    assert!(report.problems.iter().any(|problem| problem.message.contains("hard links")));
    assert!(report.damaged_files.iter().all(|file| file.outcome == Outcome::LeftAlone));
    let (bytes, _) = place.cat("link", 0..20_000).unwrap();
    assert!(bytes == content);
}

#[test]
fn a_file_that_is_gone_can_be_read_while_its_group_allows_it() {
    let place = Place::new();
    let contents: Vec<Vec<u8>> = (0..9).map(|number| Random::new(number).bytes(3000)).collect();
    for (number, content) in contents.iter().enumerate() {
        place.write(&format!("{number}"), content);
    }
    place.protect("RS-3-2-16k");
    fs::remove_file(place.path("3")).unwrap();
    let (bytes, report) = place.cat("3", 0..3000).unwrap();
    assert!(bytes == contents[3] && report.healing != Healing::None);
    let nothing = place.cat("nowhere", 0..1);
    assert!(matches!(nothing, Err(Error::Refused(_))));
    let beyond = place.cat("2", 0..3001);
    assert!(matches!(beyond, Err(Error::Refused(_))));
}

#[test]
fn two_at_once_are_told_apart_and_readers_are_let_in() {
    let place = Place::new();
    place.write("file", b"content");
    place.protect("RS-3-2-4k");
    let first = place.open();
    let second = place.try_open(restripe_block_ec::Hook::default());
    let Err(Error::Busy { holder, .. }) = second else { panic!("{second:?}") };
    assert_eq!(holder, Some(std::process::id()));
    let reader = Protection::open_read_only(
        Arc::new(LocalStore::new(place.root())),
        Arc::new(LocalStore::new(place.own("parity"))),
        &place.own("metastore.db"),
    )
    .unwrap();
    assert_eq!(reader.status(&all()).unwrap().totals.by_state[&State::Healthy].files, 1);
    drop(first);
    place.open();
}

#[test]
fn files_however_small_are_healed() {
    for policy in ["RS-3-2-4k", "RS-6-3-4096k", "XOR-2-1-4k", "HHXOR-6-3-64k"] {
        for len in [1, 2, 7, 100, 2000, 4096, 12_289, 24_577] {
            let place = Place::in_memory();
            let content = Random::new(len).bytes(len as usize);
            place.write("file", &content);
            place.protect(policy);
            for at in [0, len / 2, len - 1] {
                place.damage("file", at, 1);
                assert!(place.heal().is_clean(), "{policy}: {len} bytes, damaged at {at}");
                assert!(place.read("file") == content, "{policy}: {len} bytes, damaged at {at}");
            }
        }
    }
}
