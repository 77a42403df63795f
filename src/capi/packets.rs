//! Packets of HDFS's transfer protocol, and the headers of `.meta` files.

use core::ffi::c_int;
use core::ptr;

use super::arguments::{self, Handle, Outcome, borrow, borrow_mut, give, input, write};
use super::checksum::chunked;
use super::status::{Failure, guard};
use crate::hdfs;

/// Room for any packet header: 6 bytes of lengths and the header itself.
pub const RESTRIPE_PACKET_HEADER_MAX: usize = 33;
/// The number of a packet that only shows that the sender lives.
pub const RESTRIPE_PACKET_HEARTBEAT: i64 = -1;
/// Length of the header of a .meta file.
pub const RESTRIPE_META_HEADER_LEN: usize = 7;

// The numbers are those of the engine.
const _: () = {
    assert!(RESTRIPE_PACKET_HEADER_MAX == hdfs::PacketHeader::MAX_LEN);
    assert!(RESTRIPE_PACKET_HEARTBEAT == hdfs::PacketHeader::HEARTBEAT_SEQNO);
    assert!(RESTRIPE_META_HEADER_LEN == hdfs::MetaHeader::LEN);
};

/// What stands before a packet's checksums and data.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PacketHeader {
    /// Where in the block the data begins, in bytes; at most 63 bits.
    pub offset_in_block: u64,
    /// The packet's number, rising by one; RESTRIPE_PACKET_HEARTBEAT for a heartbeat.
    pub seqno: i64,
    /// Length of the data in bytes; at most 31 bits.
    pub data_len: u32,
    /// Not 0 for the packet that ends the block, which holds no data.
    pub last_packet_in_block: u8,
    /// Not 0 where the receiver is to bring all data to the disk before it acknowledges.
    pub sync_block: u8,
}

impl From<hdfs::PacketHeader> for PacketHeader {
    fn from(header: hdfs::PacketHeader) -> Self {
        Self {
            offset_in_block: header.offset_in_block,
            seqno: header.seqno,
            data_len: header.data_len,
            last_packet_in_block: header.last_packet_in_block.into(),
            sync_block: header.sync_block.into(),
        }
    }
}

/// # Safety
///
/// `header` is NULL or points to a header.
unsafe fn header_of(header: *const PacketHeader) -> Outcome<hdfs::PacketHeader> {
    // SAFETY: the caller's promise, for a list of one.
    let [header] = unsafe { arguments::values("header", header, 1) }? else {
        return Err(Failure::Null("header"));
    };
    let refused =
        |what, got, expected| Err(crate::Error::OutOfBounds { what, got, expected }.into());
    if i64::try_from(header.offset_in_block).is_err() {
        return refused("offset in the block", header.offset_in_block, "at most 2^63 - 1");
    }
    if i32::try_from(header.data_len).is_err() {
        return refused("data of a packet", header.data_len.into(), "at most 2^31 - 1 bytes");
    }
    Ok(hdfs::PacketHeader {
        offset_in_block: header.offset_in_block,
        seqno: header.seqno,
        last_packet_in_block: header.last_packet_in_block != 0,
        data_len: header.data_len,
        sync_block: header.sync_block != 0,
    })
}

/// Writes a header, with the two lengths before it, to `bytes`, which has room for `capacity`; and
/// how many bytes that are to `len`: never more than RESTRIPE_PACKET_HEADER_MAX. The packet has
/// `checksums_len` bytes of checksums.
///
/// RESTRIPE_ERROR_VALUE: an offset or a length that the format does not hold;
/// RESTRIPE_ERROR_BUFFER_TOO_SMALL: nothing was written to `bytes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_header_encode(
    header: *const PacketHeader,
    checksums_len: u32,
    bytes: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises; of the buffer, for as many bytes as there are.
        unsafe {
            let encoded = header_of(header)?.encode(checksums_len);
            let encoded = encoded.as_ref();
            write(len, "len", encoded.len())?;
            if capacity < encoded.len() {
                let what = "the header";
                return Err(Failure::TooSmall { what, needed: encoded.len(), got: capacity });
            }
            arguments::output("bytes", bytes, encoded.len(), &[])?.copy_from_slice(encoded);
            Ok(())
        }
    })
}

/// Writes the header that a message of `len` bytes holds to `header`. The message has not the two
/// lengths before it, the second of which is its own length.
///
/// RESTRIPE_ERROR_BYTES: it is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_header_decode(
    message: *const u8,
    len: usize,
    header: *mut PacketHeader,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let decoded = hdfs::PacketHeader::decode(input("message", message, len)?)?;
            write(header, "header", decoded.into())
        }
    })
}

/// Reads packets from bytes that come in pieces of any size. One thread at a time may use it.
pub struct PacketReader(hdfs::PacketReader);

impl Handle for PacketReader {
    const MARK: u64 = u64::from_be_bytes(*b"rs pktrd");
    const NAME: &'static str = "packet reader";
}

/// A packet, in its reader's memory.
#[repr(C)]
pub struct PacketOut {
    /// Its header.
    pub header: PacketHeader,
    /// The checksums of the data's chunks, big-endian.
    pub checksums: *const u8,
    /// How many bytes they have.
    pub checksums_len: usize,
    /// The data, of header.data_len bytes.
    pub data: *const u8,
}

/// Makes a reader of packets with these checksums (RESTRIPE_CHECKSUM_...), and writes its handle to
/// `reader`. It is the caller's, to be freed by restripe_packet_reader_free.
///
/// It checks the lengths, not the checksums: for those there is restripe_checksums_verify.
///
/// RESTRIPE_ERROR_VALUE: no such checksums; RESTRIPE_ERROR_KERNEL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_reader_new(
    checksum_kind: u32,
    bytes_per_checksum: usize,
    reader: *mut *mut PacketReader,
) -> c_int {
    guard(|| {
        let made = hdfs::PacketReader::new(chunked(checksum_kind, bytes_per_checksum)?);
        // SAFETY: the caller's promise.
        unsafe { give(reader, PacketReader(made)) }
    })
}

/// Writes where the next bytes are to be put to `space`, and for how many there is room to `len`:
/// 0 while a packet is there, and after an error. Tell how many came by
/// restripe_packet_reader_advance, before anything else is asked of the reader.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_reader_space(
    reader: *mut PacketReader,
    space: *mut *mut u8,
    len: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let room = borrow_mut(reader)?.0.space();
            write(space, "space", room.as_mut_ptr())?;
            write(len, "len", room.len())
        }
    })
}

/// Takes the first `count` bytes of the room given for received.
///
/// RESTRIPE_ERROR_BYTES: lengths that no packet has or that contradict each other; no packet comes
/// after that, and the error stays. RESTRIPE_ERROR_COUNT: there was less room.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_reader_advance(
    reader: *mut PacketReader,
    count: usize,
) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| Ok(unsafe { borrow_mut(reader) }?.0.advance(count)?))
}

/// Copies bytes into the reader, up to the end of the packet at hand, and writes how many to
/// `taken`: for bytes that are in memory already. Errors as restripe_packet_reader_advance.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_reader_push(
    reader: *mut PacketReader,
    bytes: *const u8,
    len: usize,
    taken: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let count = borrow_mut(reader)?.0.push(input("bytes", bytes, len)?)?;
            write(taken, "taken", count)
        }
    })
}

/// Writes the packet at hand to `packet` and 1 to `is_there`; or 0 where not all of it has come.
/// What it points to stands until restripe_packet_reader_release.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_reader_packet(
    reader: *const PacketReader,
    packet: *mut PacketOut,
    is_there: *mut c_int,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let found = borrow(reader)?.0.packet();
            if let Some(found) = &found {
                let out = PacketOut {
                    header: found.header.into(),
                    checksums: found.checksums.as_ptr(),
                    checksums_len: found.checksums.len(),
                    data: found.data.as_ptr(),
                };
                write(packet, "packet", out)?;
            }
            write(is_there, "is_there", found.is_some().into())
        }
    })
}

/// Lets go of the packet at hand, if there is one; what came after it begins the next. Errors as
/// restripe_packet_reader_advance, of the next packet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_reader_release(reader: *mut PacketReader) -> c_int {
    // SAFETY: the caller's promise.
    guard(|| Ok(unsafe { borrow_mut(reader) }?.0.release()?))
}

/// Frees a packet reader. Does nothing to NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_reader_free(reader: *mut PacketReader) {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { arguments::free(reader) };
        Ok(())
    });
}

/// Lays packets out in memory of its own. One thread at a time may use it.
pub struct PacketWriter(hdfs::PacketWriter);

impl Handle for PacketWriter {
    const MARK: u64 = u64::from_be_bytes(*b"rs pktwr");
    const NAME: &'static str = "packet writer";
}

/// Makes a writer of packets of at most `chunks` chunks, and writes its handle to `writer`. It is
/// the caller's, to be freed by restripe_packet_writer_free.
///
/// RESTRIPE_ERROR_VALUE: no such checksums, no chunk, or more than a packet of 16 MiB holds;
/// RESTRIPE_ERROR_KERNEL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_writer_new(
    checksum_kind: u32,
    bytes_per_checksum: usize,
    chunks: usize,
    writer: *mut *mut PacketWriter,
) -> c_int {
    guard(|| {
        let checksum = chunked(checksum_kind, bytes_per_checksum)?;
        let made = hdfs::PacketWriter::new(checksum, chunks)?;
        // SAFETY: the caller's promise.
        unsafe { give(writer, PacketWriter(made)) }
    })
}

/// Begins a packet of `data_len` bytes of data: writes where its checksums and its data are to be
/// put to `checksums` and `data`, and how many bytes the former have to `checksums_len`.
///
/// RESTRIPE_ERROR_VALUE: more data than the writer's chunks hold.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_writer_prepare(
    writer: *mut PacketWriter,
    data_len: usize,
    checksums: *mut *mut u8,
    checksums_len: *mut usize,
    data: *mut *mut u8,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let room = borrow_mut(writer)?.0.prepare(data_len)?;
            write(checksums, "checksums", room.checksums.as_mut_ptr())?;
            write(checksums_len, "checksums_len", room.checksums.len())?;
            write(data, "data", room.data.as_mut_ptr())
        }
    })
}

/// Ends the packet begun with restripe_packet_writer_prepare: writes where it lies, with its header
/// before it, to `bytes` and its length to `len`. It stands there until the next packet.
///
/// RESTRIPE_ERROR_LENGTH: the packet was begun for another length of data;
/// RESTRIPE_ERROR_VALUE: an offset or a length that the format does not hold.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_writer_seal(
    writer: *mut PacketWriter,
    header: *const PacketHeader,
    bytes: *mut *const u8,
    len: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let header = header_of(header)?;
            let packet = borrow_mut(writer)?.0.seal(&header)?;
            write(bytes, "bytes", packet.as_ptr())?;
            write(len, "len", packet.len())
        }
    })
}

/// Lays out a packet around data in memory, computing its checksums: writes where header and
/// checksums lie to `head` and their length to `head_len`. The data is to be sent behind them, from
/// where it is. They stand there until the next packet.
///
/// RESTRIPE_ERROR_VALUE: as restripe_packet_writer_seal, and more data than the writer's chunks
/// hold. header.data_len must be `data_len`: RESTRIPE_ERROR_LENGTH.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_writer_frame(
    writer: *mut PacketWriter,
    header: *const PacketHeader,
    data: *const u8,
    data_len: usize,
    head: *mut *const u8,
    head_len: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let header = header_of(header)?;
            let data = input("data", data, data_len)?;
            let [made, _] = borrow_mut(writer)?.0.frame(&header, data)?;
            write(head, "head", made.as_ptr())?;
            write(head_len, "head_len", made.len())
        }
    })
}

/// Frees a packet writer. Does nothing to NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_packet_writer_free(writer: *mut PacketWriter) {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { arguments::free(writer) };
        Ok(())
    });
}

/// Writes the RESTRIPE_META_HEADER_LEN bytes that a .meta file with these checksums begins with to
/// `bytes`. The checksums of the block's chunks follow.
///
/// RESTRIPE_ERROR_VALUE: no such checksums; RESTRIPE_ERROR_KERNEL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_meta_header_encode(
    checksum_kind: u32,
    bytes_per_checksum: usize,
    bytes: *mut u8,
) -> c_int {
    guard(|| {
        let header = hdfs::MetaHeader::new(chunked(checksum_kind, bytes_per_checksum)?).encode();
        // SAFETY: the caller's promise.
        let bytes = unsafe { arguments::output("bytes", bytes, header.len(), &[]) }?;
        bytes.copy_from_slice(&header);
        Ok(())
    })
}

/// Writes which checksums a .meta file has, of which `len` bytes from its beginning on are at
/// `bytes`, to `checksum_kind` and `bytes_per_checksum`.
///
/// RESTRIPE_ERROR_BYTES: they are none of a .meta file; RESTRIPE_ERROR_COUNT: fewer than
/// RESTRIPE_META_HEADER_LEN; RESTRIPE_ERROR_KERNEL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn restripe_meta_header_decode(
    bytes: *const u8,
    len: usize,
    checksum_kind: *mut u32,
    bytes_per_checksum: *mut usize,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's promises.
        unsafe {
            let checksum = hdfs::MetaHeader::decode(input("bytes", bytes, len)?)?.checksum();
            write(checksum_kind, "checksum_kind", checksum.kind().id().into())?;
            write(bytes_per_checksum, "bytes_per_checksum", checksum.bytes_per_checksum())
        }
    })
}

/// Bytes of no memory at all, for what has none.
pub(super) fn start_of(bytes: &[u8]) -> *const u8 {
    if bytes.is_empty() { ptr::null() } else { bytes.as_ptr() }
}
