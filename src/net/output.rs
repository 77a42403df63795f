//! Where packets go: a socket, to which the kernel can send a file's bytes, or anything else.

use std::format;
use std::fs::File;
use std::io::{self, Write};
use std::net::TcpStream;
use std::string::String;
use std::thread;
use std::time::Duration;

/// Where packets go.
///
/// A [`TcpStream`] is one, and on Linux the kernel sends files to it; [`Plain`] makes one of any
/// [`Write`]. Outputs may be blocking or not; one that blocks should have a timeout of its own
/// (a second will do), for only between its calls can a slow receiver be noticed.
pub trait PacketOutput {
    /// Writes some of `bytes`, and says how many. `more`: further bytes follow at once, so the
    /// system may wait for them before it sends a part.
    ///
    /// # Errors
    ///
    /// What the system says; `WouldBlock` where nothing can be written now.
    fn write(&mut self, bytes: &[u8], more: bool) -> io::Result<usize>;

    /// Whether [`send_file`](Self::send_file) is worth a try.
    fn sends_files(&self) -> bool {
        false
    }

    /// Has the kernel send some of the `len` bytes from `offset` on of a file, and says how many.
    ///
    /// # Errors
    ///
    /// What the system says, of the file or of the output; `Unsupported` where that cannot be
    /// done, with this file or at all.
    fn send_file(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        let _ = (file, offset, len);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Waits until something can be written, but no longer than `at_most`.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn wait(&mut self, at_most: Duration) -> io::Result<()> {
        thread::sleep(at_most.min(Duration::from_millis(1)));
        Ok(())
    }

    /// What errors call it.
    fn name(&self) -> String {
        "the receiver".into()
    }
}

/// Any writer as an output.
#[derive(Debug)]
pub struct Plain<W>(pub W);

impl<W: Write> PacketOutput for Plain<W> {
    fn write(&mut self, bytes: &[u8], _more: bool) -> io::Result<usize> {
        self.0.write(bytes)
    }
}

impl<O: PacketOutput + ?Sized> PacketOutput for &mut O {
    fn write(&mut self, bytes: &[u8], more: bool) -> io::Result<usize> {
        (**self).write(bytes, more)
    }

    fn sends_files(&self) -> bool {
        (**self).sends_files()
    }

    fn send_file(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        (**self).send_file(file, offset, len)
    }

    fn wait(&mut self, at_most: Duration) -> io::Result<()> {
        (**self).wait(at_most)
    }

    fn name(&self) -> String {
        (**self).name()
    }
}

impl PacketOutput for TcpStream {
    fn write(&mut self, bytes: &[u8], more: bool) -> io::Result<usize> {
        system::send(self, bytes, more)
    }

    fn sends_files(&self) -> bool {
        cfg!(target_os = "linux")
    }

    fn send_file(&mut self, file: &File, offset: u64, len: usize) -> io::Result<usize> {
        system::send_file(self, file, offset, len)
    }

    fn wait(&mut self, at_most: Duration) -> io::Result<()> {
        system::wait(self, at_most)
    }

    fn name(&self) -> String {
        peer_name(self)
    }
}

/// A peer's address, or what stands for it where the connection is gone.
pub(super) fn peer_name(stream: &TcpStream) -> String {
    stream.peer_addr().map_or_else(|_| "the peer".into(), |address| format!("{address}"))
}

#[cfg(target_os = "linux")]
mod system {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    use rustix::net::SendFlags;

    pub(super) fn send(stream: &TcpStream, bytes: &[u8], more: bool) -> io::Result<usize> {
        let more = if more { SendFlags::MORE } else { SendFlags::empty() };
        Ok(rustix::net::send(stream, bytes, SendFlags::NOSIGNAL | more)?)
    }

    pub(super) fn send_file(
        stream: &TcpStream,
        file: &File,
        mut offset: u64,
        len: usize,
    ) -> io::Result<usize> {
        rustix::fs::sendfile(stream, file, Some(&mut offset), len).map_err(|errno| match errno {
            // What sendfile(2) says of files and outputs that it cannot work with.
            Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP => io::ErrorKind::Unsupported.into(),
            errno => errno.into(),
        })
    }

    pub(super) fn wait(stream: &TcpStream, at_most: Duration) -> io::Result<()> {
        let timeout = Timespec::try_from(at_most).ok();
        match poll(&mut [PollFd::new(stream, PollFlags::OUT)], timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::*;

    pub(super) fn send(mut stream: &TcpStream, bytes: &[u8], _more: bool) -> io::Result<usize> {
        stream.write(bytes)
    }

    pub(super) fn send_file(_: &TcpStream, _: &File, _: u64, _: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn wait(_: &TcpStream, at_most: Duration) -> io::Result<()> {
        thread::sleep(at_most.min(Duration::from_millis(1)));
        Ok(())
    }
}
