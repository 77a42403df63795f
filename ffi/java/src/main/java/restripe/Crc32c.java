package restripe;

import java.nio.ByteBuffer;
import java.util.zip.Checksum;

/**
 * CRC-32C of a stream of bytes, for Java versions that lack {@code java.util.zip.CRC32C} too.
 *
 * <pre>{@code
 * Crc32c crc = new Crc32c();
 * crc.update(bytes, 0, bytes.length);
 * long sum = crc.getValue();
 * }</pre>
 *
 * <p>Unlike other objects of this package, one of these belongs to one thread at a time.
 */
public final class Crc32c implements Checksum {
  private final byte[] single = new byte[1];
  private int crc;

  /** The checksum of no bytes yet. */
  public Crc32c() {
    Native.require();
  }

  @Override
  public void update(int b) {
    single[0] = (byte) b;
    update(single, 0, 1);
  }

  @Override
  public void update(byte[] bytes, int offset, int length) {
    crc = ChunkChecksum.append(ChecksumKind.CRC32C.id, crc, bytes, offset, length, false);
  }

  /** Goes on by what remains of a buffer, and moves its position to its limit. */
  public void update(ByteBuffer bytes) {
    int length = bytes.remaining();
    boolean direct = bytes.isDirect();
    long start = Call.start("data", 0, bytes, length, direct, false);
    crc =
        ChunkChecksum.append(
            ChecksumKind.CRC32C.id, crc, Call.memory(bytes, direct), start, length, direct);
    bytes.position(bytes.limit());
  }

  @Override
  public long getValue() {
    return crc & 0xFFFF_FFFFL;
  }

  @Override
  public void reset() {
    crc = 0;
  }
}
