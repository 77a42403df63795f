//! Hadoop's own classes against this crate's server, and this crate's client against a real
//! cluster: `cargo test --features net --test hadoop_clients -- --ignored`.
//!
//! `tests/hadoop` has the Java side, a program that is told line by line what to do. The first
//! run fetches Hadoop from Maven Central; everything else happens on the loopback address.

#![cfg(all(feature = "net", unix))]

mod common;
#[path = "common/replicas.rs"]
mod replicas;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::random_bytes;
use replicas::{BLOCK, Folder, STAMP, crc32c, sums};
use restripe::ErasureCode as _;
use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::hdfs::{BlockFileName, BlockId, ExtendedBlock, MetaHeader, ReadBlock, WriteBlock};
use restripe::layout::{Layout as _, Policy};
use restripe::net::{
    BlockReader, BlockServer, BlockWriter, Corrupt, Error, RunningServer, ServerOptions, Way,
};
use tempfile::TempDir;

/// Longest that Maven may take, which fetches some 100 MB at first.
const BUILD: Duration = Duration::from_secs(900);

/// Longest that anything else may take; starting a cluster takes the most.
const ANSWER: Duration = Duration::from_secs(180);

const TIMEOUT: Duration = Duration::from_secs(30);

/// The Java program, running. It ends with its input, and so with this process.
struct Agent {
    child: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
    /// Ports of the cluster's datanodes, once there is a cluster.
    datanodes: Vec<u16>,
}

/// Why the Java side did not do it: the exception's class and message.
type Failure = (String, String);

impl Agent {
    fn start() -> Self {
        let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hadoop");
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hadoop");
        let mut maven = Command::new("mvn");
        maven.args(["--batch-mode", "--quiet", "-Dstyle.color=never", "compile"]);
        maven.arg("--file").arg(project);
        maven.arg(format!("-DbuildDirectory={}", build.display()));
        let maven = maven.stdin(Stdio::null()).spawn().expect("mvn is needed");
        wait_for(maven, BUILD);

        let libraries = fs::read_to_string(build.join("classpath")).unwrap();
        let classes = build.join("classes");
        let mut java = Command::new("java");
        java.args(["-Xmx1g", "-cp", &format!("{}:{libraries}", classes.display())]);
        java.arg("restripe.hadoop.Agent").stdin(Stdio::piped()).stdout(Stdio::piped());
        // Hadoop's log; what went wrong is in the answers too.
        java.stderr(fs::File::create(build.join("log")).unwrap());
        let mut child = java.spawn().expect("a JDK is needed");
        let (commands, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, commands, answers, datanodes: Vec::new() }
    }

    fn ask(&mut self, command: &str) -> Result<String, Failure> {
        writeln!(self.commands, "{command}").unwrap();
        let Ok(answer) = self.answers.recv_timeout(ANSWER) else {
            self.child.kill().unwrap();
            panic!("no answer to {command:?}");
        };
        if let Some(answer) = answer.strip_prefix("ok") {
            return Ok(answer.trim().into());
        }
        let failure = answer.strip_prefix("failed ").expect("ok or failed");
        let (class, message) = failure.split_once(' ').unwrap_or((failure, ""));
        Err((class.into(), message.into()))
    }

    #[track_caller]
    fn tell(&mut self, command: &str) -> String {
        self.ask(command).unwrap_or_else(|failure| panic!("{command}: {failure:?}"))
    }
}

fn wait_for(mut child: Child, at_most: Duration) {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return assert!(status.success(), "{status}");
        }
        if start.elapsed() > at_most {
            child.kill().unwrap();
            panic!("it took too long");
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The one program of this process: starting Java is slow.
fn agent() -> MutexGuard<'static, Agent> {
    static AGENT: OnceLock<Mutex<Agent>> = OnceLock::new();
    let agent = AGENT.get_or_init(|| Mutex::new(Agent::start()));
    agent.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cluster_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("hadoop/cluster")
}

/// The program, with a cluster of four datanodes.
fn cluster() -> MutexGuard<'static, Agent> {
    let mut agent = agent();
    if agent.datanodes.is_empty() {
        let folder = cluster_folder();
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let ports = agent.tell(&format!("start {} 4", folder.display()));
        agent.datanodes = ports.split(' ').map(|port| port.parse().unwrap()).collect();
        assert_eq!(agent.datanodes.len(), 4);
    }
    agent
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn server(folder: &Folder, writable: bool, way: Way, corrupt: Corrupt) -> RunningServer {
    let store = if writable { folder.writable() } else { folder.store() };
    let options = ServerOptions { way, corrupt, timeout: TIMEOUT, ..ServerOptions::default() };
    BlockServer::bind(address(0), store, options).unwrap().start().unwrap()
}

/// Has Hadoop's remote block reader read a range of [`BLOCK`].
fn hadoop_reads(
    agent: &mut Agent,
    server: &RunningServer,
    block_len: usize,
    offset: usize,
    len: usize,
) -> Result<Vec<u8>, Failure> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("read");
    let port = server.address().port();
    let (id, file_name) = (BLOCK.0, file.display());
    let read =
        agent.ask(&format!("read {port} {id} {STAMP} {block_len} {offset} {len} {file_name}"))?;
    let bytes = fs::read(&file).unwrap();
    assert_eq!(read, bytes.len().to_string());
    Ok(bytes)
}

#[test]
#[ignore = "starts Hadoop: needs a JDK from 17 on, Maven and Maven Central"]
fn hadoop_reads_whole_blocks_ranges_and_short_last_chunks() {
    let mut agent = agent();
    let crc32 = ChunkedChecksum::new(ChecksumKind::Crc32, 512).unwrap();
    let none = ChunkedChecksum::new(ChecksumKind::Null, 512).unwrap();
    for (checksum, len) in [
        (crc32c(512), 1),
        (crc32c(512), 512),
        (crc32c(512), 1_000_001),
        (crc32c(4096), 300_000),
        (crc32c(1000), 100_000),
        (crc32, 200_000),
        (none, 200_000),
    ] {
        let data = random_bytes(len as u64, len);
        let folder = Folder::with_block(checksum, &data);
        for way in [Way::ZeroCopy, Way::Normal] {
            let server = server(&folder, false, way, Corrupt::Refuse);
            for (offset, part) in [
                (0, len),
                (0, len.div_ceil(2)),
                (len / 3, len - len / 3),
                (len - 1, 1),
                (len / 2, len / 4),
                (len * 2 / 3, 1.min(len)),
            ] {
                let part = part.min(len - offset);
                if part == 0 {
                    continue;
                }
                let bytes = hadoop_reads(&mut agent, &server, len, offset, part);
                let bytes = bytes.unwrap_or_else(|failure| panic!("{len}, {offset}: {failure:?}"));
                assert!(bytes == data[offset..offset + part], "{len}: {offset}, {part}");
            }
        }
    }
}

#[test]
#[ignore = "starts Hadoop: needs a JDK from 17 on, Maven and Maven Central"]
fn hadoop_sees_a_corrupt_chunk_as_a_checksum_exception() {
    let mut agent = agent();
    let data = random_bytes(1, 300_000);
    let folder = Folder::with_block(crc32c(512), &data);
    Folder::damage(folder.data_path(BLOCK), 200_000);
    for (way, corrupt) in [(Way::ZeroCopy, Corrupt::Refuse), (Way::Normal, Corrupt::PassOn)] {
        let server = server(&folder, false, way, corrupt);
        let refused = hadoop_reads(&mut agent, &server, 300_000, 0, 300_000).unwrap_err();
        assert_eq!(refused.0, "ChecksumException", "{refused:?}");
        assert!(
            refused.1.contains("199680") || refused.1.contains("Checksum error"),
            "{refused:?}"
        );
        let before = hadoop_reads(&mut agent, &server, 300_000, 0, 100_000).unwrap();
        assert!(before == data[..100_000]);
    }
    // One that verifies itself sends nothing of that packet, and breaks off.
    let server = server(&folder, false, Way::Normal, Corrupt::Refuse);
    let refused = hadoop_reads(&mut agent, &server, 300_000, 0, 300_000).unwrap_err();
    assert_ne!(refused.0, "ChecksumException", "{refused:?}");
}

#[test]
#[ignore = "starts Hadoop: needs a JDK from 17 on, Maven and Maven Central"]
fn hadoop_is_told_what_cannot_be_read() {
    let mut agent = agent();
    let folder = Folder::with_block(crc32c(512), &[1; 1000]);
    let server = server(&folder, false, Way::ZeroCopy, Corrupt::Refuse);
    let (class, message) = hadoop_reads(&mut agent, &server, 5000, 0, 5000).unwrap_err();
    assert_eq!(class, "IOException");
    assert!(message.contains("which has 1000 bytes"), "{message}");
    let command = format!("read {} 7 {STAMP} 10 0 10 /dev/null", server.address().port());
    let (_, message) = agent.ask(&command).unwrap_err();
    assert!(message.contains("block 7 with generation stamp 1007 is not here"), "{message}");
}

#[test]
#[ignore = "starts Hadoop: needs a JDK from 17 on, Maven and Maven Central"]
fn a_block_that_hadoop_sends_is_stored_flush_and_all() {
    let mut agent = agent();
    let source = TempDir::new().unwrap();
    let path = source.path().join("block");
    for (len, flush, acknowledged) in [
        (0, 0, "[-1, 0]"),
        (1000, 0, "[0, -1, 1]"),
        (200_000, 0, "[0, 1, 2, 3, -1, 4]"),
        (200_000, 70_000, "[0, 1, 2, 3, 4, -1, 5]"),
    ] {
        let data = random_bytes(2, len);
        fs::write(&path, &data).unwrap();
        let folder = Folder::new();
        let server = server(&folder, true, Way::ZeroCopy, Corrupt::Refuse);
        let port = server.address().port();
        let answer =
            agent.tell(&format!("write {port} {} {STAMP} {flush} {}", BLOCK.0, path.display()));
        assert_eq!(answer, acknowledged);
        assert!(fs::read(folder.data_path(BLOCK)).unwrap() == data);
        let meta = [&MetaHeader::new(crc32c(512)).encode()[..], &sums(crc32c(512), &data)].concat();
        assert!(fs::read(folder.meta_path(BLOCK)).unwrap() == meta, "{len}, {flush}");
    }
}

#[test]
#[ignore = "starts Hadoop: needs a JDK from 17 on, Maven and Maven Central"]
fn the_messages_in_tests_data_are_those_that_hadoop_writes() {
    let messages = agent().tell("messages").replace(',', "\n");
    assert_eq!(messages + "\n", include_str!("data/hadoop/messages.txt"));
}

/// A block, and where the name node says that it is.
struct Located {
    block: ExtendedBlock,
    /// Index in the group, and port of the datanode.
    replicas: Vec<(usize, u16)>,
}

impl Located {
    fn parse(answer: &str) -> Self {
        let words: Vec<&str> = answer.split(' ').collect();
        let replicas = words[4..].iter().map(|replica| {
            let (index, port) = replica.split_once(':').unwrap();
            (index.parse().unwrap(), port.parse().unwrap())
        });
        let block = ExtendedBlock {
            pool_id: words[0].into(),
            id: BlockId(words[1].parse().unwrap()),
            generation_stamp: words[2].parse().unwrap(),
            len: words[3].parse().unwrap(),
        };
        Self { block, replicas: replicas.collect() }
    }

    fn port(&self, index: usize) -> Option<u16> {
        self.replicas.iter().find(|replica| replica.0 == index).map(|replica| replica.1)
    }
}

fn read_all(port: u16, read: &ReadBlock) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let len = BlockReader::open(address(port), read, TIMEOUT)?.copy_to(&mut bytes)?;
    assert_eq!(len, bytes.len() as u64);
    Ok(bytes)
}

/// The file of a block in the folders of the cluster.
fn block_file(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find_map(|path| {
        if path.is_dir() { block_file(&path, name) } else { path.ends_with(name).then_some(path) }
    })
}

#[test]
#[ignore = "starts Hadoop: needs a JDK from 17 on, Maven and Maven Central"]
fn a_block_on_a_real_datanode_is_read() {
    let mut cluster = cluster();
    let source = TempDir::new().unwrap();
    let path = source.path().join("source");
    let data = random_bytes(3, 1_500_001);
    fs::write(&path, &data).unwrap();
    cluster.tell(&format!("put read {} replicated", path.display()));
    let located = Located::parse(&cluster.tell("locate read"));
    assert_eq!(located.block.len, 1_500_001);
    let port = located.port(0).unwrap();
    for (offset, len) in
        [(0, 1_500_001), (0, 1), (777, 100_000), (1_500_000, 1), (1_499_999, 2), (65_536, 65_536)]
    {
        for send_checksums in [true, false] {
            let mut read = ReadBlock::new(located.block.clone(), "restripe", offset, len);
            read.send_checksums = send_checksums;
            let bytes = read_all(port, &read).unwrap();
            assert!(bytes == data[offset as usize..(offset + len) as usize], "{offset}, {len}");
        }
    }
    let to_the_end = ReadBlock::new(located.block.clone(), "restripe", 0, ReadBlock::TO_THE_END);
    assert!(read_all(port, &to_the_end).unwrap() == data);

    let beyond = ReadBlock::new(located.block.clone(), "restripe", 0, 1_500_002);
    assert!(matches!(read_all(port, &beyond), Err(Error::Refused { .. })));
    let unknown = ExtendedBlock { id: BlockId(7), ..located.block.clone() };
    let unknown = ReadBlock::new(unknown, "restripe", 0, 1);
    assert!(matches!(read_all(port, &unknown), Err(Error::Refused { .. })));

    let name = BlockFileName::Data { id: located.block.id }.to_string();
    Folder::damage(block_file(&cluster_folder(), &name).unwrap(), 1_000_000);
    let whole = ReadBlock::new(located.block, "restripe", 0, 1_500_001);
    let refused = read_all(port, &whole).unwrap_err();
    assert!(matches!(refused, Error::Corrupt { offset: 999_936, .. }), "{refused}");
}

#[test]
#[ignore = "starts Hadoop: needs a JDK from 17 on, Maven and Maven Central"]
fn a_file_whose_block_was_written_here_is_a_file_of_the_cluster() {
    let mut cluster = cluster();
    let folder = TempDir::new().unwrap();
    for (name, len) in [("written", 20_000_001), ("short", 1)] {
        let data = random_bytes(4, len);
        let located = Located::parse(&cluster.tell(&format!("allocate {name}")));
        let write = WriteBlock::create(located.block.clone(), "restripe", crc32c(512));
        let port = located.port(0).unwrap();
        let mut writer = BlockWriter::open(address(port), &write, TIMEOUT).unwrap();
        for piece in data.chunks(99_999) {
            writer.write_all(piece).unwrap();
        }
        writer.heartbeat().unwrap();
        assert_eq!(writer.finish().unwrap(), len as u64);
        cluster.tell(&format!("complete {name} {len}"));
        let path = folder.path().join(name);
        assert_eq!(cluster.tell(&format!("get {name} {}", path.display())), len.to_string());
        assert!(fs::read(path).unwrap() == data);
        let located = Located::parse(&cluster.tell(&format!("locate {name}")));
        assert_eq!(located.block.len, len as u64);
        // The datanode's files are what a store here would have written.
        let id = located.block.id;
        let meta = BlockFileName::Meta { id, generation_stamp: located.block.generation_stamp };
        let meta = block_file(&cluster_folder(), &meta.to_string()).unwrap();
        let expected = [&MetaHeader::new(crc32c(512)).encode()[..], &sums(crc32c(512), &data)];
        assert!(fs::read(meta).unwrap() == expected.concat());
        // Once more, and the datanode refuses it.
        let write = WriteBlock::create(located.block, "restripe", crc32c(512));
        let refused = BlockWriter::open(address(port), &write, TIMEOUT);
        assert!(refused.is_err(), "{refused:?}");
    }
}

#[test]
#[ignore = "starts Hadoop: needs a JDK from 17 on, Maven and Maven Central"]
fn a_lost_internal_block_is_rebuilt_onto_another_datanode() {
    let mut cluster = cluster();
    let policy: Policy = "XOR-2-1-1024k".parse().unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("source");
    let data = random_bytes(5, 2_600_000);
    fs::write(&path, &data).unwrap();
    cluster.tell(&format!("put striped {} {policy}", path.display()));
    let located = Located::parse(&cluster.tell("locate striped"));
    let (group, layout) = (located.block.id, policy.group(located.block.len));
    let (lost, survivors) = (1, [0, 2]);
    let holds_one = |port: &u16| located.replicas.iter().any(|replica| replica.1 == *port);
    let target = *cluster.datanodes.iter().find(|port| !holds_one(port)).unwrap();
    let internal = |index| ExtendedBlock {
        id: group.internal_block(index).unwrap(),
        len: layout.unit_len(index),
        ..located.block.clone()
    };

    cluster.tell(&format!("stop {}", located.port(lost).unwrap()));
    let after_loss = Located::parse(&cluster.tell("locate striped"));
    assert_eq!(after_loss.port(lost), None);

    let inputs = survivors.map(|index| {
        let read = ReadBlock::new(internal(index), "restripe", 0, layout.unit_len(index));
        read_all(located.port(index).unwrap(), &read).unwrap()
    });
    let mut rebuilt = vec![0; layout.unit_len(0) as usize];
    policy
        .code()
        .unwrap()
        .plan(&survivors, &[lost])
        .unwrap()
        .apply(&inputs, &mut [&mut rebuilt])
        .unwrap();
    rebuilt.truncate(layout.unit_len(lost) as usize);

    let write = WriteBlock::create(internal(lost), "restripe", crc32c(512));
    let mut writer = BlockWriter::open(address(target), &write, TIMEOUT).unwrap();
    writer.write_all(&rebuilt).unwrap();
    assert_eq!(writer.finish().unwrap(), layout.unit_len(lost));

    let start = Instant::now();
    while Located::parse(&cluster.tell("locate striped")).port(lost) != Some(target) {
        assert!(start.elapsed() < TIMEOUT, "the name node does not know of the block");
        thread::sleep(Duration::from_millis(100));
    }
    // Without the other data block the file can only be read through the rebuilt one.
    cluster.tell(&format!("stop {}", located.port(0).unwrap()));
    let copy = folder.path().join("copy");
    assert_eq!(cluster.tell(&format!("get striped {}", copy.display())), "2600000");
    assert!(fs::read(copy).unwrap() == data);
}
