package restripe;

import java.nio.ByteBuffer;

/**
 * Packets as HDFS sends blocks in: a header, the checksums of the chunks, the data.
 *
 * <pre>{@code
 * ByteBuffer head = ByteBuffer.allocateDirect(Packets.headLength(checksum, data.remaining()));
 * Packets.frame(checksum, Packets.Header.data(offset, seqno, data.remaining()), data, head);
 * channel.write(new ByteBuffer[] {head, data});
 *
 * Packets.Packet packet = Packets.next(checksum, bytes);  // bytes as they come, without a copy
 * while (packet == null) {
 *   bytes.compact();
 *   channel.read(bytes);
 *   bytes.flip();
 *   packet = Packets.next(checksum, bytes);
 * }
 * checksum.verify(packet.data(), packet.checksums());
 * }</pre>
 *
 * <p>A {@link Reader} keeps what has come of a packet itself, for bytes that come in pieces of any
 * size; it copies them in, and out again.
 */
public final class Packets {
  /** Longest header that is written, its two lengths among it. */
  private static final int MAX_HEADER = 33;

  private Packets() {}

  /** What stands in a packet's header. */
  public static final class Header {
    private final long offset;
    private final long seqno;
    private final boolean isLast;
    private final boolean syncs;
    private final int dataLength;

    private Header(long offset, long seqno, boolean isLast, boolean syncs, int dataLength) {
      this.offset = offset;
      this.seqno = seqno;
      this.isLast = isLast;
      this.syncs = syncs;
      this.dataLength = dataLength;
    }

    /** A packet of data that begins at a byte of the block. */
    public static Header data(long offset, long seqno, int dataLength) {
      return new Header(offset, seqno, false, false, dataLength);
    }

    /** The packet that ends a block of that length. */
    public static Header last(long blockLength, long seqno) {
      return new Header(blockLength, seqno, true, false, 0);
    }

    /** The same, and the receiver brings everything so far to the disk first. */
    public Header withSync() {
      return new Header(offset, seqno, isLast, true, dataLength);
    }

    /** Where in the block the data begins. */
    public long offset() {
      return offset;
    }

    /** The packet's number. */
    public long seqno() {
      return seqno;
    }

    /** Whether it ends the block. */
    public boolean isLast() {
      return isLast;
    }

    /** Whether the receiver is to bring everything so far to the disk. */
    public boolean syncs() {
      return syncs;
    }

    /** Bytes of data. */
    public int dataLength() {
      return dataLength;
    }
  }

  /** Bytes that are enough for the header and the checksums of so much data. */
  public static int headLength(ChunkChecksum checksum, int dataLength) {
    return MAX_HEADER + checksum.sumsLength(dataLength);
  }

  /**
   * Computes what is sent before the data: header and checksums. They are put at the head's
   * position, and its limit after them.
   *
   * @param data as many bytes as the header says, of the same sort of memory as {@code head}
   */
  public static void frame(
      ChunkChecksum checksum, Header header, ByteBuffer data, ByteBuffer head) {
    if (data.remaining() != header.dataLength) {
      throw new IllegalArgumentException(
          "data has " + data.remaining() + " bytes, expected " + header.dataLength);
    }
    int sumsLength = checksum.sumsLength(data.remaining());
    byte[] bytes =
        header(
            header.offset, header.seqno, header.isLast, header.syncs, header.dataLength,
            sumsLength);
    ByteBuffer sums = head.duplicate();
    sums.put(bytes);
    sums.limit(sums.position() + sumsLength);
    checksum.compute(data, sums);
    head.limit(sums.limit());
  }

  /** How many numbers the native side tells of a packet. */
  private static final int NUMBERS = 7;

  private static Header header(long[] numbers) {
    return new Header(
        numbers[0], numbers[1], numbers[2] != 0, numbers[3] != 0, (int) numbers[4]);
  }

  /** A packet where it came: parts of the buffer that it was found in. */
  public static final class Packet {
    private final Header header;
    private final ByteBuffer checksums;
    private final ByteBuffer data;

    private Packet(Header header, ByteBuffer checksums, ByteBuffer data) {
      this.header = header;
      this.checksums = checksums;
      this.data = data;
    }

    /** What its header says. */
    public Header header() {
      return header;
    }

    /** The checksums of the data's chunks. They are not verified: see {@link ChunkChecksum#verify}. */
    public ByteBuffer checksums() {
      return checksums;
    }

    /** The data. */
    public ByteBuffer data() {
      return data;
    }
  }

  /**
   * The packet that begins at a buffer's position, where all of it is there: its parts share the
   * buffer's memory, and the buffer's position is moved behind it. Null where more has to come
   * first; then nothing is moved. A packet has at most 16 MiB.
   *
   * @throws RestripeException where the bytes are no packet
   */
  public static Packet next(ChunkChecksum checksum, ByteBuffer bytes) {
    int position = bytes.position();
    int length = bytes.remaining();
    boolean direct = bytes.isDirect();
    long start = Call.start("bytes", 0, bytes, length, direct, false);
    long[] numbers = new long[NUMBERS];
    boolean isKnown =
        parse(
            checksum.kind().id, checksum.bytesPerChecksum(), Call.memory(bytes, direct), start,
            length, direct, numbers);
    long dataStart = numbers[6] + numbers[5];
    if (!isKnown || dataStart + numbers[4] > length) {
      return null;
    }
    ByteBuffer checksums = part(bytes, position + (int) numbers[6], (int) numbers[5]);
    ByteBuffer data = part(bytes, position + (int) dataStart, (int) numbers[4]);
    bytes.position(data.limit());
    return new Packet(header(numbers), checksums, data);
  }

  /** A part of a buffer, at the position that it has there. */
  private static ByteBuffer part(ByteBuffer bytes, int position, int length) {
    ByteBuffer part = bytes.duplicate();
    part.limit(position + length).position(position);
    return part;
  }

  private static native boolean parse(
      int kind, int bytesPerChecksum, Object bytes, long start, int length, boolean direct,
      long[] out);

  private static native byte[] header(
      long offset, long seqno, boolean last, boolean sync, int dataLength, int checksumsLength);

  /**
   * Takes packets out of a stream of bytes, in pieces of any size. One belongs to one thread at a
   * time. Where a buffer holds whole packets, {@link #next} has them without a copy.
   *
   * <pre>{@code
   * try (Packets.Reader reader = new Packets.Reader(checksum)) {
   *   while (reader.header() == null) {
   *     channel.read(bytes);
   *     bytes.flip();
   *     reader.push(bytes);
   *     bytes.compact();
   *   }
   *   reader.take(data, sums);
   * }
   * }</pre>
   */
  public static final class Reader extends NativeObject {
    private final long[] numbers = new long[NUMBERS];

    /** A reader of packets with those checksums. */
    public Reader(ChunkChecksum checksum) {
      super(open(checksum.kind().id, checksum.bytesPerChecksum()), Reader::close);
    }

    /**
     * Takes bytes up to the end of the packet at hand, and moves the buffer's position behind them.
     *
     * @throws RestripeException where they are no packets; no packet comes after that
     */
    public void push(ByteBuffer bytes) {
      int length = bytes.remaining();
      boolean direct = bytes.isDirect();
      long start = Call.start("bytes", 0, bytes, length, direct, false);
      int taken = push(handle(), Call.memory(bytes, direct), start, length, direct);
      bytes.position(bytes.position() + taken);
    }

    /** The header of the packet at hand; null while not all of the packet is there. */
    public Header header() {
      if (!packet(handle(), numbers)) {
        return null;
      }
      return Packets.header(numbers);
    }

    /**
     * Copies the packet at hand out, and lets go of it. The checksums are not verified: see {@link
     * ChunkChecksum#verify}.
     *
     * @param data gets the data at its position, its limit is put behind it
     * @param checksums gets the checksums likewise
     */
    public void take(ByteBuffer data, ByteBuffer checksums) {
      if (!packet(handle(), numbers)) {
        throw new IllegalStateException("no packet is there");
      }
      boolean direct = data.isDirect();
      int dataLength = (int) numbers[4];
      int sumsLength = (int) numbers[5];
      data.limit(Math.min(data.capacity(), data.position() + dataLength));
      checksums.limit(Math.min(checksums.capacity(), checksums.position() + sumsLength));
      long start = Call.start("data", 0, data, dataLength, direct, true);
      long sumsStart = Call.start("checksums", 0, checksums, sumsLength, direct, true);
      take(
          handle(), Call.memory(data, direct), start, dataLength, Call.memory(checksums, direct),
          sumsStart, sumsLength, direct);
    }

    private static native long open(int kind, int bytesPerChecksum);

    private static native void close(long handle);

    private native int push(
        long handle, Object bytes, long start, int length, boolean direct);

    private native boolean packet(long handle, long[] out);

    private native void take(
        long handle, Object data, long start, int length, Object checksums, long checksumsStart,
        int checksumsLength, boolean direct);
  }
}
