package restripe;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;

/** The two sorts of memory that buffers can have. */
enum MemoryKind {
  DIRECT,
  HEAP;

  /** A buffer of that many bytes, not at the beginning of its memory. */
  ByteBuffer buffer(int length) {
    int capacity = length + 13;
    ByteBuffer whole =
        this == DIRECT ? ByteBuffer.allocateDirect(capacity) : ByteBuffer.allocate(capacity);
    whole.position(7).limit(7 + length);
    return whole;
  }

  ByteBuffer[] buffers(int count, int length) {
    ByteBuffer[] buffers = new ByteBuffer[count];
    Arrays.setAll(buffers, i -> buffer(length));
    return buffers;
  }

  ByteBuffer random(int length, Random random) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    ByteBuffer buffer = buffer(length);
    buffer.duplicate().put(bytes);
    return buffer;
  }

  ByteBuffer[] randoms(int count, int length, Random random) {
    ByteBuffer[] buffers = new ByteBuffer[count];
    Arrays.setAll(buffers, i -> random(length, random));
    return buffers;
  }

  static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }
}
