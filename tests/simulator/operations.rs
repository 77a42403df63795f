//! Any sequence of operations on the machine, sensible or not, as bytes say: it must not panic,
//! and once it is over and everything was brought back it must be idle.

use std::sync::Arc;
use std::time::Duration;

use restripe::checksum::{ChecksumKind, ChunkedChecksum};
use restripe::layout::StripedLayout;
use restripe::round::{
    Action, Config, Delivery, Event, Hedging, Job, OnDamage, OutgoingPacket, ReadOutcome,
    Reconstruction, SourceRead, Token,
};
use restripe::{ErasureCode, Hitchhiker, ReedSolomon};

type Buffer = Vec<u8>;

/// What the machine gave out, and was not told of yet.
#[derive(Default)]
struct Out {
    opens: Vec<Token>,
    old_tokens: Vec<Token>,
    loans: Vec<usize>,
    reads: Vec<SourceRead<Buffer>>,
    jobs: Vec<Job<Buffer>>,
    packets: Vec<OutgoingPacket<Buffer>>,
    deliveries: Vec<Delivery<Buffer>>,
    unacked: Vec<(usize, i64)>,
    is_done: bool,
}

/// Carries out what the bytes say, two for each operation.
pub fn run(bytes: &[u8]) {
    let (&[head, len, ..], Some(rest)) = (bytes, bytes.get(2..)) else { return };
    let Some(mut machine) = machine(head, u64::from(len)) else { return };
    let mut out = Out::default();
    let mut now = Duration::ZERO;
    for operation in rest.chunks_exact(2) {
        take_actions(&mut machine, &mut out);
        now += Duration::from_micros(u64::from(operation[1]) * 10);
        if let Some(event) = event(operation[0], operation[1], &mut out) {
            machine.handle(event, now);
        }
        let _ = machine.poll_timeout();
        let _ = machine.progress();
    }
    // Whatever state it is in, this ends it.
    take_actions(&mut machine, &mut out);
    machine.handle(Event::Cancel, now);
    take_actions(&mut machine, &mut out);
    assert!(out.is_done, "cancelled, and not over: {machine:?}");
    while let Some(event) = last_words(&mut out) {
        machine.handle(event, now);
        take_actions(&mut machine, &mut out);
    }
    assert!(machine.is_idle(), "not idle: {machine:?}");
    assert_eq!(machine.poll_timeout(), None);
}

/// RS-3-2, or a code with halves of cells, small cells, chunks and rounds, so that a few operations come a long way.
fn machine(head: u8, len: u64) -> Option<Reconstruction<Buffer>> {
    let (code, layout): (Arc<dyn ErasureCode>, _) = if head & 128 > 0 {
        let layout = StripedLayout::new(3, 2, 16, len).unwrap();
        (Arc::new(Hitchhiker::new(3, 2).unwrap()), layout.with_whole_parity_cells())
    } else {
        (Arc::new(ReedSolomon::new(3, 2).unwrap()), StripedLayout::new(3, 2, 10, len).unwrap())
    };
    let mut config = Config::new(1);
    config.buffer_len = usize::from(head % 5) * 8 + 1;
    config.hedging = Hedging::After(Duration::from_micros(300));
    config.read_timeout = Duration::from_millis(2);
    config.open_timeout = Duration::from_millis(2);
    config.ack_timeout = Duration::from_millis(2);
    config.heartbeat_after = Duration::from_millis(1);
    config.max_unacked_packets = 2;
    config.packet_len = 64;
    config.extra_sources = usize::from(head & 32 > 0);
    if head & 16 > 0 {
        config.on_damage = OnDamage::LeaveOut;
    }
    config.read_all = head & 8 > 0;
    let sources = [1, 3, 2, 4, 1];
    if head & 64 > 0 {
        let range = len / 3..len;
        if head & 4 > 0 {
            let range = 0..len / 3;
            let units = [4, 0, 2];
            let now = Duration::ZERO;
            return Reconstruction::of_units(config, code, layout, &sources, &units, range, now)
                .ok();
        }
        let ranges = layout.aligned_ranges(range).unwrap();
        Reconstruction::of_ranges(config, code, layout, &sources, ranges, Duration::ZERO).ok()
    } else {
        Reconstruction::new(config, code, layout, &sources, &[0], Duration::ZERO).ok()
    }
}

fn take_actions(machine: &mut Reconstruction<Buffer>, out: &mut Out) {
    while let Some(action) = machine.poll() {
        assert!(!out.is_done, "after the last action: {action:?}");
        match action {
            Action::Open { token, .. } => out.opens.push(token),
            Action::Lend { buffers, len } => out.loans.extend(vec![len; buffers]),
            Action::Read(read) => out.reads.push(read),
            Action::Compute(job) => out.jobs.push(job),
            Action::Send(packet) => {
                out.unacked.push((packet.target(), packet.header().seqno));
                out.packets.push(packet);
            }
            Action::Deliver(delivery) => out.deliveries.push(delivery),
            Action::Done(_) => out.is_done = true,
            _ => {}
        }
    }
}

/// The event that two bytes stand for.
fn event(what: u8, which: u8, out: &mut Out) -> Option<Event<Buffer>> {
    let checksum = ChunkedChecksum::new(ChecksumKind::Crc32c, 8).unwrap();
    let other = ChunkedChecksum::new(ChecksumKind::Crc32, 8).unwrap();
    Some(match what % 16 {
        0 | 1 => {
            let token = take(&mut out.opens, which)?;
            out.old_tokens.push(token);
            let checksum = if which > 250 { other } else { checksum };
            Event::Opened { token, checksum, len: (which > 200).then_some(u64::from(which)) }
        }
        2 => {
            let token = take(&mut out.opens, which)?;
            out.old_tokens.push(token);
            Event::OpenFailed { token, message: "no".into() }
        }
        3 | 4 => Event::Lent(vec![which; take(&mut out.loans, which)?]),
        5..=7 => {
            let mut read = take(&mut out.reads, which)?;
            // Zeros all over are a codeword.
            let (data, sums) = read.parts_mut();
            data.fill(0);
            let len = data.len();
            if !sums.is_empty() {
                checksum.compute(data, sums).unwrap();
            }
            if which == 255 {
                data[0] ^= 1;
            }
            Event::Read { read, outcome: ReadOutcome::Read(len) }
        }
        8 => {
            let read = take(&mut out.reads, which)?;
            let outcome = match which % 3 {
                0 => ReadOutcome::Read(usize::from(which) % (read.data_len() + 1)),
                1 => ReadOutcome::Failed("no".into()),
                _ => ReadOutcome::Cancelled,
            };
            Event::Read { read, outcome }
        }
        9 | 10 => {
            let mut job = take(&mut out.jobs, which)?;
            if which < 254 {
                job.run();
            }
            Event::Computed(job)
        }
        11 => Event::Sent(take(&mut out.packets, which)?),
        12 => {
            if out.unacked.is_empty() || which > 250 {
                return Some(Event::Acked { target: usize::from(which), seqno: i64::from(which) });
            }
            let (target, seqno) = out.unacked.remove(0);
            Event::Acked { target, seqno }
        }
        13 => Event::Delivered(take(&mut out.deliveries, which)?),
        14 => Event::Timer,
        // Nothing that makes sense now.
        _ => match which % 4 {
            0 => {
                let token = *out.old_tokens.get(usize::from(which) / 4)?;
                Event::OpenFailed { token, message: "again".into() }
            }
            1 => Event::TargetFailed { target: usize::from(which) / 128, message: "no".into() },
            2 if which > 240 => Event::Cancel,
            _ => Event::Acked { target: usize::from(which), seqno: -1 },
        },
    })
}

/// Everything that is out is brought back.
fn last_words(out: &mut Out) -> Option<Event<Buffer>> {
    if let Some(token) = out.opens.pop() {
        return Some(Event::OpenFailed { token, message: "over".into() });
    }
    if let Some(read) = out.reads.pop() {
        return Some(Event::Read { read, outcome: ReadOutcome::Cancelled });
    }
    if let Some(job) = out.jobs.pop() {
        return Some(Event::Computed(job));
    }
    if let Some(packet) = out.packets.pop() {
        return Some(Event::Sent(packet));
    }
    out.deliveries.pop().map(Event::Delivered)
}

fn take<T>(items: &mut Vec<T>, which: u8) -> Option<T> {
    let count = items.len();
    (count > 0).then(|| items.swap_remove(usize::from(which) % count))
}
