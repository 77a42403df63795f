//! Serve and fetch: a block goes from one folder to another by way of the network, or not at all.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{Random, Run, restripe, run};
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::MetaHeader;
use tempfile::TempDir;

const BLOCK: &str = "blk_1073741825";

/// A folder with one block.
fn blocks(content: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512).unwrap();
    let mut sums = vec![0; checksum.sums_len(content.len() as u64).unwrap() as usize];
    checksum.compute(content, &mut sums).unwrap();
    let meta = [&MetaHeader::new(checksum).encode()[..], &sums].concat();
    fs::write(folder.path().join(BLOCK), content).unwrap();
    fs::write(folder.path().join(format!("{BLOCK}_1001.meta")), meta).unwrap();
    folder
}

fn content() -> Vec<u8> {
    Random::new(5).bytes(300_000)
}

/// A server that is running, and what it says on standard error.
struct Server {
    child: Child,
    address: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(folder: &Path, options: &[&str]) -> Self {
        let mut command = restripe();
        command.arg("serve").args(["--listen", "127.0.0.1:0"]).args(options).arg(folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(line.starts_with("serving ") && address.starts_with("127.0.0.1:"), "{line:?}");
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        thread::spawn(move || {
            stderr.lines().for_each(|line| lines.lock().unwrap().push(line.unwrap()));
        });
        Self { child, address, log }
    }

    /// Waits until so many lines of the log say something.
    #[track_caller]
    fn expect_log(&self, what: &str, count: usize) {
        let start = Instant::now();
        loop {
            let log = self.log.lock().unwrap().clone();
            if log.iter().filter(|line| line.contains(what)).count() == count {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{log:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn fetch(&self, options: &[&str], file: &Path) -> Run {
        let file = file.to_str().unwrap();
        run(["fetch"].iter().chain(options).chain(&[self.address.as_str(), BLOCK, file]))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn target() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("fetched");
    (folder, path)
}

#[test]
fn a_block_is_fetched_whole_in_ranges_and_through_a_pipe() {
    let (folder, (_target, path)) = (blocks(&content()), target());
    for options in [&[][..], &["--verify"], &["--bandwidth", "100MiB"]] {
        let server = Server::start(folder.path(), options);
        for (range, expected) in [
            ("..", 0..300_000),
            ("1000..70000", 1000..70_000),
            ("299999..", 299_999..300_000),
            ("..1", 0..1),
        ] {
            server.fetch(&["--force", "--range", range], &path).expect(0);
            assert!(fs::read(&path).unwrap() == content()[expected], "{range}");
        }
        let piped = server.fetch(&[], Path::new("-")).expect(0);
        assert!(piped.stdout == content());
        assert!(piped.stderr.contains("verified by CRC32C"), "{}", piped.stderr);
        server.expect_log("bytes of block 1073741825 (CHECKSUM_OK)", 5);
    }
}

#[test]
fn the_report_for_scripts_says_what_was_fetched() {
    let (folder, (_target, path)) = (blocks(&content()), target());
    let server = Server::start(folder.path(), &[]);
    let report = server.fetch(&["--json", "--range", "5..1000"], &path).expect(0).json();
    common::assert_fits_the_schema(&report);
    assert_eq!(report["command"], "fetch");
    assert_eq!((&report["start"], &report["end"]), (&5.into(), &1000.into()));
    assert_eq!((&report["block"], &report["checksum"]), (&BLOCK.into(), &"CRC32C".into()));
}

#[test]
fn a_damaged_block_leaves_no_file() {
    let folder = blocks(&content());
    let path = folder.path().join(BLOCK);
    let mut damaged = content();
    damaged[200_000] ^= 1;
    fs::write(&path, &damaged).unwrap();
    for options in [&[][..], &["--verify"]] {
        let (target, path) = target();
        let server = Server::start(folder.path(), options);
        let refused = server.fetch(&[], &path).expect(1);
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
        if options.is_empty() {
            assert!(refused.stderr.contains("chunk at byte 199680"), "{}", refused.stderr);
            assert!(refused.stderr.contains("another datanode"), "{}", refused.stderr);
        } else {
            server.expect_log("chunk at byte 199680", 1);
        }
    }
}

#[test]
fn what_is_not_there_is_said_and_leaves_no_file() {
    let folder = blocks(&content());
    let server = Server::start(folder.path(), &[]);
    let (target, path) = target();
    let file = path.to_str().unwrap();
    let address = server.address.clone();
    let missing = run(["fetch", &address, "blk_7", file]).expect(1);
    assert!(missing.stderr.contains("block 7"), "{}", missing.stderr);
    let newer = run(["fetch", &address, "blk_1073741825_1002", file]).expect(1);
    assert!(newer.stderr.contains("generation stamp 1002"), "{}", newer.stderr);
    let long = server.fetch(&["--range", "0..300001"], &path).expect(1);
    assert!(long.stderr.contains("300000 bytes"), "{}", long.stderr);
    run(["fetch", &address, "film", file]).expect(2);
    run(["fetch", "no-such-host.invalid:1", BLOCK, file]).expect(1);
    drop(server);
    let gone = run(["fetch", &address, BLOCK, file]).expect(1);
    assert!(gone.stderr.contains("restripe serve listens there"), "{}", gone.stderr);
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_exists_is_kept_unless_force_is_said() {
    let (folder, (_target, path)) = (blocks(&content()), target());
    let server = Server::start(folder.path(), &[]);
    fs::write(&path, "precious").unwrap();
    server.fetch(&[], &path).expect(1);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    server.fetch(&["--force"], &path).expect(0);
    assert!(fs::read(&path).unwrap() == content());
}

#[test]
fn blocks_are_taken_only_where_that_was_allowed() {
    use restripe::hdfs::{BlockId, ExtendedBlock, WriteBlock};
    use restripe::net::BlockWriter;

    let folder = blocks(&content());
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512).unwrap();
    let write = |server: &Server| {
        let block =
            ExtendedBlock { pool_id: "".into(), id: BlockId(8), generation_stamp: 1, len: 0 };
        let write = WriteBlock::create(block, "test", checksum);
        let timeout = Duration::from_secs(20);
        let mut writer = BlockWriter::open(server.address.parse().unwrap(), &write, timeout)?;
        writer.write_all(b"a new block")?;
        writer.finish()
    };
    let reading = Server::start(folder.path(), &[]);
    let refused = write(&reading).unwrap_err().to_string();
    assert!(refused.contains("reading only"), "{refused}");
    drop(reading);
    let writing = Server::start(folder.path(), &["--allow-write"]);
    assert_eq!(write(&writing).unwrap(), 11);
    assert_eq!(fs::read(folder.path().join("blk_8")).unwrap(), b"a new block");
    assert!(write(&writing).unwrap_err().to_string().contains("ERROR_EXISTS"));
    let second =
        run(["serve", "--allow-write", "--listen", "127.0.0.1:0", folder.path().to_str().unwrap()]);
    if cfg!(unix) {
        assert!(second.expect(1).stderr.contains("another process"));
    }
}

#[test]
fn it_listens_on_this_machine_only_unless_told_otherwise() {
    let folder = blocks(&content());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = run(["serve", "--listen", &address, folder.path().to_str().unwrap()]).expect(1);
    assert!(refused.stderr.contains("--listen"), "{}", refused.stderr);
    run(["serve", "/no/such/folder"]).expect(1);

    let mut command = restripe();
    command.args(["serve", "--listen", "0.0.0.0:0"]).arg(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut warning = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut warning).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port: u16 = line.trim().rsplit(':').next().unwrap().parse().unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(warning.contains("can read every block"), "{warning}");
    let help = run(["serve", "--help"]).expect(0).text();
    assert!(help.contains("[default: 127.0.0.1:9866]"), "{help}");
}
