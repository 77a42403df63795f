//! `restripe.Reconstruction`: the state machine of the rounds, told by Java what happened and
//! asked by Java what to do. Its buffers are direct buffers of Java's.

use std::collections::HashMap;
use std::slice;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jni::objects::{JByteArray, JByteBuffer, JIntArray, JLongArray, JObject, JString};
use jni::refs::Global;
use jni::sys::{jint, jlong};
use jni::{Env, EnvUnowned};
use restripe::layout::Policy;
use restripe::round::{
    Action, Config, Event, Job, OutgoingPacket, ReadOutcome, Reconstruction, SourceRead, Token,
};

use super::arguments::{checksum, units};
use super::failure::{Failure, Outcome, call};
use super::handles::{Borrowed, Table};

static MACHINES: Table<Mutex<Machine>> = Table::new("Reconstruction");

/// What `poll` returns: the same numbers as in `restripe.Reconstruction`.
const NOTHING: jint = 0;
const OPEN: jint = 1;
const LEND: jint = 2;
const READ: jint = 3;
const CANCEL: jint = 4;
const CLOSE: jint = 5;
const COMPUTE: jint = 6;
const SEND: jint = 7;
const FINISH_TARGET: jint = 8;
const DROP_TARGET: jint = 9;
const DONE: jint = 10;

/// A direct buffer that Java has lent.
struct DirectBuffer {
    number: jint,
    start: *mut u8,
    len: usize,
    /// Keeps the memory.
    _buffer: Global<JByteBuffer<'static>>,
}

// SAFETY: the memory may be used from every thread; whose it is at each moment, the state machine
// says.
unsafe impl Send for DirectBuffer {}
// SAFETY: as above.
unsafe impl Sync for DirectBuffer {}

impl AsRef<[u8]> for DirectBuffer {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the buffer is kept, and has these bytes. Java writes to them while a read is out,
        // during which nobody asks for them here.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}

impl AsMut<[u8]> for DirectBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_ref`.
        unsafe { slice::from_raw_parts_mut(self.start, self.len) }
    }
}

/// One reconstruction, and what of it is out in Java.
struct Machine {
    rounds: Reconstruction<DirectBuffer>,
    started: Instant,
    opens: HashMap<u64, Token>,
    reads: HashMap<u64, SourceRead<DirectBuffer>>,
    jobs: HashMap<jlong, Job<DirectBuffer>>,
    packets: HashMap<jlong, OutgoingPacket<DirectBuffer>>,
    next: jlong,
    /// Where each lent buffer lies, by its number.
    places: HashMap<jint, (usize, usize)>,
    failure: Option<String>,
}

impl Machine {
    fn handle(&mut self, event: Event<DirectBuffer>) {
        let now = self.started.elapsed();
        self.rounds.handle(event, now);
    }

    fn keep(&mut self) -> jlong {
        self.next += 1;
        self.next
    }

    /// The number of the buffer that some bytes lie in, and where in it.
    fn place(&self, bytes: &[u8]) -> Option<(jint, usize)> {
        let at = bytes.as_ptr().addr();
        let inside = |(start, len): (usize, usize)| start <= at && at + bytes.len() <= start + len;
        let found = self.places.iter().find(|(_, place)| inside(**place));
        found.map(|(&number, &(start, _))| (number, at - start))
    }
}

fn machine<'a>(handle: &'a Borrowed<'_, Mutex<Machine>>) -> MutexGuard<'a, Machine> {
    handle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `static long open(String policy, long groupLength, int[] sources, int[] targets,
/// long[] options)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_open<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    policy: JString<'local>,
    group_len: jlong,
    sources: JIntArray<'local>,
    targets: JIntArray<'local>,
    options: JLongArray<'local>,
) -> jlong {
    call(&mut env, |env| {
        let policy: Policy = policy.try_to_string(env)?.parse()?;
        let group_len = u64::try_from(group_len).map_err(|_| Failure::Value {
            what: "length of the group",
            got: group_len,
            expected: "0 or more",
        })?;
        let config = config(env, &options)?;
        let (sources, targets) = (units(env, &sources)?, units(env, &targets)?);
        let (code, group) = (policy.code()?, policy.group(group_len));
        let rounds = Reconstruction::new(config, code, group, &sources, &targets, Duration::ZERO)?;
        MACHINES.insert(Mutex::new(Machine {
            rounds,
            started: Instant::now(),
            opens: HashMap::new(),
            reads: HashMap::new(),
            jobs: HashMap::new(),
            packets: HashMap::new(),
            next: 0,
            places: HashMap::new(),
            failure: None,
        }))
    })
}

/// Buffer length, memory, three timeouts in milliseconds, extra sources, whether to verify, whether
/// to check, the seed.
fn config(env: &Env<'_>, options: &JLongArray<'_>) -> Outcome<Config> {
    let mut values: [jlong; 9] = [0; 9];
    options.get_region(env, 0, &mut values)?;
    let positive = |what, value: jlong| {
        usize::try_from(value).map_err(|_| Failure::Value {
            what,
            got: value,
            expected: "0 or more",
        })
    };
    let time = |what, value| Ok::<_, Failure>(Duration::from_millis(positive(what, value)? as u64));
    let mut config = Config::new(values[8].cast_unsigned());
    config.buffer_len = positive("buffer length", values[0])?;
    config.max_memory = positive("most memory", values[1])?;
    config.open_timeout = time("timeout of opens", values[2])?;
    config.read_timeout = time("timeout of reads", values[3])?;
    config.ack_timeout = time("timeout of acknowledgements", values[4])?;
    config.extra_sources = positive("number of extra sources", values[5])?;
    config.verify_sources = values[6] != 0;
    config.check_computing = values[7] != 0;
    Ok(config)
}

/// `static void close(long handle)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_close<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) {
    call(&mut env, |_| {
        MACHINES.close(handle);
        Ok(())
    });
}

/// `int[] targets(long handle)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_targets<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) -> JIntArray<'local> {
    call(&mut env, |env| {
        let handle = MACHINES.get(handle)?;
        super::plan::list(env, machine(&handle).rounds.target_units())
    })
}

/// `int poll(long handle, long[] out)`: the next thing to do, and its numbers.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_poll<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    out: JLongArray<'local>,
) -> jint {
    call(&mut env, |env| {
        let handle = MACHINES.get(handle)?;
        let mut machine = machine(&handle);
        let mut numbers = Vec::new();
        let action = loop {
            match machine.rounds.poll() {
                None => break NOTHING,
                Some(action) => {
                    if let Some(action) = machine.describe(action, &mut numbers) {
                        break action;
                    }
                }
            }
        };
        out.set_region(env, 0, &numbers)?;
        Ok(action)
    })
}

impl Machine {
    /// The number of an action, and the numbers that go with it; none for one that Java need not
    /// know of.
    fn describe(&mut self, action: Action<DirectBuffer>, out: &mut Vec<jlong>) -> Option<jint> {
        let number = |value: usize| jlong::try_from(value).unwrap_or(jlong::MAX);
        Some(match action {
            Action::Open { token, source } => {
                out.extend([token.number().cast_signed(), number(source)]);
                self.opens.insert(token.number(), token);
                OPEN
            }
            Action::Lend { buffers, len } => {
                out.extend([number(buffers), number(len)]);
                LEND
            }
            Action::Read(mut read) => {
                let token = read.token().number();
                let sums = read.sums_range();
                let buffer = read.buffer_mut().map_or(-1, |buffer| buffer.number);
                out.extend([
                    token.cast_signed(),
                    number(read.source()),
                    read.offset().cast_signed(),
                    number(read.data_len()),
                    buffer.into(),
                    number(sums.start),
                    number(sums.len()),
                ]);
                self.reads.insert(token, read);
                READ
            }
            Action::Cancel { token } => {
                out.push(token.number().cast_signed());
                CANCEL
            }
            Action::Close { source } => {
                out.push(number(source));
                CLOSE
            }
            Action::Compute(job) => {
                let key = self.keep();
                out.push(key);
                self.jobs.insert(key, job);
                COMPUTE
            }
            Action::Send(packet) => {
                let (key, header) = (self.keep(), *packet.header());
                out.extend([
                    key,
                    number(packet.target()),
                    header.seqno,
                    header.offset_in_block.cast_signed(),
                    header.data_len.into(),
                    header.last_packet_in_block.into(),
                    number(packet.head().len()),
                    number(packet.data().count()),
                ]);
                for part in packet.data() {
                    let (buffer, at) = self.place(part).unwrap_or((-1, 0));
                    out.extend([buffer.into(), number(at), number(part.len())]);
                }
                self.packets.insert(key, packet);
                SEND
            }
            Action::FinishTarget { target } => {
                out.push(number(target));
                FINISH_TARGET
            }
            Action::DropTarget { target } => {
                out.push(number(target));
                DROP_TARGET
            }
            Action::Done(result) => {
                self.failure = result.err().map(|failure| failure.to_string());
                DONE
            }
            // Ranges are not asked for.
            _ => return None,
        })
    }
}

/// `long timeout(long handle)`: nanoseconds until the machine wants to be told that time has
/// passed; negative where it does not.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_timeout<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) -> jlong {
    call(&mut env, |_| {
        let handle = MACHINES.get(handle)?;
        let machine = machine(&handle);
        let Some(at) = machine.rounds.poll_timeout() else { return Ok(-1) };
        let wait = at.saturating_sub(machine.started.elapsed());
        Ok(jlong::try_from(wait.as_nanos()).unwrap_or(jlong::MAX))
    })
}

/// Tells the machine that something happened.
fn tell<'local>(
    env: &mut EnvUnowned<'local>,
    handle: jlong,
    event: impl FnOnce(&mut Env<'local>, &mut Machine) -> Outcome<Option<Event<DirectBuffer>>>,
) {
    call(env, |env| {
        let handle = MACHINES.get(handle)?;
        let mut machine = machine(&handle);
        if let Some(event) = event(env, &mut machine)? {
            machine.handle(event);
        }
        Ok(())
    });
}

/// A text, or nothing where Java gives null.
fn text(env: &Env<'_>, text: &JString<'_>) -> Outcome<Box<str>> {
    Ok(if text.is_null() { "".into() } else { text.try_to_string(env)?.into() })
}

/// `void opened(long handle, long token, int kind, int bytesPerChecksum)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_opened<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    token: jlong,
    kind: jint,
    bytes_per_checksum: jint,
) {
    tell(&mut env, handle, |_, machine| {
        let checksum = checksum(kind, bytes_per_checksum)?;
        let token = machine.opens.remove(&token.cast_unsigned());
        Ok(token.map(|token| Event::Opened { token, checksum, len: None }))
    });
}

/// `void openFailed(long handle, long token, String message)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_openFailed<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    token: jlong,
    message: JString<'local>,
) {
    tell(&mut env, handle, |env, machine| {
        let message = text(env, &message)?;
        let token = machine.opens.remove(&token.cast_unsigned());
        Ok(token.map(|token| Event::OpenFailed { token, message }))
    });
}

/// `void lend(long handle, int number, ByteBuffer buffer)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_lend<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    number: jint,
    buffer: JByteBuffer<'local>,
) {
    tell(&mut env, handle, |env, machine| {
        let start = env.get_direct_buffer_address(&buffer)?;
        let len = env.get_direct_buffer_capacity(&buffer)?;
        machine.places.insert(number, (start.addr(), len));
        let _buffer = env.new_global_ref(&buffer)?;
        Ok(Some(Event::Lent(DirectBuffer { number, start, len, _buffer })))
    });
}

/// `void read(long handle, long token, int bytes, String failure)`: so many bytes came; -1 where it
/// was cancelled, -2 where it failed.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_read<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    token: jlong,
    bytes: jint,
    failure: JString<'local>,
) {
    tell(&mut env, handle, |env, machine| {
        let failure = text(env, &failure)?;
        let read = machine.reads.remove(&token.cast_unsigned());
        let outcome = match usize::try_from(bytes) {
            Ok(bytes) => ReadOutcome::Read(bytes),
            Err(_) if bytes == -1 => ReadOutcome::Cancelled,
            Err(_) => ReadOutcome::Failed(failure),
        };
        Ok(read.map(|read| Event::Read { read, outcome }))
    });
}

/// `void compute(long handle, long job)`: on any thread; the machine is not held up by it.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_compute<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    job: jlong,
) {
    call(&mut env, |_| {
        let handle = MACHINES.get(handle)?;
        let job = machine(&handle).jobs.remove(&job);
        if let Some(mut job) = job {
            job.run();
            machine(&handle).handle(Event::Computed(job));
        }
        Ok(())
    });
}

/// `byte[] head(long handle, long packet)`: header and checksums of a packet that is out.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_head<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    packet: jlong,
) -> JByteArray<'local> {
    call(&mut env, |env| {
        let handle = MACHINES.get(handle)?;
        let machine = machine(&handle);
        let head = machine.packets.get(&packet).map_or(&[][..], OutgoingPacket::head);
        Ok(env.byte_array_from_slice(head)?)
    })
}

/// `void sent(long handle, long packet)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_sent<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    packet: jlong,
) {
    tell(&mut env, handle, |_, machine| Ok(machine.packets.remove(&packet).map(Event::Sent)));
}

/// `void acked(long handle, int target, long seqno)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_acked<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    target: jint,
    seqno: jlong,
) {
    tell(&mut env, handle, |_, machine| {
        let target = place("target", target, machine.rounds.target_units().count())?;
        Ok(Some(Event::Acked { target, seqno }))
    });
}

/// `void targetFailed(long handle, int target, String message)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_targetFailed<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    target: jint,
    message: JString<'local>,
) {
    tell(&mut env, handle, |env, machine| {
        let target = place("target", target, machine.rounds.target_units().count())?;
        Ok(Some(Event::TargetFailed { target, message: text(env, &message)? }))
    });
}

/// The place of a target in their list.
fn place(what: &'static str, number: jint, count: usize) -> Outcome<usize> {
    let place = usize::try_from(number).ok().filter(|&place| place < count);
    place.ok_or(Failure::Value { what, got: number.into(), expected: "one of the list" })
}

/// `void timer(long handle)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_timer<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) {
    tell(&mut env, handle, |_, _| Ok(Some(Event::Timer)));
}

/// `void cancel(long handle)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_cancel<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) {
    tell(&mut env, handle, |_, _| Ok(Some(Event::Cancel)));
}

/// `String failure(long handle)`: why it failed, once it is over; null where it did not.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_failure<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
) -> JString<'local> {
    call(&mut env, |env| {
        let handle = MACHINES.get(handle)?;
        match &machine(&handle).failure {
            Some(failure) => Ok(env.new_string(failure)?),
            None => Ok(JString::default()),
        }
    })
}

/// `String targetFailure(long handle, int target)`: why a target is not rebuilt; null where it is.
#[unsafe(no_mangle)]
pub extern "system" fn Java_restripe_Reconstruction_targetFailure<'local>(
    mut env: EnvUnowned<'local>,
    _: JObject<'local>,
    handle: jlong,
    target: jint,
) -> JString<'local> {
    call(&mut env, |env| {
        let handle = MACHINES.get(handle)?;
        let progress = machine(&handle).rounds.progress();
        let target = &progress.targets[place("target", target, progress.targets.len())?];
        if target.is_rebuilt {
            return Ok(JString::default());
        }
        let reason = target.failure.as_ref().map(ToString::to_string);
        Ok(env.new_string(reason.unwrap_or_else(|| "it was not finished".into()))?)
    })
}
