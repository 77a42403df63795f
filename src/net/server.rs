//! A block server: a folder of blocks behind the operations that read and write them.

use std::boxed::Box;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::output::peer_name;
use super::{BlockStore, Corrupt, Error, Result, Sent, Throttler, Way, session};
use crate::hdfs::{BlockId, Status};

/// Is told what happens at a server.
pub type Report = Arc<dyn Fn(&Event) + Send + Sync>;

/// How a server behaves.
#[derive(Clone)]
pub struct ServerOptions {
    /// How data goes out.
    pub way: Way,
    /// What happens to corrupt data on the normal way.
    pub corrupt: Corrupt,
    /// The time that each message and each packet has, and the first operation.
    pub timeout: Duration,
    /// How long a connection may wait for a further operation.
    pub idle: Duration,
    /// Most connections at a time; further ones are closed at once.
    pub max_connections: usize,
    /// The limit on bytes per second of all connections together.
    pub throttler: Option<Arc<Throttler>>,
    /// Is told what happens, on the threads on which it does.
    pub report: Option<Report>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            way: Way::default(),
            corrupt: Corrupt::default(),
            timeout: Duration::from_secs(60),
            // dfs.datanode.socket.reuse.keepalive
            idle: Duration::from_secs(4),
            max_connections: 256,
            throttler: None,
            report: None,
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("way", &self.way)
            .field("corrupt", &self.corrupt)
            .field("timeout", &self.timeout)
            .field("idle", &self.idle)
            .field("max_connections", &self.max_connections)
            .field("throttler", &self.throttler)
            .finish_non_exhaustive()
    }
}

/// What happened at a server.
#[non_exhaustive]
#[derive(Debug)]
pub enum Event {
    /// A block, or a range of one, was sent.
    Sent {
        /// To whom.
        peer: Box<str>,
        /// The block.
        block: BlockId,
        /// What was sent.
        sent: Sent,
        /// The reader's last word, if it had one.
        read: Option<Status>,
    },
    /// A block was received and is final.
    Stored {
        /// From whom.
        peer: Box<str>,
        /// The block.
        block: BlockId,
        /// Its length in bytes.
        len: u64,
    },
    /// Something was not carried out, or a connection broke.
    Failed {
        /// Whose.
        peer: Box<str>,
        /// Why.
        error: Error,
    },
    /// A connection was closed because there were too many.
    Busy {
        /// Whose.
        peer: Box<str>,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { peer, block, sent, read } => {
                write!(f, "{peer} read {} bytes of block {}", sent.data_len, block.0)?;
                read.map_or(Ok(()), |status| write!(f, " ({status})"))
            }
            Self::Stored { peer, block, len } => {
                write!(f, "{peer} wrote block {} of {len} bytes", block.0)
            }
            Self::Failed { peer, error } => write!(f, "{peer}: {error}"),
            Self::Busy { peer } => write!(f, "{peer} was turned away: too many connections"),
        }
    }
}

/// Serves the blocks of a folder over TCP, with a thread for each connection.
///
/// It speaks READ_BLOCK and, where the store is open for writing, WRITE_BLOCK of a new block
/// that goes no further. There is no security in it: no tokens are checked, nothing is
/// encrypted. Bind it to the loopback address or to a network that is trusted.
///
/// ```
/// # use std::fs;
/// # let folder = std::env::temp_dir().join(format!("restripe-server-{}", std::process::id()));
/// # fs::create_dir_all(&folder)?;
/// # fs::write(folder.join("blk_5"), b"block")?;
/// # fs::write(folder.join("blk_5_1.meta"), [0, 1, 0, 0, 0, 2, 0])?;
/// use std::time::Duration;
/// use restripe::hdfs::{BlockId, ExtendedBlock, ReadBlock};
/// use restripe::net::{BlockReader, BlockServer, BlockStore, ServerOptions};
///
/// let store = BlockStore::open(&folder)?;
/// let server = BlockServer::bind("127.0.0.1:0".parse()?, store, ServerOptions::default())?;
/// let server = server.start()?;
///
/// let block = ExtendedBlock { pool_id: "".into(), id: BlockId(5), generation_stamp: 0, len: 0 };
/// let read = ReadBlock::new(block, "example", 1, 3);
/// let mut reader = BlockReader::open(server.address(), &read, Duration::from_secs(5))?;
/// let mut bytes = Vec::new();
/// reader.copy_to(&mut bytes)?;
/// assert_eq!(bytes, b"loc");
/// # fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BlockServer {
    listener: TcpListener,
    address: SocketAddr,
    store: BlockStore,
    options: ServerOptions,
    shared: Arc<Shared>,
}

/// What the accepting thread and those of the connections have in common.
#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    connections: Mutex<Connections>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, TcpStream>,
}

impl BlockServer {
    /// A server that listens; it serves once it is [started](Self::start) or [run](Self::run).
    ///
    /// # Errors
    ///
    /// [`Error::Listen`] where it cannot listen at the address.
    pub fn bind(address: SocketAddr, store: BlockStore, options: ServerOptions) -> Result<Self> {
        let bound = TcpListener::bind(address)
            .and_then(|listener| listener.local_addr().map(|address| (listener, address)));
        let (listener, address) = bound.map_err(|source| Error::Listen { address, source })?;
        Ok(Self { listener, address, store, options, shared: Arc::default() })
    }

    /// The address at which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on the calling thread until the process ends.
    pub fn run(&self) {
        while !self.shared.stopping.load(Ordering::SeqCst) {
            match self.listener.accept() {
                Ok((stream, _)) if !self.shared.stopping.load(Ordering::SeqCst) => {
                    self.accept(stream);
                }
                Ok(_) => {}
                // A peer that has gone already, or no file descriptors left: the latter lasts
                // until a connection ends.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Serves on a thread of its own until the value returned is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Thread`] where there is no further thread to be had.
    pub fn start(self) -> Result<RunningServer> {
        let (address, shared) = (self.address, Arc::clone(&self.shared));
        let thread = thread::Builder::new()
            .name("restripe-accept".into())
            .spawn(move || self.run())
            .map_err(|source| Error::Thread { source })?;
        Ok(RunningServer { address, shared, thread: Some(thread) })
    }

    fn accept(&self, stream: TcpStream) {
        let peer: Box<str> = peer_name(&stream).into();
        let Some(entry) = self.shared.enter(&stream, self.options.max_connections) else {
            return report(&self.options, Event::Busy { peer });
        };
        let (store, options) = (self.store.clone(), self.options.clone());
        let serve = move || {
            let _entry = entry;
            session::serve(stream, &store, &options);
        };
        let started = thread::Builder::new().name("restripe-connection".into()).spawn(serve);
        if let Err(source) = started {
            let error = Error::Thread { source };
            report(&self.options, Event::Failed { peer, error });
        }
    }
}

/// Tells whoever wants to know.
pub(super) fn report(options: &ServerOptions, event: Event) {
    if let Some(report) = &options.report {
        report(&event);
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Connections> {
        // Entries are single insertions and removals: a panic elsewhere leaves the map whole.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection, unless there are `max` already.
    fn enter(self: &Arc<Self>, stream: &TcpStream, max: usize) -> Option<Entry> {
        let mut connections = self.connections();
        let handle = stream.try_clone().ok().filter(|_| connections.open.len() < max)?;
        let number = connections.next;
        connections.next += 1;
        connections.open.insert(number, handle);
        Some(Entry { shared: Arc::clone(self), number })
    }
}

/// A connection among those counted.
struct Entry {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.connections().open.remove(&self.number);
        self.shared.ended.notify_all();
    }
}

/// A server that serves; dropped, it breaks off all connections and stops.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl RunningServer {
    /// The address at which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections().open.len()
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Whoever waits for a connection gets one.
        let mut own = self.address;
        match own.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => own.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => own.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let woken = TcpStream::connect_timeout(&own, Duration::from_secs(1));
        if let Some(thread) = self.thread.take().filter(|_| woken.is_ok()) {
            // It panics only where the caller's report does.
            let _ = thread.join();
        }
        let mut connections = self.shared.connections();
        for stream in connections.open.values() {
            // One that is gone already need not be broken off.
            let _: io::Result<()> = stream.shutdown(Shutdown::Both);
        }
        while !connections.open.is_empty() {
            let waited = self.shared.ended.wait(connections);
            connections = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}
