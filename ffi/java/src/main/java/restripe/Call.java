package restripe;

import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;

/**
 * What the native side is told of the buffers of one call: all of one sort, each checked, and where
 * in each the bytes begin.
 *
 * <p>It takes addresses of direct buffers as they are. So every buffer is looked at once, and what
 * is told of it is what was checked, whatever other threads do to it or to the list it is in.
 */
final class Call {
  /** Where the bytes of a buffer begin that is not there. */
  static final long ABSENT = Long.MIN_VALUE;

  /** As many as the native side takes: all units of a code and their checksums. */
  private static final int MAX_BUFFERS = 512;

  /** The lists of starts: one for every thread, used again. */
  private static final ThreadLocal<long[]> STARTS =
      ThreadLocal.withInitial(() -> new long[MAX_BUFFERS]);

  /** Bytes of data in every buffer. */
  final int length;

  /** Whether the buffers are direct. */
  final boolean direct;

  /** The buffers, which being here keeps in memory, or the arrays behind them. */
  final Object[] memory;

  /** Where the bytes begin: addresses, or offsets into the arrays. */
  final long[] starts;

  private int count;

  private Call(int length, boolean direct, int buffers) {
    if (buffers > MAX_BUFFERS) {
      throw new IllegalArgumentException(buffers + " buffers, expected at most " + MAX_BUFFERS);
    }
    this.length = length;
    this.direct = direct;
    memory = new Object[buffers];
    starts = STARTS.get();
  }

  /** A call with so many buffers that are like the first one of a list. */
  static Call like(String what, ByteBuffer[] list, int buffers) {
    for (ByteBuffer buffer : list) {
      if (buffer != null) {
        return new Call(buffer.remaining(), buffer.isDirect(), buffers);
      }
    }
    throw new IllegalArgumentException("no " + what + " is there");
  }

  /** A call with so many arrays. */
  static Call arrays(int length, int buffers) {
    return new Call(length, false, buffers);
  }

  /** Adds a list of buffers with data. */
  void add(String what, ByteBuffer[] buffers, boolean written) {
    add(what, buffers, length, written);
  }

  /**
   * Adds a list of buffers. Entries that are null are passed over; the native side refuses those
   * that it needs.
   *
   * @param bytes how many each of them has
   */
  void add(String what, ByteBuffer[] buffers, int bytes, boolean written) {
    for (int i = 0; i < buffers.length; i++) {
      ByteBuffer buffer = buffers[i];
      if (buffer == null) {
        starts[count++] = ABSENT;
        continue;
      }
      starts[count] = start(what, i, buffer, bytes, direct, written);
      memory[count++] = memory(buffer, direct);
    }
  }

  /** Adds a list of arrays. */
  void add(String what, byte[][] arrays, int[] offsets) {
    if (offsets.length != arrays.length) {
      throw new IllegalArgumentException(
          offsets.length + " offsets of " + what + "s, expected " + arrays.length);
    }
    for (int i = 0; i < arrays.length; i++) {
      byte[] array = arrays[i];
      memory[count] = array;
      starts[count++] = array == null ? ABSENT : offsets[i];
    }
  }

  /** Checks one buffer. The result is where its bytes begin: an address, or an offset. */
  static long start(
      String what, int index, ByteBuffer buffer, int bytes, boolean direct, boolean written) {
    int position = buffer.position();
    int remaining = buffer.limit() - position;
    if (remaining != bytes) {
      throw new IllegalArgumentException(
          what + " " + index + " has " + remaining + " bytes, expected " + bytes);
    }
    if (buffer.isDirect() != direct) {
      throw new IllegalArgumentException(
          what + " " + index + (direct ? " is on the heap" : " is a direct buffer")
              + " and others are not: all have to be of one sort");
    }
    if (written && buffer.isReadOnly()) {
      throw new ReadOnlyBufferException();
    }
    if (direct) {
      return Addresses.of(buffer) + position;
    }
    if (!buffer.hasArray()) {
      throw new IllegalArgumentException(
          what + " " + index + " is read-only: its array cannot be had");
    }
    return buffer.arrayOffset() + position;
  }

  /** What the native side is given of one buffer. */
  static Object memory(ByteBuffer buffer, boolean direct) {
    return direct ? buffer : buffer.array();
  }
}
