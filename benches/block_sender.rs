//! The block sender over loopback: by way of the kernel, by way of memory, and against a plain
//! `sendfile` of the same bytes.
//!
//! `cargo bench --features net --bench block_sender -- --mebibytes 256 --rounds 9`. The file is in
//! the page cache; the other end throws away what it reads. All are measured in turn, forwards and
//! backwards, and the medians compared with plain `sendfile` of the same round, since an absolute
//! figure from a shared machine is no claim. CPU seconds are those of the sending thread, and of
//! the whole process with the receiving one.

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("skipped: block_sender: there is no sendfile to sockets here");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;
    use std::thread;
    use std::time::Instant;

    use restripe::checksum::{ChecksumKind, ChunkedChecksum};
    use restripe::hdfs::{BlockFileName, BlockId, MetaHeader};
    use restripe::net::{BlockSender, BlockStore, Replica, SendOptions, Way};
    use rustix::fs::sendfile;
    use rustix::time::{ClockId, clock_gettime};

    const ID: BlockId = BlockId(1);

    /// What is measured.
    #[derive(Clone, Copy, PartialEq)]
    enum Subject {
        /// `sendfile` of everything, no packets.
        Plain,
        /// The same, 64 KiB a call as packets have.
        PlainByPackets,
        Sender {
            way: Way,
            packet_len: usize,
        },
    }

    const SUBJECTS: [(&str, Subject); 6] = [
        ("plain sendfile", Subject::Plain),
        ("plain sendfile, 64 KiB a call", Subject::PlainByPackets),
        ("zero-copy, 64 KiB packets", sender(Way::ZeroCopy, 64 << 10)),
        ("zero-copy, 1 MiB packets", sender(Way::ZeroCopy, 1 << 20)),
        ("normal, verified, 64 KiB packets", sender(Way::Normal, 64 << 10)),
        ("normal, verified, 1 MiB packets", sender(Way::Normal, 1 << 20)),
    ];

    const fn sender(way: Way, packet_len: usize) -> Subject {
        Subject::Sender { way, packet_len }
    }

    /// One run.
    #[derive(Clone, Copy, Default)]
    struct Sample {
        seconds: f64,
        thread_cpu: f64,
        process_cpu: f64,
    }

    pub(super) fn main() {
        let mebibytes = argument("--mebibytes").unwrap_or(256);
        let rounds = argument("--rounds").unwrap_or(9);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("block_sender");
        fs::create_dir_all(&folder).expect("a folder to write to");
        let replica = replica(&folder, mebibytes << 20);

        let mut samples = vec![Vec::new(); SUBJECTS.len()];
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        for round in 0..=rounds {
            for turn in 0..2 * SUBJECTS.len() {
                let index = turn.min(2 * SUBJECTS.len() - 1 - turn);
                let sample = run(&listener, &replica, SUBJECTS[index].1);
                // The first round warms up.
                if round > 0 {
                    samples[index].push(sample);
                }
            }
        }
        report(&samples, replica.len());
        fs::remove_dir_all(&folder).expect("the folder can be removed");
    }

    fn argument(name: &str) -> Option<usize> {
        let mut arguments = std::env::args().skip_while(|argument| argument != name);
        arguments.nth(1).map(|number| number.parse().expect("a number"))
    }

    fn replica(folder: &Path, len: usize) -> Replica {
        let data: Vec<u8> = (0..len).map(|at| (at * 31 + at / 251) as u8).collect();
        let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 512).expect("HDFS's default");
        let mut meta = MetaHeader::new(checksum).encode().to_vec();
        meta.resize(MetaHeader::LEN + checksum.sums_len(len as u64).expect("it fits") as usize, 0);
        checksum.compute(&data, &mut meta[MetaHeader::LEN..]).expect("as many as chunks");
        let file = |name: BlockFileName| folder.join(name.to_string());
        fs::write(file(BlockFileName::Data { id: ID }), data).expect("room on the disk");
        fs::write(file(BlockFileName::Meta { id: ID, generation_stamp: 1 }), meta)
            .expect("room on the disk");
        BlockStore::open(folder).and_then(|store| store.find(ID, 0)).expect("it was just written")
    }

    fn run(listener: &TcpListener, replica: &Replica, subject: Subject) -> Sample {
        let address = listener.local_addr().expect("it is bound");
        let mut stream = TcpStream::connect(address).expect("loopback");
        stream.set_nodelay(true).expect("a socket");
        let (mut other, _) = listener.accept().expect("it was just connected");
        let receiver = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            while other.read(&mut buffer).expect("the sender closes it") > 0 {}
        });
        let process = cpu(ClockId::ProcessCPUTime);
        let (start, thread) = (Instant::now(), cpu(ClockId::ThreadCPUTime));
        match subject {
            Subject::Plain => send_plainly(&stream, replica, usize::MAX >> 1),
            Subject::PlainByPackets => send_plainly(&stream, replica, 64 << 10),
            Subject::Sender { way, packet_len } => {
                let options = SendOptions { way, packet_len, ..SendOptions::default() };
                let sender = BlockSender::new(replica, 0, replica.len(), options);
                let sent = sender.and_then(|mut sender| sender.send(&mut stream)).expect("sent");
                assert_eq!(sent.zero_copy_len > 0, way == Way::ZeroCopy);
            }
        }
        let thread_cpu = cpu(ClockId::ThreadCPUTime) - thread;
        drop(stream);
        receiver.join().expect("it only reads");
        Sample {
            seconds: start.elapsed().as_secs_f64(),
            thread_cpu,
            process_cpu: cpu(ClockId::ProcessCPUTime) - process,
        }
    }

    fn send_plainly(stream: &TcpStream, replica: &Replica, at_most: usize) {
        let mut offset = 0;
        while offset < replica.len() {
            let len = at_most.min((replica.len() - offset) as usize);
            let sent = sendfile(stream, replica.data_file(), Some(&mut offset), len);
            assert!(sent.expect("a socket and a file") > 0);
        }
    }

    fn cpu(clock: ClockId) -> f64 {
        let time = clock_gettime(clock);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    }

    fn report(samples: &[Vec<Sample>], len: u64) {
        let gigabytes = len as f64 / 1e9;
        println!("{} runs each of {gigabytes:.3} GB; median (least to most)\n", samples[0].len());
        println!("| sender | GB/s | of plain sendfile | CPU s/GB, sender | CPU s/GB, both ends |");
        println!("|---|---|---|---|---|");
        for ((name, _), own) in SUBJECTS.iter().zip(samples) {
            let pairs = own.iter().zip(&samples[0]);
            println!(
                "| {name} | {} | {} | {} | {} |",
                spread(own.iter().map(|sample| gigabytes / sample.seconds)),
                spread(pairs.map(|(own, plain)| plain.seconds / own.seconds)),
                spread(own.iter().map(|sample| sample.thread_cpu / gigabytes)),
                spread(own.iter().map(|sample| sample.process_cpu / gigabytes)),
            );
        }
    }

    fn spread(values: impl Iterator<Item = f64>) -> String {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (values[0], values[values.len() - 1]);
        format!("{:.3} ({least:.3} to {most:.3})", values[values.len() / 2])
    }
}
