package restripe;

import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;

/**
 * What the native side is told of the buffers of one call: where in each the bytes begin. There is
 * one for every thread, used again, so that a call allocates nothing.
 */
final class Call {
  /** As many as the native side takes: all units of a code and their checksums. */
  private static final int MAX_BUFFERS = 512;

  private static final ThreadLocal<int[]> POSITIONS =
      ThreadLocal.withInitial(() -> new int[MAX_BUFFERS]);

  private Call() {}

  /** The positions of this thread's call, to be filled. */
  static int[] positions(int count) {
    if (count > MAX_BUFFERS) {
      throw new IllegalArgumentException(count + " buffers, expected at most " + MAX_BUFFERS);
    }
    return POSITIONS.get();
  }

  /** The first buffer that is there: what the others are compared with. */
  static ByteBuffer first(String what, ByteBuffer[] buffers) {
    for (ByteBuffer buffer : buffers) {
      if (buffer != null) {
        return buffer;
      }
    }
    throw new IllegalArgumentException("no " + what + " is there");
  }

  /**
   * Checks a list of buffers, and takes down where their bytes begin. Entries that are null are
   * passed over; the native side refuses those that it needs.
   *
   * @return what the native side is given: the buffers, or the arrays behind them
   */
  static Object[] list(
      String what, ByteBuffer[] buffers, int length, boolean direct, boolean written,
      int[] positions, int at) {
    Object[] memory = direct ? buffers : new byte[buffers.length][];
    for (int i = 0; i < buffers.length; i++) {
      if (buffers[i] != null) {
        positions[at + i] = position(what, i, buffers[i], length, direct, written);
        if (!direct) {
          memory[i] = buffers[i].array();
        }
      }
    }
    return memory;
  }

  /** Checks one buffer. The result is where its bytes begin. */
  static int position(
      String what, int index, ByteBuffer buffer, int length, boolean direct, boolean written) {
    if (buffer.remaining() != length) {
      throw new IllegalArgumentException(
          what + " " + index + " has " + buffer.remaining() + " bytes, expected " + length);
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
      return buffer.position();
    }
    if (!buffer.hasArray()) {
      throw new IllegalArgumentException(
          what + " " + index + " is read-only: its array cannot be had");
    }
    return buffer.arrayOffset() + buffer.position();
  }

  /** What the native side is given of one buffer. */
  static Object memory(ByteBuffer buffer) {
    return buffer.isDirect() ? buffer : buffer.array();
  }

  /** Takes down offsets into arrays. */
  static void offsets(String what, Object[] arrays, int[] offsets, int[] positions, int at) {
    if (offsets.length != arrays.length) {
      throw new IllegalArgumentException(
          offsets.length + " offsets of " + what + "s, expected " + arrays.length);
    }
    System.arraycopy(offsets, 0, positions, at, offsets.length);
  }
}
